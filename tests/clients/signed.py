"""Signed calls whose wire form a test may bend, and answers held against AWS's model."""

import copy
import json
import re
import socket

from cluster import ABSENT, MODEL, Answer  # noqa: F401  (first: it clears the user's AWS set-up)

from botocore.auth import SigV4Auth
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

# Errors of the framework, which the model does not list.
FRAMEWORK = {"ValidationException", "SerializationException", "NotImplementedException", "RequestEntityTooLargeException"}
# Members that are null where the caller emptied them.
NULLABLE = re.compile(r"[rR]e(quest|sponse)Templates\.")


class Signed:
    """Calls by the nodes in turn: what one has written, the next must know."""

    def __init__(self, described):
        self.credentials = Credentials(described["access_key_id"], described["secret_access_key"])
        self.region, self.nodes = described["nodes"][0]["region"], [f"http://{node['admin']}" for node in described["nodes"]]
        # Head and body go out in two pieces: the second is not to wait until the first is acknowledged.
        self.session = URLLib3Session(timeout=40, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)])
        self.calls, self.called = 0, set()
        self.serializer = create_serializer("rest-json", include_validation=False)
        self.parser = create_parser("rest-json")

    def request(self, operation, members):
        """The wire form of a call: a dictionary with method, url_path, query_string, headers and body."""
        return self.serializer.serialize_to_request(copy.deepcopy(members), MODEL.operation_model(operation))

    def send(self, operation, request):
        request = copy.deepcopy(request)
        prepare_request_dict(request, self.nodes[self.calls % len(self.nodes)])
        unsigned = create_request_object(request)
        SigV4Auth(self.credentials, "apigateway", self.region).add_auth(unsigned)
        self.calls += 1
        self.called.add(operation)
        got = self.session.send(unsigned.prepare())
        answer = Answer(operation, got.status_code, got.headers, got.content, None)
        answer.parsed = self.parser.parse(
            {"status_code": got.status_code, "headers": got.headers, "body": got.content},
            MODEL.operation_model(operation).output_shape) if not answer.is_file else {}
        return answer

    def do(self, operation, **members):
        """A call that must succeed; gives its body."""
        answer = self.send(operation, self.request(operation, members))
        assert answer.status == status_of(operation), f"{operation} {members}: {answer}"
        return answer.wire


def status_of(operation):
    return MODEL.operation_model(operation).http.get("responseCode", 200)


def body_of(request):
    return json.loads(request["body"]) if request["body"] else {}


def with_body(request, body):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {**request, "body": text, "headers": {**request["headers"], "Content-Type": "application/json"}}


def wrong_of(answer):
    """What is wrong with an answer by AWS's model, whether it is a success or a refusal; none: nothing."""
    model = MODEL.operation_model(answer.operation)
    if answer.status == status_of(answer.operation):
        if model.output_shape is None or model.has_streaming_output:
            return [] if answer.is_file or answer.wire in (None, {}) else [f"a body where there is none: {answer}"]
        return list(misfits(answer.wire, model.output_shape, answer.operation))
    if not 400 <= answer.status < 500 and answer.operation not in ABSENT:
        return [f"neither the operation's success nor a refusal: {answer}"]
    kind = answer.headers.get("x-amzn-errortype", "").split(":")[0]
    known = FRAMEWORK | {shape.name for shape in model.error_shapes}
    wrong = [] if kind in known else [f"{kind!r} is no error of {answer.operation}, which has {sorted(known - FRAMEWORK)}"]
    if answer.parsed["Error"]["Code"] != kind or answer.parsed["Error"]["Message"] != answer.wire.get("message"):
        wrong.append(f"the client reads {answer.parsed['Error']} from {answer}")
    if set(answer.wire) != {"message"} or not answer.wire["message"]:
        wrong.append(f"a refusal is a message: {answer}")
    declared = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes}
    if answer.status != declared.get(kind, answer.status):
        wrong.append(f"{kind} has status {declared[kind]}, not {answer.status}")
    return wrong


def misfits(value, shape, where):
    """What of a JSON value does not fit a shape: an unknown member, another type, a word that is not in the set."""
    kind = shape.type_name
    if value is None:
        if not NULLABLE.search(where):
            yield f"null at {where}"
    elif kind == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, inner in value.items() if isinstance(value, dict) else ():
            if name in members:
                yield from misfits(inner, members[name], f"{where}.{name}")
            else:
                yield f"AWS's model does not know {where}.{name}"
    elif kind == "list" and isinstance(value, list):
        for inner in value:
            yield from misfits(inner, shape.member, f"{where}[]")
    elif kind == "map" and isinstance(value, dict):
        for name, inner in value.items():
            yield from misfits(inner, shape.value, f"{where}.{name}")
    if value is not None and not isinstance(value, TYPES[kind]) or kind != "boolean" and isinstance(value, bool):
        yield f"{value!r} at {where} is no {kind}"
    if getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{value!r} at {where} is none of {shape.enum}"


TYPES = {"structure": dict, "list": list, "map": dict, "string": str, "boolean": bool, "integer": int, "long": int,
         "double": (int, float), "timestamp": (int, float), "blob": str}
