//! Real runtimes: a bootstrap, Python under awslambdaric, Node.js under aws-lambda-ric.

use super::house::{House, call, options, tail, user_for, whole};
use super::skip::skip;
use base64::Engine;
use meridian::function::HostOptions;
use std::path::PathBuf;
use std::sync::Arc;

#[test]
fn a_bootstrap_gets_its_events_and_answers_them_in_one_process() {
    let house = House::new(options());
    let echo = r#"
while True:
    id, head, body = ask()
    names = ["lambda-runtime-deadline-ms", "lambda-runtime-invoked-function-arn", "lambda-runtime-trace-id", "lambda-runtime-client-context"]
    left = int(head[names[0]]) / 1000 - time.time()
    assert 15 < left <= 20, left
    answer(id, body + b"|" + "|".join([str(os.getpid())] + [head.get(name, "-") for name in names[1:]]).encode())
"#;
    let echo = Arc::new(house.bootstrap("echo", echo));
    let first = house.succeeds(&echo, "one");
    let mut second = call("two");
    second.trace = Some("Root=1-2-3".into());
    second.client_context = Some(base64::engine::general_purpose::STANDARD.encode("{\"a\":\n1}").into());
    let mut live = (*echo).clone();
    live.deployed.arn = format!("{}:live", live.deployed.arn).into();
    let second = house.invoke(&Arc::new(live), second).expect("an answer");
    assert_eq!((second.status, second.executed_version.as_deref()), (200, Some("$LATEST")));
    let second = String::from_utf8(whole(second).to_vec()).expect("text");
    let (first, second): (Vec<_>, Vec<_>) = (first.split('|').collect(), second.split('|').collect());
    assert_eq!(first[1], second[1], "one process");
    assert_eq!(first[2..], ["arn:aws:lambda:eu-west-1:000000000000:function:echo", "-", "-"]);
    assert_eq!(second[2..], ["arn:aws:lambda:eu-west-1:000000000000:function:echo:live", "Root=1-2-3", "{\"a\":1}"]);
    assert_eq!(house.metrics.cold_starts.get(), 1);
    house.close();
}

#[test]
fn what_no_header_can_have_is_refused() {
    let house = House::new(options());
    let function = Arc::new(house.bootstrap("f", "raise SystemExit(1)"));
    for context in ["no base64!", "bm8ganNvbg==", "WzFd"] {
        let mut bad = call("");
        bad.client_context = Some(context.into());
        assert_eq!(house.invoke(&function, bad).expect_err("refused").kind, "InvalidRequestContentException");
    }
    let mut bad = call("");
    bad.trace = Some("a\r\nb: c".into());
    assert_eq!(house.invoke(&function, bad).expect_err("refused").status, 400);
    assert_eq!(house.metrics.cold_starts.get(), 0);
    house.close();
}

/// The interpreter of the tests, with awslambdaric in it.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("MERIDIAN_TEST_PYTHON").map(PathBuf::from)?;
    let has = std::process::Command::new(&python).args(["-c", "import awslambdaric"]).output();
    has.is_ok_and(|output| output.status.success()).then_some(python)
}

fn python_house(test: &str) -> Option<(House, PathBuf)> {
    let Some(python) = python() else {
        skip(test, "MERIDIAN_TEST_PYTHON names no Python with awslambdaric (scripts/test does)");
        return None;
    };
    let options = HostOptions { user: user_for(&python), python: Some(python.clone()), ..options() };
    Some((House::new(options), python))
}

const APP: &str = r#"
import json, os
print("loaded")
def handler(event, context):
    print("handling", event)
    if event == "fail":
        raise ValueError("wrong: \u00fc")
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "name": context.function_name, "memory": context.memory_limit_in_mb, "group": context.log_group_name,
            "left": context.get_remaining_time_in_millis(), "client": context.client_context and context.client_context.custom,
            "env": dict(os.environ), "pid": os.getpid()}
"#;

