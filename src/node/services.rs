//! Where AWS services are and the keys that they are called with, from the node file, its files and variables.

use super::NodeError;
use crate::catalog::AccountId;
use crate::config::{CredentialSettings, NodeConfig, Secret};
use crate::gateway::AwsServices;
use crate::spec::sigv4::Credentials;
use std::path::Path;

/// The credentials that are for the first account, and for the accounts that they list.
const DEFAULT: &str = "default";
/// What calls of `--dev` are signed with where nothing else is said: whatever stands at the endpoint, it is no AWS.
const DEV: &str = "meridian-dev";

pub(super) fn services(config: &NodeConfig) -> Result<AwsServices, NodeError> {
    let aws = &config.aws;
    let setting = |name: &str, why: &dyn std::fmt::Display| NodeError::Setting(format!("{name}: {why}"));
    let mut services = AwsServices::default();
    if let Some(url) = &aws.endpoint {
        services = services.with_usual_endpoint(url).map_err(|why| setting("[aws] endpoint", &why))?;
    }
    for (service, url) in &aws.endpoints {
        let named = |why| setting(&format!("[aws.endpoints] {service}"), &why);
        services = services.with_endpoint(service, url).map_err(named)?;
    }
    for (name, given) in &aws.credentials {
        let keys = keys(name, given, &|variable| std::env::var(variable).ok())?;
        for whose in owners(name, given, config.account.as_str())? {
            services = services.with_credentials(&whose, keys.clone());
        }
    }
    if config.dev && aws.credentials.is_empty() && aws.endpoint.is_some() {
        let keys = Credentials { access_key: DEV.into(), secret: DEV.into(), token: None };
        services = services.with_credentials(config.account.as_str(), keys);
    }
    Ok(services)
}

/// Whose calls are signed: an account's, a role's, or those of the default.
fn owners(name: &str, given: &CredentialSettings, first: &str) -> Result<Vec<String>, NodeError> {
    let wrong = |why: &str| Err(NodeError::Setting(format!("[aws.credentials.\"{name}\"]: {why}")));
    let is_account = |text: &str| AccountId::from(text).is_valid();
    let more = given.accounts.as_deref().unwrap_or_default();
    if name == DEFAULT {
        if let Some(bad) = more.iter().find(|account| !is_account(account)) {
            return wrong(&format!("accounts holds `{bad}`, which is no account: write twelve digits"));
        }
        return Ok(std::iter::once(first.to_owned()).chain(more.iter().cloned()).collect());
    }
    if given.accounts.is_some() {
        return wrong("accounts stands with `default` alone");
    }
    let is_role = name.starts_with("arn:") && name.contains(":iam::") && name.contains(":role/");
    if is_account(name) || is_role {
        return Ok(vec![name.to_owned()]);
    }
    wrong("it is neither `default` nor an account (twelve digits) nor a role (arn:aws:iam::ACCOUNT:role/NAME)")
}

