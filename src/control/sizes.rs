//! How long texts may be and how many entries collections may have, by the name of the member; before anything is run.
//!
//! Members with a limit of AWS's own words (stage variables, tags, API keys, schemas, policies) are judged by their nouns.
//! Where AWS has no number that is known, ours is one that no sane call comes near.

use serde_json::{Map, Value};

use super::Fault;
use super::model::{Member, Operation, Shape};
use super::table::SHAPES;

/// Longest text of a member that is not in the list, characters.
const LONGEST: usize = 8_192;
/// Most entries of a collection that is not in the list.
const MOST: usize = 1_000;

/// Longest texts, characters.
const TEXTS: &[(&str, usize)] = &[
    ("name", 1_024),
    ("version", 1_024),
    ("operationName", 1_024),
    ("pathPart", 1_024),
    ("customerId", 1_024),
    ("productCode", 1_024),
    ("contentType", 256),
    // As AWS has it for API keys; texts of files are long.
    ("description", 125_000),
    ("stageDescription", 125_000),
    ("properties", 262_144),
    ("certificateBody", 65_536),
    ("certificatePrivateKey", 65_536),
    ("certificateChain", 65_536),
    // AWS: 300 KB.
    ("requestTemplates", 307_200),
    ("responseTemplates", 307_200),
    // AWS: all headers of a message together.
    ("requestParameters", 10_240),
    ("responseParameters", 10_240),
    ("schema", usize::MAX),
    ("policy", usize::MAX),
    ("managementPolicy", usize::MAX),
    ("value", usize::MAX),
    ("tags", usize::MAX),
    // The node that takes it has measured it.
    ("ZipFile", usize::MAX),
];

/// Most entries.
const COLLECTIONS: &[(&str, usize)] = &[
    ("requestParameters", 300),
    ("responseParameters", 300),
    ("cacheKeyParameters", 300),
    ("binaryMediaTypes", 200),
    ("authorizationScopes", 100),
    ("vpcEndpointIds", 100),
    ("providerARNs", 100),
    ("requestModels", 50),
    ("responseModels", 50),
    ("requestTemplates", 50),
    ("responseTemplates", 50),
    ("methodSettings", 5_000),
];

/// Longest key of a map, characters.
const LONGEST_KEY: usize = 1_024;

fn of(table: &[(&str, usize)], name: &str, other: usize) -> usize {
    table.iter().find(|(member, _)| *member == name).map_or(other, |(_, most)| *most)
}

/// Checks everything that a call says.
///
/// # Errors
/// BadRequest that names the member.
pub(super) fn check(operation: &Operation, input: &Map<String, Value>) -> Result<(), Fault> {
    // An API key's name and description are refused in AWS's own words.
    let own: &[&str] =
        if matches!(operation.name, "CreateApiKey" | "UpdateApiKey") { &["name", "description"] } else { &[] };
    structure(operation.members(), input, own)
}

fn structure(members: &[Member], input: &Map<String, Value>, own: &[&str]) -> Result<(), Fault> {
    for member in members {
        if let Some(given) = input.get(member.name)
            && !own.contains(&member.name)
        {
            match member.name {
                "patchOperations" => patch(given, own)?,
                name => value(name, member.shape(), given)?,
            }
        }
    }
    Ok(())
}

fn value(name: &str, shape: &Shape, given: &Value) -> Result<(), Fault> {
    match (shape, given) {
        (Shape::Structure(_, members), Value::Object(map)) => structure(members, map, &[]),
        (Shape::List(item), Value::Array(values)) => {
            entries(name, values.len())?;
            values.iter().try_for_each(|one| value(name, &SHAPES[*item as usize], one))
        }
        (Shape::Map(item), Value::Object(map)) => {
            if name != "tags" {
                entries(name, map.len())?;
                map.keys().try_for_each(|key| long(name, key, LONGEST_KEY))?;
            }
            map.values().try_for_each(|one| value(name, &SHAPES[*item as usize], one))
        }
        (_, Value::String(given)) => text(name, given),
        _ => Ok(()),
    }
}

/// A step's value is the member's that its path leads to.
fn patch(steps: &Value, own: &[&str]) -> Result<(), Fault> {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    for step in steps {
        let part = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
        long("path", part("path"), LONGEST)?;
        long("from", part("from"), LONGEST)?;
        let mut segments = part("path").split('/').filter(|segment| !segment.is_empty());
        let first = segments.next().unwrap_or("value");
        if !own.contains(&first) {
            text(first, part("value"))?;
        }
    }
    Ok(())
}

/// Checks one text.
///
/// # Errors
/// BadRequest that names the member.
pub(super) fn text(name: &str, given: &str) -> Result<(), Fault> {
    long(name, given, of(TEXTS, name, LONGEST))
}

fn long(name: &str, given: &str, most: usize) -> Result<(), Fault> {
    if given.len() <= most || given.chars().count() <= most {
        return Ok(());
    }
    let name: String = name.chars().take(64).collect();
    Err(Fault::bad_request(format!("Invalid {name} specified: it may have at most {most} characters")))
}

/// Checks a number of entries: of a call, and of what a PATCH adds up to.
///
/// # Errors
/// BadRequest that names the member.
pub(super) fn entries(name: &str, there: usize) -> Result<(), Fault> {
    let most = of(COLLECTIONS, name, MOST);
    if there <= most {
        return Ok(());
    }
    Err(Fault::bad_request(format!("Invalid {name} specified: it may have at most {most} entries")))
}
