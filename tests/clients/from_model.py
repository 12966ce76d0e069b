"""Inputs made from AWS's model, for every operation: what it requires left out, every word of its sets and one that is
in none, every member as JSON of another type, nulls, strangers, labels of things that there are none of.

What AWS accepts is accepted, what it refuses is refused in its words, and no answer is outside of the model.
"""

import collections
import json
import re
import sys
import time

from signed import ABSENT, MODEL, Signed, body_of, status_of, with_body, wrong_of
from prepared import CALLS, Prepared, patch
from unsaid import ALSO, BESIDE, CLASSES, EXTREMES, LABELS_OF_WORDS, OTHERS, PATCHED, PROSE, TOO_FAR, UNKNOWN

STRANGER = "Unheard-Of"


def members(shape, path=()):
    """Every member below a structure that travels in the body: ((wire name, …), (SDK name, …), shape, required)."""
    for name, member in shape.members.items():
        if path or not (member.serialization.get("location") or shape.serialization.get("payload") == name):
            here = (*path, (member.serialization.get("name", name), name))
            yield here, member, name in shape.required_members
            yield from below(member, here)


def below(shape, path):
    if shape.type_name == "structure":
        yield from members(shape, path)
    elif shape.type_name == "list":
        yield (*path, (0, "1.member")), shape.member, False
        yield from below(shape.member, (*path, (0, "1.member")))
    elif shape.type_name == "map":
        yield (*path, ("key", "key.member")), shape.value, False


def outside(shape, *places):
    """The members that travel in the path or the query."""
    for name, member in shape.members.items() if shape else ():
        if member.serialization.get("location") in places:
            yield name, member, name in shape.required_members


def put_at(body, path, value):
    """A copy of `body` with a value at a path, containers on the way made as they are needed."""
    if not path:
        return value
    step, rest = path[0][0], path[1:]
    if isinstance(step, int):
        return [put_at(body[0] if isinstance(body, list) and body else {}, rest, value)]
    inner = body if isinstance(body, dict) else {}
    return {**inner, step: put_at(inner.get(step, {}), rest, value)}


def shown(body, path):
    """What an answer has at a path."""
    for step, _ in path:
        if not (isinstance(body, list) and len(body) > step if isinstance(step, int) else isinstance(body, dict) and step in body):
            return None
        body = body[step]
    return body


def member_names(operation):
    """The wire names of what an operation answers."""
    shape = MODEL.operation_model(operation).output_shape
    return {member.serialization.get("name", name) for name, member in shape.members.items()} if shape else set()


def wire(path):
    return ".".join(str(step) for step, _ in path)


def named(operation, path):
    """A path as AWS prints it."""
    return f"{operation[0].lower()}{operation[1:]}Input." + ".".join(name for _, name in path)


