//! Custom domain names.

mod patch_rules;

use super::{rest_api, tags};
use crate::catalog::v1::{BasePathMapping, DomainName, EndpointType, MutualTlsAuthentication, RoutingMode};
use crate::catalog::{Mint, Table};
use crate::control::quotas;
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope};
use serde_json::Value;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateDomainName", create),
    Verb::read("GetDomainName", get),
    Verb::read("GetDomainNames", list),
    Verb::serving("UpdateDomainName", update),
    Verb::serving("DeleteDomainName", delete),
];

/// What is said of a name that there is none of.
pub(super) const MISSING: &str = "Invalid domain name identifier specified";
/// The hosted zone of every edge name.
const EDGE_ZONE: &str = "Z2FDTNDATAQYW2";
/// Longest host name, characters.
const LONGEST: usize = 253;

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut mint) = (scene.call, scene.mint());
    let name = checked_name(call.label("domainName"))?;
    let text = |member: &str| call.text(member).filter(|text| !text.is_empty()).map(str::to_owned);
    let mut domain = DomainName {
        domain_name: name.to_owned(),
        certificate_name: text("certificateName"),
        certificate_arn: text("certificateArn"),
        regional_certificate_name: text("regionalCertificateName"),
        regional_certificate_arn: text("regionalCertificateArn"),
        endpoint_configuration: rest_api::endpoint(call.object("endpointConfiguration"))?,
        domain_name_status: Some("AVAILABLE".to_owned()),
        security_policy: Some(text("securityPolicy").unwrap_or_else(|| "TLS_1_2".to_owned())),
        endpoint_access_mode: text("endpointAccessMode"),
        tags: tags::of(call)?,
        mutual_tls_authentication: call.object("mutualTlsAuthentication").and_then(|asked| {
            let member = |name: &str| asked.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
            Some(MutualTlsAuthentication {
                truststore_uri: Some(member("truststoreUri")?.to_owned()),
                truststore_version: member("truststoreVersion").map(str::to_owned),
                ..MutualTlsAuthentication::default()
            })
        }),
        ownership_verification_certificate_arn: text("ownershipVerificationCertificateArn"),
        policy: rest_api::policy(call.text("policy"), scene.quotas.policy_chars, None)?,
        routing_mode: text("routingMode").map(|mode| RoutingMode::from(mode.as_str())),
        ..DomainName::default()
    };
    if let (Some(body), Some(key)) = (text("certificateBody"), text("certificatePrivateKey")) {
        check_pem(&body, "certificateBody", "CERTIFICATE")?;
        check_pem(&key, "certificatePrivateKey", "PRIVATE KEY")?;
        domain.certificate_pem = Some(format!("{}\n{}", body.trim(), text("certificateChain").unwrap_or_default()));
        domain.private_key_sealed = scene.seal.seal(key.as_bytes(), mint.bytes());
    }
    settle(scene, &mut domain, &mut mint)?;
    check(&domain)?;
    if is_taken(scene, &domain) {
        return Err(Fault::bad_request("The domain name you provided already exists."));
    }
    quotas::room_for_domain(scene, domain.domain_name_id.is_some())?;
    let mut ops = Ops::new();
    ops.put(&call.region_scope(), &row_id(&domain), &domain);
    Ok((ops, Reply::json(show(scene, &domain).map("tags", &domain.tags))))
}

/// A host name in lower case, or `*.` and one.
fn checked_name(name: &str) -> Result<&str, Fault> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() <= LONGEST && host.contains('.') && host.split('.').all(label) {
        return Ok(name);
    }
    let shown: String = name.chars().take(256).collect();
    Err(Fault::bad_request(format!("Invalid domain name specified: {shown}")))
}

fn check_pem(text: &str, member: &str, label: &str) -> Result<(), Fault> {
    let good = text.contains("-----BEGIN ") && text.contains(&format!("{label}-----")) && text.contains("-----END ");
    good.then_some(()).ok_or_else(|| Fault::bad_request(format!("Invalid {member} specified: it is not PEM")))
}

fn has(domain: &DomainName, kind: &EndpointType) -> bool {
    domain.endpoint_configuration.types.contains(kind)
}

/// Gives a domain what follows from its types: targets of DNS, the id of a private one, the time of the certificate.
fn settle(scene: &Scene<'_>, domain: &mut DomainName, mint: &mut Mint) -> Result<(), Fault> {
    let call = scene.call;
    let region = &call.region;
    if has(domain, &EndpointType::Regional) && domain.regional_domain_name.is_none() {
        domain.regional_domain_name = Some(format!("d-{}.execute-api.{region}.{}", mint.lower(10), scene.domain));
        domain.regional_hosted_zone_id = Some(zone_of(region.as_str()));
    }
    if has(domain, &EndpointType::Edge) && domain.distribution_domain_name.is_none() {
        domain.distribution_domain_name = Some(format!("d{}.cloudfront.net", mint.lower(13)));
        domain.distribution_hosted_zone_id = Some(EDGE_ZONE.to_owned());
    }
    if has(domain, &EndpointType::Private) && domain.domain_name_id.is_none() {
        let id = mint.lower(10);
        let (account, name) = (&call.account, &domain.domain_name);
        domain.domain_name_arn = Some(format!("arn:aws:apigateway:{region}:{account}:/domainnames/{name}+{id}"));
        domain.domain_name_id = Some(id);
    }
    let own = domain.certificate_arn.is_some() || domain.certificate_name.is_some() || domain.certificate_pem.is_some();
    if own && domain.certificate_upload_date_ms.is_none() {
        domain.certificate_upload_date_ms = Some(scene.stamp.time_ms);
    }
    Ok(())
}

