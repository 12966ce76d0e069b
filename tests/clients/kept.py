"""A stage's cache and its canary, as their owner switches them on and a client on any node meets them."""

import json

from cluster import ok, replace
from deployments import mock, proxy


def run(c, backend):
    made = ok(c.write("CreateRestApi", name="kept"), 201)
    api, root = made["id"], made["rootResourceId"]
    cached(c, api, root, backend)
    canary(c, api, root)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def trace(c, node, api, path, headers=None):
    """The trace of the call that the backend was asked with: another one for each call."""
    status, _, text = c.invoke(node, api, "prod", path, headers=headers)
    assert status == 200, f"node {node} {path}: {status} {text}"
    return json.loads(text)["headers"]["x-amzn-trace-id"]


def cached(c, api, root, backend):
    once = ok(c.write("CreateResource", restApiId=api, parentId=root, pathPart="once"), 201)["id"]
    proxy(c, api, once, backend.url + "/once", requestParameters={"method.request.querystring.q": False})
    at = {"restApiId": api, "resourceId": once, "httpMethod": "ANY"}
    ok(c.write("UpdateIntegration", **at, patchOperations=[
        replace("/cacheKeyParameters/method.request.querystring.q", op="add")]), 200)
    ok(c.write("CreateDeployment", restApiId=api, stageName="prod", cacheClusterEnabled=True, cacheClusterSize="0.5"), 201)
    assert trace(c, 0, api, "/once?q=1") != trace(c, 0, api, "/once?q=1"), "no method asks for the cache yet"

    stage = {"restApiId": api, "stageName": "prod"}
    ok(c.write("UpdateStage", **stage, patchOperations=[
        replace("/*/*/caching/enabled", "true"), replace("/*/*/caching/requireAuthorizationForCacheControl", "false")]), 200)
    first = trace(c, 0, api, "/once?q=1")
    # The API lives in the first node's region: whoever asks elsewhere is answered from there.
    assert [trace(c, node, api, "/once?q=1&r=2") for node in (0, 1, 2)] == [first] * 3
    assert trace(c, 1, api, "/once?q=2") != first
    anew = trace(c, 2, api, "/once?q=1", headers={"Cache-Control": "max-age=0"})
    assert anew != first and trace(c, 0, api, "/once?q=1") == anew
    ok(c.read("FlushStageCache", **stage), 202)
    flushed = trace(c, 0, api, "/once?q=1")
    assert flushed != anew and trace(c, 1, api, "/once?q=1") == flushed


def canary(c, api, root):
    color = ok(c.write("CreateResource", restApiId=api, parentId=root, pathPart="color"), 201)["id"]
    mock(c, api, color, 200, '{"color":"$stageVariables.color","canary":"$context.isCanaryRequest"}')
    stage = {"restApiId": api, "stageName": "beta"}
    ok(c.write("CreateDeployment", **stage, variables={"color": "blue"}), 201)
    second = ok(c.write("CreateDeployment", **stage, canarySettings={
        "percentTraffic": 100.0, "stageVariableOverrides": {"color": "green"}}), 201)["id"]

    def seen(node):
        status, _, text = c.invoke(node, api, "beta", "/color")
        assert status == 200, f"node {node}: {status} {text}"
        return json.loads(text)

    for node in range(3):
        assert seen(node) == {"color": "green", "canary": "true"}
    ok(c.write("UpdateStage", **stage, patchOperations=[replace("/canarySettings/percentTraffic", "0.0")]), 200)
    for node in range(3):
        assert seen(node) == {"color": "blue", "canary": "false"}
    # Promotion as the console does it: the canary's deployment and variables become the stage's.
    ok(c.read("UpdateStage", **stage, patchOperations=[
        replace("/deploymentId", second), replace("/variables/color", "green"), replace("/canarySettings", op="remove")]), 200)
    for node in range(3):
        assert seen(node) == {"color": "green", "canary": "false"}
