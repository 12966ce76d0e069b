//! Catalog structs beside AWS's shapes, both ways. The structs are seen through their golden rows, which have every
//! member set.

use std::collections::BTreeMap;

use meridian::control::model::{Member, Shape};
use meridian::control::table::SHAPES;

/// Rows of every noun, and of Lambda's: those of nouns that AWS shows in no shape of their own are left out.
const GOLDEN: [&str; 2] =
    [include_str!("../../src/catalog/v1/golden.txt"), include_str!("../../src/catalog/lambda/golden.txt")];
/// `Function` is what AWS shows of a function in several answers (tags, reserved concurrency), never as one.
const WITHOUT_SHAPE: &[&str] = &["Function"];

/// Ours alone: shape, member, why.
const OURS: &[(&str, &str, &str)] = &[
    ("ApiKey", "valueSealed", "the value, sealed; AWS's `value` is shown from it"),
    ("ApiKey", "valueHash", "the index for look-ups"),
    ("Stage", "cacheFlushes", "a flush reaches every node by this count"),
    ("Stage", "authorizerFlushes", "likewise"),
    ("Stage", "revision", "which state of the stage a forwarded request was judged by"),
    ("UsagePlan", "createdDateMs", "a quota's offset counts in the plan's first period"),
    ("ClientCertificate", "privateKeySealed", "the private key, which AWS never shows"),
    ("DocumentationVersion", "parts", "what AWS keeps out of sight until an export"),
    ("DomainName", "certificatePem", "a certificate given by value, which AWS never shows again"),
    ("DomainName", "privateKeySealed", "its private key"),
    ("DomainNameAccessAssociation", "rejected", "the owner's refusal, which the consumer is not shown"),
    ("ApiKey", "planIds", "memberships, for look-ups while serving"),
    ("FunctionConfiguration", "EnvironmentSealed", "the variables, sealed; AWS's `Environment` is shown from it"),
    ("FunctionConfiguration", "LastModifiedMs", "AWS's `LastModified` is text made from it"),
    ("FunctionConfiguration", "Policy", "statements; AWS shows them with GetPolicy"),
    ("AliasConfiguration", "Policy", "likewise"),
];

/// AWS's alone: shape, member, why.
const THEIRS: &[(&str, &str, &str)] = &[
    ("Account", "apiKeyVersion", "a constant"),
    ("ApiKey", "value", "stored sealed"),
    ("Deployment", "apiSummary", "derived from the frozen tree"),
    ("GatewayResponse", "defaultResponse", "derived: only a customised response has a row"),
    ("Resource", "resourceMethods", "derived: methods have rows of their own"),
    ("UsagePlanKey", "value", "the key's"),
    ("UsagePlanKey", "name", "the key's"),
    ("FunctionConfiguration", "FunctionArn", "derived from account, region and name"),
    ("FunctionConfiguration", "LastModified", "made from milliseconds"),
    ("FunctionConfiguration", "Environment", "stored sealed"),
    ("FunctionConfiguration", "PackageType", "a constant: Zip"),
    ("FunctionConfiguration", "SnapStart", "a constant: off"),
    ("FunctionConfiguration", "State", "a constant: what is there is active"),
    ("FunctionConfiguration", "LastUpdateStatus", "a constant"),
    ("AliasConfiguration", "AliasArn", "derived"),
    ("FunctionConfiguration", "VpcConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "DeadLetterConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "MasterArn", "functions on nodes have none"),
    ("FunctionConfiguration", "Layers", "functions on nodes have none"),
    ("FunctionConfiguration", "StateReason", "functions on nodes have none"),
    ("FunctionConfiguration", "StateReasonCode", "functions on nodes have none"),
    ("FunctionConfiguration", "LastUpdateStatusReason", "functions on nodes have none"),
    ("FunctionConfiguration", "LastUpdateStatusReasonCode", "functions on nodes have none"),
    ("FunctionConfiguration", "FileSystemConfigs", "functions on nodes have none"),
    ("FunctionConfiguration", "SigningProfileVersionArn", "functions on nodes have none"),
    ("FunctionConfiguration", "SigningJobArn", "functions on nodes have none"),
    ("FunctionConfiguration", "ImageConfigResponse", "functions on nodes have none"),
    ("FunctionConfiguration", "RuntimeVersionConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "TenancyConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "CapacityProviderConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "ConfigSha256", "functions on nodes have none"),
    ("FunctionConfiguration", "DurableConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "RuntimeConfig", "functions on nodes have none"),
    ("FunctionConfiguration", "AcceleratorConfig", "functions on nodes have none"),
];

fn structure(name: &str) -> &'static [Member] {
    let found = SHAPES.iter().find_map(|s| match s {
        Shape::Structure(n, members) if *n == name => Some(*members),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("the model has no shape {name}"))
}

fn rows() -> BTreeMap<&'static str, rmpv::Value> {
    let decode = |line: &'static str| {
        let (name, hex) = line.split_once(' ').expect("name and hex");
        let digits: Vec<u8> = hex.bytes().map(|b| char::from(b).to_digit(16).expect("hex") as u8).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect();
        (name, rmpv::decode::read_value(&mut &bytes[1..]).expect("MessagePack"))
    };
    let lines = GOLDEN.iter().flat_map(|golden| golden.lines()).filter(|l| !l.is_empty());
    lines.map(decode).filter(|(name, _)| !WITHOUT_SHAPE.contains(name)).collect()
}

