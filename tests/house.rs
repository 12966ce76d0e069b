//! The walls of the house: floors, sizes, names and what each room may touch, checked over the source itself.
//!
//! A room (`src/<room>/` or `src/<room>.rs`) imports only from rooms on lower floors, so that a change high up never
//! reaches down and no knot of rooms forms. The rules run on tokens, not on text: comments and strings do not count.
//! Every rule has a test below that shows it failing.

#[path = "house/source.rs"]
mod source;

use source::{Named, Seen, see};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which floor a room stands on; the entry (`main.rs`, `lib.rs`) stands above all of them.
const FLOORS: &[(&str, u8)] = &[
    ("catalog", 0),
    ("observe", 0),
    // Names regions and accounts by catalog's types.
    ("config", 1),
    ("spec", 1),
    ("state", 1),
    ("plan", 2),
    ("sdk", 2),
    ("net", 3),
    ("cluster", 4),
    ("edge", 5),
    ("usage", 5),
    ("function", 5),
    ("gateway", 6),
    ("control", 7),
    ("portal", 8),
    ("node", 9),
    // Its `start` and `join` run a node.
    ("cli", 10),
];

/// Pure floors: time, ids and seeds come in as arguments, so these rooms can be tested and simulated without a world.
const PURE_BELOW: u8 = 3;
/// Rooms on the pure floors that look at the outside by trade.
const NOT_PURE: &[&str] = &["observe", "config"];
/// Rooms that may read the node's configuration; everybody else is given what it needs.
const READS_CONFIG: &[&str] = &["config", "node", "cli"];
/// Beginnings of paths that a pure room does not name.
const IMPURE_PATHS: &[&[&str]] = &[
    &["tokio"],
    &["std", "fs"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["aws_lc_rs", "rand"],
];
/// Segments that betray a clock wherever they stand in a path.
const IMPURE_SEGMENTS: &[&[&str]] =
    &[&["Instant", "now"], &["Timestamp", "now"], &["Zoned", "now"], &["SystemTime"], &["UNIX_EPOCH"]];
/// Members of `#[serde(…)]` that bincode writes wrongly without a word.
const NOT_ON_THE_WIRE: &[&str] = &["flatten", "untagged", "tag", "skip_serializing_if"];
/// Names that say nothing about what a module does.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];
const MOST_LINES: usize = 600;

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// `src/gateway/step/key.rs` is module `gateway::step::key`; the entry files are the root.
fn module_of(file: &str) -> Vec<&str> {
    let inner = file.strip_prefix("src/").unwrap_or(file);
    let mut path: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
    if matches!(path.last(), Some(&"mod")) || matches!(inner, "main.rs" | "lib.rs") {
        path.pop();
    }
    path
}

/// The room that a path leads to when it begins with `crate` or climbs out with `super`; `None` for other paths.
fn room_reached<'a>(module: &[&'a str], name: &Named<'a>) -> Option<&'a str> {
    let mut whole: Vec<&str> = module.iter().chain(&name.inside).copied().collect();
    let mut path = name.path.as_slice();
    match *path.first()? {
        "crate" => whole.clear(),
        "super" => whole.truncate(whole.len().saturating_sub(1)),
        _ => return None,
    }
    path = &path[1..];
    while path.first() == Some(&"super") {
        whole.truncate(whole.len().saturating_sub(1));
        path = &path[1..];
    }
    whole.first().copied().or_else(|| path.first().copied())
}

/// Everything that is wrong with one file; `tests` are the modules that exist only under test.
fn judge(file: &str, text: &str, tests: &BTreeSet<Vec<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let generated = text.lines().take(3).any(|line| line.contains("@generated"));
    let lines = text.lines().count();
    if lines > MOST_LINES && !generated {
        wrong.push(format!("{file}: {lines} lines, {MOST_LINES} at most: it is about more than one thing"));
    }
    if !text.starts_with("//!") {
        wrong.push(format!("{file}:1: the first line is not a `//!` that says what the file is for"));
    }
    for word in file.trim_end_matches(".rs").split(['/', '_', '-']).filter(|word| EMPTY_NAMES.contains(word)) {
        wrong.push(format!("{file}: a file called `{word}` says nothing; name it after what it does"));
    }
    if !file.starts_with("src/") {
        return wrong;
    }
    let seen = see(text);
    for module in &seen.modules {
        if let Some(word) = module.text.split('_').find(|word| EMPTY_NAMES.contains(word)) {
            wrong.push(format!("{file}:{}: a module called `{word}` says nothing", module.line));
        }
    }
    judge_names(file, &seen, tests, &mut wrong);
    if file.ends_with("/wire.rs") {
        for token in seen.serde.iter().filter(|token| NOT_ON_THE_WIRE.contains(&token.text)) {
            wrong.push(format!("{file}:{}: serde's `{}` corrupts bincode silently", token.line, token.text));
        }
    }
    wrong
}

