"""Runs every scenario with boto3."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore import xform_name

import scenarios
from cluster import Cluster


class Boto3:
    def __init__(self, described, node, recorder):
        self.recorder = recorder
        self.client = boto3.client(
            "apigateway", endpoint_url=f"http://{node['admin']}", region_name=described["nodes"][0]["region"],
            aws_access_key_id=described["access_key_id"], aws_secret_access_key=described["secret_access_key"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=40))
        self.client.meta.events.register("after-call", recorder)

    def __call__(self, operation, members):
        self.recorder.last = None
        try:
            getattr(self.client, xform_name(operation))(**members)
        except ClientError:
            pass
        assert self.recorder.last is not None, f"{operation} never got an answer"
        return self.recorder.last


if __name__ == "__main__":
    scenarios.run(Cluster.named_on_the_command_line(Boto3))
