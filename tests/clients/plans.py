"""UsagePlan, UsagePlanKey and Usage, and what they do to a client's requests on every node."""

import datetime

from cluster import ID6, ok, pages, refused, replace, until
from deployments import mock, proxy

BAD, GONE, CONFLICT = "BadRequestException", "NotFoundException", "ConflictException"
FORBIDDEN, EXHAUSTED, THROTTLED = '{"message":"Forbidden"}', '{"message":"Limit Exceeded"}', '{"message":"Too Many Requests"}'


def run(c, backend):
    made = ok(c.write("CreateRestApi", name="metered"), 201)
    api, root = made["id"], made["rootResourceId"]
    keyed = ok(c.write("CreateResource", restApiId=api, parentId=root, pathPart="keyed"), 201)["id"]
    free = ok(c.write("CreateResource", restApiId=api, parentId=root, pathPart="free"), 201)["id"]
    mock(c, api, keyed, 200, '{"keyed":true}', apiKeyRequired=True)
    proxy(c, api, free, backend.url + "/free")
    for stage in ("prod", "beta"):
        ok(c.write("CreateDeployment", restApiId=api, stageName=stage), 201)
    plans(c, api)
    refused_plans(c, api)
    exact_quota(c, api)
    throttled(c, api)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def plans(c, api):
    prod = {"apiId": api, "stage": "prod"}
    bare = ok(c.write("CreateUsagePlan", name="bare"), 201, {"id": ID6, "name": "bare", "apiStages": []})
    made = ok(c.write("CreateUsagePlan", name="full", description="d", apiStages=[prod], tags={"team": "blue"},
                      throttle={"burstLimit": 5, "rateLimit": 2.0}, quota={"limit": 100, "period": "MONTH", "offset": 2}), 201,
              {"id": ID6, "name": "full", "description": "d", "apiStages": [prod], "tags": {"team": "blue"},
               "throttle": {"burstLimit": 5, "rateLimit": 2.0}, "quota": {"limit": 100, "offset": 2, "period": "MONTH"}})
    assert b'"rateLimit":2.0' in made.raw.replace(b" ", b""), f"a rate is printed as a double: {made}"
    plan = made["id"]
    ok(c.read("GetUsagePlan", usagePlanId=plan), 200, made.wire)
    assert ok(c.read("GetUsagePlan", usagePlanId=bare["id"]), 200).wire == {**bare.wire, "tags": {}}

    def patch(*operations):
        return c.third("UpdateUsagePlan", usagePlanId=plan, patchOperations=list(operations))

    changed = ok(patch(replace("/name", "fuller"), replace("/description", "e"), replace("/throttle/rateLimit", "7.5"),
                       replace("/throttle/burstLimit", "9"), replace("/quota/limit", "50"), replace("/quota/period", "DAY"),
                       replace("/quota/offset", "0"), replace("/apiStages", f"{api}:beta", op="add"),
                       replace(f"/apiStages/{api}:prod/throttle/~1keyed/GET/rateLimit", "3"),
                       replace(f"/apiStages/{api}:prod/throttle/~1keyed/GET/burstLimit", "4"), replace("/productCode", "p")), 200)
    by_stage = {stage["stage"]: stage for stage in changed["apiStages"]}
    assert by_stage == {"prod": {**prod, "throttle": {"/keyed/GET": {"rateLimit": 3.0, "burstLimit": 4}}},
                        "beta": {"apiId": api, "stage": "beta"}}, changed
    assert changed["throttle"] == {"burstLimit": 9, "rateLimit": 7.5} and changed["productCode"] == "p", changed
    assert changed["quota"] == {"limit": 50, "offset": 0, "period": "DAY"}, changed
    ok(c.read("GetUsagePlan", usagePlanId=plan), 200, changed.wire)
    changed = ok(patch(replace("/throttle", op="remove"), replace("/quota", op="remove"), replace("/productCode", op="remove"),
                       replace("/apiStages", f"{api}:beta", op="remove"),
                       replace(f"/apiStages/{api}:prod/throttle", op="remove")), 200)
    assert not {"throttle", "quota", "productCode"} & set(changed.wire), changed

    key = ok(c.write("CreateApiKey", name="member", enabled=True), 201)
    joined = ok(c.write("CreateUsagePlanKey", usagePlanId=plan, keyId=key["id"], keyType="API_KEY"), 201,
                {"id": key["id"], "type": "API_KEY", "value": key["value"], "name": "member"})
    ok(c.read("GetUsagePlanKey", usagePlanId=plan, keyId=key["id"]), 200, joined.wire)
    assert pages(c.read, "GetUsagePlanKeys", usagePlanId=plan) == [joined.wire]
    assert ok(c.read("GetUsagePlanKeys", usagePlanId=plan, nameQuery="ember"), 200).wire.get("item", []) == []
    assert [one["id"] for one in ok(c.read("GetUsagePlans", keyId=key["id"]), 200)["item"]] == [plan]
    assert {one["id"] for one in pages(c.read, "GetUsagePlans")} >= {plan, bare["id"]}
    ok(c.write("DeleteUsagePlanKey", usagePlanId=plan, keyId=key["id"]), 202)
    refused(c.read("GetUsagePlanKey", usagePlanId=plan, keyId=key["id"]), 404, GONE)

    refused(c.write("DeleteUsagePlan", usagePlanId=plan), 400, BAD)
    ok(patch(replace("/apiStages", f"{api}:prod", op="remove")), 200)
    for one in (plan, bare["id"]):
        ok(c.write("DeleteUsagePlan", usagePlanId=one), 202)
        refused(c.read("GetUsagePlan", usagePlanId=one), 404, GONE, "Invalid Usage Plan ID specified")
    ok(c.write("DeleteApiKey", apiKey=key["id"]), 202)


