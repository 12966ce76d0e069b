"""Live signers against one admin listener: prints one line of JSON with what each of them saw.

usage: signers.py ENDPOINT ACCESS_KEY SECRET
"""
import json, os, shutil, subprocess, sys, urllib.error, urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, access_key, secret = sys.argv[1:]
seen = {}


def client(secret=secret, access_key=access_key, token=None, region="eu-west-1"):
    return boto3.client("apigateway", endpoint_url=endpoint, region_name=region, aws_access_key_id=access_key,
                        aws_secret_access_key=secret, aws_session_token=token, config=Config(retries={"total_max_attempts": 1}))


def error(call):
    try:
        call()
    except ClientError as e:
        return [e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"], e.response["Error"]["Message"]]
    return None


api = client()
made = api.create_rest_api(name="péts & co", tags={"a b": "c/d+e=f"}, binaryMediaTypes=["image/png"])
seen["made"] = {k: made.get(k) for k in ("name", "binaryMediaTypes", "tags", "apiKeySource")}
seen["created"] = made["createdDate"].timestamp()
arn = f"arn:aws:apigateway:eu-west-1::/restapis/{made['id']}"
api.tag_resource(resourceArn=arn, tags={"k": "v w"})
api.untag_resource(resourceArn=arn, tagKeys=["a b", "x/y&z"])
seen["tags"] = api.get_tags(resourceArn=arn)["tags"]
pages = api.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 1})
for i in range(3):
    api.create_rest_api(name=f"n{i}")
seen["paged"] = sum(len(p["items"]) for p in pages)
seen["odd_label"] = error(lambda: api.get_rest_api(restApiId="a/b c%+é"))
seen["odd_query"] = error(lambda: api.get_rest_apis(position="a b+c/%é"))
seen["wrong_secret"] = error(lambda: client(secret="wrong").get_rest_apis())
seen["unknown_key"] = error(lambda: client(access_key="AKNOBODY").get_rest_apis())
seen["token"] = error(lambda: client(token="session").get_rest_apis())
seen["absent"] = error(lambda: api.get_sdk_types())

# A presigned query, fetched by a client that knows nothing of AWS.
url = api.generate_presigned_url("get_rest_api", Params={"restApiId": made["id"]}, ExpiresIn=60)
seen["presigned"] = json.load(urllib.request.urlopen(url))["id"] == made["id"]
try:
    urllib.request.urlopen(url.replace(made["id"], "otherapiid"))
except urllib.error.HTTPError as e:
    seen["presigned_changed"] = [e.code, e.headers["x-amzn-ErrorType"]]

# The AWS CLI of the same environment.
env = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret,
       "AWS_DEFAULT_REGION": "eu-west-1", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
aws = os.path.join(os.path.dirname(sys.executable), "aws")
run = subprocess.run([aws, "apigateway", "get-rest-api", "--rest-api-id", made["id"], "--output", "json"],
                     env=env, capture_output=True, text=True)
seen["cli"] = json.loads(run.stdout)["name"] if run.returncode == 0 else run.stderr

if shutil.which("curl"):
    body = json.dumps({"name": "curl"})
    run = subprocess.run(["curl", "-sS", "--aws-sigv4", "aws:amz:eu-west-1:apigateway", "-u", f"{access_key}:{secret}",
                          "-H", "content-type: application/json", "-d", body, f"{endpoint}/restapis"], capture_output=True, text=True)
    seen["curl"] = json.loads(run.stdout).get("name", run.stdout)
else:
    seen["curl"] = "SKIPPED: no curl"
print(json.dumps(seen))