/// The hosted zones of AWS's own regional endpoints, as far as they are well known; another region has a name of ours.
fn zone_of(region: &str) -> String {
    const ZONES: [(&str, &str); 8] = [
        ("us-east-1", "Z1UJRXOUMOOFQ8"),
        ("us-east-2", "ZOJJZC49E0EPZ"),
        ("us-west-1", "Z2MUQ32089INYE"),
        ("us-west-2", "Z2OJLYMUO9EFXC"),
        ("eu-west-1", "ZLY8HYME6SFDD"),
        ("eu-central-1", "Z1U9ULNL0V5AJ3"),
        ("ap-northeast-1", "Z1YSHQZHG15GKL"),
        ("ap-southeast-2", "Z2RPCDW04V8134"),
    ];
    let known = ZONES.into_iter().find(|(name, _)| *name == region);
    known.map_or_else(|| format!("Z-{region}"), |(_, zone)| zone.to_owned())
}

/// Whether the parts of a domain fit each other.
fn check(domain: &DomainName) -> Result<(), Fault> {
    let bad = |text: String| Err(Fault::bad_request(text));
    if domain.endpoint_configuration.types.is_empty() {
        return bad("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.".to_owned());
    }
    let given = [
        ("certificateArn", &domain.certificate_arn),
        ("regionalCertificateArn", &domain.regional_certificate_arn),
        ("ownershipVerificationCertificateArn", &domain.ownership_verification_certificate_arn),
    ];
    for (member, arn) in given {
        if let Some(arn) = arn
            && !is_certificate(arn)
        {
            let shown: String = arn.chars().take(256).collect();
            return bad(format!("Invalid certificate ARN specified for {member}: {shown}"));
        }
    }
    let own = domain.certificate_arn.is_some() || domain.certificate_name.is_some() || domain.certificate_pem.is_some();
    let regional = domain.regional_certificate_arn.is_some() || domain.regional_certificate_name.is_some();
    if has(domain, &EndpointType::Regional) && !regional {
        return bad("A regional certificate must be specified for a REGIONAL domain name".to_owned());
    }
    if (has(domain, &EndpointType::Edge) || has(domain, &EndpointType::Private)) && !own {
        let kind = if has(domain, &EndpointType::Edge) { "an EDGE" } else { "a PRIVATE" };
        return bad(format!("A certificate must be specified for {kind} domain name"));
    }
    check_tls(domain)
}

fn check_tls(domain: &DomainName) -> Result<(), Fault> {
    let policy = domain.security_policy.as_deref().unwrap_or_default();
    let enhanced = policy.starts_with("SecurityPolicy_");
    if domain.endpoint_access_mode.is_some() && !enhanced {
        return Err(Fault::bad_request("endpointAccessMode needs a security policy that begins with SecurityPolicy_"));
    }
    let Some(mutual) = &domain.mutual_tls_authentication else { return Ok(()) };
    if !has(domain, &EndpointType::Regional) || policy == "TLS_1_0" || enhanced {
        return Err(Fault::bad_request(
            "Mutual TLS is only supported for REGIONAL domain names with the security policy TLS_1_2",
        ));
    }
    let uri = mutual.truststore_uri.as_deref().unwrap_or_default();
    let object = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    if object.is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) {
        return Ok(());
    }
    let shown: String = uri.chars().take(256).collect();
    Err(Fault::bad_request(format!("Invalid truststoreUri specified: {shown}. It must be an s3:// URI of an object")))
}

fn is_certificate(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, "acm" | "iam", _, _, resource]
        if partition.starts_with("aws") && (resource.starts_with("certificate/") || resource.starts_with("server-certificate/")))
}

/// Whether the name is somebody's in this region already. Private ones have an id each.
fn is_taken(scene: &Scene<'_>, domain: &DomainName) -> bool {
    if domain.domain_name_id.is_some() {
        return false;
    }
    let (region, own, name) = (&scene.call.region, scene.call.region_scope(), domain.domain_name.as_str());
    let mut regions =
        scene.world.scopes().filter(|scope| scope.api_id().is_none() && scope.region_name().as_ref() == Some(region));
    regions.any(|scope| {
        scene.world.row(scope, Table::DomainName, name).is_some() || (*scope != own && overlaps(scene, scope, name))
    })
}

