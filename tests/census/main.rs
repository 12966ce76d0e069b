//! The census: every operation of AWS's model has exactly one home or stands in `absent.txt`; every catalog struct has
//! the members that AWS's shape has, and no others but those named here with a reason.

mod shapes;
#[path = "../nodes/skip.rs"]
mod skip;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use meridian::control::model::Service;
use meridian::control::table::{BOTOCORE, OPERATIONS};
use meridian::control::{lambda, v1};

/// How many operations may be absent. It only shrinks.
const MOST_ABSENT: usize = 110;
/// The same for Lambda.
const MOST_ABSENT_OF_LAMBDA: usize = 66;

fn word(service: Service) -> &'static str {
    match service {
        Service::V1 => "apigateway",
        Service::V2 => "apigatewayv2",
        Service::Management => "apigatewaymanagementapi",
        Service::Lambda => "lambda",
    }
}

fn absent() -> Vec<&'static str> {
    include_str!("absent.txt").lines().filter(|l| !l.starts_with('#')).collect()
}

/// Of Lambda, what functions on the cluster need is built; what is not has a list of its own.
fn absent_of_lambda() -> Vec<&'static str> {
    include_str!("absent_lambda.txt").lines().filter(|l| !l.starts_with('#')).collect()
}

fn homes() -> BTreeMap<String, usize> {
    let mut homes = BTreeMap::new();
    for (service, nouns) in [("apigateway", v1::NOUNS), ("lambda", lambda::NOUNS)] {
        for verb in nouns.iter().flat_map(|verbs| verbs.iter()) {
            *homes.entry(format!("{service} {}", verb.name)).or_default() += 1;
        }
    }
    homes
}

#[test]
fn the_model_has_230_operations() {
    let count = |service| OPERATIONS.iter().filter(|o| o.service == service).count();
    assert_eq!((count(Service::V1), count(Service::V2), count(Service::Management)), (124, 103, 3));
    assert_eq!(count(Service::Lambda), 91);
}

#[test]
fn every_operation_has_exactly_one_home_or_stands_in_absent_txt() {
    let (homes, absent) = (homes(), [absent(), absent_of_lambda()].concat());
    let mut wrong = Vec::new();
    for operation in &OPERATIONS {
        let name = format!("{} {}", word(operation.service), operation.name);
        let lines = absent.iter().filter(|l| **l == name).count();
        match (homes.get(&name).copied().unwrap_or_default(), lines) {
            (1, 0) | (0, 1) => {}
            (home, lines) => wrong.push(format!("{name}: {home} homes, {lines} lines in absent.txt")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_operation_has_shapes_where_it_is_built_or_all_of_its_service_has() {
    for operation in OPERATIONS.iter().filter(|o| o.service == Service::Lambda) {
        let built = lambda::verb(operation).is_some();
        assert_eq!(operation.input.is_some(), built, "{}: scripts/gen_table.py lists what is built", operation.name);
    }
}

#[test]
fn no_home_and_no_line_names_what_the_model_does_not_have() {
    let model: BTreeSet<String> = OPERATIONS.iter().map(|o| format!("{} {}", word(o.service), o.name)).collect();
    let named: BTreeSet<String> =
        homes().into_keys().chain([absent(), absent_of_lambda()].concat().into_iter().map(str::to_owned)).collect();
    assert_eq!(named.difference(&model).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn absent_txt_only_shrinks_and_is_in_order() {
    let lines = absent();
    assert!(lines.is_sorted(), "sort absent.txt");
    assert_eq!(lines.len(), MOST_ABSENT, "MOST_ABSENT is the number of lines; it only shrinks");
    let lines = absent_of_lambda();
    assert!(lines.is_sorted(), "sort absent_lambda.txt");
    assert_eq!(lines.len(), MOST_ABSENT_OF_LAMBDA, "MOST_ABSENT_OF_LAMBDA is the number of lines; it only shrinks");
}

#[test]
fn the_table_is_what_the_generator_makes() {
    let Ok(python) = std::env::var("MERIDIAN_TEST_PYTHON") else {
        let why = format!("MERIDIAN_TEST_PYTHON names no python with botocore {BOTOCORE}; run ./scripts/test");
        return skip::skip("the_table_is_what_the_generator_makes", &why);
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/gen_table.py");
    let run = Command::new(python).args([script, "--check"]).output().expect("python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
