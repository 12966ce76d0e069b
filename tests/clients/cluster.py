"""What the scripts share: the cluster under test, what an answer must look like, and invoking through the gateway.

A driver (boto3 or the AWS CLI) makes the calls; `Answer` shows both what came over the wire and what the client made of
it. Expectations are exact: a member too many is as wrong as a member missing.
"""

import http.client
import http.server
import io
import json
import os
import re
import sys
import threading
import time

# Nothing of the user's own AWS set-up may leak in, and a retry would hide a failure.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_MAX_ATTEMPTS="1",
                  AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")

# Only now, for it may look at them.
import botocore.session  # noqa: E402
from botocore.response import StreamingBody  # noqa: E402

MODEL = botocore.session.get_session().get_service_model("apigateway")


def absent():
    """The operations that are not built, by the census."""
    census = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../census/absent.txt")
    with open(census) as file:
        return {line.split()[1] for line in file if line.startswith("apigateway ")}


ABSENT = absent()


class Answer:
    """One answered call: `wire` is the decoded body as sent, `parsed` what the client read from it; a file is `raw` alone."""

    def __init__(self, operation, status, headers, raw, parsed):
        self.operation, self.status, self.raw, self.parsed = operation, status, raw, parsed
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.is_file = "content-disposition" in self.headers
        self.wire = json.loads(raw) if raw.strip() and not self.is_file else None

    def __getitem__(self, member):
        return self.wire[member]

    def __repr__(self):
        return f"{self.operation} -> {self.status} {self.raw.decode(errors='replace')}"


class Recorder:
    """A botocore event handler that keeps the last answer and every operation's name."""

    def __init__(self):
        self.last, self.called = None, set()

    def __call__(self, http_response, parsed, model, **_):
        self.called.add(model.name)
        if model.has_streaming_output and http_response.status_code < 300:
            # Read here, and put back for the client that asked; the CLI has put it into a file already.
            raw = parsed["body"].read() if "body" in parsed else b""
            if raw:
                parsed["body"] = StreamingBody(io.BytesIO(raw), len(raw))
        else:
            raw = http_response.content
        self.last = Answer(model.name, http_response.status_code, http_response.headers, raw, parsed)
        if self.last.status < 300 and isinstance(self.last.wire, dict) and model.output_shape:
            shape = model.output_shape
            known = {member.serialization.get("name", name) for name, member in shape.members.items()}
            unknown = set(self.last.wire) - known
            assert not unknown, f"{model.name} answered members that AWS's model does not know: {unknown}"
            no_nulls(self.last.wire, model.name)


def no_nulls(value, where):
    """AWS omits what is not set; only an empty template is given back as null."""
    if isinstance(value, dict):
        for name, inner in value.items():
            assert inner is not None or "Templates" in where, f"null at {where}.{name}"
            no_nulls(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for inner in value:
            no_nulls(inner, where)


class Cluster:
    """Three nodes, a driver of each, and the account that calls."""

    def __init__(self, described, driver):
        self.account, self.nodes = described["account"], described["nodes"]
        self.region = self.nodes[0]["region"]
        self.described, self.recorder = described, Recorder()
        self.drivers = [driver(described, node, self.recorder) for node in self.nodes]

    @classmethod
    def named_on_the_command_line(cls, driver):
        with open(sys.argv[1]) as file:
            return cls(json.load(file), driver)

    def write(self, operation, **members):
        return self.drivers[0](operation, members)

    def read(self, operation, **members):
        """On another node than `write`: what was answered there must be visible here at once."""
        return self.drivers[1](operation, members)

    def third(self, operation, **members):
        return self.drivers[2](operation, members)

    def invoke(self, node, api, stage, path, method="GET", headers=None, body=None):
        """One request to the gateway of `node`: (status, headers in lower case, body text)."""
        address = self.nodes[node]["gateway_http"]
        connection = http.client.HTTPConnection(address, timeout=20)
        sent = {"Host": f"{api}.execute-api.{self.region}.localhost", **(headers or {})}
        connection.request(method, f"/{stage}{path}", body=body, headers=sent)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, text

    def missing(self):
        return sorted(set(MODEL.operation_names) - ABSENT - self.recorder.called)


class Matching:
    """A leaf that many values satisfy."""

    def __init__(self, name, test):
        self.name, self.test = name, test

    def __eq__(self, other):
        return bool(self.test(other))

    def __repr__(self):
        return f"<{self.name}>"


def pattern(text):
    return Matching(text, lambda value: isinstance(value, str) and re.fullmatch(text, value))


ID6, ID10 = pattern("[a-z0-9]{6}"), pattern("[a-z0-9]{10}")
RECENT = Matching("epoch seconds, just now", lambda value: isinstance(value, (int, float)) and abs(value - time.time()) < 600)


def ok(answer, status, body=None):
    """The call succeeded with exactly this status and, when given, exactly this body."""
    assert answer.status == status, f"expected {status}: {answer}"
    if body is not None:
        assert answer.wire == body, f"{answer.operation}\nexpected {body}\nanswered {answer.wire}"
    if status == 204 or (status == 202 and answer.operation != "CreateVpcLink"):
        assert answer.wire in (None, {}), f"{answer.operation} should have no body: {answer}"
    assert re.fullmatch(r"\d+\.\d+", answer.headers.get("x-meridian-index", "")), f"no x-meridian-index: {answer.headers}"
    assert answer.headers.get("x-amzn-requestid"), f"no request id: {answer.headers}"
    return answer


def refused(answer, status, name, message=None):
    """The call was refused with AWS's status, exception and (when given) very words."""
    assert answer.status == status, f"expected {status} {name}: {answer}"
    kind = answer.headers.get("x-amzn-errortype", "").split(":")[0]
    assert kind == name, f"expected {name}, x-amzn-ErrorType is {kind!r}: {answer}"
    assert answer.parsed["Error"]["Code"] == name, f"the client saw {answer.parsed['Error']}"
    if message is not None:
        assert answer.wire["message"] == message, f"{answer.operation}\nexpected {message!r}\nanswered {answer.wire['message']!r}"
    return answer


def replace(path, value=None, op="replace"):
    operation = {"op": op, "path": path}
    return operation if value is None else {**operation, "value": value}


def pages(call, operation, **members):
    """Every item of a list, one page of one item after the other."""
    items, position = [], None
    while True:
        answer = ok(call(operation, **members, limit=1, **({"position": position} if position else {})), 200)
        assert len(answer["item"]) <= 1, f"limit=1 was not kept: {answer}"
        items += answer["item"]
        position = answer.wire.get("position")
        if not position:
            return items
        assert len(items) < 200, f"{operation} never ends"


def until(what, condition, within=20):
    """Polls a condition with a deadline and gives its value."""
    deadline = time.time() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.time() < deadline, f"waited {within} s in vain for: {what}"
        time.sleep(0.05)


class Backend:
    """A backend that tells what it was asked."""

    def __enter__(self):
        class Echo(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                told = json.dumps({"method": self.command, "path": self.path, "body": body,
                                   "headers": {name.lower(): value for name, value in self.headers.items()}}).encode()
                self.send_response(int(self.headers.get("x-wanted-status") or 200))
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Backend", "echo")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