/// Whether a name of another account covers this one by its wildcard, or the other way round.
fn overlaps(scene: &Scene<'_>, scope: &Scope, name: &str) -> bool {
    let wider = name.split_once('.').map(|(_, rest)| format!("*.{rest}")).filter(|wider| wider != name);
    if wider.is_some_and(|wider| scene.world.row(scope, Table::DomainName, &wider).is_some()) {
        return true;
    }
    let Some(rest) = name.strip_prefix('*') else { return false };
    let tree = scene.world.tree(scope);
    // Rows of private names go on with an id; those are nobody else's affair.
    tree.rows(Table::DomainName, "").any(|(id, _)| {
        let first = id.strip_suffix(rest).filter(|first| !first.is_empty());
        first.is_some_and(|first| !first.contains(['.', '+']))
    })
}

/// The id of a domain's row.
pub(super) fn row_id(domain: &DomainName) -> String {
    DomainName::row_id(&domain.domain_name, domain.domain_name_id.as_deref())
}

/// The domain that the call's `domainName` and `domainNameId` name.
///
/// # Errors
/// NotFound when there is none.
pub(super) fn find(scene: &Scene<'_>) -> Result<(Scope, DomainName), Fault> {
    let call = scene.call;
    let id = DomainName::row_id(call.label("domainName"), call.text("domainNameId").filter(|id| !id.is_empty()));
    let scope = call.region_scope();
    let found = scene.world.get::<DomainName>(&scope, &id)?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(MISSING))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (_, domain) = find(scene)?;
    Ok((Ops::new(), Reply::json(show(scene, &domain).set("tags", texts(&domain.tags)))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let all = match scene.call.text("resourceOwner") {
        Some("OTHER_ACCOUNTS") => super::domain_name_access_association::reachable(scene)?,
        _ => scene.world.list::<DomainName>(&scene.call.region_scope(), "")?,
    };
    let page = page::cut(scene.call, all)?;
    Ok((Ops::new(), page.reply(|_, domain| show(scene, &domain).map("tags", &domain.tags))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut domain) = find(scene)?;
    patch_rules::RULES.apply(&mut domain, scene)?;
    settle(scene, &mut domain, &mut scene.mint())?;
    check(&domain)?;
    let mut ops = Ops::new();
    ops.put(&scope, &row_id(&domain), &domain);
    Ok((ops, Reply::json(show(scene, &domain).set("tags", texts(&domain.tags)))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, domain) = find(scene)?;
    let id = row_id(&domain);
    let mut ops = Ops::new();
    for (mapping, _) in scene.world.list::<BasePathMapping>(&scope, &BasePathMapping::row_id(&id, ""))? {
        ops.drop::<BasePathMapping>(&scope, &mapping);
    }
    ops.drop::<DomainName>(&scope, &id);
    Ok((ops, Reply::empty()))
}

/// A domain's JSON, but for its tags.
fn show(scene: &Scene<'_>, domain: &DomainName) -> Object {
    let public = || format!("arn:aws:apigateway:{}::/domainnames/{}", scene.call.region, domain.domain_name);
    let mode = domain.routing_mode.as_ref().unwrap_or(&RoutingMode::BasePathMappingOnly);
    Object::new()
        .set("domainName", domain.domain_name.as_str())
        .maybe("domainNameId", domain.domain_name_id.as_deref())
        .set("domainNameArn", domain.domain_name_arn.clone().unwrap_or_else(public))
        .maybe("certificateName", domain.certificate_name.as_deref())
        .maybe("certificateArn", domain.certificate_arn.as_deref())
        .maybe("certificateUploadDate", domain.certificate_upload_date_ms.map(|ms| ms.div_euclid(1000)))
        .maybe("regionalDomainName", domain.regional_domain_name.as_deref())
        .maybe("regionalHostedZoneId", domain.regional_hosted_zone_id.as_deref())
        .maybe("regionalCertificateName", domain.regional_certificate_name.as_deref())
        .maybe("regionalCertificateArn", domain.regional_certificate_arn.as_deref())
        .maybe("distributionDomainName", domain.distribution_domain_name.as_deref())
        .maybe("distributionHostedZoneId", domain.distribution_hosted_zone_id.as_deref())
        .set("endpointConfiguration", rest_api::show_endpoint(&domain.endpoint_configuration))
        .maybe("domainNameStatus", domain.domain_name_status.as_deref())
        .maybe("domainNameStatusMessage", domain.domain_name_status_message.as_deref())
        .maybe("securityPolicy", domain.security_policy.as_deref())
        .maybe("endpointAccessMode", domain.endpoint_access_mode.as_deref())
        .maybe("mutualTlsAuthentication", domain.mutual_tls_authentication.as_ref().map(show_mutual))
        .maybe("ownershipVerificationCertificateArn", domain.ownership_verification_certificate_arn.as_deref())
        .maybe("managementPolicy", domain.management_policy.as_deref().map(rest_api::escaped))
        .maybe("policy", domain.policy.as_deref().map(rest_api::escaped))
        .set("routingMode", mode.as_str())
}

fn show_mutual(mutual: &MutualTlsAuthentication) -> Object {
    Object::new()
        .maybe("truststoreUri", mutual.truststore_uri.as_deref())
        .maybe("truststoreVersion", mutual.truststore_version.as_deref())
        .list("truststoreWarnings", &mutual.truststore_warnings)
}
