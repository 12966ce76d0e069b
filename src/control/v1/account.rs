//! Settings of one account in one region.

use crate::catalog::v1::Account;
use crate::control::patch::{Op, Rule, Rules, Step, Style};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb};
use crate::state::Ops;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[Verb::read("GetAccount", get), Verb::serving("UpdateAccount", update)];

/// The feature that every account has.
const USAGE_PLANS: &str = "UsagePlans";
/// AWS's throttle of an account: requests at once, requests per second.
const THROTTLE: (i32, f64) = (5_000, 10_000.0);

const RULES: Rules<Account> = Rules {
    style: Style::Listing(&["/cloudwatchRoleArn", "/features"]),
    rules: &[
        Rule {
            path: "/cloudwatchRoleArn",
            ops: &[Op::Replace],
            apply: |account, step, _| {
                account.cloudwatch_role_arn = step.cleared().map(role).transpose()?;
                Ok(())
            },
        },
        Rule { path: "/features", ops: &[Op::Add, Op::Remove], apply: |_, step, _| feature(step) },
    ],
    other: None,
};

fn role(arn: String) -> Result<String, Fault> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam", "", _, role] if partition.starts_with("aws") && role.starts_with("role/") => Ok(arn),
        _ => Err(Fault::bad_request("Invalid ARN specified in the request")),
    }
}

/// There is one feature, and it cannot be switched off.
fn feature(step: &Step) -> Result<(), Fault> {
    match (step.op, step.text()) {
        (Op::Add, USAGE_PLANS) => Ok(()),
        (Op::Remove, USAGE_PLANS) => Err(Fault::bad_request("The feature UsagePlans cannot be removed")),
        (_, other) => {
            let shown: String = other.chars().take(64).collect();
            Err(Fault::bad_request(format!("Invalid feature specified: {shown}. Must be one of: [{USAGE_PLANS}]")))
        }
    }
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    Ok((Ops::new(), Reply::json(show(&find(scene)?))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut account = find(scene)?;
    RULES.apply(&mut account, scene)?;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), Account::ROW_ID, &account);
    Ok((ops, Reply::json(show(&account))))
}

fn find(scene: &Scene<'_>) -> Result<Account, Fault> {
    Ok(scene.world.get(&scene.call.region_scope(), Account::ROW_ID)?.unwrap_or_default())
}

fn show(account: &Account) -> Object {
    let own = account.throttle_settings.clone().unwrap_or_default();
    let throttle = Object::new()
        .set("burstLimit", own.burst_limit.unwrap_or(THROTTLE.0))
        .set("rateLimit", own.rate_limit.unwrap_or(THROTTLE.1));
    let mut features = vec![USAGE_PLANS.to_owned()];
    features.extend(account.features.iter().filter(|feature| *feature != USAGE_PLANS).cloned());
    Object::new()
        .maybe("cloudwatchRoleArn", account.cloudwatch_role_arn.as_deref())
        .set("throttleSettings", throttle)
        .set("features", features)
        .set("apiKeyVersion", "4")
}