fn keys(
    name: &str,
    given: &CredentialSettings,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Credentials, NodeError> {
    let one = |part: &str, said: Option<&str>, file: Option<&Path>, named: Option<&str>| {
        let wrong = |why: String| NodeError::Setting(format!("[aws.credentials.\"{name}\"] {part}: {why}"));
        let found = match (said, file, named) {
            (None, None, None) => return Ok(None),
            (Some(text), None, None) => text.to_owned(),
            (None, Some(file), None) => {
                std::fs::read_to_string(file).map_err(|why| wrong(format!("{}: {why}", file.display())))?
            }
            (None, None, Some(named)) => {
                variable(named).ok_or_else(|| wrong(format!("the variable {named} is not set")))?
            }
            _ => return Err(wrong(format!("write only one of {part}, {part}_file and {part}_variable"))),
        };
        let text = found.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it is empty, or has letters that no key has".to_owned()));
        }
        Ok(Some(text.to_owned()))
    };
    let missing = |part: &str| {
        NodeError::Setting(format!(
            "[aws.credentials.\"{name}\"] has no {part}: write {part}, {part}_file or {part}_variable"
        ))
    };
    let CredentialSettings { access_key_file, secret_file, token_file, .. } = given;
    let (access, secret) = (given.access_key_variable.as_deref(), given.secret_variable.as_deref());
    let access_key = one("access_key", given.access_key.as_deref(), access_key_file.as_deref(), access)?;
    let shown = given.secret.as_ref().map(Secret::reveal);
    let secret = one("secret", shown, secret_file.as_deref(), secret)?;
    let shown = given.token.as_ref().map(Secret::reveal);
    let token = one("token", shown, token_file.as_deref(), given.token_variable.as_deref())?;
    Ok(Credentials {
        access_key: access_key.ok_or_else(|| missing("access_key"))?,
        secret: secret.ok_or_else(|| missing("secret"))?,
        token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn read(toml: &str) -> Result<AwsServices, String> {
        let settings = Settings::from_toml(toml).map_err(|why| why.to_string())?;
        let config = NodeConfig::resolve(settings, "n", false).map_err(|why| why.to_string())?;
        services(&config).map_err(|why| why.to_string())
    }

    #[test]
    fn credentials_are_read_from_the_file_from_files_and_from_variables_and_never_shown() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("secret");
        std::fs::write(&file, "from-a-file\n").expect("written");
        let toml = format!(
            "[aws]\nendpoint = \"http://127.0.0.1:5000\"\n[aws.endpoints]\n\"lambda.eu-west-1\" = \"http://127.0.0.1:6000\"\n\
             [aws.credentials.default]\naccess_key = \"AKID\"\nsecret = \"hidden-1\"\naccounts = [\"111122223333\"]\n\
             [aws.credentials.\"arn:aws:iam::111122223333:role/r\"]\naccess_key = \"AKROLE\"\nsecret_file = \"{}\"\n",
            file.display()
        );
        let services = format!("{:?}", read(&toml).expect("services"));
        for said in ["AKID", "AKROLE", "000000000000", "111122223333", "role/r", "lambda.eu-west-1"] {
            assert!(services.contains(said), "{said} in {services}");
        }
        let settings = format!("{:?}", Settings::from_toml(&toml).expect("settings"));
        assert!(!services.contains("hidden") && !services.contains("from-a-file") && !settings.contains("hidden"));
        let given = CredentialSettings {
            access_key_variable: Some("A".into()),
            secret_variable: Some("S".into()),
            ..CredentialSettings::default()
        };
        let found = keys("default", &given, &|name| (name == "A").then(|| "AKVAR".to_owned()));
        assert!(found.expect_err("no secret").to_string().contains("the variable S is not set"));
        let found = keys("default", &given, &|name| Some(format!("{name}-value"))).expect("keys");
        assert_eq!((found.access_key.as_str(), found.secret.as_str()), ("A-value", "S-value"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (toml, wanted) in [
            ("[aws]\nendpoint = \"nowhere\"", "[aws] endpoint: `nowhere` is no endpoint"),
            ("[aws.endpoints]\ns3 = \"http://x/y\"", "[aws.endpoints] s3: "),
            ("[aws.credentials.default]\nsecret = \"s\"", "has no access_key"),
            ("[aws.credentials.default]\naccess_key = \"a\"", "has no secret"),
            (
                "[aws.credentials.default]\naccess_key = \"a\"\nsecret = \"s\"\nsecret_file = \"f\"",
                "only one of secret",
            ),
            ("[aws.credentials.default]\naccess_key = \"a\"\nsecret_file = \"/nowhere\"", "/nowhere"),
            ("[aws.credentials.other]\naccess_key = \"a\"\nsecret = \"s\"", "neither `default` nor an account"),
            ("[aws.credentials.default]\naccess_key = \"a\"\nsecret = \"s\"\naccounts = [\"1\"]", "twelve digits"),
            (
                "[aws.credentials.\"111122223333\"]\naccess_key = \"a\"\nsecret = \"s\"\naccounts = []",
                "`default` alone",
            ),
            ("[aws.credentials.default]\naccess_key = \"a b\"\nsecret = \"s\"", "letters that no key has"),
            ("[aws.credentials.default]\nkey = \"a\"", "unknown field"),
        ] {
            let said = read(toml).expect_err(toml);
            assert!(said.contains(wanted), "{toml}: {said}");
        }
    }
}
