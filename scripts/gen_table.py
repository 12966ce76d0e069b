#!/usr/bin/env python3
"""Writes src/control/table.rs from botocore's service models: facts only, no prose.

    scripts/gen_table.py            write the table
    scripts/gen_table.py --check    exit 1 if the checked-in table differs
    --botocore PATH                 an unpacked package or a wheel; else the installed one if it is
                                    the pinned version, else `pip download`
"""
import argparse, collections, gzip, io, json, os, subprocess, sys, tempfile, zipfile

PIN = "1.44.5"
MODELS = [("apigateway", "2015-07-09", "V1"), ("apigatewayv2", "2018-11-29", "V2"),
          ("apigatewaymanagementapi", "2018-11-29", "Management"), ("lambda", "2015-03-31", "Lambda")]
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "control", "table.rs")

# Of Lambda a part is built: the other operations have a row, so that they are refused by name, and no shapes.
LAMBDA = set("""
    AddPermission CreateAlias CreateFunction DeleteAlias DeleteFunction DeleteFunctionConcurrency GetAlias GetFunction
    GetFunctionConcurrency GetFunctionConfiguration GetPolicy Invoke InvokeWithResponseStream ListAliases ListFunctions
    ListTags ListVersionsByFunction PublishVersion PutFunctionConcurrency RemovePermission TagResource UntagResource
    UpdateAlias UpdateFunctionCode UpdateFunctionConfiguration
""".split())

# The order in which API Gateway itself prints these sets in its validation errors.
PRINTED = {
    "Op": "add remove move test replace copy",
    "EndpointType": "PRIVATE EDGE REGIONAL",
    "IntegrationType": "HTTP MOCK AWS_PROXY HTTP_PROXY AWS",
    "DocumentationPartType": "RESPONSE_BODY RESPONSE METHOD MODEL AUTHORIZER RESPONSE_HEADER RESOURCE PATH_PARAMETER "
                             "REQUEST_BODY QUERY_PARAMETER API REQUEST_HEADER",
    "GatewayResponseType": "REQUEST_TOO_LARGE RESOURCE_NOT_FOUND AUTHORIZER_CONFIGURATION_ERROR "
                           "MISSING_AUTHENTICATION_TOKEN BAD_REQUEST_BODY INVALID_SIGNATURE INVALID_API_KEY "
                           "BAD_REQUEST_PARAMETERS AUTHORIZER_FAILURE UNAUTHORIZED INTEGRATION_TIMEOUT ACCESS_DENIED "
                           "DEFAULT_4XX DEFAULT_5XX WAF_FILTERED QUOTA_EXCEEDED THROTTLED API_CONFIGURATION_ERROR "
                           "UNSUPPORTED_MEDIA_TYPE INTEGRATION_FAILURE EXPIRED_TOKEN",
}


def opener(path):
    """A function from a name inside the package to its bytes."""
    if path and path.endswith(".whl"):
        z = zipfile.ZipFile(path)
        return lambda name: z.read("botocore/" + name)
    if path:
        return lambda name: open(os.path.join(path, name), "rb").read()
    try:
        import botocore
        if botocore.__version__ == PIN:
            return opener(os.path.dirname(botocore.__file__))
    except ImportError:
        pass
    tmp = tempfile.mkdtemp(prefix="botocore-")
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", tmp, f"botocore=={PIN}"], check=True)
    return opener(os.path.join(tmp, next(f for f in os.listdir(tmp) if f.endswith(".whl"))))


def text(s):
    return json.dumps(s, ensure_ascii=True)


