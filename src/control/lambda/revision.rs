//! Finding a function's rows, and the revision that guards them against being changed twice.

use super::not_found;
use crate::catalog::lambda::{Alias, Function, FunctionVersion, LATEST, PolicyStatement};
use crate::control::{Fault, Scene};
use crate::function::call::Address;
use crate::function::resolve::is_version;
use crate::state::Ops;

/// Text of a 412 for everything but policies.
const STALE: &str = "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the \
     latest RevisionId";
/// The same for policies.
pub(super) const STALE_POLICY: &str = "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest \
     RevisionId";

/// 404 with the ARN.
pub(super) fn no_function(address: &Address) -> Fault {
    not_found(format!("Function not found: {}", address.arn()))
}

/// The function itself.
pub(super) fn function(scene: &Scene<'_>, address: &Address) -> Result<Function, Fault> {
    let found = scene.world.get(&scene.call.region_scope(), &address.name)?;
    found.ok_or_else(|| no_function(address))
}

/// One version of a function.
pub(super) fn version(scene: &Scene<'_>, address: &Address, version: &str) -> Result<FunctionVersion, Fault> {
    let found: Option<FunctionVersion> =
        scene.world.get(&scene.call.region_scope(), &FunctionVersion::row_id(&address.name, version))?;
    // `01` has the row id of `1`.
    found.filter(|found| found.version == version).ok_or_else(|| no_function(address))
}

/// The version that changes.
pub(super) fn latest(scene: &Scene<'_>, address: &Address) -> Result<FunctionVersion, Fault> {
    version(scene, address, LATEST)
}

/// An alias of a function.
pub(super) fn alias(scene: &Scene<'_>, address: &Address, name: &str) -> Result<Option<Alias>, Fault> {
    Ok(scene.world.get(&scene.call.region_scope(), &Alias::row_id(&address.name, name))?)
}

/// What a qualifier names: a version, or an alias.
pub(super) enum Target {
    Version(Box<FunctionVersion>),
    Alias(Alias),
}

/// What the call's function name and qualifier mean.
pub(super) fn target(scene: &Scene<'_>, address: &Address) -> Result<Target, Fault> {
    let qualifier = address.qualifier.as_deref().unwrap_or(LATEST);
    if is_version(qualifier) {
        return version(scene, address, qualifier).map(|found| Target::Version(Box::new(found)));
    }
    alias(scene, address, qualifier)?.map(Target::Alias).ok_or_else(|| no_function(address))
}

impl Target {
    /// The version that is meant in the end: an alias's first.
    pub(super) fn version(self, scene: &Scene<'_>, address: &Address) -> Result<FunctionVersion, Fault> {
        match self {
            Target::Version(found) => Ok(*found),
            Target::Alias(alias) => version(scene, address, &alias.function_version),
        }
    }

    /// Who may call it.
    pub(super) fn policy(&mut self) -> &mut Vec<PolicyStatement> {
        match self {
            Target::Version(version) => &mut version.policy,
            Target::Alias(alias) => &mut alias.policy,
        }
    }

    /// Its revision.
    pub(super) fn revision(&mut self) -> &mut String {
        match self {
            Target::Version(version) => &mut version.revision_id,
            Target::Alias(alias) => &mut alias.revision_id,
        }
    }

    /// Stores it.
    pub(super) fn store(&self, scene: &Scene<'_>, address: &Address) -> Ops {
        let mut ops = Ops::new();
        let scope = scene.call.region_scope();
        match self {
            Target::Version(version) => {
                ops.put(&scope, &FunctionVersion::row_id(&address.name, &version.version), &**version);
            }
            Target::Alias(alias) => {
                ops.put(&scope, &Alias::row_id(&address.name, &alias.name), alias);
            }
        }
        ops
    }
}

/// Refuses a change that was thought of for another revision.
///
/// # Errors
/// PreconditionFailed.
pub(super) fn guard(scene: &Scene<'_>, there: &str) -> Result<(), Fault> {
    guard_saying(scene, there, STALE)
}

/// The same with another text.
///
/// # Errors
/// PreconditionFailed.
pub(super) fn guard_saying(scene: &Scene<'_>, there: &str, text: &str) -> Result<(), Fault> {
    match scene.call.text("RevisionId").filter(|asked| !asked.is_empty()) {
        Some(asked) if asked != there => Err(Fault::new("PreconditionFailedException", 412, text)),
        _ => Ok(()),
    }
}