class Judge:
    def __init__(self, signed):
        self.signed, self.prepared = signed, Prepared(signed.do)
        self.wrong, self.count = [], collections.Counter()

    def base(self, operation):
        return self.signed.request(operation, CALLS[operation](self.prepared))

    def ask(self, what, operation, request):
        """Sends a request; whatever is asked, the answer must be one of the model."""
        answer = self.signed.send(operation, request)
        self.count[what] += 1
        self.wrong += [f"{operation}, {what}: {text}" for text in wrong_of(answer)]
        return answer

    def accepts(self, what, operation, request):
        answer = self.ask(what, operation, request)
        if answer.status != status_of(operation):
            self.wrong.append(f"{operation}, {what}: not accepted: {request['query_string']} {request['body']!r}\n    {answer}")
        return answer

    def refuses(self, what, operation, request, kinds, message=None):
        answer = self.ask(what, operation, request)
        kind = answer.headers.get("x-amzn-errortype", "").split(":")[0]
        if answer.status < 400 or kind not in kinds:
            self.wrong.append(f"{operation}, {what}: not refused with {kinds}: {request['url_path']} {request['query_string']} "
                              f"{request['body']!r}\n    {answer}")
        elif message is not None and not (message(answer["message"]) if callable(message) else answer["message"] == message):
            self.wrong.append(f"{operation}, {what}: other words: {answer}\n    expected {message}")

    def operation(self, operation):
        shape = MODEL.operation_model(operation).input_shape
        self.accepts("a valid call", operation, self.base(operation))
        if shape is None:
            return
        body = list(members(shape))
        # A call that is refused uses nothing up: one does for all that follow.
        spare = self.base(operation)
        self.left_out(operation, shape, body, spare)
        self.words(operation, shape, body, spare)
        self.patterns(operation, shape, body, spare)
        self.other_types(operation, body, spare)
        self.nulls_and_strangers(operation, body)
        self.extremes(operation, body, spare)
        self.labels(operation, shape, spare)
        self.pages(operation, shape, spare)
        if operation.startswith("Update"):
            self.patch_operations(operation)

    def left_out(self, operation, shape, body, spare):
        words = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
        for path, _, required in body:
            if required:
                bent = put_at(self.beside(operation, path, None, spare), path, None)
                self.refuses("a required member left out", operation, with_body(spare, bent), {"ValidationException"},
                             words.format(named(operation, path)))
        for name, member, required in outside(shape, "querystring"):
            if required:
                query = {key: value for key, value in spare["query_string"].items() if key != member.serialization["name"]}
                self.refuses("a required member left out", operation, {**spare, "query_string": query}, {"ValidationException"},
                             words.format(name))
        if shape.serialization.get("payload") in shape.required_members:
            self.refuses("a required member left out", operation, {**spare, "body": b""}, {"BadRequestException"})

    def words(self, operation, shape, body, spare):
        for path, member, _ in body:
            if not getattr(member, "enum", None):
                continue
            in_list = path[-1][0] == 0
            for word in member.enum if path[0][0] != "patchOperations" else ():
                request = self.base(operation)
                answer = self.accepts("a word of a set", operation,
                                      with_body(request, put_at(self.beside(operation, path, word, request), path, word)))
                if answer.status < 300 and path[0][0] in member_names(operation) and shown(answer.wire, path) != word:
                    self.wrong.append(f"{operation} answers {shown(answer.wire, path)!r} for {wire(path)} {word}: {answer}")
            bent = with_body(spare, put_at(self.beside(operation, path, None, spare), path, STRANGER))
            where = named(operation, path[:-1] if in_list else path)
            self.refuses("a word of no set", operation, bent, {"ValidationException"}, stranger(where, member.enum, in_list))
        for name, member, _ in outside(shape, "querystring", "uri"):
            for word in getattr(member, "enum", None) or ():
                given = CALLS[operation](self.prepared) | {name: word}
                if operation in ("DeleteGatewayResponse", "UpdateGatewayResponse"):
                    self.signed.do("PutGatewayResponse", **{**given, "patchOperations": None})
                self.accepts("a word of a set", operation, self.signed.request(operation, given))
            if getattr(member, "enum", None):
                request = self.signed.request(operation, CALLS[operation](self.prepared) | {name: STRANGER})
                self.refuses("a word of no set", operation, request, {"ValidationException"}, stranger(name, member.enum, False))
        for (of, name), words in PROSE.items():
            if of == operation:
                for word, beside in words.items():
                    given = CALLS[operation](self.prepared) | {name: word} | beside(self.prepared)
                    self.accepts("a word of a set", operation, self.signed.request(operation, given))
                request = self.signed.request(operation, CALLS[operation](self.prepared) | {name: STRANGER})
                self.refuses("a word of no set", operation, request, {"BadRequestException"})

    def beside(self, operation, path, word, request):
        steps = wire(path).split(".")
        places = [f"{wire(path)}={word}", *(".".join(steps[:count]) for count in range(len(steps), 0, -1))]
        found = next((BESIDE[operation, place] for place in places if (operation, place) in BESIDE), lambda p: {})
        return {**body_of(request), **found(self.prepared)}

    def patterns(self, operation, shape, body, spare):
        words = "1 validation error detected: Value 'abc' at '{}' failed to satisfy constraint: " \
                "Member must satisfy regular expression pattern: {}"
        for path, member, _ in body:
            if "pattern" in member.metadata:
                bent = put_at(self.beside(operation, path, None, spare), path, "abc")
                self.refuses("text of another form", operation, with_body(spare, bent), {"ValidationException"},
                             words.format(named(operation, path), member.metadata["pattern"]))
        for name, member, _ in outside(shape, "uri"):
            if "pattern" in member.metadata:
                request = self.signed.request(operation, CALLS[operation](self.prepared) | {name: "abc"})
                self.refuses("text of another form", operation, request, {"ValidationException"},
                             words.format(name, member.metadata["pattern"]))

    def other_types(self, operation, body, spare):
        # A patch is of one shape everywhere: one operation stands for all below the list.
        for path, member, _ in body if operation == "UpdateRestApi" else self.without_patches(body):
            for value in OTHERS[member.type_name]:
                bent = with_body(spare, put_at(body_of(spare), path, value))
                self.refuses("a value of another type", operation, bent, {"SerializationException"}, other(value, member.type_name))
        for text in (b"{", b"[]", b'"x"', b"\xff{}") if body else ():
            self.refuses("a body that is no object", operation, with_body(spare, text), {"SerializationException"})

    def extremes(self, operation, body, spare):
        """Whether they are accepted is the noun's affair, which the table says where it is known; the model holds anyway."""
        for path, member, _ in self.without_patches(body):
            for value in EXTREMES.get(member.type_name, ()) if not getattr(member, "enum", None) else ():
                self.ask("an extreme value", operation, with_body(spare, put_at(body_of(spare), path, value)))
        for value, path in ((value, path) for path, _, _ in body for value in TOO_FAR.get((operation, wire(path)), ())):
            request = self.base(operation)
            bent = with_body(request, put_at(self.beside(operation, path, None, request), path, value))
            self.refuses("a value too far", operation, bent, {"BadRequestException"})

    @staticmethod
    def without_patches(body):
        return [item for item in body if item[0][0][0] != "patchOperations" or len(item[0]) == 1]

    def nulls_and_strangers(self, operation, body):
        if body:
            request = self.base(operation)
            optional = {path[0][0]: None for path, _, required in body if len(path) == 1 and not required}
            given = {key: value for key, value in body_of(request).items() if value is not None}
            self.accepts("nulls", operation, with_body(request, {**optional, **given}))
            request = self.base(operation)
            self.accepts("a member of another model", operation, with_body(request, {**body_of(request), "stranger": {"a": [1]}}))

    def labels(self, operation, shape, spare):
        labels = [name for name, member, _ in outside(shape, "uri")
                  if not getattr(member, "enum", None) and name not in LABELS_OF_WORDS]
        given = CALLS[operation](self.prepared) if labels else {}
        for name in labels:
            for value in ("nosuchthing", "a b/c%2F?é"):
                request = self.signed.request(operation, given | {name: value})
                expected = UNKNOWN.get((operation, name)) or UNKNOWN.get(name, "NotFoundException")
                if expected == "nothing":
                    answer = self.ask("a label of nothing", operation, request)
                    self.wrong += [] if answer.wire == {"item": []} else [f"{operation}: no empty list: {answer}"]
                else:
                    self.refuses("a label of nothing", operation, request, {expected})

    def patch_operations(self, operation):
        base = self.base(operation)
        [step] = body_of(base)["patchOperations"]
        for op in MODEL.shape_for("Op").enum:
            request = with_body(base, {"patchOperations": [{**step, "op": op}]})
            if op == step["op"] or op in ALSO.get(operation, ()):
                self.accepts("a patch", operation, base)
                self.accepts("a patch", operation, request)
            else:
                self.refuses("a patch", operation, request, {"BadRequestException"})
        for steps in ([{"op": "replace"}], [{"path": "/nope"}], [{"op": "replace", "path": "nope", "value": "x"}], [{}],
                      [step, {"op": "replace", "path": "/nope", "value": "x"}]):
            self.refuses("a patch", operation, with_body(base, {"patchOperations": steps}), {"BadRequestException"})
        for (of, path), words in PATCHED.items():
            if of == operation:
                for word in MODEL.shape_for(words).enum if isinstance(words, str) else words:
                    self.accepts("a patch to a word", operation, with_body(base, {"patchOperations": patch(path, word)}))
                self.refuses("a patch to a word", operation, with_body(base, {"patchOperations": patch(path, STRANGER)}),
                             {"BadRequestException"})

    def pages(self, operation, shape, spare):
        queries = {member.serialization.get("name", name) for name, member, _ in outside(shape, "querystring")}
        for key, values in {"limit": ("0", "-1", "1", "501", "x", "9" * 30), "position": ("nonsense", "é%00", "")}.items():
            for value in values if key in queries else ():
                answer = self.ask("a page", operation, {**spare, "query_string": {**spare["query_string"], key: value}})
                if answer.status != 200 and answer.headers["x-amzn-errortype"] != "BadRequestException":
                    self.wrong.append(f"{operation} {key}={value}: {answer}")

    def absent(self, operation):
        shape = MODEL.operation_model(operation).input_shape
        request = self.signed.request(operation, {name: "x" for name, _, _ in outside(shape, "uri")})
        answer = self.ask("not built", operation, request)
        kind, text = answer.headers.get("x-amzn-errortype"), f"Meridian does not implement {operation} yet"
        if (answer.status, kind, answer.wire) != (501, "NotImplementedException", {"message": text}):
            self.wrong.append(f"not built: {answer}")


