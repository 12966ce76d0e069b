//! What a PATCH of a domain name may do. Whether the parts fit each other is judged when all steps are done.

use crate::catalog::v1::{DomainName, EndpointType, IpAddressType, RoutingMode};
use crate::control::patch::{Op, Rule, Rules, Step, Style, bad_path};
use crate::control::v1::rest_api;
use crate::control::{Fault, Scene};

macro_rules! text {
    ($path:literal, $member:ident) => {
        Rule {
            path: $path,
            ops: &[Op::Replace],
            apply: |domain, step, _| {
                domain.$member = step.cleared();
                Ok(())
            },
        }
    };
}

/// A certificate of the domain itself: a new one has a new date.
fn renewed(domain: &mut DomainName, scene: &Scene<'_>) {
    domain.certificate_upload_date_ms = Some(scene.stamp.time_ms);
}

pub(super) const RULES: Rules<DomainName> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/certificateName",
            ops: &[Op::Replace],
            apply: |domain, step, scene| {
                domain.certificate_name = step.cleared();
                renewed(domain, scene);
                Ok(())
            },
        },
        Rule {
            path: "/certificateArn",
            ops: &[Op::Replace],
            apply: |domain, step, scene| {
                domain.certificate_arn = step.cleared();
                renewed(domain, scene);
                Ok(())
            },
        },
        text!("/regionalCertificateName", regional_certificate_name),
        text!("/regionalCertificateArn", regional_certificate_arn),
        text!("/ownershipVerificationCertificateArn", ownership_verification_certificate_arn),
        Rule {
            path: "/endpointAccessMode",
            ops: &[Op::Replace],
            apply: |domain, step, _| {
                domain.endpoint_access_mode = rest_api::one_of("endpointAccessMode", step)?;
                Ok(())
            },
        },
        Rule { path: "/securityPolicy", ops: &[Op::Replace], apply: security_policy },
        Rule { path: "/routingMode", ops: &[Op::Replace], apply: routing_mode },
        Rule {
            path: "/policy",
            ops: &[Op::Replace],
            apply: |domain, step, scene| {
                domain.policy = rest_api::policy(step.value.as_deref(), scene.quotas.policy_chars, None)?;
                Ok(())
            },
        },
        Rule {
            path: "/managementPolicy",
            ops: &[Op::Replace],
            apply: |domain, step, scene| {
                domain.management_policy = rest_api::policy(step.value.as_deref(), scene.quotas.policy_chars, None)?;
                Ok(())
            },
        },
        Rule { path: "/endpointConfiguration/types", ops: &[Op::Add], apply: add_type },
        Rule { path: "/endpointConfiguration/types/{}", ops: &[Op::Replace, Op::Remove], apply: change_type },
        Rule { path: "/endpointConfiguration/ipAddressType", ops: &[Op::Replace], apply: ip_type },
        Rule {
            path: "/mutualTlsAuthentication/truststoreUri",
            ops: &[Op::Replace],
            apply: |domain, step, _| {
                match step.cleared() {
                    Some(uri) => domain.mutual_tls_authentication.get_or_insert_default().truststore_uri = Some(uri),
                    None => domain.mutual_tls_authentication = None,
                }
                Ok(())
            },
        },
        Rule {
            path: "/mutualTlsAuthentication/truststoreVersion",
            ops: &[Op::Replace],
            apply: |domain, step, _| {
                let text = "Mutual TLS is not configured for this domain name";
                let mutual = domain.mutual_tls_authentication.as_mut().ok_or_else(|| Fault::bad_request(text))?;
                mutual.truststore_version = step.cleared();
                Ok(())
            },
        },
    ],
    other: None,
};

fn security_policy(domain: &mut DomainName, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let word = rest_api::one_of("securityPolicy", step)?;
    domain.security_policy = Some(word.ok_or_else(|| Fault::bad_request("Invalid security policy specified"))?);
    Ok(())
}

fn routing_mode(domain: &mut DomainName, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let words: Vec<&str> = RoutingMode::KNOWN.iter().map(RoutingMode::as_str).collect();
    let text = || format!("Invalid routingMode specified. Valid options are {}", words.join(","));
    domain.routing_mode = Some(RoutingMode::known(step.text()).ok_or_else(|| Fault::bad_request(text()))?);
    Ok(())
}

fn kind(step: &Step) -> Result<EndpointType, Fault> {
    let text = "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE";
    EndpointType::known(step.text()).ok_or_else(|| Fault::bad_request(text))
}

/// A private name stays private, and no other becomes one: it has an id and an ARN of its own.
fn same_kind(one: &EndpointType, other: &EndpointType) -> Result<(), Fault> {
    if (*one == EndpointType::Private) == (*other == EndpointType::Private) {
        return Ok(());
    }
    Err(Fault::bad_request("A domain name cannot be changed to or from the endpoint type PRIVATE"))
}

fn add_type(domain: &mut DomainName, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let new = kind(step)?;
    let types = &mut domain.endpoint_configuration.types;
    types.iter().try_for_each(|old| same_kind(old, &new))?;
    if !types.contains(&new) {
        types.push(new);
    }
    Ok(())
}

fn change_type(domain: &mut DomainName, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let types = &mut domain.endpoint_configuration.types;
    let at = match step.key().parse::<usize>() {
        Ok(index) => Some(index).filter(|index| *index < types.len()),
        Err(_) => types.iter().position(|known| known.as_str() == step.key()),
    };
    let at = at.ok_or_else(|| bad_path(step))?;
    let old = if step.op == Op::Remove {
        types.remove(at)
    } else {
        let new = kind(step)?;
        same_kind(&types[at], &new)?;
        std::mem::replace(&mut types[at], new)
    };
    // What belonged to the old type goes with it.
    let kept = types.contains(&old);
    match old {
        EndpointType::Regional if !kept => {
            domain.regional_domain_name = None;
            domain.regional_hosted_zone_id = None;
        }
        EndpointType::Edge if !kept => {
            domain.distribution_domain_name = None;
            domain.distribution_hosted_zone_id = None;
        }
        _ => {}
    }
    Ok(())
}

fn ip_type(domain: &mut DomainName, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let kind = rest_api::ip_type(step.text(), &domain.endpoint_configuration)?;
    domain.endpoint_configuration.ip_address_type = Some::<IpAddressType>(kind);
    Ok(())
}
