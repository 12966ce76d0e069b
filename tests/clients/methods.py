"""Method, MethodResponse, Integration and IntegrationResponse."""

from cluster import ok, refused, replace

BAD, GONE = "BadRequestException", "NotFoundException"


def run(c, _):
    made = ok(c.write("CreateRestApi", name="methods"), 201)
    api = made["id"]
    pets = ok(c.write("CreateResource", restApiId=api, parentId=made["rootResourceId"], pathPart="pets"), 201)["id"]
    at = {"restApiId": api, "resourceId": pets, "httpMethod": "GET"}
    methods(c, at)
    method_responses(c, at)
    integrations(c, at)
    integration_responses(c, at)
    trials(c, at)
    whole_and_deleted(c, at)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def methods(c, at):
    put = ok(c.write("PutMethod", **at, authorizationType="NONE", operationName="ListPets",
                     requestParameters={"method.request.querystring.kind": True}), 201,
             {"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": False, "operationName": "ListPets",
              "requestParameters": {"method.request.querystring.kind": True}})
    ok(c.read("GetMethod", **at), 200, put.wire)

    refused(c.write("PutMethod", **{**at, "httpMethod": "FETCH"}, authorizationType="NONE"), 400, BAD,
            "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")
    refused(c.write("PutMethod", **{**at, "resourceId": "aaaaaa"}, authorizationType="NONE"), 404, GONE,
            "Invalid Resource identifier specified")
    refused(c.read("GetMethod", **{**at, "httpMethod": "POST"}), 404, GONE, "Invalid Method identifier specified")

    def patch(*operations):
        return c.third("UpdateMethod", **at, patchOperations=list(operations))

    changed = ok(patch(replace("/apiKeyRequired", "true"), replace("/operationName", "Pets"),
                       replace("/requestParameters/method.request.header.x", "false", op="add"),
                       replace("/requestParameters/method.request.querystring.kind", op="remove")), 200,
                 {"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": True, "operationName": "Pets",
                  "requestParameters": {"method.request.header.x": False}})
    ok(c.read("GetMethod", **at), 200, changed.wire)
    changed = ok(patch(replace("/apiKeyRequired", "perhaps"), replace("/requestParameters/method.request.header.x", op="remove")), 200)
    assert changed["apiKeyRequired"] is False and "requestParameters" not in changed.wire, changed

    refused(patch(replace("/httpMethod", "POST")), 400, BAD, "Invalid patch path /httpMethod")
    refused(patch(replace("/requestParameters", "x")), 400, BAD, "Invalid patch path /requestParameters")
    refused(patch(replace("/apiKeyRequired", "true", op="add")), 400, BAD,
            "Invalid patch operation specified. Must be one of: [replace]")
    refused(patch(replace("/requestParameters/method.request.header.none", op="remove")), 404, GONE,
            "Invalid parameter name specified")


def method_responses(c, at):
    put = ok(c.write("PutMethodResponse", **at, statusCode="200", responseModels={},
                     responseParameters={"method.response.header.X-Total": False}), 201,
             {"statusCode": "200", "responseModels": {}, "responseParameters": {"method.response.header.X-Total": False}})
    got = ok(c.read("GetMethodResponse", **at, statusCode="200"), 200)
    assert got["responseParameters"] == put["responseParameters"], got
    ok(c.write("PutMethodResponse", **at, statusCode="404"), 201, {"statusCode": "404"})

    changed = ok(c.third("UpdateMethodResponse", **at, statusCode="404", patchOperations=[
        replace("/responseParameters/method.response.header.X-Why", "true", op="add")]), 201,
        {"statusCode": "404", "responseParameters": {"method.response.header.X-Why": True}})
    ok(c.read("GetMethodResponse", **at, statusCode="404"), 200, changed.wire)
    refused(c.write("UpdateMethodResponse", **at, statusCode="404", patchOperations=[replace("/statusCode", "405")]), 400, BAD,
            "Invalid patch path /statusCode")

    refused(c.write("PutMethodResponse", **at, statusCode="abc"), 400, "ValidationException",
            "1 validation error detected: Value 'abc' at 'statusCode' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [1-5]\\d\\d")
    refused(c.read("GetMethodResponse", **at, statusCode="500"), 404, GONE, "Invalid Response status code specified")
    ok(c.write("DeleteMethodResponse", **at, statusCode="404"), 204)
    refused(c.read("GetMethodResponse", **at, statusCode="404"), 404, GONE, "Invalid Response status code specified")


