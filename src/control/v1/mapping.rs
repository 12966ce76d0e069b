//! Mapping expressions: names of parameters, and what may be put into them.

use std::collections::BTreeMap;

use crate::control::Fault;

fn invalid(error: &str) -> Fault {
    let text = format!("Invalid mapping expression specified: Validation Result: warnings : [], errors : [{error}]");
    Fault::bad_request(text)
}

fn bad(expression: &str) -> Fault {
    invalid(&format!("Invalid mapping expression specified: {expression}"))
}

/// Checks `{prefix}.{location}.{name}`.
pub(super) fn check_target(text: &str, prefix: &str, locations: &[&str]) -> Result<(), Fault> {
    match parts(text, prefix) {
        Some((location, name)) if locations.contains(&location) && !name.is_empty() => Ok(()),
        _ => Err(bad(text)),
    }
}

/// The location and name of `{prefix}.{location}.{name}`.
pub(super) fn parts<'a>(text: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(prefix)?.strip_prefix('.')?.split_once('.')
}

/// Checks the source of a request parameter. What it takes from the method's request must be declared by the method.
pub(super) fn check_request_source(source: &str, declared: Option<&BTreeMap<String, bool>>) -> Result<(), Fault> {
    if is_constant(source) || source == "method.request.body" || source.starts_with("method.request.body.") {
        return Ok(());
    }
    let Some((location, name)) = parts(source, "method.request") else { return Err(bad(source)) };
    let plain = match location {
        "path" | "querystring" | "header" => location,
        "multivaluequerystring" => "querystring",
        "multivalueheader" => "header",
        _ => return Err(bad(source)),
    };
    let wanted = format!("method.request.{plain}.{name}");
    match declared.is_some_and(|d| d.contains_key(&wanted)) {
        true => Ok(()),
        false => Err(invalid(&format!("Invalid mapping expression parameter specified: {source}"))),
    }
}

/// Checks the source of a response parameter.
pub(super) fn check_response_source(source: &str) -> Result<(), Fault> {
    let body = source == "integration.response.body" || source.starts_with("integration.response.body.");
    let header = matches!(parts(source, "integration.response"), Some(("header" | "multivalueheader", name)) if !name.is_empty());
    if is_constant(source) || body || header { Ok(()) } else { Err(bad(source)) }
}

/// Checks that a response parameter is declared by the method response.
pub(super) fn check_declared(target: &str, declared: Option<&BTreeMap<String, bool>>) -> Result<(), Fault> {
    check_target(target, "method.response", &["header"])?;
    match declared.is_some_and(|d| d.contains_key(target)) {
        true => Ok(()),
        false => Err(invalid(&format!("Invalid mapping expression parameter specified: {target}"))),
    }
}

/// A quoted constant, a context or a stage variable.
fn is_constant(source: &str) -> bool {
    let quoted = source.len() >= 2 && source.starts_with('\'') && source.ends_with('\'');
    quoted || ["context.", "stageVariables."].iter().any(|p| source.len() > p.len() && source.starts_with(p))
}

/// Checks that templates are kept under media types.
pub(super) fn check_media_types<'a>(types: impl Iterator<Item = &'a String>) -> Result<(), Fault> {
    for media_type in types {
        let well_formed = media_type == "$default"
            || media_type.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
        if !well_formed {
            let text =
                format!("Validation Result: warnings : [], errors : [Invalid content type specified: {media_type}]");
            return Err(Fault::bad_request(text));
        }
    }
    Ok(())
}

/// Checks the source of a gateway response's header: the request as far as it is known, a constant, a context.
pub(super) fn check_refusal_source(source: &str) -> Result<(), Fault> {
    let known = ["path", "querystring", "header", "multivaluequerystring", "multivalueheader"];
    let request = matches!(parts(source, "method.request"), Some((location, name)) if known.contains(&location) && !name.is_empty());
    let body = source == "method.request.body" || source.starts_with("method.request.body.");
    if is_constant(source) || request || body { Ok(()) } else { Err(bad(source)) }
}