fn excused(list: &[(&str, &str, &str)], shape: &str, member: &str) -> bool {
    list.iter().any(|(s, m, _)| *s == shape && *m == member)
}

/// Compares what a row holds with the shape, and walks into both.
fn compare(shape: &Shape, value: &rmpv::Value, path: &str, wrong: &mut Vec<String>) {
    match shape {
        Shape::Structure(name, members) => {
            let Some(map) = value.as_map() else { return wrong.push(format!("{path}: {name} is stored as {value}")) };
            let stored: BTreeMap<&str, &rmpv::Value> = map.iter().map(|(k, v)| (k.as_str().unwrap_or(""), v)).collect();
            for member in *members {
                let ours = if matches!(member.shape(), Shape::Epoch) {
                    format!("{}Ms", member.name)
                } else {
                    member.name.to_owned()
                };
                match stored.get(ours.as_str()) {
                    Some(value) => compare(member.shape(), value, &format!("{path}.{}", member.name), wrong),
                    None if excused(THEIRS, name, member.name) => {}
                    None => wrong.push(format!("{path}: {name} lacks {}", member.name)),
                }
            }
            for ours in stored.keys().filter(|k| **k != "fromTheFuture") {
                let plain = ours.strip_suffix("Ms").unwrap_or(ours);
                let known =
                    members.iter().any(|m| m.name == *ours || (m.name == plain && matches!(m.shape(), Shape::Epoch)));
                if !known && !excused(OURS, name, ours) {
                    wrong.push(format!("{path}: {name} has {ours}, which AWS has not"));
                }
            }
        }
        Shape::List(item) => {
            for inner in value.as_array().into_iter().flatten() {
                compare(&SHAPES[*item as usize], inner, &format!("{path}[]"), wrong);
            }
        }
        Shape::Map(item) => {
            for (_, inner) in value.as_map().into_iter().flatten() {
                compare(&SHAPES[*item as usize], inner, &format!("{path}{{}}"), wrong);
            }
        }
        Shape::Boolean if !value.is_bool() => wrong.push(format!("{path}: a boolean is stored as {value}")),
        Shape::Integer | Shape::Long if !value.is_number() => {
            wrong.push(format!("{path}: a number is stored as {value}"))
        }
        Shape::Enum(set) if !value.as_str().is_some_and(|w| set.contains(&w)) => {
            wrong.push(format!("{path}: {value} is none of {set:?}"));
        }
        _ => {}
    }
}

#[test]
fn every_catalog_struct_has_the_members_of_its_shape_and_no_others() {
    let mut wrong = Vec::new();
    for (name, row) in rows() {
        let members = structure(name);
        // A temporary shape borrows the members of the static one.
        let shape =
            SHAPES.iter().find(|s| matches!(s, Shape::Structure(n, m) if *n == name && std::ptr::eq(*m, members)));
        compare(shape.expect("found above"), &row, name, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_excuse_is_left_over() {
    let rows = rows();
    for (shape, member, _) in THEIRS {
        assert!(structure(shape).iter().any(|m| m.name == *member), "{shape}.{member} is no member of AWS's any more");
    }
    for (shape, member, _) in OURS.iter().filter(|(s, _, _)| rows.contains_key(s)) {
        let map = rows[shape].as_map().expect("a map");
        assert!(map.iter().any(|(k, _)| k.as_str() == Some(member)), "{shape}.{member} is not stored any more");
    }
}