def integrations(c, at):
    always = {"cacheKeyParameters": [], "cacheNamespace": at["resourceId"], "passthroughBehavior": "WHEN_NO_MATCH",
              "timeoutInMillis": 29000}
    refused(c.read("GetIntegration", **at), 404, GONE, "Invalid Integration identifier specified")
    proxy = ok(c.write("PutIntegration", **at, type="HTTP_PROXY", integrationHttpMethod="POST", uri="http://127.0.0.1:1/pets"), 201,
               {**always, "type": "HTTP_PROXY", "httpMethod": "POST", "uri": "http://127.0.0.1:1/pets", "connectionType": "INTERNET"})
    ok(c.read("GetIntegration", **at), 200, proxy.wire)

    changed = ok(c.third("UpdateIntegration", **at, patchOperations=[
        replace("/uri", "http://127.0.0.1:2/cats"), replace("/timeoutInMillis", "500"), replace("/httpMethod", "GET"),
        replace("/requestParameters/integration.request.header.x", "'fixed'", op="add")]), 200,
        {**proxy.wire, "uri": "http://127.0.0.1:2/cats", "timeoutInMillis": 500, "httpMethod": "GET",
         "requestParameters": {"integration.request.header.x": "'fixed'"}})
    ok(c.read("GetIntegration", **at), 200, changed.wire)

    mock = ok(c.write("PutIntegration", **at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}), 201,
              {**always, "type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}})
    ok(c.read("GetIntegration", **at), 200, mock.wire)

    refused(c.write("PutIntegration", **at, type="HTTP", uri="http://a.example/"), 400, BAD,
            "Enumeration value for HttpMethod must be non-empty")
    refused(c.write("PutIntegration", **at, type="HTTP", integrationHttpMethod="GET", uri="nonsense"), 400, BAD,
            "Invalid HTTP endpoint specified for URI")
    refused(c.write("PutIntegration", **at, type="wrong"), 400, "ValidationException",
            "1 validation error detected: Value 'wrong' at 'putIntegrationInput.type' failed to satisfy constraint: "
            "Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]")
    refused(c.write("PutIntegration", **{**at, "httpMethod": "POST"}, type="MOCK"), 404, GONE, "Invalid Method identifier specified")


def integration_responses(c, at):
    put = ok(c.write("PutIntegrationResponse", **at, statusCode="200", responseTemplates={"application/json": '{"pets":[]}'},
                     responseParameters={"method.response.header.X-Total": "'0'"}), 201,
             {"statusCode": "200", "responseTemplates": {"application/json": '{"pets":[]}'},
              "responseParameters": {"method.response.header.X-Total": "'0'"}})
    ok(c.read("GetIntegrationResponse", **at, statusCode="200"), 200, put.wire)

    changed = ok(c.third("UpdateIntegrationResponse", **at, statusCode="200", patchOperations=[
        replace("/selectionPattern", "2\\d\\d"),
        replace("/responseTemplates/text~1plain", "none", op="add"),
        replace("/responseParameters/method.response.header.X-Total", op="remove")]), 200,
        {"statusCode": "200", "selectionPattern": "2\\d\\d",
         "responseTemplates": {"application/json": '{"pets":[]}', "text/plain": "none"}})
    ok(c.read("GetIntegrationResponse", **at, statusCode="200"), 200, changed.wire)
    refused(c.read("GetIntegrationResponse", **at, statusCode="500"), 404, GONE, "Invalid Response status code specified")
    refused(c.write("DeleteIntegrationResponse", **{**at, "httpMethod": "POST"}, statusCode="200"), 404, GONE,
            "Invalid Integration identifier specified")


def trials(c, at):
    ok(c.write("UpdateIntegrationResponse", **at, statusCode="200", patchOperations=[
        replace("/selectionPattern", ""), replace("/responseTemplates/application~1json",
                                                   '{"id": "$input.params(\'id\')", "of": "$stageVariables.of"}')]), 200)
    tried = ok(c.third("TestInvokeMethod", **at, pathWithQueryString="/pets/7?id=seven", body="{}",
                       headers={"X-One": "1"}, stageVariables={"of": "test"}), 200)
    assert (tried["status"], tried["body"]) == (200, '{"id": "seven", "of": "test"}'), tried
    assert tried["headers"] == {"Content-Type": "application/json"}, tried
    assert tried["multiValueHeaders"] == {"Content-Type": ["application/json"]}, tried
    assert isinstance(tried["latency"], int), tried
    lines = tried["log"].split("\n")
    assert lines[0].startswith("Execution log for request "), lines
    assert lines[-2].endswith(" : Method completed with status: 200") and lines[-1] == "", lines
    assert any(line.endswith(" : Method request query string: {id=seven}") for line in lines), lines
    refused(c.read("TestInvokeMethod", **{**at, "httpMethod": "PATCH"}), 404, GONE, "Invalid Method identifier specified")


def whole_and_deleted(c, at):
    whole = ok(c.read("GetMethod", **at), 200)
    assert set(whole.wire) == {"httpMethod", "authorizationType", "apiKeyRequired", "operationName", "methodResponses",
                               "methodIntegration"}, whole
    assert set(whole["methodResponses"]) == {"200"} and set(whole["methodIntegration"]["integrationResponses"]) == {"200"}, whole

    ok(c.third("DeleteIntegrationResponse", **at, statusCode="200"), 204)
    refused(c.read("GetIntegrationResponse", **at, statusCode="200"), 404, GONE, "Invalid Response status code specified")
    ok(c.third("DeleteIntegration", **at), 204)
    refused(c.read("GetIntegration", **at), 404, GONE, "Invalid Integration identifier specified")
    ok(c.third("DeleteMethod", **at), 204)
    refused(c.read("GetMethod", **at), 404, GONE, "Invalid Method identifier specified")
