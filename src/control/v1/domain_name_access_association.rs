//! Domain name access associations: a VPC endpoint's way to a private custom domain name, also of another account.

use super::{domain_name, tags};
use crate::catalog::v1::{DomainName, DomainNameAccessAssociation as Association};
use crate::catalog::{AccountId, Region, Table};
use crate::control::quotas::{self, Owner};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateDomainNameAccessAssociation", create),
    Verb::read("GetDomainNameAccessAssociations", list),
    Verb::serving("DeleteDomainNameAccessAssociation", delete),
    Verb::serving("RejectDomainNameAccessAssociation", reject),
];

/// What is said of an association that there is none of.
pub(super) const MISSING: &str = "Invalid domain name access association identifier specified";

/// Where a private domain name lives, from its ARN: the scope of its owner, and its row id.
fn place_of(arn: &str, region: &Region) -> Option<(Scope, String)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "apigateway", at, account, path] = parts[..] else { return None };
    let row = path.strip_prefix("/domainnames/").filter(|row| row.contains('+'))?;
    let account = AccountId::from(account);
    let good = partition.starts_with("aws") && at == region.as_str() && account.is_valid();
    good.then(|| (Scope::region(&account, region), row.to_owned()))
}

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let domain_arn = call.label("domainNameArn");
    let place = place_of(domain_arn, &call.region);
    let (owner, row) = place.ok_or_else(|| Fault::bad_request("Invalid ARN specified in the request"))?;
    if scene.world.row(&owner, Table::DomainName, &row).is_none() {
        return Err(Fault::not_found(domain_name::MISSING));
    }
    let source = call.label("accessAssociationSource");
    let good = source
        .strip_prefix("vpce-")
        .is_some_and(|id| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    if !good {
        let shown: String = source.chars().take(128).collect();
        return Err(Fault::bad_request(format!("Invalid access association source specified: {shown}")));
    }
    let (region, account) = (&call.region, &call.account);
    let association = Association {
        domain_name_access_association_arn: format!(
            "arn:aws:apigateway:{region}:{account}:/domainnameaccessassociations/domainname/{row}/vpcesource/{source}"
        ),
        domain_name_arn: domain_arn.to_owned(),
        access_association_source_type: call.label("accessAssociationSourceType").to_owned(),
        access_association_source: source.to_owned(),
        tags: tags::of(call)?,
        ..Association::default()
    };
    let (scope, arn) = (call.region_scope(), &association.domain_name_access_association_arn);
    if scene.world.row(&scope, Table::DomainNameAccessAssociation, arn).is_some() {
        return Err(Fault::conflict("Domain name access association already exists"));
    }
    quotas::room(
        scene.world,
        &scope,
        Table::DomainNameAccessAssociation,
        scene.quotas.access_associations,
        "Domain Name Access Associations",
        Owner::Account,
    )?;
    let mut ops = Ops::new();
    ops.put(&scope, arn, &association);
    Ok((ops, Reply::json(show(&association))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let own = scene.call.region_scope();
    let all = match scene.call.text("resourceOwner") {
        Some("OTHER_ACCOUNTS") => {
            let ours = |association: &Association| {
                let place = place_of(&association.domain_name_arn, &scene.call.region);
                !association.rejected && place.is_some_and(|(owner, _)| owner == own)
            };
            let mut found = Vec::new();
            for scope in scene.world.scopes() {
                let here = scope.region_name().as_ref() == Some(&scene.call.region);
                if scope.api_id().is_none() && here && *scope != own {
                    found.extend(scene.world.list::<Association>(scope, "")?.into_iter().filter(|(_, a)| ours(a)));
                }
            }
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            found
        }
        _ => scene.world.list::<Association>(&own, "")?,
    };
    Ok((Ops::new(), page::cut(scene.call, all)?.reply(|_, association| show(&association))))
}

/// The private domain names of other accounts that the caller has a way to, by ARN.
pub(super) fn reachable(scene: &Scene<'_>) -> Result<Vec<(String, DomainName)>, Fault> {
    let own = scene.call.region_scope();
    let mut found = std::collections::BTreeMap::new();
    for (_, association) in scene.world.list::<Association>(&own, "")? {
        let Some((owner, row)) = place_of(&association.domain_name_arn, &scene.call.region) else { continue };
        if owner != own
            && !association.rejected
            && let Some(domain) = scene.world.get::<DomainName>(&owner, &row)?
        {
            found.insert(association.domain_name_arn, domain);
        }
    }
    Ok(found.into_iter().collect())
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, arn) = (scene.call.region_scope(), scene.call.label("domainNameAccessAssociationArn"));
    if scene.world.row(&scope, Table::DomainNameAccessAssociation, arn).is_none() {
        return Err(Fault::not_found(MISSING));
    }
    let mut ops = Ops::new();
    ops.drop::<Association>(&scope, arn);
    Ok((ops, Reply::empty()))
}

/// The owner of the domain refuses an association that another account made.
fn reject(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (arn, domain_arn) = (call.label("domainNameAccessAssociationArn"), call.label("domainNameArn"));
    let place = place_of(domain_arn, &call.region);
    let (owner, row) = place.ok_or_else(|| Fault::bad_request("Invalid ARN specified in the request"))?;
    if owner != call.region_scope() || scene.world.row(&owner, Table::DomainName, &row).is_none() {
        return Err(Fault::not_found(domain_name::MISSING));
    }
    let account = AccountId::from(arn.split(':').nth(4).unwrap_or_default());
    if !account.is_valid() {
        return Err(Fault::bad_request("Invalid ARN specified in the request"));
    }
    let consumer = Scope::region(&account, &call.region);
    let found = scene.world.get::<Association>(&consumer, arn)?;
    let found = found.filter(|association| association.domain_name_arn == domain_arn);
    let mut association = found.ok_or_else(|| Fault::not_found(MISSING))?;
    association.rejected = true;
    let mut ops = Ops::new();
    ops.put(&consumer, arn, &association);
    Ok((ops, Reply::empty()))
}

fn show(association: &Association) -> Object {
    Object::new()
        .set("domainNameAccessAssociationArn", association.domain_name_access_association_arn.as_str())
        .set("domainNameArn", association.domain_name_arn.as_str())
        .set("accessAssociationSourceType", association.access_association_source_type.as_str())
        .set("accessAssociationSource", association.access_association_source.as_str())
        .map("tags", &association.tags)
}
