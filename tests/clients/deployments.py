"""Deployment and Stage, and what a client gets from them on every node."""

import json

from cluster import ID6, RECENT, ok, pages, refused, replace

BAD, GONE = "BadRequestException", "NotFoundException"
SETTING = {"cacheDataEncrypted": False, "cacheTtlInSeconds": 300, "cachingEnabled": False, "dataTraceEnabled": False,
           "metricsEnabled": False, "requireAuthorizationForCacheControl": True, "throttlingBurstLimit": 5000,
           "throttlingRateLimit": 10000.0, "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER"}
STAGE_PATHS = (
    "[/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, "
    "/{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, "
    "/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit"
    "/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, "
    "/{resourcePath}/{httpMethod}/caching/dataEncrypted, "
    "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, "
    "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, "
    "/*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit "
    "/*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, "
    "/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, "
    "/variables/{variable_name}, /tracingEnabled]")


def mock(c, api, resource, status, template, method="GET", **members):
    """A method that answers by itself."""
    at = {"restApiId": api, "resourceId": resource, "httpMethod": method}
    ok(c.write("PutMethod", **at, authorizationType="NONE", **members), 201)
    ok(c.write("PutMethodResponse", **at, statusCode=str(status)), 201)
    ok(c.write("PutIntegration", **at, type="MOCK", requestTemplates={"application/json": json.dumps({"statusCode": status})}), 201)
    ok(c.write("PutIntegrationResponse", **at, statusCode=str(status), responseTemplates={"application/json": template}), 201)


def proxy(c, api, resource, uri, method="ANY", parameters=None, **members):
    """A method that passes on to the backend."""
    at = {"restApiId": api, "resourceId": resource, "httpMethod": method}
    ok(c.write("PutMethod", **at, authorizationType="NONE", **members), 201)
    more = {"requestParameters": parameters} if parameters else {}
    ok(c.write("PutIntegration", **at, type="HTTP_PROXY", integrationHttpMethod=method, uri=uri, **more), 201)


def run(c, backend):
    made = ok(c.write("CreateRestApi", name="deployed"), 201)
    api, root = made["id"], made["rootResourceId"]
    pets = ok(c.write("CreateResource", restApiId=api, parentId=root, pathPart="pets"), 201)["id"]
    pet = ok(c.write("CreateResource", restApiId=api, parentId=pets, pathPart="{petId}"), 201)["id"]
    mock(c, api, pets, 200, '{"version":1}')
    proxy(c, api, pet, backend.url + "/at/{id}?v=${stageVariables.kind}",
          parameters={"integration.request.path.id": "method.request.path.petId"}, requestParameters={"method.request.path.petId": True})
    first = deployments(c, api)
    served(c, api, "prod", 1)
    stages(c, api, first)
    through_to_the_backend(c, api)
    a_new_deployment_is_live_everywhere(c, api, pets)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def deployments(c, api):
    made = ok(c.write("CreateDeployment", restApiId=api, stageName="prod", description="first"), 201,
              {"id": ID6, "createdDate": RECENT, "description": "first"})
    ok(c.read("GetDeployment", restApiId=api, deploymentId=made["id"]), 200, made.wire)
    plain = {"authorizationType": "NONE", "apiKeyRequired": False}
    summary = ok(c.read("GetDeployment", restApiId=api, deploymentId=made["id"], embed=["apisummary"]), 200)
    assert summary["apiSummary"] == {"/pets": {"GET": plain}, "/pets/{petId}": {"ANY": plain}}, summary

    spare = ok(c.write("CreateDeployment", restApiId=api), 201, {"id": ID6, "createdDate": RECENT})
    changed = ok(c.third("UpdateDeployment", restApiId=api, deploymentId=spare["id"],
                         patchOperations=[replace("/description", "spare")]), 200, {**spare.wire, "description": "spare"})
    listed = {item["id"]: item for item in pages(c.read, "GetDeployments", restApiId=api)}
    assert listed == {made["id"]: made.wire, spare["id"]: changed.wire}, listed

    refused(c.write("DeleteDeployment", restApiId=api, deploymentId=made["id"]), 400, BAD,
            "Active stages pointing to this deployment must be moved or deleted")
    ok(c.third("DeleteDeployment", restApiId=api, deploymentId=spare["id"]), 202)
    refused(c.read("GetDeployment", restApiId=api, deploymentId=spare["id"]), 404, GONE)
    refused(c.write("CreateDeployment", restApiId=api, stageName="nowhere", canarySettings={"percentTraffic": 5.0}), 400, BAD,
            "Invalid deployment content specified.Stage nowhere must already be created before making a canary release deployment")
    return made["id"]


