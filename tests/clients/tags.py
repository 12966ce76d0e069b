"""Tags, Account, and calls that the control plane must refuse before it looks at them."""

import urllib.error
import urllib.request

from cluster import ok, refused, replace

BAD, GONE = "BadRequestException", "NotFoundException"


def run(c, _):
    tags(c)
    account(c)
    signatures(c)


def tags(c):
    api = ok(c.write("CreateRestApi", name="tagged", tags={"a": "1"}), 201)["id"]
    key = ok(c.write("CreateApiKey", name="tagged"), 201)["id"]
    plan = ok(c.write("CreateUsagePlan", name="tagged"), 201)["id"]
    root = f"arn:aws:apigateway:{c.region}::"
    for arn, before in ((f"{root}/restapis/{api}", {"a": "1"}), (f"{root}/apikeys/{key}", {}), (f"{root}/usageplans/{plan}", {})):
        ok(c.read("GetTags", resourceArn=arn), 200, {"tags": before})
        ok(c.write("TagResource", resourceArn=arn, tags={"b": "2", "c": "3"}), 204)
        ok(c.read("GetTags", resourceArn=arn), 200, {"tags": {**before, "b": "2", "c": "3"}})
        ok(c.third("UntagResource", resourceArn=arn, tagKeys=["b", "a"]), 204)
        ok(c.read("GetTags", resourceArn=arn), 200, {"tags": {"c": "3"}})
    assert ok(c.read("GetRestApi", restApiId=api), 200)["tags"] == {"c": "3"}
    refused(c.read("GetTags", resourceArn=f"{root}/restapis/aaaaaaaaaa"), 404, GONE)
    refused(c.write("TagResource", resourceArn=f"{root}/restapis/{api}", tags={"aws:mine": "x"}), 400, BAD)
    ok(c.write("DeleteRestApi", restApiId=api), 202)
    ok(c.write("DeleteApiKey", apiKey=key), 202)
    ok(c.write("DeleteUsagePlan", usagePlanId=plan), 202)


def account(c):
    plain = {"apiKeyVersion": "4", "features": ["UsagePlans"], "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0}}
    ok(c.read("GetAccount"), 200, plain)
    role = f"arn:aws:iam::{c.account}:role/logs"
    ok(c.write("UpdateAccount", patchOperations=[replace("/cloudwatchRoleArn", role)]), 200, {**plain, "cloudwatchRoleArn": role})
    ok(c.third("GetAccount"), 200, {**plain, "cloudwatchRoleArn": role})
    refused(c.write("UpdateAccount", patchOperations=[replace("/nope", "x")]), 400, BAD)


def signatures(c):
    stranger = {**c.described, "access_key_id": "AKIAAAAAAAAAAAAAAAAA"}
    forger = {**c.described, "secret_access_key": "x" * 40}
    driver = type(c.drivers[0])
    answer = driver(stranger, c.nodes[0], c.recorder)("GetAccount", {})
    refused(answer, 403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    answer = driver(forger, c.nodes[1], c.recorder)("GetAccount", {})
    refused(answer, 403, "InvalidSignatureException")
    try:
        urllib.request.urlopen(f"http://{c.nodes[2]['admin']}/account", timeout=20)
        raise AssertionError("an unsigned call was answered")
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
        assert error.headers["x-amzn-errortype"].split(":")[0] == "MissingAuthenticationTokenException", dict(error.headers)
