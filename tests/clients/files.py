"""Whole APIs as files: ImportRestApi, PutRestApi, GetExport, ImportDocumentationParts."""

import copy
import json
import re

import yaml
from openapi_spec_validator import validate

from cluster import ID6, ID10, RECENT, ok, pages, refused, replace

BAD, GONE = "BadRequestException", "NotFoundException"
UNKNOWN = "aaaaaaaaaa"
INVALID = "Invalid OpenAPI input."
EXTENSIONS = {"extensions": "integrations,authorizers,apigateway"}
URI = ("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
       "arn:aws:lambda:us-east-1:000000000000:function:f/invocations")


def mock(text):
    return {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}, "responses": {
        "default": {"statusCode": "200", "responseTemplates": {"application/json": text}}}}


def answers(model=None):
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}} if model else {}
    return {"200": {"description": "200 response", "content": content}}


ZOO = {
    "openapi": "3.0.1", "info": {"title": "zoo", "version": "2026-01-02", "description": "Animals"},
    "servers": [{"url": "https://zoo.example.com/{basePath}", "variables": {"basePath": {"default": "/v1/zoo"}}}],
    "paths": {
        "/pets": {
            "get": {"operationId": "ListPets", "summary": "All pets", "responses": answers("Pet"),
                    "parameters": [{"name": "kind", "in": "query", "schema": {"type": "string"}}],
                    "x-amazon-apigateway-integration": mock('{"pets":[]}')},
            "post": {"security": [{"tokens": []}], "responses": answers(),
                     "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                     "x-amazon-apigateway-request-validator": "all", "x-amazon-apigateway-integration": mock("made")}},
        "/pets/{petId}": {
            "get": {"responses": answers(), "x-amazon-apigateway-integration": mock("one"),
                    "parameters": [{"name": "petId", "in": "path", "required": True, "schema": {"type": "string"}}]}}},
    "components": {
        "schemas": {"Pet": {"required": ["name"], "type": "object", "properties": {
            "name": {"type": "string"}, "parent": {"$ref": "#/components/schemas/Pet"}}}},
        "securitySchemes": {"tokens": {
            "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": URI, "authorizerResultTtlInSeconds": 60}}}},
    "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
    "x-amazon-apigateway-gateway-responses": {"THROTTLED": {"statusCode": 503}},
    "x-amazon-apigateway-binary-media-types": ["image/png"],
}
SMALL = {"openapi": "3.0.1", "info": {"title": "small", "version": "2"}, "x-amazon-apigateway-binary-media-types": ["image/gif"],
         "paths": {"/cats": {"get": {"responses": answers(), "x-amazon-apigateway-integration": mock("cats")}}}}
SWAGGER = {"swagger": "2.0", "info": {"title": "old", "version": "1"}, "basePath": "/base", "paths": {"/e": {"get": {
    "security": [{"key": []}], "responses": {"200": {"description": "ok", "headers": {"X-A": {"type": "string"}}}},
    "x-amazon-apigateway-integration": mock("e")}}},
    "securityDefinitions": {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}}


def packed(document):
    return json.dumps(document).encode()


def run(c, _):
    api = imported(c)
    refused_files(c, api)
    exported(c, api)
    put(c, api)
    documentation(c, api)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def paths(c, api):
    return {item["path"]: item for item in ok(c.read("GetResources", restApiId=api, limit=500), 200)["item"]}


def imported(c):
    made = ok(c.write("ImportRestApi", body=packed(ZOO), failOnWarnings=True,
                      parameters={"endpointConfigurationTypes": "REGIONAL", "ignore": "documentation"}), 201,
              {"id": ID10, "name": "zoo", "description": "Animals", "version": "2026-01-02", "createdDate": RECENT,
               "apiKeySource": "HEADER", "binaryMediaTypes": ["image/png"], "disableExecuteApiEndpoint": False,
               "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}, "rootResourceId": ID10})
    api = made["id"]
    assert {path: item.get("resourceMethods") for path, item in paths(c, api).items()} == {
        "/": None, "/pets": {"GET": {}, "POST": {}}, "/pets/{petId}": {"GET": {}}}
    one = {"restApiId": api, "resourceId": paths(c, api)["/pets"]["id"], "httpMethod": "POST"}
    method = ok(c.read("GetMethod", **one), 200)
    [guard] = pages(c.read, "GetAuthorizers", restApiId=api)
    [validator] = pages(c.read, "GetRequestValidators", restApiId=api)
    assert guard == {"id": ID6, "name": "tokens", "type": "TOKEN", "authType": "custom", "authorizerUri": URI,
                     "identitySource": "method.request.header.Authorization", "authorizerResultTtlInSeconds": 60}, guard
    assert validator == {"id": ID6, "name": "all", "validateRequestBody": True, "validateRequestParameters": True}, validator
    wanted = {"authorizationType": "CUSTOM", "authorizerId": guard["id"], "requestValidatorId": validator["id"],
              "requestModels": {"application/json": "Pet"}, "apiKeyRequired": False, "httpMethod": "POST"}
    assert {name: method[name] for name in wanted} == wanted, method
    [pet] = pages(c.read, "GetModels", restApiId=api)
    link = f"https://apigateway.amazonaws.com/restapis/{api}/models/Pet"
    assert json.loads(pet["schema"])["properties"]["parent"] == {"$ref": link}, pet
    assert ok(c.read("GetGatewayResponse", restApiId=api, responseType="THROTTLED"), 200)["statusCode"] == "503"
    assert ok(c.read("GetDocumentationParts", restApiId=api), 200).wire == {"item": []}

    split = ok(c.write("ImportRestApi", body=packed(ZOO), parameters={"basepath": "split"}), 201)["id"]
    assert sorted(paths(c, split)) == ["/", "/zoo", "/zoo/pets", "/zoo/pets/{petId}"]
    assert {"type": "API"} in [part["location"] for part in pages(c.read, "GetDocumentationParts", restApiId=split)]
    old = ok(c.third("ImportRestApi", body=yaml.safe_dump(SWAGGER).encode(), parameters={"basepath": "prepend"}), 201)["id"]
    assert sorted(paths(c, old)) == ["/", "/base", "/base/e"]
    keyed = ok(c.read("GetMethod", restApiId=old, resourceId=paths(c, old)["/base/e"]["id"], httpMethod="GET"), 200)
    assert keyed["apiKeyRequired"] is True and keyed["methodResponses"] == {
        "200": {"statusCode": "200", "responseParameters": {"method.response.header.X-A": False}}}, keyed
    for other in (split, old):
        ok(c.write("DeleteRestApi", restApiId=other), 202)
    return api


def refused_files(c, api):
    before, apis = paths(c, api), len(pages(c.read, "GetRestApis"))
    for file in (b"fake", b"{", b"[1", b"{}", b"swagger: ["):
        refused(c.write("ImportRestApi", body=file), 400, BAD, INVALID)
        refused(c.write("PutRestApi", restApiId=api, body=file, mode="overwrite"), 400, BAD, INVALID)
    warned = copy.deepcopy(SMALL)
    warned["paths"]["/cats"]["get"]["x-amazon-apigateway-integration"]["requestParameters"] = {"integration.request.header.x": True}
    warning = ("Invalid format for 'requestParameters'. Expected type string for property 'integration.request.header.x' "
               "of resource '/cats' and method 'GET' but got 'true'")
    for call, members in (("ImportRestApi", {}), ("PutRestApi", {"restApiId": api, "mode": "merge"})):
        refused(c.write(call, body=packed(warned), failOnWarnings=True, **members), 400, BAD,
                f"Warnings found during import:\n\t{warning}")
    wrong = copy.deepcopy(SMALL)
    wrong["paths"]["/cats"]["get"]["x-amazon-apigateway-integration"] = {"type": "http", "uri": "http://example.com"}
    text = ("Errors found during import:\n\tUnable to put integration on 'GET' for resource at path '/cats': "
            "Enumeration value for HttpMethod must be non-empty")
    refused(c.write("PutRestApi", restApiId=api, body=packed(wrong)), 400, BAD, text)
    refused(c.write("PutRestApi", restApiId=UNKNOWN, body=packed(SMALL)), 404, GONE,
            f"Invalid API identifier specified {c.account}:{UNKNOWN}")
    refused(c.write("ImportRestApi", body=packed(SMALL), parameters={"endpointConfigurationTypes": "NOPE"}), 400, BAD,
            "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
    assert paths(c, api) == before and len(pages(c.read, "GetRestApis")) == apis, "a refused file left something"
    kept = ok(c.write("ImportRestApi", body=packed(warned)), 201)
    assert kept["warnings"] == [warning], kept
    ok(c.write("DeleteRestApi", restApiId=kept["id"]), 202)


def export(call, api, kind, accepts="application/json", parameters=None):
    more = {"parameters": parameters} if parameters else {}
    answer = ok(call("GetExport", restApiId=api, stageName="prod", exportType=kind, accepts=accepts, **more), 200)
    ending = accepts.split("/")[1]
    assert answer.headers["content-type"] == "application/octet-stream", answer.headers
    assert answer.headers["content-disposition"] == f'attachment; filename="{kind}_2026-01-02.{ending}"', answer.headers
    assert answer.parsed["contentType"] == "application/octet-stream", answer.parsed
    return json.loads(answer.raw) if ending == "json" else yaml.safe_load(answer.raw)


def exported(c, api):
    refused(c.read("GetExport", restApiId=api, stageName="prod", exportType="oas30"), 404, GONE,
            "Invalid stage identifier specified")
    ok(c.write("CreateDeployment", restApiId=api, stageName="prod"), 201)
    assert c.invoke(2, api, "prod", "/pets")[::2] == (200, '{"pets":[]}')
    assert c.invoke(1, api, "prod", "/pets/7")[::2] == (200, "one")
    host = f"{api}.execute-api.{c.region}.localhost"

    plain = export(c.read, api, "oas30")
    assert plain["servers"] == [{"url": f"https://{host}/{{basePath}}", "variables": {"basePath": {"default": "prod"}}}], plain
    assert plain["paths"]["/pets"]["get"] == {
        "operationId": "ListPets", "responses": answers("Pet"),
        "parameters": [{"name": "kind", "in": "query", "schema": {"type": "string"}}]}, plain["paths"]
    assert not re.search("x-amazon-apigateway-(integration|authorizer|gateway)", json.dumps(plain)), plain
    for kind in ("oas30", "swagger"):
        for parameters in (None, {"extensions": "integrations"}, {"extensions": "authorizers"}, EXTENSIONS):
            asked = (parameters or {}).get("extensions", "")
            file = export(c.read, api, kind, parameters=parameters)
            validate(file)
            assert export(c.third, api, kind, "application/yaml", parameters) == file, "YAML says something else"
            get, post = (file["paths"]["/pets"][verb] for verb in ("get", "post"))
            assert ("x-amazon-apigateway-integration" in get) == ("integrations" in asked), (asked, get)
            schemes = file["components"]["securitySchemes"] if kind == "oas30" else file["securityDefinitions"]
            assert ("x-amazon-apigateway-authorizer" in schemes["tokens"]) == ("authorizers" in asked), (asked, schemes)
            assert post["security"] == [{"tokens": []}], post
    swagger = export(c.read, api, "swagger", parameters={"extensions": "integrations"})
    wanted = {"swagger": "2.0", "host": host, "basePath": "/prod", "schemes": ["https"]}
    assert {name: swagger[name] for name in wanted} == wanted, swagger
    assert swagger["paths"]["/pets/{petId}"]["get"]["x-amazon-apigateway-integration"] == {
        **mock("one"), "passthroughBehavior": "when_no_match"}, swagger["paths"]
    refused(c.read("GetExport", restApiId=api, stageName="prod", exportType="wadl"), 400, BAD)
    refused(c.read("GetExport", restApiId=UNKNOWN, stageName="prod", exportType="oas30"), 404, GONE)


def put(c, api):
    before = paths(c, api)
    # What comes out goes in again and comes out the same.
    for kind in ("oas30", "swagger"):
        for accepts in ("application/json", "application/yaml"):
            first = c.read("GetExport", restApiId=api, stageName="prod", exportType=kind, accepts=accepts, parameters=EXTENSIONS)
            ok(c.write("PutRestApi", restApiId=api, mode="overwrite", failOnWarnings=True, body=first.raw,
                       parameters={"ignore": "documentation"}), 200)
            ok(c.write("CreateDeployment", restApiId=api, stageName="prod"), 201)
            again = c.third("GetExport", restApiId=api, stageName="prod", exportType=kind, accepts=accepts, parameters=EXTENSIONS)
            assert again.raw == first.raw, f"{kind} as {accepts} changed:\n{first}\n{again}"
    assert paths(c, api) == before, "an overwrite keeps the ids of what it overwrites"

    merged = ok(c.write("PutRestApi", restApiId=api, mode="merge", body=packed(SMALL)), 200)
    assert (merged["name"], merged["version"], merged["tags"]) == ("small", "2", {}), merged
    assert merged["binaryMediaTypes"] == ["image/png", "image/gif"], merged
    now = paths(c, api)
    assert now == {**before, "/cats": now["/cats"]}, now
    assert c.invoke(0, api, "prod", "/cats")[0] == 403, "nothing is served before it is deployed"
    ok(c.write("CreateDeployment", restApiId=api, stageName="prod"), 201)
    assert c.invoke(1, api, "prod", "/cats")[::2] == (200, "cats")
    cats = now["/cats"]
    over = ok(c.third("PutRestApi", restApiId=api, mode="overwrite", body=yaml.safe_dump(SMALL).encode()), 200)
    assert over["binaryMediaTypes"] == ["image/gif"] and over["rootResourceId"] == merged["rootResourceId"], over
    assert paths(c, api) == {"/": before["/"], "/cats": cats}, "an overwrite takes the rest away and keeps what it names"
    ok(c.read("GetStage", restApiId=api, stageName="prod"), 200)
    assert c.invoke(2, api, "prod", "/pets")[0] == 200, "the stage serves its deployment until the next"


def documentation(c, api):
    def file(**parts):
        listed = [{"location": {"type": "RESOURCE", "path": f"/{name}"}, "properties": text} for name, text in parts.items()]
        return {"openapi": "3.0.1", "info": {"title": "x", "version": "1"}, "paths": {},
                "x-amazon-apigateway-documentation": {"version": "1", "documentationParts": listed}}

    def stored():
        parts = pages(c.read, "GetDocumentationParts", restApiId=api, type="RESOURCE")
        return {part["location"]["path"]: (part["id"], json.loads(part["properties"])) for part in parts}

    one, two, three = ({"description": text} for text in ("one", "two", "three"))
    first = ok(c.write("ImportDocumentationParts", restApiId=api, mode="overwrite", body=packed(file(a=one, b=two))), 200)
    assert first.wire == {"ids": [ID6, ID6]}, first
    assert {path: text for path, (_, text) in stored().items()} == {"/a": one, "/b": two}, stored()
    b = stored()["/b"][0]
    merged = ok(c.third("ImportDocumentationParts", restApiId=api, mode="merge", body=packed(file(b=three, c=one))), 200)
    assert merged["ids"][0] == b, merged
    assert {path: text for path, (_, text) in stored().items()} == {"/a": one, "/b": three, "/c": one}, stored()
    odd = file(a=two)
    odd["x-amazon-apigateway-documentation"]["documentationParts"].append({"location": {"type": "NOPE"}, "properties": {"a": 1}})
    refused(c.write("ImportDocumentationParts", restApiId=api, mode="overwrite", failOnWarnings=True, body=packed(odd)), 400, BAD)
    assert set(stored()) == {"/a", "/b", "/c"}, "a refused file left something"
    warned = ok(c.write("ImportDocumentationParts", restApiId=api, mode="overwrite", body=packed(odd)), 200)
    assert len(warned["ids"]) == 1 and len(warned["warnings"]) == 1, warned
    assert {path: text for path, (_, text) in stored().items()} == {"/a": two}, stored()
    # A version keeps them as they are now, and goes out with the stage that shows it.
    ok(c.write("CreateDocumentationVersion", restApiId=api, documentationVersion="d1", stageName="prod"), 201)
    answer = ok(c.read("GetExport", restApiId=api, stageName="prod", exportType="oas30", parameters=EXTENSIONS), 200)
    shown = json.loads(answer.raw)["x-amazon-apigateway-documentation"]
    assert shown["version"] == "d1" and {"location": {"type": "RESOURCE", "path": "/a"}, "properties": two} in \
        shown["documentationParts"], shown
    refused(c.write("ImportDocumentationParts", restApiId=UNKNOWN, body=packed(file(a=one))), 404, GONE)
    ok(c.write("UpdateStage", restApiId=api, stageName="prod", patchOperations=[replace("/documentationVersion", "")]), 200)