fn judge_names(file: &str, seen: &Seen<'_>, tests: &BTreeSet<Vec<String>>, wrong: &mut Vec<String>) {
    let module = module_of(file);
    let Some(room) = module.first().copied() else { return };
    let Some(here) = floor(room) else {
        wrong.push(format!("{file}: room `{room}` has no floor in tests/house.rs"));
        return;
    };
    let pure = here < PURE_BELOW && !NOT_PURE.contains(&room);
    let test_file = (1..=module.len()).any(|end| tests.contains(&owned(&module[..end])));
    for name in &seen.names {
        let (path, at) = (name.path.join("::"), format!("{file}:{}", name.line));
        match room_reached(&module, name) {
            Some(other) if other == room => {}
            Some("config") if !READS_CONFIG.contains(&room) => {
                wrong.push(format!("{at}: `{path}`: only node and cli read the configuration; take the value instead"));
            }
            Some(other) => match floor(other) {
                Some(there) if there < here => {}
                Some(there) => {
                    wrong.push(format!("{at}: `{path}`: {room} (floor {here}) must not import {other} (floor {there})"))
                }
                // `crate::CONSTANT` and macros of the root.
                None => wrong.push(format!("{at}: `{path}`: `{other}` is no room with a floor")),
            },
            None => judge_foreign(file, room, &name.path, &at, wrong),
        }
        if pure && !name.test && !test_file && is_impure(&name.path) {
            wrong.push(format!("{at}: `{path}`: floor {here} is pure: no async, clock, randomness, files or threads"));
        }
    }
}

/// Crates that have one home.
fn judge_foreign(file: &str, room: &str, path: &[&str], at: &str, wrong: &mut Vec<String>) {
    let wire = file.ends_with("/wire.rs");
    match path.first() {
        Some(&"openraft") if room != "cluster" => {
            wrong.push(format!("{at}: no openraft type outside cluster/"));
        }
        Some(&"bincode") if !wire => wrong.push(format!("{at}: bincode only in files named wire.rs")),
        Some(&"serde_json") if wire && path.iter().any(|part| matches!(*part, "Value" | "RawValue" | "Map")) => {
            wrong.push(format!("{at}: bincode cannot read back what serde_json::Value writes"));
        }
        _ => {}
    }
}

fn is_impure(path: &[&str]) -> bool {
    let random = path.len() > 1 && matches!(path[0], "rand" | "getrandom" | "fastrand");
    random
        || IMPURE_PATHS.iter().any(|start| path.starts_with(start))
        || IMPURE_SEGMENTS.iter().any(|part| path.windows(part.len()).any(|window| window == *part))
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|part| (*part).to_owned()).collect()
}

/// Places of one machine that must not be written into the project: where this checkout stands and the user's home.
fn private_places() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let temporary = std::env::temp_dir();
    let beside = root.parent().filter(|parent| parent.components().count() > 1 && !temporary.starts_with(parent));
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 2);
    let mut places = vec![format!("{}/", root.display())];
    places.extend(beside.map(|parent| format!("{}/", parent.display())));
    places.extend(home.map(|home| format!("{home}/")));
    places.extend(["/home/", "/Users/"].map(str::to_owned));
    places
}

/// Lines of `text` that name a private place as a path of its own, not as the middle of another path or URL.
fn private_lines(text: &str, places: &[String]) -> Vec<usize> {
    let names = |line: &str, place: &str| {
        line.match_indices(place).any(|(at, _)| {
            !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '*' | '/'))
                && line[at + place.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '.')
        })
    };
    let found = text.lines().enumerate().filter(|(_, line)| places.iter().any(|place| names(line, place)));
    found.map(|(number, _)| number + 1).collect()
}

