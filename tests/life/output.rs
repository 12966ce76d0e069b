//! Standard output that nobody reads to its end, or that takes nothing.

use super::REGION;
use super::nodes::Cluster;
use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

fn printed_to(out: impl Into<Stdio>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MERIDIAN_")) {
        command.env_remove(name);
    }
    let child = command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn();
    let Output { status, stderr, .. } = child.expect("the program runs").wait_with_output().expect("it ends");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_command_whose_reader_goes_away_ends_quietly_and_one_with_a_full_disk_says_so() {
    let cluster = Cluster::start(&[REGION]);
    let endpoint = format!("http://{}", cluster.nodes[0].listen.admin);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    };
    let api = file("api.yaml", "openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths: {}\n");
    let (template, body) = (file("a.vtl", "$input.body"), file("a.body.json", "{}"));
    let cases = folder.path().to_string_lossy().into_owned();
    let token = cluster.token.clone();
    let asked = |words: &[&'static str]| [words, &["--endpoint", &endpoint, "--token", &token]].concat().join("\n");
    let commands = [
        asked(&["members"]),
        asked(&["members", "--output", "json"]),
        asked(&["status"]),
        asked(&["rtt"]),
        asked(&["check"]),
        asked(&["token", "create"]),
        ["import", "--check", &api].join("\n"),
        ["import", "--check", &api, "--output", "json"].join("\n"),
        ["template", "run", "--template", &template, "--body", &body].join("\n"),
        ["template", "test", &cases].join("\n"),
        "--help".to_owned(),
    ];
    for command in &commands {
        let words: Vec<&str> = command.lines().collect();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (code, said) = printed_to(writer, &words);
        if words != ["--help"] {
            assert_eq!(code, Some(141), "{words:?}: {said}");
        }
        assert_eq!(said, "", "{words:?}");
        let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let (code, said) = printed_to(full, &words);
        if words != ["--help"] {
            assert_eq!(code, Some(1), "{words:?}: {said}");
            assert!(said.contains("standard output cannot be written\n  because: No space left"), "{words:?}: {said}");
        }
    }
}