def refused_plans(c, api):
    plan = ok(c.write("CreateUsagePlan", name="p", apiStages=[{"apiId": api, "stage": "prod"}]), 201)["id"]
    other = ok(c.write("CreateUsagePlan", name="q", apiStages=[{"apiId": api, "stage": "prod"}]), 201)["id"]
    key = ok(c.write("CreateApiKey", name="k"), 201)["id"]

    def patch(*operations):
        return c.write("UpdateUsagePlan", usagePlanId=plan, patchOperations=list(operations))

    refused(patch(replace("/apiStages", "nonsense", op="add")), 400, BAD, "Invalid API Stage specified")
    refused(patch(replace("/apiStages", f"{api}:nowhere", op="add")), 404, GONE,
            f"Invalid API Stage {{api: {api}, stage: nowhere}} specified for usageplan {plan}")
    refused(patch(replace("/throttle/rateLimit", "-1")), 400, BAD)
    refused(c.write("CreateUsagePlan", name="x", quota={"limit": 1, "period": "WEEK", "offset": 7}), 400, BAD)
    ok(c.read("GetUsagePlanKeys", usagePlanId="aaaaaa"), 200)
    refused(c.read("GetUsagePlan", usagePlanId="aaaaaa"), 404, GONE, "Invalid Usage Plan ID specified")

    ok(c.write("CreateUsagePlanKey", usagePlanId=plan, keyId=key, keyType="API_KEY"), 201)
    refused(c.write("CreateUsagePlanKey", usagePlanId=plan, keyId=key, keyType="API_KEY"), 409, CONFLICT)
    refused(c.write("CreateUsagePlanKey", usagePlanId=other, keyId=key, keyType="API_KEY"), 409, CONFLICT)
    for one in (plan, other):
        ok(c.write("UpdateUsagePlan", usagePlanId=one, patchOperations=[replace("/apiStages", f"{api}:prod", op="remove")]), 200)
        ok(c.write("DeleteUsagePlan", usagePlanId=one), 202)
    ok(c.write("DeleteApiKey", apiKey=key), 202)