fn files_under(folder: &Path, keep: &dyn Fn(&Path) -> bool, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let skipped = matches!(name.as_str(), "target" | ".git" | "meridian-data" | "__pycache__");
        if path.is_dir() && !skipped {
            files_under(&path, keep, out);
        } else if path.is_file() && keep(&path) {
            out.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        files_under(&root.join(folder), &|path| path.extension().is_some_and(|e| e == "rs"), &mut files);
    }
    let read: Vec<(String, String)> = files
        .iter()
        .map(|path| (relative(path), fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))))
        .collect();
    assert!(read.iter().any(|(file, _)| file == "src/lib.rs"), "the source was not found under {}", root.display());
    let mut tests = BTreeSet::new();
    for (file, text) in read.iter().filter(|(file, _)| file.starts_with("src/")) {
        for module in see(text).test_modules {
            tests.insert(owned(&[module_of(file), module].concat()));
        }
    }
    let wrong: Vec<String> = read.iter().flat_map(|(file, text)| judge(file, text, &tests)).collect();
    assert!(wrong.is_empty(), "{} breaches:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let (places, mut files) = (private_places(), Vec::new());
    let text_file = |path: &Path| {
        let size = fs::metadata(path).map_or(0, |meta| meta.len());
        size < 2 << 20 && path.file_name().is_some_and(|name| name != "Cargo.lock")
    };
    files_under(Path::new(env!("CARGO_MANIFEST_DIR")), &text_file, &mut files);
    let mut wrong = Vec::new();
    for path in files.iter().filter(|path| relative(path) != "tests/house.rs") {
        let Ok(text) = fs::read_to_string(path) else { continue };
        wrong.extend(private_lines(&text, &places).iter().map(|line| format!("{}:{line}", relative(path))));
    }
    assert!(wrong.is_empty(), "paths of this machine:\n{}", wrong.join("\n"));
}

/// Asserts that `text` as `file` breaks one rule, whose message contains `because`; `""` says that nothing is wrong.
fn check(file: &str, text: &str, because: &str) {
    let mut tests = BTreeSet::new();
    tests.insert(owned(&["spec", "vtl", "cases"]));
    let wrong = judge(file, &format!("//! Why.\n{text}"), &tests);
    if because.is_empty() {
        assert!(wrong.is_empty(), "{file}: {text:?} should be fine, but: {wrong:?}");
    } else {
        assert_eq!(wrong.len(), 1, "{file}: {text:?} breaks one rule: {wrong:?}");
        assert!(wrong[0].contains(because), "{:?} does not say {because:?}", wrong[0]);
    }
}

#[test]
fn a_room_imports_only_from_lower_floors() {
    check("src/gateway/mod.rs", "use crate::plan::Route;", "");
    check("src/gateway/mod.rs", "use crate::gateway::step::Step;", "");
    check("src/plan/mod.rs", "use crate::gateway::Walk;", "must not import gateway (floor 6)");
    check("src/plan/mod.rs", "fn f() { crate::gateway::walk() }", "must not import gateway");
    check("src/edge/mod.rs", "use crate::usage::Ledger;", "edge (floor 5) must not import usage (floor 5)");
    check("src/net/http/h1.rs", "use crate::{catalog::ids, control::table};", "must not import control");
    check("src/net/http/h1.rs", "pub use crate::{plan::{a, b}, state::World};", "");
    check("src/plan/a.rs", "use super::Route;", "");
    check("src/plan/a.rs", "use super::super::state::World;", "");
    check("src/plan/a.rs", "use super::super::net::Body;", "must not import net");
    check("src/plan/deep/mod.rs", "use super::super::net::Body;", "must not import net");
    check(
        "src/plan/a.rs",
        "mod inner { use super::super::Route; use super::super::super::net::Body; }",
        "must not import net",
    );
    check("src/plan/a.rs", "// crate::gateway::x\nconst A: &str = \"crate::gateway\";", "");
    check("src/plan/a.rs", "pub(in crate::plan) fn f() {}", "");
    check("src/attic/mod.rs", "", "room `attic` has no floor");
    check("src/plan/a.rs", "use crate::attic::Box;", "no room with a floor");
    check("src/main.rs", "use crate::cli;", "");
    check("src/gateway/mod.rs", "use crate::config::Node;", "only node and cli read the configuration");
    check("src/node/mod.rs", "use crate::config::Node;", "");
}

