//! How many of each thing there may be: AWS's numbers with `profile = "strict"`, and otherwise what protects the cluster.
//!
//! The leader counts when it evaluates, by its own profile: nodes of a cluster have the same one.

use super::{Fault, Scene};
use crate::catalog::v1::{DomainName, EndpointType, RestApi};
use crate::catalog::{AccountId, Region, Table};
use crate::state::{RowError, Scope, World};

/// The most of each thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Regional APIs of an account in a region.
    pub regional_apis: usize,
    /// Edge-optimized APIs of an account in a region.
    pub edge_apis: usize,
    /// Private APIs of an account in a region.
    pub private_apis: usize,
    /// API keys of an account in a region.
    pub api_keys: usize,
    /// Usage plans of an account in a region.
    pub usage_plans: usize,
    /// Plans that one key is in: they ride in the key's row.
    pub plans_per_key: usize,
    /// Stages of one plan: they ride in the plan's row.
    pub stages_per_plan: usize,
    /// Methods with a throttle of their own, of one stage in one plan.
    pub method_throttles: usize,
    /// Client certificates of an account in a region.
    pub client_certificates: usize,
    /// Public custom domain names of an account in a region.
    pub public_domain_names: usize,
    /// Private custom domain names of an account in a region.
    pub private_domain_names: usize,
    /// Domain name access associations of an account in a region.
    pub access_associations: usize,
    /// VPC links of an account in a region.
    pub vpc_links: usize,
    /// Resources of an API: each new one is compared with its siblings, and a deployment compiles them all.
    pub resources: usize,
    /// Stages of an API.
    pub stages: usize,
    /// Authorizers of an API.
    pub authorizers: usize,
    /// Documentation parts of an API: a version keeps them all in one row.
    pub documentation_parts: usize,
    /// Characters of a resource policy.
    pub policy_chars: usize,
    /// The longest that an integration may take, milliseconds. AWS gives more on request.
    pub integration_timeout_ms: i32,
    /// Bytes of all functions' code of an account in a region; what a node keeps has a limit of its own.
    pub code_bytes: u64,
    /// Calls that all functions of an account in a region may have reserved together.
    pub reserved_concurrency: u64,
}

impl Quotas {
    /// AWS's defaults.
    pub const AWS: Quotas = Quotas {
        regional_apis: 600,
        edge_apis: 120,
        private_apis: 600,
        api_keys: 10_000,
        usage_plans: 300,
        plans_per_key: 10,
        stages_per_plan: 1_000,
        method_throttles: 20,
        client_certificates: 60,
        public_domain_names: 120,
        private_domain_names: 50,
        access_associations: 100,
        vpc_links: 20,
        resources: 300,
        stages: 10,
        authorizers: 10,
        documentation_parts: 2_000,
        policy_chars: 8_192,
        integration_timeout_ms: 29_000,
        code_bytes: 75 << 30,
        reserved_concurrency: 900,
    };

    /// Without limit where there is nothing to protect.
    pub const GENEROUS: Quotas = Quotas {
        regional_apis: usize::MAX,
        edge_apis: usize::MAX,
        private_apis: usize::MAX,
        api_keys: usize::MAX,
        usage_plans: usize::MAX,
        plans_per_key: 1_000,
        stages_per_plan: 1_000,
        method_throttles: 1_000,
        client_certificates: usize::MAX,
        public_domain_names: usize::MAX,
        private_domain_names: usize::MAX,
        access_associations: usize::MAX,
        vpc_links: usize::MAX,
        resources: 10_000,
        stages: 1_000,
        authorizers: 1_000,
        documentation_parts: 2_000,
        policy_chars: 65_536,
        integration_timeout_ms: 300_000,
        code_bytes: u64::MAX,
        reserved_concurrency: u64::MAX,
    };

    /// The quotas of a profile.
    #[must_use]
    pub const fn of(strict: bool) -> Quotas {
        if strict { Quotas::AWS } else { Quotas::GENEROUS }
    }
}

/// Whose quota it is, in AWS's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// One API.
    Api,
    /// An account in a region.
    Account,
}

/// LimitExceeded in AWS's words; `things` as AWS writes it (`Resources`).
pub(super) fn exceeded(things: &str, owner: Owner) -> Fault {
    let owner = match owner {
        Owner::Api => "API",
        Owner::Account => "account",
    };
    // AWS has two blanks there.
    Fault::limit_exceeded(format!(
        "Maximum number of {things} for this {owner} has been reached.  Please contact AWS if you need additional {things}."
    ))
}

/// Whether there is room for one more row in a table of a scope.
///
/// # Errors
/// LimitExceeded when there is none.
pub(super) fn room(
    world: &World,
    scope: &Scope,
    table: Table,
    most: usize,
    things: &str,
    owner: Owner,
) -> Result<(), Fault> {
    fit(count(world, scope, table, most), 1, most, things, owner)
}

/// Whether `more` rows fit beside those that there are.
///
/// # Errors
/// LimitExceeded when they do not.
pub(super) fn fit(there: usize, more: usize, most: usize, things: &str, owner: Owner) -> Result<(), Fault> {
    if there.saturating_add(more) <= most { Ok(()) } else { Err(exceeded(things, owner)) }
}

/// The rows of a table, counted as far as it matters.
pub(super) fn count(world: &World, scope: &Scope, table: Table, most: usize) -> usize {
    if most == usize::MAX { 0 } else { world.tree(scope).rows(table, "").take(most).count() }
}

/// Whether the account may have one more API of a type.
///
/// # Errors
/// LimitExceeded when it may not.
pub(super) fn room_for_api(scene: &Scene<'_>, kind: &EndpointType) -> Result<(), Fault> {
    let (most, things) = match kind {
        EndpointType::Private => (scene.quotas.private_apis, "Private APIs"),
        EndpointType::Regional => (scene.quotas.regional_apis, "Regional APIs"),
        _ => (scene.quotas.edge_apis, "Edge APIs"),
    };
    if most == usize::MAX {
        return Ok(());
    }
    let there = apis_of(scene.world, &scene.call.account, &scene.call.region, kind)?;
    fit(there, 1, most, things, Owner::Account)
}

fn apis_of(world: &World, account: &AccountId, region: &Region, kind: &EndpointType) -> Result<usize, RowError> {
    let mut there = 0;
    for id in world.apis(account, region) {
        let api = world.get::<RestApi>(&Scope::api(account, region, &id), id.as_str())?;
        there += usize::from(api.is_some_and(|api| api.endpoint_configuration.types.first() == Some(kind)));
    }
    Ok(there)
}

/// Whether the account may have one more domain name, public or private.
///
/// # Errors
/// LimitExceeded when it may not.
pub(super) fn room_for_domain(scene: &Scene<'_>, private: bool) -> Result<(), Fault> {
    let (most, things) = match private {
        true => (scene.quotas.private_domain_names, "Private Domain Names"),
        false => (scene.quotas.public_domain_names, "Domain Names"),
    };
    if most == usize::MAX {
        return Ok(());
    }
    let all = scene.world.list::<DomainName>(&scene.call.region_scope(), "")?;
    let there = all.iter().filter(|(_, domain)| domain.domain_name_id.is_some() == private).count();
    fit(there, 1, most, things, Owner::Account)
}
