"""What belongs to one API beside its methods: models, validators, authorizers, gateway responses, documentation."""

import json

from cluster import ID6, RECENT, ok, pages, refused, replace

BAD, GONE, TAKEN = "BadRequestException", "NotFoundException", "ConflictException"
UNKNOWN = "aaaaaaaaaa"
PET = '{"type":"object","properties":{"name":{"type":"string"}}}'
DRAFT = "http://json-schema.org/draft-04/schema#"
URI = ("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
       "arn:aws:lambda:us-east-1:000000000000:function:f/invocations")


def run(c, _):
    made = ok(c.write("CreateRestApi", name="parts"), 201)
    api, root = made["id"], made["rootResourceId"]
    models(c, api, root)
    validators(c, api, root)
    authorizers(c, api, root)
    gateway_responses(c, api)
    documentation(c, api)
    flushes(c, api, root)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def models(c, api, root):
    listed = {item["name"]: item for item in pages(c.read, "GetModels", restApiId=api)}
    assert sorted(listed) == ["Empty", "Error"], listed
    assert json.loads(listed["Empty"]["schema"]) == {"$schema": DRAFT, "title": "Empty Schema", "type": "object"}
    made = ok(c.write("CreateModel", restApiId=api, name="Pet", schema=PET, contentType="application/json"), 201,
              {"id": ID6, "name": "Pet", "schema": PET, "contentType": "application/json"})
    ok(c.read("GetModel", restApiId=api, modelName="Pet"), 200, made.wire)
    reference = f"https://apigateway.amazonaws.com/restapis/{api}/models/Pet"
    ok(c.write("CreateModel", restApiId=api, name="Pets", contentType="application/json",
               schema=json.dumps({"type": "array", "items": {"$ref": reference}})), 201)
    flat = ok(c.read("GetModel", restApiId=api, modelName="Pets", flatten=True), 200)
    assert json.loads(flat["schema"]) == {"type": "array", "items": {"$ref": "#/definitions/Pet"},
                                          "definitions": {"Pet": json.loads(PET)}}, flat
    template = ok(c.read("GetModelTemplate", restApiId=api, modelName="Pet"), 200)
    assert template.wire == {"value": "#set($inputRoot = $input.path('$'))\n{\n  \"name\" : \"foo\"\n}"}, template
    changed = ok(c.third("UpdateModel", restApiId=api, modelName="Pet", patchOperations=[replace("/description", "d")]), 200)
    assert changed.wire == {**made.wire, "description": "d"}, changed

    def create(name, schema=PET, where=api):
        return c.write("CreateModel", restApiId=where, name=name, schema=schema, contentType="application/json")

    refused(create("Pet"), 409, TAKEN, "Model name already exists for this REST API")
    refused(create("New", ""), 400, BAD, "Model schema must have at least 1 property or array items defined")
    refused(create("New", where=UNKNOWN), 404, GONE, f"Invalid API identifier specified {c.account}:{UNKNOWN}")
    refused(c.read("GetModel", restApiId=api, modelName="Nope"), 404, GONE, "Invalid model name specified: Nope")
    refused(c.write("UpdateModel", restApiId=api, modelName="Pet", patchOperations=[replace("/name", "x")]), 400, BAD,
            "Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]")
    refused(c.write("DeleteModel", restApiId=api, modelName="Pet"), 409, TAKEN,
            "Cannot delete model 'Pet', is referenced in model: Pets")
    ok(c.write("PutMethod", restApiId=api, resourceId=root, httpMethod="ANY", authorizationType="NONE",
               requestModels={"application/json": "Pets"}), 201)
    refused(c.write("DeleteModel", restApiId=api, modelName="Pets"), 409, TAKEN,
            "Cannot delete model 'Pets', is referenced in method request: //ANY")
    ok(c.write("DeleteMethod", restApiId=api, resourceId=root, httpMethod="ANY"), 204)
    for name in ("Pets", "Pet"):
        ok(c.third("DeleteModel", restApiId=api, modelName=name), 202)
        refused(c.read("GetModel", restApiId=api, modelName=name), 404, GONE)