def stranger(where, words, in_list):
    """Whether a refusal names the place and the whole set, in whatever order."""
    constraint = r"Member must satisfy enum value set: \[([^\]]*)\]"
    if in_list:
        constraint = rf"Member must satisfy constraint: \[{constraint}\]"
    value = f"[{STRANGER}]" if in_list else STRANGER
    wanted = re.escape(f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: ") + constraint

    def fits(message):
        found = re.fullmatch(wanted, message)
        return found and sorted(found[1].split(", ")) == sorted(words)
    return fits


def other(value, kind):
    """The words for a scalar where text is wanted, which are recorded of AWS; others have no fixed words."""
    if kind == "string" and not isinstance(value, (list, dict)):
        return f"class {CLASSES[type(value)]} can not be converted to an String"
    return None


def run(described):
    began = time.time()
    judge = Judge(Signed(described))
    known = set(MODEL.operation_names)
    assert known == set(CALLS) | ABSENT and not set(CALLS) & ABSENT, known ^ (set(CALLS) | ABSENT)
    for operation in sorted(known - ABSENT):
        judge.operation(operation)
    for operation in sorted(ABSENT):
        judge.absent(operation)
    for what, count in judge.count.items():
        print(f"ok  {count:5}  {what}")
    print(f"ok  {judge.signed.calls} calls of {len(judge.signed.called)} operations in {time.time() - began:.1f} s", flush=True)
    if judge.wrong:
        sys.exit(f"{len(judge.wrong)} answers are wrong:\n" + "\n".join(judge.wrong[:80]))


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        run(json.load(file))
