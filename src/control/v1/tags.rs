//! Tags: names and values on things that have an ARN.

use super::domain_name_access_association as association;
use super::{api_key, client_certificate, domain_name, usage_plan, vpc_link};
use crate::catalog::Noun;
use crate::catalog::v1::{
    ApiKey, ClientCertificate, DomainName, DomainNameAccessAssociation, RestApi, Stage, Texts, UsagePlan, VpcLink,
};
use crate::control::render::{Object, texts};
use crate::control::{Call, Fault, Reply, Scene, Verb};
use crate::state::{Ops, Scope};

/// The operations of this noun. They change what is served: `meridian:regions` says where.
pub const OPERATIONS: &[Verb] =
    &[Verb::read("GetTags", get), Verb::serving("TagResource", tag), Verb::serving("UntagResource", untag)];

/// Most tags of one thing.
const MOST: usize = 50;
/// Longest key and value, characters.
const LONGEST: (usize, usize) = (128, 256);

/// The tags of a create call, checked.
///
/// # Errors
/// BadRequest for a tag that may not be.
pub(super) fn of(call: &Call) -> Result<Texts, Fault> {
    let tags = call.text_map("tags").unwrap_or_default();
    check(&tags)?;
    Ok(tags)
}

/// Checks tags against AWS's limits.
///
/// # Errors
/// BadRequest that names the first tag in the way.
pub(in crate::control) fn check(tags: &Texts) -> Result<(), Fault> {
    if tags.len() > MOST {
        return Err(Fault::bad_request(format!("The maximum number of tags per resource is {MOST}")));
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return Err(Fault::bad_request(format!("Tag keys cannot begin with the reserved prefix aws: {key}")));
        }
        let fits = |text: &str, longest: usize| {
            text.chars().count() <= longest && text.chars().all(|c| c.is_alphanumeric() || "+-=._:/@ ".contains(c))
        };
        if key.is_empty() || !fits(key, LONGEST.0) {
            let shown: String = key.chars().take(LONGEST.0).collect();
            return Err(Fault::bad_request(format!(
                "Invalid tag key specified: '{shown}'. Use 1 to {} of letters, digits, blanks and +-=._:/@",
                LONGEST.0
            )));
        }
        // Our own tags may hold a list or a star: `meridian:regions` = `eu-west-1,us-east-1` or `*`.
        let plain = if key.starts_with("meridian:") { value.replace(['*', ','], "") } else { value.clone() };
        if !fits(&plain, LONGEST.1) {
            return Err(Fault::bad_request(format!(
                "Invalid value specified for tag '{key}'. Use at most {} of letters, digits, blanks and +-=._:/@",
                LONGEST.1
            )));
        }
    }
    Ok(())
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (_, tags) = edit(scene, &|_| ())?;
    Ok((Ops::new(), Reply::json(Object::new().set("tags", texts(&tags)))))
}

fn tag(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let given = of(scene.call)?;
    let (ops, tags) = edit(scene, &|tags| tags.extend(given.clone()))?;
    check(&tags)?;
    Ok((ops, Reply::empty()))
}

fn untag(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let keys = scene.call.texts("tagKeys").unwrap_or_default();
    let (ops, _) = edit(scene, &|tags| tags.retain(|key, _| !keys.contains(key)))?;
    Ok((ops, Reply::empty()))
}

/// Changes the tags of the thing that the call's ARN names; gives its row's effect and its tags.
fn edit(scene: &Scene<'_>, change: &dyn Fn(&mut Texts)) -> Result<(Ops, Texts), Fault> {
    let call = scene.call;
    let arn = call.label("resourceArn");
    let path: Vec<&str> = path_of(arn, call)?.split('/').collect();
    let region = call.region_scope();
    match path[..] {
        ["restapis", id] => {
            let missing = Fault::not_found(format!("Invalid API identifier specified {}:{id}", call.account));
            on::<RestApi>(scene, &call.scope_of(id), id, missing, |api| &mut api.tags, change)
        }
        ["restapis", api, "stages", name] => {
            let missing = Fault::not_found(super::stage::MISSING);
            on::<Stage>(scene, &call.scope_of(api), name, missing, |stage| &mut stage.tags, change)
        }
        ["apikeys", id] => {
            let missing = Fault::not_found(api_key::MISSING);
            on::<ApiKey>(scene, &region, id, missing, |key| &mut key.tags, change)
        }
        ["usageplans", id] => {
            let missing = Fault::not_found(usage_plan::MISSING);
            on::<UsagePlan>(scene, &region, id, missing, |plan| &mut plan.tags, change)
        }
        ["domainnames", name] => {
            let missing = Fault::not_found(domain_name::MISSING);
            on::<DomainName>(scene, &region, name, missing, |domain| &mut domain.tags, change)
        }
        ["vpclinks", id] => {
            let missing = Fault::not_found(vpc_link::MISSING);
            on::<VpcLink>(scene, &region, id, missing, |link| &mut link.tags, change)
        }
        ["clientcertificates", id] => {
            let missing = Fault::not_found(client_certificate::MISSING);
            on::<ClientCertificate>(scene, &region, id, missing, |certificate| &mut certificate.tags, change)
        }
        ["domainnameaccessassociations", ..] => {
            let missing = Fault::not_found(association::MISSING);
            on::<DomainNameAccessAssociation>(scene, &region, arn, missing, |found| &mut found.tags, change)
        }
        _ => Err(bad_arn(arn)),
    }
}

fn on<T: Noun>(
    scene: &Scene<'_>,
    scope: &Scope,
    id: &str,
    missing: Fault,
    tags_of: fn(&mut T) -> &mut Texts,
    change: &dyn Fn(&mut Texts),
) -> Result<(Ops, Texts), Fault> {
    let mut noun: T = scene.world.get(scope, id)?.ok_or(missing)?;
    change(tags_of(&mut noun));
    let mut ops = Ops::new();
    ops.put(scope, id, &noun);
    Ok((ops, std::mem::take(tags_of(&mut noun))))
}

/// `arn:{partition}:apigateway:{region}::/{path}` → path, without its first slash.
fn path_of<'a>(arn: &'a str, call: &Call) -> Result<&'a str, Fault> {
    let mut parts = arn.splitn(6, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (prefix, partition, service, region, account, resource) = (part(), part(), part(), part(), part(), part());
    let ours = account.is_empty() || account == call.account.as_str();
    let well_formed = prefix == "arn" && partition.starts_with("aws") && service == "apigateway" && ours;
    match resource.strip_prefix('/') {
        Some(path) if well_formed && region == call.region.as_str() => Ok(path),
        _ => Err(bad_arn(arn)),
    }
}

fn bad_arn(arn: &str) -> Fault {
    let shown: String = arn.chars().take(256).collect();
    Fault::bad_request(format!("Invalid ARN specified in the request: {shown}"))
}