def validators(c, api, root):
    made = ok(c.write("CreateRequestValidator", restApiId=api, name="all", validateRequestBody=True), 201,
              {"id": ID6, "name": "all", "validateRequestBody": True, "validateRequestParameters": False})
    one = {"restApiId": api, "requestValidatorId": made["id"]}
    ok(c.read("GetRequestValidator", **one), 200, made.wire)
    assert pages(c.read, "GetRequestValidators", restApiId=api) == [made.wire]
    ok(c.third("UpdateRequestValidator", **one, patchOperations=[
        replace("/name", "params"), replace("/validateRequestParameters", "true"), replace("/validateRequestBody", "no")]), 200,
       {"id": made["id"], "name": "params", "validateRequestBody": False, "validateRequestParameters": True})
    refused(c.write("UpdateRequestValidator", **one, patchOperations=[replace("/name", "")]), 400, BAD,
            "Request Validator name cannot be blank")
    refused(c.write("CreateRequestValidator", restApiId=UNKNOWN, name="x"), 400, BAD, "Invalid REST API identifier specified")
    method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    refused(c.write("PutMethod", **method, authorizationType="NONE", requestValidatorId="nope"), 400, BAD,
            "Invalid Request Validator identifier specified")
    ok(c.write("PutMethod", **method, authorizationType="NONE", requestValidatorId=made["id"]), 201)
    refused(c.write("DeleteRequestValidator", **one), 409, TAKEN)
    ok(c.write("DeleteMethod", **method), 204)
    ok(c.write("DeleteRequestValidator", **one), 202)
    refused(c.read("GetRequestValidator", **one), 404, GONE, "Invalid Request Validator identifier specified")


def authorizers(c, api, root):
    given = {"name": "tokens", "type": "TOKEN", "authorizerUri": URI, "identitySource": "method.request.header.Authorization"}
    made = ok(c.write("CreateAuthorizer", restApiId=api, **given), 201, {**given, "id": ID6, "authType": "custom"})
    one = {"restApiId": api, "authorizerId": made["id"]}
    ok(c.read("GetAuthorizer", **one), 200, made.wire)
    pool = ok(c.write("CreateAuthorizer", restApiId=api, name="pool", type="COGNITO_USER_POOLS",
                      identitySource="method.request.header.Authorization",
                      providerARNs=["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a"]), 201)
    assert pool["authType"] == "cognito_user_pools", pool
    assert len(pages(c.read, "GetAuthorizers", restApiId=api)) == 2
    changed = ok(c.third("UpdateAuthorizer", **one, patchOperations=[
        replace("/authorizerResultTtlInSeconds", "60"), replace("/identityValidationExpression", "x.+")]), 200)
    assert changed.wire == {**made.wire, "authorizerResultTtlInSeconds": 60, "identityValidationExpression": "x.+"}, changed
    refused(c.write("CreateAuthorizer", restApiId=UNKNOWN, **given), 409, TAKEN,
            "Unable to complete operation due to concurrent modification. Please try again later.")
    refused(c.write("CreateAuthorizer", restApiId=api, **{**given, "name": "x", "authorizerUri": "arn:nope"}), 400, BAD)
    method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    ok(c.write("PutMethod", **method, authorizationType="CUSTOM", authorizerId=made["id"]), 201)
    refused(c.write("DeleteAuthorizer", **one), 409, TAKEN, "Cannot delete authorizer 'tokens', is referenced in method: GET//")
    ok(c.write("DeleteMethod", **method), 204)
    for authorizer in (made["id"], pool["id"]):
        ok(c.write("DeleteAuthorizer", restApiId=api, authorizerId=authorizer), 202)
    refused(c.read("GetAuthorizer", **one), 404, GONE)


def gateway_responses(c, api):
    throttled = {"restApiId": api, "responseType": "THROTTLED"}
    template = {"application/json": '{"message":$context.error.messageString}'}
    default = {"responseType": "THROTTLED", "statusCode": "429", "responseParameters": {}, "responseTemplates": template,
               "defaultResponse": True}
    ok(c.read("GetGatewayResponse", **throttled), 200, default)
    listed = pages(c.read, "GetGatewayResponses", restApiId=api)
    assert len(listed) == 21 and all(item["defaultResponse"] for item in listed), listed
    assert default in listed
    ok(c.write("PutGatewayResponse", **throttled, statusCode="503",
               responseParameters={"gatewayresponse.header.X": "'a'"}), 201,
       {**default, "statusCode": "503", "responseParameters": {"gatewayresponse.header.X": "'a'"}, "defaultResponse": False})
    ok(c.third("UpdateGatewayResponse", **throttled, patchOperations=[
        replace("/statusCode", "429"), replace("/responseTemplates/application~1xml", "<no/>", op="add"),
        replace("/responseParameters/gatewayresponse.header.X", op="remove")]), 200,
       {**default, "responseTemplates": {**template, "application/xml": "<no/>"}, "defaultResponse": False})
    refused(c.write("UpdateGatewayResponse", **throttled, patchOperations=[replace("/statusCode", "1", op="add")]), 400, BAD,
            "Invalid patch path /statusCode")
    refused(c.write("PutGatewayResponse", restApiId=UNKNOWN, responseType="THROTTLED"), 404, GONE,
            f"Invalid API identifier specified {c.account}:{UNKNOWN}")
    ok(c.write("DeleteGatewayResponse", **throttled), 202)
    refused(c.write("DeleteGatewayResponse", **throttled), 404, GONE, "Gateway response type not defined on api")
    ok(c.read("GetGatewayResponse", **throttled), 200, default)


