"""Runs every scenario with the AWS CLI: its own `main`, with the arguments that a person would type."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile

# First, because it clears the variables of AWS, and the CLI sets one when it is imported.
import scenarios
from cluster import Cluster

from awscli.clidriver import create_clidriver
from botocore import xform_name

# The CLI gives these members another name.
RENAMED = {("CreateRestApi", "version"): "api-version"}


class AwsCli:
    def __init__(self, described, node, recorder):
        self.recorder, self.scratch = recorder, tempfile.mkdtemp(prefix="meridian-cli-")
        self.environment = {
            "AWS_ACCESS_KEY_ID": described["access_key_id"], "AWS_SECRET_ACCESS_KEY": described["secret_access_key"],
            "AWS_DEFAULT_REGION": described["nodes"][0]["region"], "AWS_ENDPOINT_URL": f"http://{node['admin']}"}
        # Made once: most of a command's time is spent on making this.
        self.driver = create_clidriver()
        self.driver.session.register("after-call", recorder)

    def __call__(self, operation, members):
        arguments = ["apigateway", xform_name(operation, "-"), "--output", "json"]
        for name, value in members.items():
            arguments += self.argument(RENAMED.get((operation, name)) or xform_name(name, "-"), value)
        # Where a person says in which file the answer is to be put.
        target = os.path.join(self.scratch, "answer") if operation == "GetExport" else None
        arguments += [target] if target else []
        self.recorder.last = None
        os.environ.update(self.environment)
        printed, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            code = self.driver.main(arguments)
        answer = self.recorder.last
        assert answer is not None, f"aws {' '.join(arguments)} never got an answer: {complained.getvalue()}"
        if answer.status < 300:
            assert code == 0, f"aws {' '.join(arguments)} ended with {code}: {complained.getvalue()}"
            if printed.getvalue().strip():
                json.loads(printed.getvalue())
            if target:
                with open(target, "rb") as file:
                    answer.raw = file.read()
                assert len(answer.raw) == int(answer.headers["content-length"]), f"the CLI kept something else: {answer}"
        else:
            error = answer.parsed["Error"]
            assert code != 0 and f"({error['Code']}) when calling the {operation} operation" in complained.getvalue(), \
                f"the CLI printed {complained.getvalue()!r}"
        return answer

    def argument(self, flag, value):
        if isinstance(value, bool):
            return [f"--{flag}" if value else f"--no-{flag}"]
        if isinstance(value, bytes):
            path = os.path.join(self.scratch, "body")
            with open(path, "wb") as file:
                file.write(value)
            return [f"--{flag}", f"fileb://{path}"]
        return [f"--{flag}", json.dumps(value) if isinstance(value, (dict, list)) else str(value)]


def the_program_itself(cluster):
    """One round with the installed `aws` program and its shorthand syntax, as people type it."""
    aws = os.path.join(os.path.dirname(sys.executable), "aws")
    environment = {**os.environ, **cluster.drivers[2].environment}

    def typed(*arguments):
        done = subprocess.run([sys.executable, aws, "apigateway", *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"aws {arguments}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    api = typed("create-rest-api", "--name", "typed", "--tags", "team=blue,tier=1")
    assert api["tags"] == {"team": "blue", "tier": "1"}, api
    changed = typed("update-rest-api", "--rest-api-id", api["id"], "--patch-operations",
                    "op=replace,path=/name,value=renamed", "op=add,path=/binaryMediaTypes/image~1png")
    assert (changed["name"], changed["binaryMediaTypes"]) == ("renamed", ["image/png"]), changed
    assert typed("get-rest-apis", "--query", "items[?name=='renamed'].id") == [api["id"]]
    typed("delete-rest-api", "--rest-api-id", api["id"])


if __name__ == "__main__":
    cluster = Cluster.named_on_the_command_line(AwsCli)
    scenarios.run(cluster)
    the_program_itself(cluster)
    print("ok  the aws program")