#[test]
fn a_python_function_runs_under_awslambdaric() {
    let Some((house, _)) = python_house("a_python_function_runs_under_awslambdaric") else { return };
    let code = house.code(&[("app.py", APP)]);
    let mut python = house.function("hello", "python3.11", code);
    python.deployed.environment.insert("TABLE".to_owned(), "things".to_owned());
    let python = Arc::new(python);
    let mut first = call(r#"{"a":[1,"ü"]}"#);
    first.log_tail = true;
    first.client_context = Some(base64::engine::general_purpose::STANDARD.encode(r#"{"custom":{"k":"v"}}"#).into());
    let id = first.request_id.clone();
    let answer = house.invoke(&python, first).expect("an answer");
    assert_eq!(answer.function_error, None, "{}", house.log("hello"));
    let tail = tail(&answer);
    let said: serde_json::Value = serde_json::from_slice(&whole(answer)).expect("JSON");
    assert_eq!(said["event"], serde_json::json!({"a": [1, "ü"]}));
    assert_eq!((said["id"].as_str(), said["name"].as_str()), (Some(&*id), Some("hello")));
    assert_eq!((said["memory"].as_str(), said["group"].as_str()), (Some("128"), Some("/aws/lambda/hello")));
    assert_eq!(said["client"]["k"], "v");
    assert!(said["left"].as_i64().is_some_and(|left| (10_000..=20_000).contains(&left)), "{said}");
    assert_eq!(said["env"]["TABLE"], "things");
    assert_eq!(said["env"]["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.11");
    assert!(said["env"].get("CARGO_MANIFEST_DIR").is_none() && said["env"].get("HOME").is_none(), "{said}");
    for part in
        ["START RequestId: ", "handling {'a': [1, 'ü']}", "END RequestId: ", "\tBilled Duration: ", "Init Duration: "]
    {
        assert!(tail.contains(part), "{part} in {tail}");
    }
    let (error, failure) = house.fails(&python, r#""fail""#);
    assert_eq!(
        (error.as_str(), &failure["errorType"], &failure["errorMessage"]),
        ("Unhandled", &"ValueError".into(), &"wrong: ü".into())
    );
    assert!(failure["stackTrace"].is_array(), "{failure}");
    let again: serde_json::Value = serde_json::from_str(&house.succeeds(&python, "1")).expect("JSON");
    assert_eq!(again["pid"], said["pid"], "a function that raises keeps its process");
    house.close();
}

#[test]
fn python_code_that_cannot_be_loaded_says_why() {
    let Some((house, _)) = python_house("python_code_that_cannot_be_loaded_says_why") else { return };
    for (name, app, error_type, words) in [
        ("syntax", "def handler(", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("import", "import nothing_like_this", "Runtime.ImportModuleError", "No module named"),
        ("missing", "x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("leaves", "import os; os._exit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
    ] {
        let function = Arc::new(house.function(name, "python3.11", house.code(&[("app.py", app)])));
        let (error, said) = house.fails(&function, "{}");
        assert_eq!((error.as_str(), said["errorType"].as_str()), ("Unhandled", Some(error_type)), "{said}");
        assert!(said["errorMessage"].as_str().is_some_and(|said| said.contains(words)), "{said}");
    }
    house.close();
}

#[test]
fn a_missing_interpreter_or_module_is_named_with_its_setting() {
    let plain = super::house::plain_python();
    let fake = tempfile::tempdir().expect("a directory");
    let python = fake.path().join("python-without");
    let text = format!("#!{} -ES\nraise SystemExit('No module named awslambdaric')\n", plain.display());
    std::fs::write(&python, text).expect("written");
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    for (options, runtime, words) in [
        (options(), "python3.12", vec!["`python` in [functions]", "python3.12"]),
        (options(), "nodejs20.x", vec!["`node` in [functions]"]),
        (options(), "java21", vec!["java21", "python*"]),
        (
            HostOptions { python: Some(python), ..options() },
            "python3.12",
            vec!["awslambdaric", "pip", "python-without"],
        ),
        (
            HostOptions { python: Some("/no/python".into()), ..options() },
            "python3.12",
            vec!["/no/python", "cannot be run"],
        ),
        (HostOptions { node: Some("/no/node".into()), ..options() }, "nodejs20.x", vec!["node_ric"]),
    ] {
        let house = House::new(options);
        let function = Arc::new(house.function("f", runtime, house.code(&[])));
        let refused = house.invoke(&function, call("{}")).expect_err("refused");
        assert_eq!((refused.status, refused.kind), (502, "InvalidRuntimeException"));
        for word in words {
            assert!(refused.message.contains(word), "{word} in {}", refused.message);
        }
        house.close();
    }
}

/// What aws-lambda-ric is to the host: a package whose program takes the handler. The real one is compiled, which takes minutes.
const STAND_IN: &str = r#"
import { createRequire } from "node:module";
import http from "node:http";
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const [file, name] = process.argv[2].split(".");
const handler = createRequire(process.cwd() + "/")("./" + file)[name];
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ask = (method, path, body) => new Promise((done, failed) => {
  const request = http.request({ agent, host, port, method, path: "/2018-06-01/runtime/" + path }, (response) => {
    const parts = [];
    response.on("data", (part) => parts.push(part));
    response.on("end", () => done({ head: response.headers, body: Buffer.concat(parts).toString() }));
  });
  request.on("error", failed);
  request.end(body);
});
for (;;) {
  const { head, body } = await ask("GET", "invocation/next");
  const id = head["lambda-runtime-aws-request-id"];
  try {
    const said = await handler(JSON.parse(body), { awsRequestId: id });
    await ask("POST", `invocation/${id}/response`, JSON.stringify(said));
  } catch (error) {
    await ask("POST", `invocation/${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
"#;

fn runs_node(node: PathBuf, ric: PathBuf) {
    let user = user_for(&node).min(user_for(&ric));
    let house = House::new(HostOptions { user, node: Some(node), node_ric: Some(ric), ..options() });
    let app = r#"
exports.handler = async (event, context) => {
  if (event.fail) throw new TypeError("wrong");
  return { event, id: context.awsRequestId };
};
"#;
    let function = Arc::new(house.function("node", "nodejs20.x", house.code(&[("app.js", app)])));
    let said: serde_json::Value = serde_json::from_str(&house.succeeds(&function, r#"{"a":1}"#)).expect("JSON");
    assert_eq!(said["event"]["a"], 1);
    let (error, said) = house.fails(&function, r#"{"fail":true}"#);
    assert_eq!((error.as_str(), said["errorType"].as_str()), ("Unhandled", Some("TypeError")), "{said}");
    assert_eq!(house.metrics.cold_starts.get(), 1);
    house.close();
}

fn node() -> Option<PathBuf> {
    std::env::var_os("MERIDIAN_TEST_NODE").map(PathBuf::from)
}

#[test]
fn node_runs_the_program_of_the_package_that_the_operator_names() {
    let test = "node_runs_the_program_of_the_package_that_the_operator_names";
    let Some(node) = node() else { return skip(test, "MERIDIAN_TEST_NODE is not set (scripts/test does)") };
    // Beneath /tmp functions see only their own files.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    std::fs::write(folder.path().join("package.json"), r#"{"bin":{"aws-lambda-ric":"./index.mjs"}}"#).expect("written");
    std::fs::write(folder.path().join("index.mjs"), STAND_IN).expect("written");
    runs_node(node, folder.path().to_owned());
}

#[test]
fn a_node_function_runs_under_aws_lambda_ric() {
    let ric = std::env::var_os("MERIDIAN_TEST_NODE_RIC").map(PathBuf::from);
    match node().zip(ric) {
        Some((node, ric)) => runs_node(node, ric),
        None => skip(
            "a_node_function_runs_under_aws_lambda_ric",
            "MERIDIAN_TEST_NODE and MERIDIAN_TEST_NODE_RIC (the compiled package aws-lambda-ric) are not both set",
        ),
    }
}
