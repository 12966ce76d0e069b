//! JSON paths against what Jayway's library gives, and paths that mean harm.

#[path = "../vtl/java.rs"]
mod java;
#[path = "../nodes/skip.rs"]
mod skip;

use java::Reference;
use meridian::spec::jsonpath::Path;
use meridian::spec::object::{Allowance, Heap, Slash};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::sync::LazyLock;

/// What a path gives, as JSON; an error where it gives nothing.
fn read(path: &str, document: &str) -> Result<String, String> {
    let path = Path::compile(path).map_err(|error| error.to_string())?;
    let mut heap = Heap::new(Allowance { fuel: 1_000_000, memory: 16 << 20 });
    let root = heap.read(document).map_err(|error| error.to_string())?;
    let value = path.read(&mut heap, root).map_err(|error| error.to_string())?.ok_or("nothing")?;
    let mut out = String::new();
    heap.print_json(value, Slash::Plain, &mut out, 16 << 20, &|_, _| {}).map_err(|error| error.to_string())?;
    Ok(out)
}

fn golden() -> (String, Vec<Json>) {
    let mut lines = include_str!("jayway.golden").lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    let document = lines.next().expect("a document")["document"].as_str().expect("text").to_owned();
    (document, lines.collect())
}

/// The document and the cases of `jayway.golden`.
static GOLDEN: LazyLock<(String, Vec<Json>)> = LazyLock::new(golden);

