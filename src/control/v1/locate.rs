//! Finding a resource, a method and its parts, with the NotFound texts of calls below `/resources` (control-plane.md §5).

use crate::catalog::v1::{Integration, Method, Model, Resource};
use crate::catalog::{Mint, Table};
use crate::control::{Fault, Scene};
use crate::state::{Ops, Scope, Tree};

/// A method in hand: where it lives, and the row itself.
pub(super) struct Found {
    /// The API.
    pub(super) scope: Scope,
    /// The resource's id.
    pub(super) resource_id: String,
    /// The method.
    pub(super) method: Method,
}

/// What a call says when the method is missing.
#[derive(Clone, Copy)]
pub(super) enum Missing {
    /// Calls on methods and their responses, and PutIntegration.
    Method,
    /// Other calls on integrations and their responses.
    Integration,
}

impl Missing {
    fn fault(self) -> Fault {
        match self {
            Missing::Method => Fault::not_found("Invalid Method identifier specified"),
            Missing::Integration => Fault::not_found("Invalid Integration identifier specified"),
        }
    }
}

pub(super) fn no_resource() -> Fault {
    Fault::not_found("Invalid Resource identifier specified")
}

pub(super) fn no_response() -> Fault {
    Fault::not_found("Invalid Response status code specified")
}

/// The resource with this id, in the call's API. A missing API says the same.
pub(super) fn resource(scene: &Scene<'_>, id: &str) -> Result<(Scope, Resource), Fault> {
    let scope = scene.call.api_scope();
    let found = scene.world.get::<Resource>(&scope, id)?;
    Ok((scope, found.ok_or_else(no_resource)?))
}

/// The method that the call's `resourceId` and `httpMethod` name.
pub(super) fn method(scene: &Scene<'_>, missing: Missing) -> Result<Found, Fault> {
    let (scope, resource) = resource(scene, scene.call.label("resourceId"))?;
    let id = Method::row_id(&resource.id, scene.call.label("httpMethod"));
    let method = scene.world.get::<Method>(&scope, &id)?.ok_or_else(|| missing.fault())?;
    Ok(Found { scope, resource_id: resource.id, method })
}

impl Found {
    /// The integration, or NotFound.
    pub(super) fn integration(&mut self) -> Result<&mut Integration, Fault> {
        self.method.method_integration.as_mut().ok_or_else(|| Missing::Integration.fault())
    }

    /// The change that stores the method as it is now.
    pub(super) fn stored(&self) -> Ops {
        let mut ops = Ops::new();
        ops.put(&self.scope, &Method::row_id(&self.resource_id, &self.method.http_method), &self.method);
        ops
    }
}

/// Checks that every model named is the API's. An API from before models had rows has none, and yet `Empty` and `Error`.
pub(super) fn check_models<'a>(
    scene: &Scene<'_>,
    scope: &Scope,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), Fault> {
    for name in names {
        let implied = || {
            let mut rows = scene.world.list::<Model>(scope, "").into_iter().flatten();
            matches!(name.as_str(), "Empty" | "Error") && rows.next().is_none()
        };
        let known = scene.world.row(scope, Table::Model, name).is_some() || implied();
        if !known {
            return Err(Fault::bad_request(format!("Invalid model identifier specified: {name}")));
        }
    }
    Ok(())
}

/// Where a method stands, as refusals name it: `/pets/GET`, and `//GET` at the root.
pub(super) fn place(tree: &Tree, method_row: &str) -> Result<String, Fault> {
    let (resource, verb) = method_row.split_once('/').unwrap_or((method_row, ""));
    let path = tree.get::<Resource>(resource)?.map(|r| r.path).unwrap_or_default();
    Ok(format!("{path}/{verb}"))
}

/// An id of six characters that no row of the table has.
pub(super) fn unused_id(scene: &Scene<'_>, scope: &Scope, table: Table, mint: &mut Mint) -> String {
    let mut id = mint.lower(6);
    while scene.world.row(scope, table, &id).is_some() {
        id = mint.lower(6);
    }
    id
}