class Table:
    def __init__(self):
        self.shapes, self.lines, self.errors = {}, [], {}

    def shape(self, model, service, name):
        """Index of a shape, emitted once per service (scalars without constraints once for all)."""
        s = model["shapes"][name]
        kind = s["type"]
        plain = kind not in ("structure", "list", "map") and not any(k in s for k in ("enum", "pattern", "min", "max"))
        key = (kind, s.get("timestampFormat")) if plain else (service, name)
        if key in self.shapes:
            return self.shapes[key]
        index = self.shapes[key] = len(self.lines)
        self.lines.append(None)
        self.lines[index] = self.render(model, service, name, s, kind, plain)
        return index

    def render(self, model, service, name, s, kind, plain):
        if kind == "structure":
            need = set(s.get("required", []))
            return f"st({text(name)}, &[{', '.join(self.member(model, service, s, n, m, need) for n, m in s['members'].items())}])"
        if kind == "list":
            return f"List({self.shape(model, service, s['member']['shape'])})"
        if kind == "map":
            return f"Map({self.shape(model, service, s['value']['shape'])})"
        if kind == "string":
            values = s.get("enum", [])
            if service == "V1" and name in PRINTED:
                assert sorted(PRINTED[name].split()) == sorted(values), name
                values = PRINTED[name].split()
            if values:
                return f"Enum(&[{', '.join(map(text, values))}])"
            if "pattern" in s:
                return f"Pattern({text(s['pattern'])})"
            if "min" in s or "max" in s:
                return f"Sized({s.get('min', 0)}, {s.get('max', 'u32::MAX')})"
            return "Text"
        if kind in ("integer", "long"):
            name = "Integer" if kind == "integer" else "Long"
            return f"Range({s['min']}, {s.get('max', 'i64::MAX')})" if "min" in s else name
        if kind == "timestamp":
            return "Instant" if s.get("timestampFormat") == "iso8601" else "Epoch"
        return {"boolean": "Boolean", "double": "Double", "blob": "Blob"}[kind]

    def member(self, model, service, s, name, m, need):
        at = {"uri": "U", "querystring": "Q", "header": "H", "statusCode": "S", None: "B"}[m.get("location")]
        if s.get("payload") == name:
            at = "P"
        if at == "Q" and model["shapes"][m["shape"]]["type"] == "map":
            at = "A"
        wire = m.get("locationName", name)
        index = self.shape(model, service, m["shape"])
        call = "r" if name in need else "m"
        return f"{call}({text(name)}, {index}, {at})" if wire == name else f"{call}w({text(name)}, {text(wire)}, {index}, {at})"

    def error_list(self, op):
        names = tuple(sorted(e["shape"] for e in op.get("errors", [])))
        return self.errors.setdefault(names, len(self.errors))


def generate(read):
    t, ops = Table(), []
    for folder, version, service in MODELS:
        load = lambda f: json.loads(read(f"data/{folder}/{version}/{f}"))
        model = json.loads(gzip.decompress(read(f"data/{folder}/{version}/service-2.json.gz")))
        pages = load("paginators-1.json")["pagination"]
        for name, op in sorted(model["operations"].items()):
            if service == "Lambda" and name not in LAMBDA:
                op = {"http": op["http"]}
            ref = lambda k: f"Some({t.shape(model, service, op[k]['shape'])})" if k in op else "None"
            page = pages.get(name, {}).get("result_key")
            if page is None and "output" in op and name.startswith(("Get", "List")):
                lists = model["shapes"][op["output"]["shape"]]["members"]
                page = next((n for n in ("items", "item") if n in lists and model["shapes"][lists[n]["shape"]]["type"] == "list"), None)
            wire = None
            if page is not None and "output" in op:
                wire = model["shapes"][op["output"]["shape"]]["members"][page].get("locationName", page)
            http = op["http"]
            ops.append(f"op({service}, {text(name)}, {text(http['method'])}, {text(http['requestUri'])}, "
                       f"{http.get('responseCode', 200)}, {ref('input')}, {ref('output')}, "
                       f"{f'Some({text(wire)})' if wire else 'None'}, E{t.error_list(op)}),")
    out = io.StringIO()
    w = lambda s="": print(s, file=out)
    w("//! The wire facts of the operations of Amazon API Gateway and Lambda, for the walk in `control/mod.rs`.")
    w(f"//! @generated by scripts/gen_table.py from botocore {PIN}; do not edit.")
    w()
    w("use super::model::At::{Any as A, Body as B, Header as H, Payload as P, Query as Q, Status as S, Uri as U};")
    w("use super::model::Service::{Lambda, Management, V1, V2};")
    w("use super::model::Shape::{self, *};")
    w("use super::model::{Operation, m, mw, op, r, rw, st};")
    w()
    w("/// The version of botocore that the table was made from.")
    w(f"pub const BOTOCORE: &str = {text(PIN)};")
    w()
    for names, i in t.errors.items():
        w("#[rustfmt::skip]")
        w(f"const E{i}: &[&str] = &[{', '.join(map(text, names))}];")
    w()
    w("/// Every operation, by service and name.")
    w("#[rustfmt::skip]")
    w(f"pub static OPERATIONS: [Operation; {len(ops)}] = [")
    for o in ops:
        w("    " + o)
    w("];")
    w()
    w("/// Every shape that an operation's input or output reaches; members name them by index.")
    w("#[rustfmt::skip]")
    w(f"pub static SHAPES: [Shape; {len(t.lines)}] = [")
    for i, line in enumerate(t.lines):
        w(f"    /* {i} */ {line},")
    w("];")
    return out.getvalue()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--check", action="store_true")
    args.add_argument("--botocore")
    a = args.parse_args()
    made = generate(opener(a.botocore))
    if a.check:
        if open(OUT).read() != made:
            sys.exit("src/control/table.rs differs from botocore " + PIN + "; run scripts/gen_table.py")
        return
    open(OUT, "w").write(made)


main()