#[test]
fn paths_lead_where_jayway_went() {
    let (document, cases) = &*GOLDEN;
    let mut wrong = Vec::new();
    for case in cases {
        let path = case["path"].as_str().expect("a path");
        match (read(path, document), case["output"].as_str()) {
            (Ok(text), Some(wanted)) if text == wanted => {}
            (Err(_), None) if case["fails"] == true => {}
            (got, wanted) => wrong.push(format!("{path}\n  wanted {wanted:?}\n  got    {got:?}")),
        }
    }
    assert!(cases.len() > 300, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn random_paths_lead_where_jayway_goes() {
    let jar = std::env::var_os("MERIDIAN_WIREMOCK_JAR").map(PathBuf::from);
    let Some(jar) = jar else {
        let why = "MERIDIAN_WIREMOCK_JAR does not name the jar in npm's wiremock (scripts/test --all)";
        return skip::skip("random_paths_lead_where_jayway_goes", why);
    };
    let Some(jayway) = Reference::compile("JsonPathReference", &[jar], &[]) else { return };
    let seed = std::env::var("MERIDIAN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(17_u64);
    eprintln!("seed {seed} (MERIDIAN_SEED)");
    let document = &GOLDEN.0;
    let mut generator = Paths { state: seed };
    let paths: Vec<String> = (0..4000).map(|_| generator.path('$', 2)).collect();
    let questions: Vec<Json> =
        paths.iter().enumerate().map(|(id, path)| json!({"id": id, "path": path, "doc": document})).collect();
    let answers = jayway.ask(&questions);
    let mut wrong = Vec::new();
    for (id, path) in paths.iter().enumerate() {
        let answer = &answers[&(id as u64)];
        let ours = read(path, document);
        // Jayway's writer escapes slashes where ours does not.
        let theirs = answer["out"].as_str().map(|text| text.replace("\\/", "/"));
        if ours.as_ref().ok() != theirs.as_ref() {
            wrong.push(format!("{path}\n  Jayway {answer}\n  ours   {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), paths.len(), wrong.join("\n"));
}

/// Random paths from a seed.
struct Paths {
    state: u64,
}

const NAMES: &[&str] = &[
    "store",
    "book",
    "price",
    "title",
    "category",
    "isbn",
    "tags",
    "expensive",
    "numbers",
    "names",
    "empty",
    "nothing",
    "missing",
    "bicycle",
    "color",
    "nest",
    "s",
    "x",
    "obj",
];
const FUNCTIONS: &[&str] = &[
    "length()", "min()", "max()", "avg()", "sum()", "keys()", "size()", "concat()", "first()", "index(1)", "stddev()",
];
const LITERALS: &[&str] = &[
    "10",
    "8.95",
    "-1",
    "1e1",
    "'fiction'",
    "\"a\"",
    "true",
    "null",
    "'10'",
    "[1,2]",
    "['fiction','x']",
    "/.*o.*/",
    "/R.*/i",
];
const RELATIONS: &[&str] = &["==", "!=", "<", ">", "<=", ">=", "=~", "in", "nin", "contains", "size", "===", "!=="];

impl Paths {
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % end
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn path(&mut self, root: char, depth: usize) -> String {
        let mut path = root.to_string();
        let count = self.below(4);
        for at in 0..count {
            match self.below(20) {
                0..9 => path += &format!(".{}", self.one(NAMES)),
                9 => path += &format!("['{}']", self.one(NAMES)),
                10 => path += &format!("..{}", self.one(NAMES)),
                11..13 => path += &format!("[{}]", self.one(&["0", "1", "-1", "2", "9", "0,1", "-2"])),
                13..15 => path += &format!("[{}]", self.one(&[":2", "1:", "-1:", "0:2", "1:-1", ":-1", "5:"])),
                15 => path += self.one(&["[*]", ".*"]),
                16 => path += &format!("['{}','{}']", self.one(NAMES), self.one(NAMES)),
                17..19 if depth > 0 => path += &format!("[?({})]", self.filter(depth - 1)),
                _ if at + 1 == count => path += &format!(".{}", self.one(FUNCTIONS)),
                _ => {}
            }
        }
        path
    }

    fn side(&mut self, depth: usize) -> String {
        if self.below(2) == 0 { self.path('@', depth.min(1)) } else { self.one(LITERALS).to_owned() }
    }

    fn filter(&mut self, depth: usize) -> String {
        match self.below(10) {
            0..3 => format!("{}{}", self.one(&["", "!"]), self.path('@', 0)),
            3..9 => format!("{} {} {}", self.side(depth), self.one(RELATIONS), self.side(depth)),
            _ => format!("{} {} {}", self.filter(depth), self.one(&["&&", "||"]), self.filter(depth)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MERIDIAN_TEST_ALL").is_some() { 20_000 } else { 500 }))]

    #[test]
    fn any_text_is_read_or_refused(path in "\\PC{0,60}", document in "\\PC{0,60}") {
        let _ = read(&path, &GOLDEN.0);
        let _ = read("$..a", &document);
    }

    #[test]
    fn text_that_looks_like_a_path_is_read_or_refused(
        parts in prop::collection::vec(prop_oneof![
            Just("$"), Just("@"), Just("."), Just(".."), Just("["), Just("]"), Just("'"), Just("\""), Just("a"), Just("book"), Just("*"),
            Just("?("), Just(")"), Just("("), Just("0"), Just("-1"), Just(":"), Just(","), Just(" "), Just("=="), Just("=~"), Just("/"),
            Just("&&"), Just("||"), Just("!"), Just("length()"), Just("sum("), Just("\\"), Just("in"), Just("{"), Just("}"), Just("null"), Just("é")
        ], 0..30)
    ) {
        let _ = read(&parts.concat(), &GOLDEN.0);
    }
}

#[test]
fn deep_and_wide_documents_are_walked_within_bounds() {
    let deep = format!("{}1{}", "{\"a\":".repeat(250), "}".repeat(250));
    assert_eq!(read("$..b", &deep).as_deref(), Ok("[]"));
    assert!(read("$..a..a..a..a", &deep).is_err());
    let wide = format!("[{}]", vec!["[1,2,3]"; 1000].join(","));
    assert!(read("$[*][?(@ in $[*][*])]", &wide).is_err());
    assert!(read("$[?(@ =~ /(a|b|ab)*c/)]", &format!("[\"{}\"]", "ab".repeat(100_000))).is_ok());
}
