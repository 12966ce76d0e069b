//! Reserved concurrency: how many calls of a function may run at once, on each node for itself.

use super::revision::function;
use super::{invalid, name};
use crate::catalog::lambda::Function;
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb};
use crate::state::Ops;

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] = &[
    Verb::serving("PutFunctionConcurrency", put),
    Verb::serving("DeleteFunctionConcurrency", delete),
    Verb::read("GetFunctionConcurrency", get),
];

/// `Concurrency`, where some is reserved.
pub(super) fn shown(function: &Function) -> Option<Object> {
    function.reserved_concurrent_executions.map(|reserved| Object::new().set("ReservedConcurrentExecutions", reserved))
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let asked = scene.call.number("ReservedConcurrentExecutions").and_then(|asked| u32::try_from(asked).ok());
    let asked = asked.ok_or_else(|| invalid("ReservedConcurrentExecutions is out of bounds"))?;
    let most = scene.quotas.reserved_concurrency;
    if most != u64::MAX {
        let rows = scene.world.list::<Function>(&scene.call.region_scope(), "")?;
        let others = rows.iter().filter(|(name, _)| *name != scene.call.label("FunctionName"));
        let others: u64 = others.filter_map(|(_, other)| other.reserved_concurrent_executions).map(u64::from).sum();
        if others + u64::from(asked) > most {
            return Err(invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                 below its minimum value of [100].",
            ));
        }
    }
    let (ops, changed) = set(scene, Some(asked))?;
    Ok((ops, Reply::json(shown(&changed).unwrap_or_default())))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (ops, _) = set(scene, None)?;
    Ok((ops, Reply::empty()))
}

fn set(scene: &Scene<'_>, reserved: Option<u32>) -> Result<(Ops, Function), Fault> {
    let address = name::unqualified(scene.call)?;
    let mut changed = function(scene, &address)?;
    changed.reserved_concurrent_executions = reserved;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &address.name, &changed);
    Ok((ops, changed))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let address = name::unqualified(scene.call)?;
    let found = function(scene, &address)?;
    Ok((Ops::new(), Reply::json(shown(&found).unwrap_or_default())))
}