def member(c, api, **limits):
    """A plan with one enabled key: (plan id, key id, the header to send)."""
    plan = ok(c.write("CreateUsagePlan", name="limits", apiStages=[{"apiId": api, "stage": "prod"}], **limits), 201)["id"]
    key = ok(c.write("CreateApiKey", name="client", enabled=True), 201)
    ok(c.write("CreateUsagePlanKey", usagePlanId=plan, keyId=key["id"], keyType="API_KEY"), 201)
    return plan, key["id"], {"x-api-key": key["value"]}


def leave(c, api, plan, key):
    ok(c.write("UpdateUsagePlan", usagePlanId=plan, patchOperations=[replace("/apiStages", f"{api}:prod", op="remove")]), 200)
    ok(c.write("DeleteUsagePlan", usagePlanId=plan), 202)
    ok(c.write("DeleteApiKey", apiKey=key), 202)


def exact_quota(c, api):
    limit = 10
    plan, key, header = member(c, api, quota={"limit": limit, "period": "MONTH"})
    for node in range(3):
        for wrong in ({}, {"x-api-key": "not-a-key-of-anybody-here"}):
            assert c.invoke(node, api, "prod", "/keyed", headers=wrong)[::2] == (403, FORBIDDEN), f"node {node} {wrong}"
        assert c.invoke(node, api, "prod", "/free", headers={"x-api-key": "anything"})[0] == 200
    assert c.invoke(0, api, "beta", "/keyed", headers=header)[::2] == (403, FORBIDDEN), "the plan has no stage beta"

    # Turn by turn on three nodes: not one request more than the limit, and not one less when all nodes are asked.
    answers = [c.invoke(turn % 3, api, "prod", "/keyed", headers=header)[::2] for turn in range(3 * limit)]
    assert set(answers) == {(200, '{"keyed":true}'), (429, EXHAUSTED)}, set(answers)
    assert sum(status == 200 for status, _ in answers) == limit, answers

    day = datetime.datetime.now(datetime.timezone.utc).date()
    span = {"usagePlanId": plan, "startDate": str(day), "endDate": str(day)}
    whole = {"usagePlanId": plan, "startDate": str(day), "endDate": str(day), "values": {key: [[limit, 0]]}}
    until(f"usage {whole}, of {c.read('GetUsage', **span)}", lambda: ok(c.read("GetUsage", **span, keyId=key), 200).wire == whole)
    refused(c.read("GetUsage", **{**span, "usagePlanId": "aaaaaa"}), 404, GONE, "Invalid Usage Plan ID specified")

    more = ok(c.third("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=[replace("/remaining", "4")]), 200)
    # Rights that a node already holds stand as used; nothing is added or lost.
    assert sum(more["values"][key][-1]) == limit + 4 and more["values"][key][-1][0] >= limit, more
    answers = [c.invoke(turn % 3, api, "prod", "/keyed", headers=header)[0] for turn in range(12)]
    assert answers.count(200) == 4 and answers.count(429) == 8, answers
    spent = [[limit + 4, 0]]
    until("the further usage", lambda: ok(c.read("GetUsage", **span, keyId=key), 200)["values"][key] == spent)

    ok(c.write("UpdateApiKey", apiKey=key, patchOperations=[replace("/enabled", "false")]), 200)
    for node in range(3):
        assert c.invoke(node, api, "prod", "/keyed", headers=header)[::2] == (403, FORBIDDEN), f"disabled on node {node}"
    leave(c, api, plan, key)


def throttled(c, api):
    # One token that takes hours to come back: the second request on the same node is one too many.
    plan, key, header = member(c, api, throttle={"burstLimit": 1, "rateLimit": 0.0001})
    seen = [c.invoke(0, api, "prod", "/keyed", headers=header) for _ in range(4)]
    assert [status for status, _, _ in seen][-1] == 429 and seen[-1][2] == THROTTLED, seen
    assert sum(status == 200 for status, _, _ in seen) <= 1, seen
    assert seen[-1][1]["x-amzn-errortype"] == "TooManyRequestsException", seen[-1]
    assert all(c.invoke(0, api, "prod", "/free")[0] == 200 for _ in range(3)), "a method without a key is not throttled by a plan"
    leave(c, api, plan, key)
