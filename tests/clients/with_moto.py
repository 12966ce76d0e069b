"""Integrations with S3, SQS, DynamoDB and Step Functions through a real node: boto3 makes the API, moto stands for them."""

import json
import sys

from cluster import Cluster

import boto3
from botocore.config import Config

DRIVEN = Config(retries={"max_attempts": 0})
ACCOUNT = "123456789012"  # moto's own


class Api:
    """An API whose methods call services; `method` makes one, `ask` calls it."""

    def __init__(self, cluster, client, role):
        self.cluster, self.client, self.role = cluster, client, role
        made = client.create_rest_api(name="services")
        self.id, self.paths = made["id"], {"": made["rootResourceId"]}

    def resource(self, path):
        if path not in self.paths:
            above, part = path.rsplit("/", 1)
            made = self.client.create_resource(restApiId=self.id, parentId=self.resource(above), pathPart=part)
            self.paths[path] = made["id"]
        return self.paths[path]

    def method(self, verb, path, target, asks="POST", parameters=None, template=None, answers=None, headers=(), back=None):
        at = {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": verb}
        names = [word[1:-1].rstrip("+") for word in path.split("/") if word.startswith("{")]
        declared = {f"method.request.path.{name}": True for name in names}
        declared |= {f"method.request.header.{name}": False for name in headers}
        self.client.put_method(**at, authorizationType="NONE", requestParameters=declared)
        mapped = {f"integration.request.{to}": source for to, source in (parameters or {}).items()}
        mapped |= {f"integration.request.path.{name}": f"method.request.path.{name}" for name in names if "{" in target}
        self.client.put_integration(
            **at, type="AWS", integrationHttpMethod=asks, uri=f"arn:aws:apigateway:us-east-1:{target}",
            credentials=self.role, requestParameters=mapped,
            requestTemplates={"application/json": template} if template else {})
        for status, pattern in (answers or {"200": None, "404": "404", "400": "400"}).items():
            back_headers = {"method.response.header.Content-Type": "integration.response.header.Content-Type"} if back else {}
            self.client.put_method_response(**at, statusCode=status, responseParameters=dict.fromkeys(back_headers, False))
            more = {"selectionPattern": pattern} if pattern else {}
            if isinstance(back, str) and status == "200":
                more["responseTemplates"] = {"application/json": back}
            self.client.put_integration_response(**at, statusCode=status, responseParameters=back_headers, **more)

    def ask(self, verb, path, status, body=None, headers=None):
        got, _, text = self.cluster.invoke(0, self.id, "prod", path, verb, headers, body)
        assert got == status, f"{verb} {path}: {got} {text}"
        return text


def s3(api, service):
    service.create_bucket(Bucket="pets")
    parameters = {"header.Content-Type": "method.request.header.Content-Type"}
    api.method("PUT", "/files/{bucket}/{key+}", "s3:path/{bucket}/{key}", "PUT", parameters, headers=["Content-Type"])
    api.method("GET", "/files/{bucket}/{key+}", "s3:path/{bucket}/{key}", "GET", back=True)
    api.method("GET", "/bucket", "pets.s3:path/?list-type=2", "GET", back=True)
    yield
    api.ask("PUT", "/files/pets/a/b%20c.txt", 200, "said the cat", {"Content-Type": "text/cat"})
    stored = service.get_object(Bucket="pets", Key="a/b c.txt")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"said the cat", "text/cat"), stored
    status, headers, text = api.cluster.invoke(0, api.id, "prod", "/files/pets/a/b%20c.txt")
    assert (status, headers["content-type"].split(";")[0], text) == (200, "text/cat", "said the cat")
    assert "NoSuchKey" in api.ask("GET", "/files/pets/none", 404)
    assert "<Key>a/b c.txt</Key>" in api.ask("GET", "/bucket", 200)


