"""The AWS clients judge the functions of the cluster: boto3 and the AWS CLI make, change, call and delete them."""

import base64
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile

# First, because it clears the variables of AWS.
import cluster  # noqa: F401

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BOOTSTRAP = b"""#!/usr/bin/python3 -ES
import http.client, os
link = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    link.request("GET", "/2018-06-01/runtime/invocation/next")
    asked = link.getresponse()
    event, id = asked.read(), asked.headers["Lambda-Runtime-Aws-Request-Id"]
    how = "error" if event == b'"fail"' else "response"
    link.request("POST", f"/2018-06-01/runtime/invocation/{id}/{how}", b'{"errorMessage":"no","errorType":"E"}' if how == "error" else event)
    link.getresponse().read()
"""
ROLE = "arn:aws:iam::000000000000:role/run"


def zipped(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, text)
    return out.getvalue()


def refused(call, code, status, **members):
    try:
        call(**members)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        return error.response["Error"]["Message"]
    raise AssertionError(f"{members} was not refused")


def with_boto3(clients):
    one, two, three = clients
    made = one.create_function(
        FunctionName="pets", Runtime="provided.al2023", Handler="none", Role=ROLE, Timeout=20, Publish=True,
        Code={"ZipFile": zipped(BOOTSTRAP)}, Environment={"Variables": {"TABLE": "pets"}}, Tags={"team": "blue"})
    assert (made["Version"], made["State"]) == ("1", "Active"), made
    two.get_waiter("function_active_v2").wait(FunctionName="pets")
    got = two.get_function(FunctionName=made["FunctionArn"])
    assert got["Tags"] == {"team": "blue"} and got["Configuration"]["Environment"] == {"Variables": {"TABLE": "pets"}}, got
    refused(one.create_function, "ResourceConflictException", 409, FunctionName="pets", Runtime="provided.al2023",
            Handler="none", Role=ROLE, Code={"ZipFile": zipped(BOOTSTRAP)})
    refused(two.get_function, "ResourceNotFoundException", 404, FunctionName="cats")

    answer = three.invoke(FunctionName="pets", Payload=b'{"a":1}', LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"], answer["Payload"].read()) == (200, "$LATEST", b'{"a":1}'), answer
    assert b"END RequestId" in base64.b64decode(answer["LogResult"]), answer
    failed = one.invoke(FunctionName="pets", Payload=b'"fail"')
    assert failed["FunctionError"] == "Unhandled" and json.loads(failed["Payload"].read())["errorMessage"] == "no", failed
    assert one.invoke(FunctionName="pets", InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    assert one.invoke(FunctionName="pets", InvocationType="DryRun")["StatusCode"] == 204
    events = list(two.invoke_with_response_stream(FunctionName="pets", Payload=b'{"b":2}')["EventStream"])
    said = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    assert said == b'{"b":2}' and "InvokeComplete" in events[-1], events

    coded = two.update_function_code(FunctionName="pets", ZipFile=zipped(BOOTSTRAP + b"# two\n"), Publish=True)
    assert coded["Version"] == "2" and coded["FunctionArn"].endswith(":2"), coded
    changed = one.update_function_configuration(FunctionName="pets", MemorySize=256, RevisionId=three.get_function(
        FunctionName="pets")["Configuration"]["RevisionId"])
    assert changed["MemorySize"] == 256, changed
    refused(one.update_function_configuration, "PreconditionFailedException", 412, FunctionName="pets", RevisionId="x")
    assert one.publish_version(FunctionName="pets")["Version"] == "3"
    pages = two.get_paginator("list_versions_by_function").paginate(FunctionName="pets", PaginationConfig={"PageSize": 2})
    assert [version["Version"] for page in pages for version in page["Versions"]] == ["$LATEST", "1", "2", "3"]
    assert [function["FunctionName"] for function in three.list_functions()["Functions"]] == ["pets"]

    alias = one.create_alias(FunctionName="pets", Name="live", FunctionVersion="1",
                             RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    assert two.get_alias(FunctionName="pets", Name="live")["AliasArn"] == alias["AliasArn"]
    assert two.list_aliases(FunctionName="pets")["Aliases"][0]["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.5}}
    ran = {three.invoke(FunctionName="pets", Qualifier="live")["ExecutedVersion"] for _ in range(40)}
    assert ran == {"1", "2"}, ran
    two.update_alias(FunctionName="pets", Name="live", FunctionVersion="3", RoutingConfig={"AdditionalVersionWeights": {}})
    assert three.invoke(FunctionName="pets:live")["ExecutedVersion"] == "3"
    refused(one.delete_function, "ResourceConflictException", 409, FunctionName="pets", Qualifier="3")

    one.add_permission(FunctionName="pets", StatementId="s", Action="lambda:InvokeFunction",
                       Principal="apigateway.amazonaws.com", SourceAccount="000000000000")
    policy = json.loads(two.get_policy(FunctionName="pets")["Policy"])
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"AWS:SourceAccount": "000000000000"}}, policy
    two.remove_permission(FunctionName="pets", StatementId="s")
    refused(one.get_policy, "ResourceNotFoundException", 404, FunctionName="pets")

    assert one.put_function_concurrency(FunctionName="pets", ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"] == 0
    refused(two.invoke, "TooManyRequestsException", 429, FunctionName="pets")
    assert three.get_function_concurrency(FunctionName="pets")["ReservedConcurrentExecutions"] == 0
    one.delete_function_concurrency(FunctionName="pets")
    arn = made["FunctionArn"].removesuffix(":1")
    two.tag_resource(Resource=arn, Tags={"tier": "1"})
    one.untag_resource(Resource=arn, TagKeys=["team"])
    assert three.list_tags(Resource=arn)["Tags"] == {"tier": "1"}
    one.delete_alias(FunctionName="pets", Name="live")
    one.delete_function(FunctionName="pets")
    refused(three.invoke, "ResourceNotFoundException", 404, FunctionName="pets")


def with_cli(described):
    node = described["nodes"][1]
    environment = {
        **os.environ, "AWS_ACCESS_KEY_ID": described["access_key_id"], "AWS_DEFAULT_REGION": described["nodes"][0]["region"],
        "AWS_SECRET_ACCESS_KEY": described["secret_access_key"], "AWS_ENDPOINT_URL": f"http://{node['admin']}"}
    aws = os.path.join(os.path.dirname(sys.executable), "aws")
    with tempfile.TemporaryDirectory() as scratch:
        def typed(*arguments):
            done = subprocess.run([sys.executable, aws, "lambda", *arguments, "--output", "json"], env=environment,
                                  capture_output=True, text=True, cwd=scratch)
            assert done.returncode == 0, f"aws lambda {arguments}: {done.stderr}"
            return json.loads(done.stdout) if done.stdout.strip() else None

        with open(os.path.join(scratch, "code.zip"), "wb") as file:
            file.write(zipped(BOOTSTRAP))
        made = typed("create-function", "--function-name", "typed", "--runtime", "provided.al2023", "--handler", "none",
                     "--role", ROLE, "--zip-file", "fileb://code.zip", "--environment", "Variables={TABLE=pets}")
        assert made["State"] == "Active", made
        typed("wait", "function-active-v2", "--function-name", "typed")
        said = typed("invoke", "--function-name", "typed", "--payload",
                     '{"typed": true}', "out.json")
        assert said == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}, said
        with open(os.path.join(scratch, "out.json")) as file:
            assert json.load(file) == {"typed": True}
        assert typed("list-functions", "--query", "Functions[].FunctionName") == ["typed"]
        typed("delete-function", "--function-name", "typed")


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        described = json.load(file)
    clients = [boto3.client(
        "lambda", endpoint_url=f"http://{node['admin']}", region_name=described["nodes"][0]["region"],
        aws_access_key_id=described["access_key_id"], aws_secret_access_key=described["secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60)) for node in described["nodes"]]
    with_boto3(clients)
    print("ok  boto3")
    with_cli(described)
    print("ok  the aws program")