def documentation(c, api):
    text = '{"description":"pets"}'
    made = ok(c.write("CreateDocumentationPart", restApiId=api, location={"type": "METHOD", "path": "/pets", "method": "GET"},
                      properties=text), 201,
              {"id": ID6, "location": {"type": "METHOD", "path": "/pets", "method": "GET"}, "properties": text})
    one = {"restApiId": api, "documentationPartId": made["id"]}
    ok(c.read("GetDocumentationPart", **one), 200, made.wire)
    assert pages(c.read, "GetDocumentationParts", restApiId=api, type="METHOD", path="/pets") == [made.wire]
    ok(c.read("GetDocumentationParts", restApiId=api, nameQuery="nope"), 200, {"item": []})
    undocumented = ok(c.read("GetDocumentationParts", restApiId=api, locationStatus="UNDOCUMENTED"), 200)
    assert {"location": {"type": "API"}} in undocumented["item"], undocumented
    ok(c.third("UpdateDocumentationPart", **one, patchOperations=[replace("/properties", '{"a":1}')]), 200,
       {**made.wire, "properties": '{"a":1}'})
    refused(c.write("UpdateDocumentationPart", **one, patchOperations=[replace("/properties", "")]), 400, BAD,
            "Documentation part properties must be non-empty")
    file = {"openapi": "3.0.1", "info": {"title": "x", "version": "1"}, "paths": {}, "x-amazon-apigateway-documentation": {
        "version": "1", "documentationParts": [{"location": {"type": "API"}, "properties": {"description": "all"}}]}}
    imported = ok(c.write("ImportDocumentationParts", restApiId=api, mode="merge", body=json.dumps(file).encode()), 200)
    assert imported.wire == {"ids": [ID6]}, imported
    refused(c.write("ImportDocumentationParts", restApiId=api, mode="merge", body=b"nonsense"), 400, BAD,
            "Unable to build importer with provided input.")

    version = ok(c.write("CreateDocumentationVersion", restApiId=api, documentationVersion="1.0", description="d"), 201,
                 {"version": "1.0", "createdDate": RECENT, "description": "d"})
    named = {"restApiId": api, "documentationVersion": "1.0"}
    ok(c.read("GetDocumentationVersion", **named), 200, version.wire)
    assert pages(c.read, "GetDocumentationVersions", restApiId=api) == [version.wire]
    changed = ok(c.third("UpdateDocumentationVersion", **named, patchOperations=[replace("/description", "e")]), 200)
    assert changed.wire == {**version.wire, "description": "e"}, changed
    refused(c.write("CreateDocumentationVersion", **named), 409, TAKEN)
    ok(c.write("DeleteDocumentationVersion", **named), 202)
    refused(c.read("GetDocumentationVersion", **named), 404, GONE)
    ok(c.write("DeleteDocumentationPart", **one), 202)
    refused(c.read("GetDocumentationPart", **one), 404, GONE, "Invalid Documentation part identifier specified")


def flushes(c, api, root):
    method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    ok(c.write("PutMethod", **method, authorizationType="NONE"), 201)
    ok(c.write("PutIntegration", **method, type="MOCK", requestTemplates={"application/json": '{"statusCode":200}'}), 201)
    ok(c.write("CreateDeployment", restApiId=api, stageName="prod"), 201)
    stage = ok(c.read("GetStage", restApiId=api, stageName="prod"), 200)
    ok(c.write("FlushStageCache", restApiId=api, stageName="prod"), 202)
    ok(c.write("FlushStageAuthorizersCache", restApiId=api, stageName="prod"), 202)
    ok(c.read("GetStage", restApiId=api, stageName="prod"), 200, stage.wire)
    refused(c.write("FlushStageCache", restApiId=api, stageName="nope"), 404, GONE, "Invalid stage identifier specified")
    ok(c.write("DeleteStage", restApiId=api, stageName="prod"), 202)
