//! PATCH steps on maps, the same for every noun that has them.

use std::collections::BTreeMap;

use crate::control::Fault;
use crate::control::patch::{Op, Step};

/// NotFound of a parameter map.
pub(super) const NO_PARAMETER: &str = "Invalid parameter name specified";
/// NotFound of a map by media type.
pub(super) const NO_TYPE: &str = "Content-Type specified was not found";

/// Adds, replaces or removes the entry that the step names. Replace and remove want it to be there.
pub(super) fn entry<V>(map: &mut BTreeMap<String, V>, step: &Step, value: V, missing: &str) -> Result<(), Fault> {
    if step.op != Op::Add && !map.contains_key(step.key()) {
        return Err(Fault::not_found(missing));
    }
    match step.op {
        Op::Remove => drop(map.remove(step.key())),
        _ => drop(map.insert(step.key().to_owned(), value)),
    }
    Ok(())
}

/// The same on a map that is absent when a PATCH empties it.
pub(super) fn optional<V>(
    map: &mut Option<BTreeMap<String, V>>,
    step: &Step,
    value: V,
    missing: &str,
) -> Result<(), Fault> {
    entry(map.get_or_insert_default(), step, value, missing)?;
    if map.as_ref().is_some_and(BTreeMap::is_empty) {
        *map = None;
    }
    Ok(())
}

/// Adds or removes the text that the value names.
pub(super) fn member(list: &mut Vec<String>, step: &Step, text: &str) {
    list.retain(|known| known != text);
    if step.op != Op::Remove {
        list.push(text.to_owned());
    }
}
