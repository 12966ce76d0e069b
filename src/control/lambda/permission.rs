//! The policy of a function, a version or an alias: statements added, removed, shown as a document.

use super::revision::{STALE_POLICY, Target, function, guard_saying, target};
use super::{conflict, invalid, name, not_found, validation};
use crate::catalog::AccountId;
use crate::catalog::lambda::{LATEST, PolicyStatement};
use crate::control::render::Object;
use crate::control::{Call, Fault, Reply, Scene, Verb};
use crate::function::call::Address;
use crate::state::Ops;
use serde_json::{Value, json};

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] =
    &[Verb::serving("AddPermission", add), Verb::serving("RemovePermission", remove), Verb::read("GetPolicy", get)];

/// The longest document, bytes.
const MOST_BYTES: usize = 20_480;
/// Longest name of a statement, characters.
const LONGEST_ID: usize = 100;

fn found(scene: &Scene<'_>) -> Result<(Address, Target), Fault> {
    let address = name::address(scene.call)?;
    function(scene, &address)?;
    let target = target(scene, &address)?;
    Ok((address, target))
}

fn add(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    if call.text("Qualifier") == Some(LATEST) || call.label("FunctionName").ends_with(":$LATEST") {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    let (address, mut target) = found(scene)?;
    guard_saying(scene, target.revision(), STALE_POLICY)?;
    let statement = statement(call)?;
    let policy = target.policy();
    if policy.iter().any(|known| known.statement_id == statement.statement_id) {
        return Err(conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing \
             statement.",
            statement.statement_id
        )));
    }
    let shown = show(&address, &statement);
    policy.push(statement);
    let bytes = document(&address, policy).to_string().len();
    if bytes > MOST_BYTES {
        let text = format!("The final policy size ({bytes}) is bigger than the limit ({MOST_BYTES}).");
        return Err(Fault::new("PolicyLengthExceededException", 400, text));
    }
    *target.revision() = scene.mint().uuid();
    Ok((target.store(scene, &address), Reply::json(Object::new().set("Statement", shown.to_string()))))
}

fn statement(call: &Call) -> Result<PolicyStatement, Fault> {
    let text = |name: &str| call.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let id = call.label("StatementId");
    if id.chars().count() > LONGEST_ID {
        return Err(validation(id, "statementId", "Member must have length less than or equal to 100"));
    }
    let statement = PolicyStatement {
        statement_id: id.to_owned(),
        action: call.label("Action").to_owned(),
        principal: call.label("Principal").to_owned(),
        source_arn: text("SourceArn"),
        source_account: text("SourceAccount"),
        event_source_token: text("EventSourceToken"),
        principal_org_id: text("PrincipalOrgID"),
        function_url_auth_type: text("FunctionUrlAuthType"),
        invoked_via_function_url: call.flag("InvokedViaFunctionUrl"),
        ..PolicyStatement::default()
    };
    if !is_principal(&statement.principal) {
        return Err(invalid("The provided principal was invalid. Please check the principal and try again."));
    }
    Ok(statement)
}

/// A service's host, an account's number, an ARN of IAM's, or anybody.
fn is_principal(text: &str) -> bool {
    let service = text.contains('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    text == "*"
        || service
        || AccountId::from(text).is_valid()
        || (text.starts_with("arn:aws") && text.contains(":iam::"))
}

fn remove(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (address, mut target) = found(scene)?;
    guard_saying(scene, target.revision(), STALE_POLICY)?;
    let policy = target.policy();
    if policy.is_empty() {
        return Err(not_found("No policy is associated with the given resource."));
    }
    let id = scene.call.label("StatementId");
    let before = policy.len();
    policy.retain(|statement| statement.statement_id != id);
    if policy.len() == before {
        return Err(not_found(format!("Statement {id} is not found in resource policy.")));
    }
    *target.revision() = scene.mint().uuid();
    Ok((target.store(scene, &address), Reply::empty()))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (address, mut target) = found(scene)?;
    if target.policy().is_empty() {
        return Err(not_found("The resource you requested does not exist."));
    }
    let policy = document(&address, target.policy()).to_string();
    let shown = Object::new().set("Policy", policy).set("RevisionId", target.revision().as_str());
    Ok((Ops::new(), Reply::json(shown)))
}

fn document(address: &Address, policy: &[PolicyStatement]) -> Value {
    let statements: Vec<Value> = policy.iter().map(|statement| show(address, statement)).collect();
    json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements })
}

/// A statement as AWS writes it.
fn show(address: &Address, statement: &PolicyStatement) -> Value {
    let principal = match statement.principal.as_str() {
        "*" => json!("*"),
        number if AccountId::from(number).is_valid() => json!({ "AWS": format!("arn:aws:iam::{number}:root") }),
        arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
        service => json!({ "Service": service }),
    };
    let mut shown = json!({
        "Sid": statement.statement_id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": statement.action,
        "Resource": address.arn(),
    });
    let mut equal = Object::new();
    for (key, value) in [
        ("AWS:SourceAccount", &statement.source_account),
        ("lambda:EventSourceToken", &statement.event_source_token),
        ("aws:PrincipalOrgID", &statement.principal_org_id),
        ("lambda:FunctionUrlAuthType", &statement.function_url_auth_type),
    ] {
        equal = equal.maybe(key, value.as_deref());
    }
    let mut condition = Object::new();
    if equal != Object::new() {
        condition = condition.set("StringEquals", equal);
    }
    if let Some(via) = statement.invoked_via_function_url {
        condition = condition.set("Bool", Object::new().set("lambda:InvokedViaFunctionUrl", via.to_string()));
    }
    if let Some(arn) = &statement.source_arn {
        condition = condition.set("ArnLike", Object::new().set("AWS:SourceArn", arn.as_str()));
    }
    if condition != Object::new() {
        shown["Condition"] = condition.into();
    }
    shown
}
