//! Which differences clients of the stage would notice, and why. A change of what stands behind a method is its owner's
//! business; a change of what callers must send, may send or may read is theirs too.

use super::compare::{Change, gained, leaves};
use super::schema::{self, Use};
use super::surface::{Kind, Place, Surface};
use serde_json::Value;
use std::collections::BTreeSet;

const VERBS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// What the rules need beside the change.
struct Facts<'s> {
    old: &'s Surface,
    new: &'s Surface,
    sent: BTreeSet<String>,
    read: BTreeSet<String>,
}

/// Marks every change that breaks clients with why.
pub(super) fn mark(changes: &mut [Change], old: &Surface, new: &Surface) {
    let facts = Facts { old, new, sent: schema::used(new, Use::Request), read: schema::used(old, Use::Response) };
    for change in changes {
        change.breaking = why(change, &facts);
    }
}

fn why(change: &Change, facts: &Facts<'_>) -> Option<String> {
    let member: Vec<&str> = change.member.iter().map(String::as_str).collect();
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    match change.place.kind {
        Kind::Api => api(&member, before, after, facts.new),
        Kind::Method if member.is_empty() => routed(&change.place, facts),
        Kind::Method => method(&change.place, &member, before, after, facts),
        Kind::Model => model(change, facts),
        Kind::GatewayResponse => {
            (member == ["statusCode"]).then(|| "clients may act on the status of this refusal".to_owned())
        }
        Kind::Resource | Kind::Authorizer | Kind::RequestValidator => None,
    }
}

fn api(member: &[&str], before: Option<&Value>, after: Option<&Value>, new: &Surface) -> Option<String> {
    let text = match member {
        ["apiKeySource"] if new.every_method().any(|m| m["apiKeyRequired"] == true) => {
            "callers must bring their API key another way"
        }
        ["disableExecuteApiEndpoint"] if after == Some(&Value::Bool(true)) => "only custom domain names are answered",
        ["policy", ..] if after.is_some() => "the resource policy may refuse callers that it let in",
        ["binaryMediaTypes"] => "bodies of these media types reach both sides in another form",
        ["endpointConfiguration", "types"] if after.is_some_and(|types| types.to_string().contains("PRIVATE")) => {
            "only callers of the private network are answered"
        }
        ["securityPolicy"] if before.is_some() => "clients with older TLS may be refused",
        _ => return None,
    };
    Some(text.to_owned())
}

/// A method that came or went: which calls lose their answer, and what calls must bring that needed nothing before.
fn routed(place: &Place, facts: &Facts<'_>) -> Option<String> {
    let verbs: Vec<&str> = VERBS.into_iter().filter(|verb| facts.old.answering(verb, &place.name).is_some()).collect();
    let lost: Vec<&str> =
        verbs.iter().copied().filter(|verb| facts.new.answering(verb, &place.name).is_none()).collect();
    if !lost.is_empty() {
        return Some(format!("{} {} is answered 403", lost.join(", "), place.name));
    }
    verbs.into_iter().find_map(|verb| {
        let (from, to) = (facts.old.answering(verb, &place.name)?, facts.new.answering(verb, &place.name)?);
        if from == to {
            return None;
        }
        let (was, is) = (facts.old.things.get(from)?, facts.new.things.get(to)?);
        let demand = if was["authorizationType"] == "NONE" && is["authorizationType"] != "NONE" {
            "needs authorization"
        } else if was["apiKeyRequired"] != true && is["apiKeyRequired"] == true {
            "needs an API key"
        } else {
            return None;
        };
        Some(format!("{verb} {} is answered by {to}, which {demand}", place.name))
    })
}

fn method(
    place: &Place,
    member: &[&str],
    before: Option<&Value>,
    after: Option<&Value>,
    facts: &Facts<'_>,
) -> Option<String> {
    let now = facts.new.things.get(place)?;
    let on = after == Some(&Value::Bool(true));
    match member {
        ["authorizationType"] if after != Some(&Value::from("NONE")) => Some("callers must be authorized".into()),
        ["authorizer"] if before.is_some() && after.is_some() => Some("another authorizer decides".into()),
        ["authorizationScopes"] => {
            let narrower = before.is_none() || after.is_some() && !gained(after, before).is_empty();
            narrower.then(|| "tokens need other scopes".into())
        }
        ["apiKeyRequired"] if on => Some("callers need an API key".into()),
        ["requestParameters", name] if on && now["requestValidator"]["validateRequestParameters"] == true => {
            Some(format!("requests without {name} are refused"))
        }
        ["requestValidator", "validateRequestParameters"] if on => {
            let required = now["requestParameters"].as_object().is_some_and(|all| all.values().any(|v| *v == true));
            required.then(|| "requests without the required parameters are refused".into())
        }
        ["requestValidator", "validateRequestBody"] if on && now["requestModels"].is_object() => {
            Some("bodies that do not fit their model are refused".into())
        }
        ["requestModels", kind] if schema::checks_bodies(now) => match (before, after) {
            (_, None) => None,
            (None, Some(_)) => Some(format!("bodies of {kind} are checked")),
            (Some(from), Some(to)) => between(from, to, Use::Request, facts),
        },
        ["methodResponses", code] if after.is_none() => Some(format!("clients may expect the status {code}")),
        ["methodResponses", _, "responseParameters", name] if after.is_none() => {
            Some(format!("clients may read {}", name.trim_start_matches("method.response.")))
        }
        ["methodResponses", _, "responseModels", _] => between(before?, after?, Use::Response, facts),
        ["methodIntegration", "passthroughBehavior"] if after != Some(&Value::from("WHEN_NO_MATCH")) => {
            let was_strictest = before == Some(&Value::from("NEVER"));
            (!was_strictest).then(|| "requests of media types without a template may be answered 415".into())
        }
        _ => None,
    }
}

/// Why going from one model to another breaks clients.
fn between(from: &Value, to: &Value, used: Use, facts: &Facts<'_>) -> Option<String> {
    let (old, new) = (facts.old.schema(from.as_str()?)?, facts.new.schema(to.as_str()?)?);
    let mut found = None;
    leaves(old, new, &mut Vec::new(), &mut |member, before, after| {
        found = found.take().or_else(|| schema::why(member, before, after, used));
    });
    found
}

fn model(change: &Change, facts: &Facts<'_>) -> Option<String> {
    let member = change.member.strip_prefix(&["schema".to_owned()])?;
    let judge = |used| schema::why(member, change.before.as_ref(), change.after.as_ref(), used);
    let sent = facts.sent.contains(&change.place.name).then(|| judge(Use::Request)).flatten();
    sent.or_else(|| facts.read.contains(&change.place.name).then(|| judge(Use::Response)).flatten())
}
