//! Templates, paths, schemas and patterns that mean harm: each ends within its fuel, with an answer or an error.

use crate::{effort, in_time, spell};
use meridian::spec::java_regex::{Allowed, JavaRegex};
use meridian::spec::jsonpath::Path;
use meridian::spec::object::{Allowance, Heap, Slash};
use meridian::spec::schema::{Instance, Schema};
use meridian::spec::vtl::{Limits, Overrides, Sample, Template};
use serde_json::{Value, json};

const LIMITS: Limits = Limits { iterations: 1000, fuel: 100_000, memory: 4 << 20, output: 1 << 18 };

/// Pieces of templates: what they are made of, and what trips engines up.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "#set($x = ", "#set($b.k = ", "#set($context.requestOverride.header.h = ", "#if(", ")", "#else", "#end", "#foreach($i in ", "#break",
    "#stop", "#macro(m $a)", "#m(", "#define($d)", "$d", "##", "#*", "*#", "#[[", "]]#", "$", "${", "}", "$!", "$x", "$i", "$b",
    "$input.path('$", "$input.json('$..", "$input.params('a')", "$input.body", "$util.parseJson(", "$util.escapeJavaScript(",
    "$util.urlDecode(", "$util.base64Decode(", "$context.identity", "$context", "$stageVariables", "$foreach", ".entrySet()", ".keySet()",
    ".put('k', ", ".add(", ".addAll(", ".get(0)", ".k", "[0]", "[-1]", "['k']", ".size()", ".toString()", ".hashCode()", ".equals(",
    ".replaceAll('", ".split('", ".matches('", ".substring(", ".repeat(", ".format('%9999s', ", ".iterator()", ".next()", ".remove(",
    "(a|b)*", ".*", "\\\\", "$1", "'", "\"", "[1..1000]", "[1, 2]", "{'k': 1}", "{}", "[]", " + ", " - ", " * ", " / 0", " % ", " == ", " && ",
    "!", "1", "-1", "2147483647", "99999999999999999999", "1.5", "true", ",", " ", "\n", "\\", "é", "😀", "\\ud800", "$foreach.parent",
];

/// Pieces of JSON, and of what json-smart takes for it.
#[rustfmt::skip]
const JSON: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"k\"", "'k'", "k", "\"a\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\\", "\"", "1", "-1", "1.5", "1e400",
    "0.12345678901234567890", "99999999999999999999", "true", "null", "NaN", " ", "\n", "é", "\"\"", "{\"k\":", "[[[[", "]]]]", "\u{0}", "+", "-",
];

/// Pieces of JSON paths.
#[rustfmt::skip]
const PATHS: &[&str] = &[
    "$", "@", ".", "..", "*", "[*]", "k", "['k']", "['k','j']", "[0]", "[-1]", "[0:2]", "[:1]", "[0,1]", "[?(", ")]", "@.k", "$.k", " == ", " =~ ",
    "/(a*b)*/i", "'a'", "1", " && ", " || ", "!", "(", ")", " in ", " contains ", " size ", " empty true", "[1,2]", ".length()", ".concat(",
    ".append(", ".sum()", ".keys()", ".min($..k)", ",", " ", "\\", "'", "\"", "é", "[", "]",
];

/// Pieces of patterns.
#[rustfmt::skip]
const PATTERNS: &[&str] = &[
    "a", "b", ".", "*", "+", "?", "{2}", "{0,500}", "{1000}", "(", "(?:", "(?i)", "(?<n>", ")", "|", "[", "^", "]", "a-z", "&&", "\\", "d", "p{L}",
    "p{Alpha}", "Q", "E", "b", "z", "1", "x41", "u0041", "$", "é", "-", "(?=", "*+", "(?x)", "#", " ", "\n",
];

fn render(source: &str, body: &str) {
    let Ok(template) = Template::parse(source) else { return };
    let sample = Sample {
        body: body.to_owned(),
        parameters: [vec![], vec![("a".to_owned(), "é".to_owned())], vec![]],
        variables: vec![("b".to_owned(), r#"{"k":[1,"a",{"k":null}]}"#.to_owned())],
        ..Sample::default()
    };
    let mut overrides = Overrides::default();
    match template.render(&sample, &mut overrides, &LIMITS) {
        Ok(text) => {
            assert!(text.len() <= LIMITS.output);
            let again = template.render(&sample, &mut Overrides::default(), &LIMITS);
            assert_eq!(again.as_ref(), Ok(&text), "one template, one answer: {source:?}");
        }
        Err(error) => {
            assert!(error.line > 0 && error.column > 0 && !error.message.is_empty());
            assert_eq!(overrides, Overrides::default(), "a run that fails changes nothing: {source:?}");
        }
    }
}

#[test]
fn any_template_over_any_body_ends_within_its_limits() {
    let (inputs, time) = effort(10_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(source, body)| {
        let (source, body) = (spell(source, PIECES), spell(body, JSON));
        in_time(&source, || render(&source, &body));
    });
}

#[test]
fn any_text_is_a_template_or_none() {
    let (inputs, time) = effort(3_000);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        in_time(&text, || render(&text, "{}"));
    });
}

