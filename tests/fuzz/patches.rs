//! PATCH: rule tables against an interpreter written a second time, over a noun of this test.

use crate::effort;
use bytes::Bytes;
use meridian::cluster::Stamp;
use meridian::control::model::{Operation, Service};
use meridian::control::patch::{MOST_STEPS, Op, Rule, Rules, Style};
use meridian::control::{Call, Fault, Quotas, Scene, Seal};
use meridian::state::World;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq)]
struct Noun {
    name: String,
    entries: BTreeMap<Vec<String>, Option<String>>,
}

const RULES: Rules<Noun> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/name",
            ops: &[Op::Replace],
            apply: |noun, step, _| {
                noun.name = step.text().to_owned();
                Ok(())
            },
        },
        Rule {
            path: "/map/{}",
            ops: &[Op::Add, Op::Replace, Op::Remove],
            apply: |n, s, _| entry(n, s.op, &s.keys, &s.value),
        },
        Rule {
            path: "/map/{}/deep/{}",
            ops: &[Op::Add, Op::Remove],
            apply: |n, s, _| entry(n, s.op, &s.keys, &s.value),
        },
    ],
    other: None,
};

fn entry(noun: &mut Noun, op: Op, keys: &[String], value: &Option<String>) -> Result<(), Fault> {
    if op == Op::Add {
        noun.entries.insert(keys.to_vec(), value.clone());
        return Ok(());
    }
    let known = noun.entries.get_mut(keys).ok_or_else(|| Fault::not_found("no such entry"))?;
    known.clone_from(value);
    if op == Op::Remove {
        noun.entries.remove(keys);
    }
    Ok(())
}

struct Open;

impl Seal for Open {
    fn seal(&self, secret: &[u8], _: [u8; 16]) -> Vec<u8> {
        secret.to_vec()
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }

    fn index(&self, _: &[u8]) -> [u8; 32] {
        [0; 32]
    }
}

fn patched(noun: &Noun, steps: Vec<Value>) -> Result<Noun, Fault> {
    let operation = Operation::named(Service::V1, "UpdateRestApi").expect("in the table");
    let input = Map::from_iter([("patchOperations".to_owned(), Value::Array(steps))]);
    let call =
        Call { operation, account: "1".into(), region: "r".into(), caller: "c".into(), input, body: Bytes::new() };
    let world = World::default();
    let scene = Scene {
        call: &call,
        world: &world,
        stamp: Stamp { time_ms: 0, seed: [0; 16] },
        seal: &Open,
        quotas: Quotas::GENEROUS,
        domain: "localhost",
        reached: None,
    };
    let mut noun = noun.clone();
    RULES.apply(&mut noun, &scene).map(|()| noun)
}

/// The same by hand. `None` is refused.
fn by_hand(noun: &mut Noun, (op, path, value): &(&str, String, Option<String>)) -> Option<()> {
    let mut keys = path.strip_prefix('/')?.split('/').map(unescaped).collect::<Vec<String>>();
    match (*op, keys.iter().map(String::as_str).collect::<Vec<_>>()[..].as_ref()) {
        ("replace", ["name"]) => {
            noun.name = value.clone().unwrap_or_default();
            return Some(());
        }
        ("add" | "replace" | "remove", ["map", key]) if !key.is_empty() => drop(keys.remove(0)),
        ("add" | "remove", ["map", key, "deep", other]) if !key.is_empty() && !other.is_empty() => {
            keys = vec![keys[1].clone(), keys[3].clone()];
        }
        _ => return None,
    }
    match *op {
        "remove" => noun.entries.remove(&keys).map(drop),
        "replace" => noun.entries.insert(keys, value.clone()).map(drop),
        _ => {
            noun.entries.insert(keys, value.clone());
            Some(())
        }
    }
}

/// RFC 6901 read one letter after the other; a lone tilde is itself.
fn unescaped(part: &str) -> String {
    let (mut out, mut rest) = (String::new(), part);
    while let Some(letter) = rest.chars().next() {
        let (text, length) = match rest.as_bytes() {
            [b'~', b'1', ..] => ("/".to_owned(), 2),
            [b'~', b'0', ..] => ("~".to_owned(), 2),
            _ => (letter.to_string(), letter.len_utf8()),
        };
        out.push_str(&text);
        rest = &rest[length..];
    }
    out
}

#[test]
fn any_patch_does_what_the_second_interpreter_does_or_nothing() {
    const OPS: [&str; 7] = ["add", "remove", "replace", "copy", "move", "test", "Add"];
    const PATHS: [&str; 16] = [
        "/name",
        "/map/a",
        "/map/b",
        "/map/~1~0",
        "/map/a/deep/b",
        "/map/a/deep/~01",
        "/map/",
        "/map",
        "map/a",
        "",
        "/",
        "//",
        "/name/",
        "/map/a/deep/",
        "/map/~",
        "/map/a/b/c/d/e",
    ];
    let (inputs, time) = effort(6_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<Vec<(u8, u8, Option<String>)>>().for_each(|steps| {
        let steps: Vec<(&str, String, Option<String>)> = steps
            .iter()
            .map(|(op, path, value)| {
                let path = match (usize::from(*path), value) {
                    (path, _) if path < 224 => PATHS[path % PATHS.len()].to_owned(),
                    (_, text) => format!("/map/{}", text.clone().unwrap_or_default()),
                };
                (OPS[usize::from(*op) % OPS.len()], path, value.clone())
            })
            .collect();
        let before = Noun { name: "old".into(), entries: BTreeMap::from([(vec!["a".into()], Some("1".into()))]) };
        let sent = steps.iter().map(|(op, path, value)| json!({"op": op, "path": path, "value": value})).collect();
        let mut wanted = before.clone();
        let good = steps.iter().filter(|step| by_hand(&mut wanted, step).is_none()).count() == 0;
        match patched(&before, sent) {
            Ok(noun) => assert_eq!((noun, true), (wanted, good)),
            Err(fault) => assert!(!good && matches!(fault.status, 400 | 404), "{fault}"),
        }
    });
}

#[test]
fn any_key_comes_through_its_pointer() {
    let (inputs, time) = effort(6_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(String, String, String)>().for_each(|(one, other, value)| {
        let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
        let path = format!("/map/{}/deep/{}", escape(one), escape(other));
        let made = patched(&Noun::default(), vec![json!({"op": "add", "path": path, "value": value})]);
        if one.is_empty() || other.is_empty() {
            assert_eq!(made.map_err(|fault| fault.message), Err(format!("Invalid patch path {path}")));
        } else {
            let entries = BTreeMap::from([(vec![one.clone(), other.clone()], Some(value.clone()))]);
            assert_eq!(made, Ok(Noun { name: String::new(), entries }));
        }
    });
}

#[test]
fn more_steps_than_the_most_are_refused_before_the_first() {
    let steps = |count: usize| vec![json!({"op": "replace", "path": "/name", "value": "new"}); count];
    assert_eq!(patched(&Noun::default(), steps(MOST_STEPS)).map(|noun| noun.name), Ok("new".to_owned()));
    let refused = patched(&Noun::default(), steps(MOST_STEPS + 1)).expect_err("too many");
    let text = format!("patchOperations has {} members, at most {MOST_STEPS} are applied at once", MOST_STEPS + 1);
    assert_eq!((refused.status, refused.name.as_str(), refused.message), (400, "BadRequestException", text));
}
