//! Templates on one's own machine: rendered, tested, and said where they are wrong.

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the program with something on its standard input; exit code and what it printed.
fn template(arguments: &[&str], folder: &Path, input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meridian"))
        .arg("template")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // A program that reads no input may have ended before.
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

const MAP: &str = "#set($context.requestOverride.header.x = $input.params('q'))\n{\"name\": $input.json('$.pet.name'), \"ip\": \"$context.identity.sourceIp\", \"env\": \"$stageVariables.env\", \"id\": \"$input.params('id')\"}\n";
const CONTEXT: &str = r#"{"context": {"identity": {"sourceIp": "192.0.2.1"}}, "stageVariables": {"env": "prod"},
    "params": {"path": {"id": 7}, "querystring": {"q": ["a", "b"]}}}"#;
const BODY: &str = r#"{"pet": {"name": "Rex"}}"#;
const TEXT: &str = "{\"name\": \"Rex\", \"ip\": \"192.0.2.1\", \"env\": \"prod\", \"id\": \"7\"}\n";

#[test]
fn a_template_is_rendered_over_a_body_and_a_context() {
    let folder = folder(&[("map.vtl", MAP), ("body.json", BODY), ("context.json", CONTEXT)]);
    let run = |more: &[&str], input: &str| {
        template(&[&["run", "--template", "map.vtl"], more].concat(), folder.path(), input)
    };
    let all = ["--body", "body.json", "--context", "context.json"];
    assert_eq!(run(&all, ""), (Some(0), TEXT.to_owned(), String::new()));
    let (code, said, _) = run(&["--body", "-", "--context", "context.json", "--output", "json"], BODY);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(code, Some(0));
    assert_eq!(said["text"], TEXT);
    assert_eq!(said["requestOverride"]["header"], json!({"x": "b"}));
    assert_eq!(said["responseOverride"], json!({"header": {}}));
    let (code, said, _) = run(&["--body", "-"], "");
    assert_eq!((code, said.as_str()), (Some(0), "{\"name\": \"\", \"ip\": \"\", \"env\": \"\", \"id\": \"\"}\n"));
}

#[test]
fn what_cannot_be_rendered_is_said_with_its_place_and_wrong_usage_with_another_code() {
    let folder = folder(&[
        ("parse.vtl", "a\n\t#if($x b\n"),
        ("run.vtl", "one\ntwo $input.path('$.l').get(9) three\n"),
        ("body.json", "{\"l\": []}"),
        ("odd.json", r#"{"context": {"identity": "x"}}"#),
        ("unknown.json", r#"{"contxt": {}}"#),
    ]);
    let run = |file: &str, more: &[&str]| {
        let arguments = [&["run", "--template", file, "--body", "body.json"], more].concat();
        template(&arguments, folder.path(), "")
    };
    let (code, out, said) = run("parse.vtl", &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(said, "parse.vtl:2:9: \"b\" cannot stand here\n\t#if($x b\n\t       ^\n");
    let (code, out, said) = run("run.vtl", &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let place = "run.vtl:2:24: position 9 is not within a list of size 0\n";
    assert_eq!(said, format!("{place}two $input.path('$.l').get(9) three\n{}^\n", " ".repeat(23)));
    for (context, wanted) in
        [("odd.json", "context.identity has to be an object"), ("unknown.json", "unknown field `contxt`")]
    {
        let (code, _, said) = run("run.vtl", &["--context", context]);
        assert!(code == Some(1) && said.contains(wanted) && said.contains(context), "{said}");
    }
    let (code, _, said) = run("missing.vtl", &[]);
    assert!(code == Some(1) && said.contains("missing.vtl"), "{said}");
    assert_eq!(template(&["run"], folder.path(), "").0, Some(2));
}

#[test]
fn a_folder_of_cases_is_tested_and_brought_up_to_date() {
    let folder = folder(&[
        ("map.vtl", MAP),
        ("map.body.json", BODY),
        ("map.context.json", CONTEXT),
        ("map.expected", TEXT),
        ("lines.vtl", "one\n$input.json('$.n')\nthree\n"),
        ("lines.body.json", "{\"n\": 2}"),
        ("lines.expected", "one\ntwo\nthree\n"),
        ("new.vtl", "$input.body"),
        ("wrong.vtl", "#if("),
    ]);
    let test = |more: &[&str]| template(&[&["test", "."], more].concat(), folder.path(), "");
    let (code, said, _) = test(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("passed  map\n") && said.ends_with("1 passed, 3 failed\n"), "{said}");
    assert!(
        said.contains("FAILED  lines\n        from line 2, expected -, found +\n        -two\n        +2\n"),
        "{said}"
    );
    assert!(said.contains("new.expected is not there; --update writes it"), "{said}");
    assert!(said.contains("wrong.vtl:1:5: ") && said.contains("\n        #if(\n            ^\n"), "{said}");

    let (code, said, _) = test(&["--update", "--output", "json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &said["passed"], &said["failed"]), (Some(1), &json!(3), &json!(1)));
    assert_eq!(said["cases"][0], json!({"name": "lines", "result": "updated", "difference": null}));
    assert_eq!(std::fs::read_to_string(folder.path().join("new.expected")).expect("written"), "{}");

    std::fs::remove_file(folder.path().join("wrong.vtl")).expect("removed");
    let (code, said, _) = test(&[]);
    assert_eq!((code, said.as_str()), (Some(0), "passed  lines\npassed  map\npassed  new\n3 passed, 0 failed\n"));
    let empty = tempfile::tempdir().expect("a temporary directory");
    let (code, _, said) = template(&["test", "."], empty.path(), "");
    assert!(code == Some(1) && said.contains("there is no case in it"), "{said}");
}