def sqs(api, service):
    queue = service.create_queue(QueueName="pets")["QueueUrl"]
    form = {"header.Content-Type": "'application/x-www-form-urlencoded'"}
    api.method("POST", "/queue/form", f"sqs:path/{ACCOUNT}/pets", parameters=form,
               template="Action=SendMessage&MessageBody=$util.urlEncode($input.body)")
    api.method("POST", "/queue/action", "sqs:action/SendMessage",
               parameters={"querystring.QueueUrl": f"'{queue}'", "querystring.MessageBody": "method.request.body.m"})
    api.method("POST", "/queue/json", "sqs:path/", template='{"QueueUrl": "%s", "MessageBody": "json"}' % queue, parameters={
        "header.Content-Type": "'application/x-amz-json-1.0'", "header.X-Amz-Target": "'AmazonSQS.SendMessage'"})
    yield
    for path, body, said in [("form", '{"m": "a&b"}', '{"m": "a&b"}'), ("action", '{"m": "x y"}', "x y"), ("json", "{}", "json")]:
        answer = api.ask("POST", f"/queue/{path}", 200, body, {"Content-Type": "application/json"})
        assert "MessageId" in answer, answer
        got = service.receive_message(QueueUrl=queue)["Messages"]
        assert [message["Body"] for message in got] == [said], (path, got)
        service.delete_message(QueueUrl=queue, ReceiptHandle=got[0]["ReceiptHandle"])


def dynamodb(api, service):
    service.create_table(TableName="pets", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                         AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    api.method("POST", "/pets", "dynamodb:action/PutItem", template=(
        '{"TableName": "pets", "Item": {"id": {"S": "$input.path(\'$.id\')"}, "name": {"S": "$input.path(\'$.name\')"}}}'))
    api.method("GET", "/pets/{id}", "dynamodb:action/GetItem", back='{"name": "$input.path(\'$.Item.name.S\')"}',
               template='{"TableName": "pets", "Key": {"id": {"S": "$input.params(\'id\')"}}}')
    api.method("GET", "/nowhere", "dynamodb:action/GetItem", template='{"TableName": "none", "Key": {"id": {"S": "1"}}}')
    yield
    api.ask("POST", "/pets", 200, '{"id": "7", "name": "Rex"}', {"Content-Type": "application/json"})
    item = service.get_item(TableName="pets", Key={"id": {"S": "7"}})["Item"]
    assert item == {"id": {"S": "7"}, "name": {"S": "Rex"}}, item
    assert json.loads(api.ask("GET", "/pets/7", 200)) == {"name": "Rex"}
    assert "ResourceNotFoundException" in api.ask("GET", "/nowhere", 400)


def states(api, service):
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Pass", "End": True}}})
    machine = service.create_state_machine(name="pets", definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/x")
    api.method("POST", "/runs", "states:action/StartExecution", template=(
        '{"stateMachineArn": "%s", "input": "$util.escapeJavaScript($input.json(\'$\'))"}' % machine["stateMachineArn"]))
    yield
    answer = json.loads(api.ask("POST", "/runs", 200, '{"pet": "Rex"}', {"Content-Type": "application/json"}))
    run = service.describe_execution(executionArn=answer["executionArn"])
    assert json.loads(run["input"]) == {"pet": "Rex"}, run


def unlisted(api, services):
    """Keys are listed for one role: another role, and the caller's own credentials, sign nothing."""
    listed = api.role
    for name in ["arn:aws:iam::000000000000:role/other", "arn:aws:iam::*:user/*"]:
        api.role = name
        api.method("GET", f"/unlisted/{len(name)}", "s3:path/pets", "GET")
    api.role = listed
    yield
    for name in ["arn:aws:iam::000000000000:role/other", "arn:aws:iam::*:user/*"]:
        assert json.loads(api.ask("GET", f"/unlisted/{len(name)}", 500)) == {"message": "Internal server error"}


def main():
    cluster = Cluster.named_on_the_command_line(lambda *_: None)
    told = cluster.described
    client = boto3.client("apigateway", region_name="us-east-1", endpoint_url=f"http://{cluster.nodes[0]['admin']}", config=DRIVEN,
                          aws_access_key_id=told["access_key_id"], aws_secret_access_key=told["secret_access_key"])
    def service(name):
        return boto3.client(name, region_name="us-east-1", endpoint_url=told["services"], config=DRIVEN,
                            aws_access_key_id="AKIDMOTO", aws_secret_access_key="any")
    api = Api(cluster, client, told["role"])
    steps = [s3(api, service("s3")), sqs(api, service("sqs")), dynamodb(api, service("dynamodb")),
             states(api, service("stepfunctions")), unlisted(api, None)]
    for step in steps:
        next(step)
    client.create_deployment(restApiId=api.id, stageName="prod")
    for step in steps:
        assert next(step, "done") == "done"
    print(f"{len(steps)} services")


if __name__ == "__main__":
    sys.exit(main())
