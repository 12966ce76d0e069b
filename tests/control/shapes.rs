//! Catalog structs against AWS's model, both ways: every member of the model is stored or known to be derived, and what
//! is stored beside it is ours on purpose.

use meridian::control::model::{Operation, Service, Shape};
use meridian::control::table::SHAPES;
use std::collections::{BTreeMap, BTreeSet};

/// One row of each noun, whole, as it is stored: the golden bytes of the catalog.
const ROWS: &str = include_str!("../../src/catalog/v1/golden.txt");

/// Structure → (members that are made when it is shown, members that only we have).
const EXCEPTIONS: &[(&str, &[&str], &[&str])] = &[
    ("Account", &["apiKeyVersion"], &[]),
    (
        "ApiKey",
        &["value", "createdDate", "lastUpdatedDate"],
        &["valueSealed", "valueHash", "planIds", "createdDateMs", "lastUpdatedDateMs"],
    ),
    ("Deployment", &["apiSummary", "createdDate"], &["createdDateMs"]),
    ("Resource", &["resourceMethods"], &[]),
    ("RestApi", &["createdDate"], &["createdDateMs"]),
    ("Stage", &["createdDate", "lastUpdatedDate"], &["revision", "createdDateMs", "lastUpdatedDateMs"]),
    ("UsagePlan", &[], &["createdDateMs"]),
    ("UsagePlanKey", &["name", "value"], &[]),
];

fn compare(shape: &Shape, stored: &rmpv::Value, found: &mut Vec<String>) {
    match shape {
        Shape::Structure(name, members) => {
            let rows: BTreeMap<&str, &rmpv::Value> = stored
                .as_map()
                .expect("a struct is a map")
                .iter()
                .map(|(k, v)| (k.as_str().expect("a name"), v))
                .collect();
            let empty: &[&str] = &[];
            let (derived, ours) = EXCEPTIONS
                .iter()
                .find(|(of, ..)| of == name)
                .map_or((empty, empty), |(_, derived, ours)| (derived, ours));
            let model: BTreeSet<&str> = members.iter().map(|m| m.name).filter(|m| !derived.contains(m)).collect();
            let ours = ours.iter().chain(&["fromTheFuture"]);
            let here: BTreeSet<&str> = rows.keys().copied().filter(|key| !ours.clone().any(|o| o == key)).collect();
            found.extend(
                model.difference(&here).map(|member| format!("{name}.{member} is in the model and not stored")),
            );
            found.extend(
                here.difference(&model).map(|member| format!("{name}.{member} is stored and not in the model")),
            );
            for member in members.iter() {
                if let Some(value) = rows.get(member.name) {
                    compare(member.shape(), value, found);
                }
            }
        }
        Shape::List(item) => {
            for value in stored.as_array().into_iter().flatten() {
                compare(&SHAPES[*item as usize], value, found);
            }
        }
        Shape::Map(item) => {
            for (_, value) in stored.as_map().into_iter().flatten() {
                compare(&SHAPES[*item as usize], value, found);
            }
        }
        _ => {}
    }
}

#[test]
fn what_is_stored_of_a_noun_is_what_the_model_knows() {
    let (mut found, mut nouns) = (Vec::new(), 0);
    for line in ROWS.lines() {
        let (noun, hex) = line.split_once(' ').expect("a noun and its bytes");
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let stored = rmpv::decode::read_value(&mut &bytes[1..]).expect("MessagePack");
        let operation = Operation::named(Service::V1, &format!("Get{noun}")).expect("a noun that can be got");
        compare(&SHAPES[operation.output.expect("an answer") as usize], &stored, &mut found);
        nouns += 1;
    }
    assert_eq!(nouns, 9);
    assert!(found.is_empty(), "catalog and model differ:\n{}", found.join("\n"));
}

#[test]
fn the_closed_vocabularies_are_the_models() {
    use meridian::catalog::v1::*;
    fn model(structure: &str, member: &str) -> BTreeSet<String> {
        let members = SHAPES.iter().find_map(|shape| match shape {
            Shape::Structure(name, members) if *name == structure && members.iter().any(|m| m.name == member) => {
                Some(members)
            }
            _ => None,
        });
        let shape = members.expect(structure).iter().find(|m| m.name == member).expect(member).shape();
        match shape {
            Shape::Enum(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            Shape::List(item) => match &SHAPES[*item as usize] {
                Shape::Enum(words) => words.iter().map(|word| (*word).to_owned()).collect(),
                other => panic!("{structure}.{member}: {other:?}"),
            },
            other => panic!("{structure}.{member}: {other:?}"),
        }
    }
    macro_rules! same {
        ($type:ident, $structure:literal, $member:literal) => {
            let ours: BTreeSet<String> = $type::KNOWN.iter().map(|word| word.as_str().to_owned()).collect();
            assert_eq!(ours, model($structure, $member), stringify!($type));
        };
    }
    same!(ApiKeySource, "RestApi", "apiKeySource");
    same!(EndpointType, "EndpointConfiguration", "types");
    same!(IpAddressType, "EndpointConfiguration", "ipAddressType");
    same!(IntegrationType, "Integration", "type");
    same!(ConnectionType, "Integration", "connectionType");
    same!(ContentHandling, "Integration", "contentHandling");
    same!(ResponseTransferMode, "Integration", "responseTransferMode");
    same!(QuotaPeriod, "QuotaSettings", "period");
    same!(UnauthorizedCacheControlHeaderStrategy, "MethodSetting", "unauthorizedCacheControlHeaderStrategy");
}
