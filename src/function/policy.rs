//! Who may call a function: its statements beside a caller.

use super::call::Caller;
use crate::catalog::lambda::PolicyStatement;

/// What a call of a function asks for.
const INVOKE: &str = "lambda:InvokeFunction";

/// Whether a policy lets somebody call the function of `owner`. The owner's account needs no policy.
#[must_use]
pub fn allows(policy: &[PolicyStatement], owner: &str, caller: &Caller) -> bool {
    match caller {
        Caller::Account(account) if **account == *owner => true,
        _ => policy.iter().any(|statement| permits(statement, caller)),
    }
}

fn permits(statement: &PolicyStatement, caller: &Caller) -> bool {
    // What no call here can show: a token of Alexa's, an organization, a function's URL.
    let other = statement.event_source_token.is_some()
        || statement.principal_org_id.is_some()
        || statement.function_url_auth_type.is_some()
        || statement.invoked_via_function_url == Some(true);
    if other || !is_like(&statement.action.to_ascii_lowercase(), &INVOKE.to_ascii_lowercase()) {
        return false;
    }
    let anybody = statement.principal == "*";
    match caller {
        Caller::Account(account) => {
            let conditions = statement.source_arn.is_some() || statement.source_account.is_some();
            !conditions && (anybody || is_account(&statement.principal, account))
        }
        Caller::Service { principal, source_arn, source_account } => {
            (anybody || statement.principal == **principal)
                && statement.source_arn.as_deref().is_none_or(|pattern| is_arn_like(pattern, source_arn))
                && statement.source_account.as_deref().is_none_or(|account| account == &**source_account)
        }
    }
}

/// Whether a principal is an account: its number, or its root's ARN.
fn is_account(principal: &str, account: &str) -> bool {
    principal == account
        || principal
            .strip_prefix("arn:")
            .and_then(|rest| rest.split_once(":iam::"))
            .is_some_and(|(_, rest)| rest.strip_suffix(":root") == Some(account))
}

/// `ArnLike`: each of the six parts of an ARN for itself, so that a star never takes in a colon but in the last.
#[must_use]
pub fn is_arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, part)| is_like(pattern, part))
}

/// `*` is any run of characters, `?` any one; in time that is no worse than both lengths multiplied.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and what it has taken in so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/prod/GET/pets/7";

    fn gateway(source_arn: &str) -> Caller {
        Caller::Service {
            principal: "apigateway.amazonaws.com".into(),
            source_arn: source_arn.into(),
            source_account: "000000000000".into(),
        }
    }

    fn statement(principal: &str, source_arn: Option<&str>) -> PolicyStatement {
        PolicyStatement {
            statement_id: "s".into(),
            action: INVOKE.into(),
            principal: principal.into(),
            source_arn: source_arn.map(str::to_owned),
            ..PolicyStatement::default()
        }
    }

    #[test]
    fn an_arn_is_matched_part_by_part() {
        for pattern in [
            ARN,
            "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*",
            "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/GET/pets/*",
            "arn:aws:execute-api:*:*:a1b2c3d4e5/*/*/*",
            "arn:*:execute-api:us-east-?:*:*",
            "arn:aws:execute-api:us-east-1:000000000000:*/pets/7",
        ] {
            assert!(is_arn_like(pattern, ARN), "{pattern}");
        }
        for pattern in [
            "*",
            "arn:aws:*",
            "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/POST/*",
            "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5",
            "arn:aws:execute-api:us-east-1:*",
            "arn:aws:execute-api:us-west-*:*:*",
            "",
        ] {
            assert!(!is_arn_like(pattern, ARN), "{pattern}");
        }
        assert!(is_arn_like("arn:aws:s3:::a*", "arn:aws:s3:::a:b:c"), "the last part may have colons");
    }

    #[test]
    fn a_service_calls_only_on_behalf_of_what_a_statement_names() {
        let policy = [statement("apigateway.amazonaws.com", Some("arn:aws:execute-api:*:*:a1b2c3d4e5/*"))];
        assert!(allows(&policy, "000000000000", &gateway(ARN)));
        assert!(!allows(
            &policy,
            "000000000000",
            &gateway("arn:aws:execute-api:us-east-1:000000000000:other/prod/GET/")
        ));
        assert!(!allows(&[], "000000000000", &gateway(ARN)));
        assert!(!allows(&[statement("events.amazonaws.com", None)], "000000000000", &gateway(ARN)));
        assert!(allows(&[statement("*", None)], "000000000000", &gateway(ARN)));
        let account = |number: &str| {
            [PolicyStatement { source_account: Some(number.into()), ..statement("apigateway.amazonaws.com", None) }]
        };
        assert!(allows(&account("000000000000"), "000000000000", &gateway(ARN)));
        assert!(!allows(&account("111122223333"), "000000000000", &gateway(ARN)));
    }

    #[test]
    fn actions_other_than_invoke_permit_no_call() {
        let with = |action: &str| [PolicyStatement { action: action.into(), ..statement("*", None) }];
        for action in ["lambda:InvokeFunction", "lambda:*", "*", "lambda:Invoke*"] {
            assert!(allows(&with(action), "000000000000", &gateway(ARN)), "{action}");
        }
        for action in ["lambda:GetFunction", "lambda:InvokeFunctionUrl", "s3:*"] {
            assert!(!allows(&with(action), "000000000000", &gateway(ARN)), "{action}");
        }
        let url = PolicyStatement { function_url_auth_type: Some("NONE".into()), ..statement("*", None) };
        assert!(!allows(&[url], "000000000000", &gateway(ARN)));
    }

    #[test]
    fn another_account_needs_a_statement_and_the_own_one_none() {
        let owner = "000000000000";
        let caller = |account: &str| Caller::Account(account.into());
        assert!(allows(&[], owner, &caller(owner)));
        assert!(!allows(&[], owner, &caller("111122223333")));
        for principal in ["111122223333", "arn:aws:iam::111122223333:root", "*"] {
            assert!(allows(&[statement(principal, None)], owner, &caller("111122223333")), "{principal}");
        }
        assert!(!allows(&[statement("arn:aws:iam::111122223333:user/x", None)], owner, &caller("111122223333")));
        assert!(!allows(&[statement("*", Some("arn:aws:s3:::b"))], owner, &caller("111122223333")));
    }

    #[test]
    fn many_stars_are_matched_in_time() {
        let pattern = "*a".repeat(5_000) + "b";
        let began = std::time::Instant::now();
        assert!(!is_like(&pattern, &"a".repeat(5_000)));
        assert!(began.elapsed().as_secs() < 5);
    }
}