def stages(c, api, deployment):
    base = {"deploymentId": deployment, "cacheClusterEnabled": False, "cacheClusterStatus": "NOT_AVAILABLE", "methodSettings": {},
            "tracingEnabled": False, "createdDate": RECENT, "lastUpdatedDate": RECENT}
    made = ok(c.write("CreateStage", restApiId=api, stageName="beta", deploymentId=deployment, description="next",
                      variables={"kind": "cat"}, tags={"team": "blue"}), 201,
              {**base, "stageName": "beta", "description": "next", "variables": {"kind": "cat"}, "tags": {"team": "blue"}})
    ok(c.read("GetStage", restApiId=api, stageName="beta"), 200, made.wire)
    names = ok(c.read("GetStages", restApiId=api, deploymentId=deployment), 200)["item"]
    assert sorted(stage["stageName"] for stage in names) == ["beta", "prod"], names
    assert ok(c.read("GetStages", restApiId=api, deploymentId="aaaaaa"), 200).wire.get("item", []) == []

    def patch(*operations):
        return c.third("UpdateStage", restApiId=api, stageName="beta", patchOperations=list(operations))

    changed = ok(patch(replace("/description", "later"), replace("/variables/kind", "dog"), replace("/variables/more", "1"),
                       replace("/pets/GET/throttling/rateLimit", "7.5"), replace("/*/*/metrics/enabled", "true")), 200)
    assert changed["variables"] == {"kind": "dog", "more": "1"} and changed["description"] == "later", changed
    assert changed["methodSettings"] == {"pets/GET": {**SETTING, "throttlingRateLimit": 7.5},
                                         "*/*": {**SETTING, "metricsEnabled": True}}, changed
    assert b'"throttlingRateLimit":10000.0' in changed.raw.replace(b" ", b""), "a rate is printed as a double"
    got = ok(c.read("GetStage", restApiId=api, stageName="beta"), 200)
    assert got["methodSettings"] == changed["methodSettings"], got
    changed = ok(patch(replace("/pets/GET", op="remove"), replace("/variables/more", op="remove")), 200)
    assert set(changed["methodSettings"]) == {"*/*"} and changed["variables"] == {"kind": "dog"}, changed

    logs = [replace("/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:000000000000:log-group:x"),
            replace("/accessLogSettings/format", "$context.requestId")]
    assert ok(patch(*logs), 200)["accessLogSettings"] == {
        "destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:x", "format": "$context.requestId"}
    assert "accessLogSettings" not in ok(patch(replace("/accessLogSettings", op="remove")), 200).wire

    canary = ok(patch(replace("/canarySettings/percentTraffic", "12.5"),
                      replace("/canarySettings/stageVariableOverrides/kind", "bird")), 200)["canarySettings"]
    assert canary == {"deploymentId": deployment, "percentTraffic": 12.5, "useStageCache": False,
                      "stageVariableOverrides": {"kind": "bird"}}, canary
    promote = {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"}
    promoted = ok(patch(promote, replace("/canarySettings", op="remove")), 200)
    assert promoted["variables"] == {"kind": "bird"} and "canarySettings" not in promoted.wire, promoted

    refused(patch(replace("/nonsense", "x")), 400, BAD, f"Invalid method setting path: /nonsense. Must be one of: {STAGE_PATHS}")
    refused(patch(replace("/a/b", op="remove")), 400, BAD,
            "Cannot remove method setting a/b because there is no method setting for this method ")
    refused(patch({"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"}), 400, BAD,
            "Promotion not available. Canary does not exist.")
    refused(c.read("GetStage", restApiId=api, stageName="nowhere"), 404, GONE)
    ok(c.write("DeleteStage", restApiId=api, stageName="beta"), 202)
    refused(c.read("GetStage", restApiId=api, stageName="beta"), 404, GONE)
    ok(c.write("UpdateStage", restApiId=api, stageName="prod", patchOperations=[replace("/variables/kind", "cat")]), 200)


def served(c, api, stage, version):
    """Every node answers, the ones of other regions by way of the API's own."""
    for node in range(3):
        status, headers, text = c.invoke(node, api, stage, "/pets")
        assert (status, text) == (200, f'{{"version":{version}}}'), f"node {node}: {status} {text}"
        assert headers["content-type"] == "application/json" and headers["x-amzn-requestid"] and headers["x-amz-apigw-id"], headers
        status, headers, text = c.invoke(node, api, stage, "/nothing")
        assert (status, text) == (403, '{"message":"Missing Authentication Token"}'), f"node {node}: {status} {text}"
        assert headers["x-amzn-errortype"] == "MissingAuthenticationTokenException", headers
        status, _, text = c.invoke(node, api, "nowhere", "/pets")
        assert (status, text) == (403, '{"message":"Forbidden"}'), f"node {node}: {status} {text}"


def through_to_the_backend(c, api):
    for node in range(3):
        status, headers, text = c.invoke(node, api, "prod", "/pets/7?b=1", method="POST", body="bytes of node %d" % node,
                                         headers={"X-Wanted-Status": "418", "Content-Type": "text/plain"})
        told = json.loads(text)
        assert status == 418 and headers["x-backend"] == "echo", f"node {node}: {status} {headers}"
        assert told["method"] == "POST" and told["body"] == f"bytes of node {node}", told
        assert told["path"].startswith("/at/7?") and set(told["path"].split("?")[1].split("&")) == {"v=cat", "b=1"}, told
        assert told["headers"]["content-type"] == "text/plain" and told["headers"]["host"].startswith("127.0.0.1"), told


def a_new_deployment_is_live_everywhere(c, api, pets):
    at = {"restApiId": api, "resourceId": pets, "httpMethod": "GET"}
    for version in (2, 3):
        ok(c.write("UpdateIntegrationResponse", **at, statusCode="200", patchOperations=[
            replace("/responseTemplates/application~1json", f'{{"version":{version}}}')]), 200)
        served(c, api, "prod", version - 1)
        ok(c.read("CreateDeployment", restApiId=api, stageName="prod"), 201)
        served(c, api, "prod", version)
