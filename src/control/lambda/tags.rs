//! Tags of functions, under their ARN.

use super::revision::no_function;
use super::{invalid, not_found};
use crate::catalog::lambda::Function;
use crate::catalog::v1::Texts;
use crate::control::render::{Object, texts};
use crate::control::v1::tags::check;
use crate::control::{Call, Fault, Reply, Scene, Verb};
use crate::function::call::Address;
use crate::state::Ops;

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] =
    &[Verb::read("ListTags", list), Verb::serving("TagResource", tag), Verb::serving("UntagResource", untag)];

/// The tags of a call, checked.
///
/// # Errors
/// For a tag that may not be.
pub(super) fn given(call: &Call) -> Result<Texts, Fault> {
    let tags = call.text_map("Tags").unwrap_or_default();
    check(&tags)?;
    Ok(tags)
}

fn find(scene: &Scene<'_>) -> Result<(Address, Function), Fault> {
    let call = scene.call;
    let arn = call.label("Resource");
    let address = Address::from_arn(arn).ok_or_else(|| not_found(format!("Resource not found: {arn}")))?;
    if address.qualifier.is_some() {
        return Err(invalid("Tags on function aliases and versions are not supported. Please specify a function ARN."));
    }
    if *address.account != *call.account.as_str() || *address.region != *call.region.as_str() {
        return Err(no_function(&address));
    }
    let found = super::revision::function(scene, &address)?;
    Ok((address, found))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (_, function) = find(scene)?;
    Ok((Ops::new(), Reply::json(Object::new().set("Tags", texts(&function.tags)))))
}

fn tag(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (address, mut function) = find(scene)?;
    function.tags.extend(given(scene.call)?);
    check(&function.tags)?;
    Ok(stored(scene, &address, &function))
}

fn untag(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (address, mut function) = find(scene)?;
    let keys = scene.call.texts("TagKeys").unwrap_or_default();
    function.tags.retain(|key, _| !keys.contains(key));
    Ok(stored(scene, &address, &function))
}

fn stored(scene: &Scene<'_>, address: &Address, function: &Function) -> (Ops, Reply) {
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &address.name, function);
    (ops, Reply::empty())
}