#[test]
fn any_document_is_read_or_refused_and_what_is_printed_is_read_back() {
    let (inputs, time) = effort(5_000);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        let text = spell(bytes, JSON);
        let allowance = Allowance { fuel: 100_000, memory: 1 << 20 };
        let printed = |text: &str| {
            let mut heap = Heap::new(allowance);
            let value = heap.read(text).ok()?;
            let mut out = String::new();
            heap.print_json(value, Slash::Plain, &mut out, 1 << 20, &|_, _| {}).expect("it fits");
            Some(out)
        };
        in_time(&text, || {
            let Some(once) = printed(&text) else { return };
            assert_eq!(printed(&once).as_ref(), Some(&once), "{text:?}");
            // What is JSON for everybody is JSON here, but for how deep it may be and which numbers there are.
            if serde_json::from_str::<Value>(&text).is_ok() && !text.contains("e400") {
                assert!(serde_json::from_str::<Value>(&once).is_ok(), "{text:?} became {once:?}");
            }
        });
    });
}

#[test]
fn any_path_over_any_document_ends_within_its_fuel() {
    let (inputs, time) = effort(10_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(path, document)| {
        let (path, document) = (spell(path, PATHS), spell(document, JSON));
        in_time(&path, || {
            let Ok(path) = Path::compile(&path) else { return };
            for document in [&document, r#"{"k":[{"k":1,"j":"a"},[2,["b",null]],{"k":{"k":"ab"}}]}"#] {
                let mut heap = Heap::new(Allowance { fuel: 100_000, memory: 1 << 20 });
                let Ok(root) = heap.read(document) else { continue };
                if let Ok(Some(found)) = path.read(&mut heap, root) {
                    let list = matches!(found, meridian::spec::object::Value::List(_));
                    assert!(list || path.is_definite(), "an indefinite path gives a list: {path:?}");
                }
            }
        });
    });
}

/// JSON out of bytes: each opens, closes or adds something.
fn grown(bytes: &mut impl Iterator<Item = u8>, words: &[&str], depth: usize) -> Value {
    let byte = bytes.next().unwrap_or(0);
    let word = |byte: u8| words[usize::from(byte) % words.len()];
    match byte % 8 {
        0 | 1 if depth < 8 => {
            (0..byte / 8 % 5).map(|_| (word(bytes.next().unwrap_or(0)), grown(bytes, words, depth + 1))).collect()
        }
        2 if depth < 8 => (0..byte / 8 % 4).map(|_| grown(bytes, words, depth + 1)).collect(),
        3 => json!(byte / 8),
        4 => json!(byte > 128),
        5 => json!(f64::from(byte) / 7.0),
        _ => json!(word(byte)),
    }
}

#[test]
fn any_schema_is_compiled_or_refused_and_judges_any_instance_within_its_fuel() {
    #[rustfmt::skip]
    const WORDS: &[&str] = &[
        "type", "object", "string", "properties", "items", "$ref", "#", "#/properties/a", "#/items", "a", "enum", "allOf", "anyOf", "oneOf", "not",
        "pattern", "(a*)*b", "patternProperties", "additionalProperties", "dependencies", "required", "minLength", "multipleOf", "id",
        "uniqueItems", "minimum", "definitions", "http://x/models/M", "~1", "%", "integer", "null", "array", "maxItems",
    ];
    let (inputs, time) = effort(10_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(schema, instance)| {
        let schema = grown(&mut schema.iter().copied(), WORDS, 0);
        let instance = grown(&mut instance.iter().copied(), WORDS, 0);
        in_time(&schema.to_string(), || match Schema::compile("M", &[("M", &schema)]) {
            Err(error) => assert!(error.pointer.starts_with('#') && !error.message.is_empty(), "{error}"),
            Ok(compiled) => {
                let judged = compiled.validate(&of(&instance), 100_000);
                assert_eq!(judged, compiled.validate(&of(&instance), 100_000));
                assert!(judged.is_ok() || judged.is_err_and(|invalid| !invalid.messages.is_empty()));
            }
        });
    });
}

#[test]
fn any_pattern_is_compiled_or_refused_and_goes_through_a_text_in_time() {
    let texts = ["a".repeat(4000), "ab".repeat(2000), "aé\n1 ".repeat(500), String::new()];
    let (inputs, time) = effort(1_500);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        let pattern = spell(bytes, PATTERNS);
        in_time(&pattern, || {
            let Ok(regex) = JavaRegex::compile(&pattern) else { return };
            for text in &texts {
                let allowed = Allowed { bytes: 1 << 20, steps: 200_000 };
                if regex.cost(text.len()) > allowed.steps {
                    continue;
                }
                // What goes back too often is given up, and says so.
                if regex.matches(text) == Ok(true) {
                    assert_ne!(regex.finds(text), Ok(false), "{pattern:?}");
                }
                let parts = regex.split(text, -1, &mut allowed.clone()).map(|parts| parts.concat().len());
                assert!(parts.is_err() || parts.is_ok_and(|length| length <= text.len()), "{pattern:?}");
                let same = regex.replace(text, "$0", true, &mut allowed.clone());
                assert!(same.is_err() || same.as_ref() == Ok(text), "{pattern:?}");
            }
        });
    });
}

/// The same value as an instance.
fn of(json: &serde_json::Value) -> Instance<'_> {
    serde::Deserialize::deserialize(json).expect("an instance")
}