#[test]
fn lower_floors_are_pure() {
    for text in [
        "use tokio::sync::Mutex;",
        "use std::{fs, collections::BTreeMap};",
        "fn f() { std::fs::read(\"a\"); }",
        "use std::net::TcpStream;",
        "fn f() { let t = Instant::now(); }",
        "fn f() { let t = std::time::Instant::now(); }",
        "fn f() { let t = jiff::Timestamp::now(); }",
        "use std::time::SystemTime;",
        "use rand::Rng;",
        "fn f() { getrandom::fill(&mut b); }",
        "use aws_lc_rs::{digest, rand};",
        "use std::thread;",
        "fn f() { ::tokio::spawn(x); }",
    ] {
        check("src/state/world.rs", text, "is pure");
        check("src/net/http/mod.rs", text, "");
        check("src/observe/mod.rs", text, "");
        check("src/config/mod.rs", text, "");
        check("src/state/world.rs", &format!("#[cfg(test)]\nmod tests {{ {text} }}"), "");
        check("src/spec/vtl/cases.rs", text, "");
        check("src/state/world.rs", &format!("#[cfg(not(test))]\nmod a {{ {text} }}"), "is pure");
    }
    check("src/state/world.rs", "#[cfg(test)]\nmod tests {}\nuse tokio::time;", "is pure");
    check("src/state/world.rs", "use std::net::IpAddr; use std::time::Duration; fn f(rand: u8) {}", "");
    check(
        "src/state/world.rs",
        "fn f<'a>(a: &'a str) -> char { 't' } // tokio::spawn\nconst A: &str = r#\"tokio::x\"#;",
        "",
    );
}

#[test]
fn openraft_and_bincode_keep_to_their_homes() {
    check("src/cluster/log.rs", "use openraft::Raft;", "");
    check("src/node/mod.rs", "use openraft::Raft;", "no openraft type outside cluster/");
    check("src/edge/wire.rs", "use bincode::Options;", "");
    check("src/edge/head.rs", "use bincode::Options;", "bincode only in files named wire.rs");
}

#[test]
fn nothing_on_the_wire_corrupts_bincode() {
    for (attribute, member) in [
        ("#[serde(skip_serializing_if = \"Option::is_none\")]", "skip_serializing_if"),
        ("#[serde(default, flatten)]", "flatten"),
        ("#[serde(untagged)]", "untagged"),
        ("#[serde(tag = \"t\")]", "tag"),
    ] {
        check("src/edge/wire.rs", &format!("struct A {{ {attribute} b: u8 }}"), member);
        check("src/catalog/v1/stage.rs", &format!("struct A {{ {attribute} b: u8 }}"), "");
    }
    check("src/edge/wire.rs", "struct A { b: serde_json::Value }", "serde_json::Value");
    check("src/edge/wire.rs", "use serde_json::{Map, from_str};", "serde_json::Value");
    check("src/edge/wire.rs", "#[serde(rename = \"tag\")] struct A;", "");
}

#[test]
fn files_are_short_open_with_their_purpose_and_have_a_telling_name() {
    let long = "\n".repeat(MOST_LINES);
    check("src/plan/a.rs", &long, "lines, 600 at most");
    check("src/plan/a.rs", &format!("// @generated\n{long}"), "");
    check("tests/faults/main.rs", &long, "lines, 600 at most");
    let bare = judge("src/plan/a.rs", "fn f() {}\n", &BTreeSet::new());
    assert!(bare.len() == 1 && bare[0].contains("first line"), "{bare:?}");
    check("src/net/utils.rs", "", "called `utils`");
    check("src/net/common/mod.rs", "", "called `common`");
    check("tests/clients/http_helpers.rs", "", "called `helpers`");
    check("src/cluster/manager.rs", "", "called `manager`");
    check("src/net/a.rs", "mod helper { }", "module called `helper`");
}

#[test]
fn a_path_of_a_machine_is_found() {
    let places = vec!["/srv/build/".to_owned(), "/home/".to_owned()];
    assert_eq!(private_lines("fine\ncd /srv/build/x\n", &places), [2]);
    assert_eq!(private_lines("\"/home/ada/x\"", &places), [1]);
    assert!(private_lines("GET https://example.com/home/page\n/home/ alone\n", &places).is_empty());
    assert!(private_places().iter().all(|place| place.len() > 3), "{:?}", private_places());
}
