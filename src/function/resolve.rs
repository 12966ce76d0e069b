//! From the address of a call to the version that runs: aliases, weights, numbers, `$LATEST`.

use super::call::{Address, Refused};
use super::deployed::Deployed;
use crate::catalog::lambda::{Alias, Function, FunctionVersion, LATEST, PolicyStatement};
use crate::catalog::{AccountId, Region};
use crate::state::{RowError, Scope, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// What a call reaches.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The version that runs.
    pub deployed: Deployed,
    /// The policy of what was named: of an alias, not of its version.
    pub policy: Vec<PolicyStatement>,
}

impl Address {
    /// Where its rows are.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::region(&AccountId::from(&*self.account), &Region::from(&*self.region))
    }

    /// `arn:aws:lambda:{region}:{account}:function:{name}[:{qualifier}]`.
    #[must_use]
    pub fn arn(&self) -> String {
        let qualifier = self.qualifier.as_deref().map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        format!("arn:aws:lambda:{}:{}:function:{}{qualifier}", self.region, self.account, self.name)
    }

    /// The address in an ARN of a function; `None` for any other text.
    #[must_use]
    pub fn from_arn(arn: &str) -> Option<Address> {
        let parts: Vec<&str> = arn.split(':').collect();
        let (region, account, name, qualifier) = match parts[..] {
            ["arn", partition, "lambda", region, account, "function", name] if partition.starts_with("aws") => {
                (region, account, name, None)
            }
            ["arn", partition, "lambda", region, account, "function", name, qualifier]
                if partition.starts_with("aws") =>
            {
                (region, account, name, Some(qualifier.into()))
            }
            _ => return None,
        };
        let known = Region::from(region).is_valid() && AccountId::from(account).is_valid();
        let plain = |text: &str| !text.is_empty() && !text.contains(['/', '\0']);
        let whole = known && plain(name) && qualifier.as_deref().is_none_or(plain);
        whole.then(|| Address { region: region.into(), account: account.into(), name: name.into(), qualifier })
    }
}

/// Whether the World has the function, under any qualifier.
#[must_use]
pub fn knows(world: &World, function: &Address) -> bool {
    world.row(&function.scope(), crate::catalog::Table::Function, &function.name).is_some()
}

/// Finds the version that a call reaches; `chance` (random, 0 to 1 without 1) decides between an alias's two versions, and
/// `open` opens what is sealed.
///
/// # Errors
/// ResourceNotFoundException; ServiceException for rows that this node cannot read.
pub fn resolve(
    world: &World,
    function: &Address,
    chance: f64,
    open: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Resolved, Refused> {
    let scope = function.scope();
    let missing = || not_found(&function.arn());
    let own: Function = world.get(&scope, &function.name).map_err(unreadable)?.ok_or_else(missing)?;
    let qualifier = function.qualifier.as_deref().unwrap_or(LATEST);
    let numbered = |version: &str| {
        let found = world.get::<FunctionVersion>(&scope, &FunctionVersion::row_id(&function.name, version));
        // `01` has the row id of `1`.
        found.map_err(unreadable)?.filter(|found| found.version == version).ok_or_else(missing)
    };
    let (version, policy) = if is_version(qualifier) {
        let version = numbered(qualifier)?;
        let policy = version.policy.clone();
        (version, policy)
    } else {
        let alias: Option<Alias> = world.get(&scope, &Alias::row_id(&function.name, qualifier)).map_err(unreadable)?;
        let alias = alias.ok_or_else(missing)?;
        (numbered(alias.version_for(chance))?, alias.policy)
    };
    let deployed = deployed(function, own.reserved_concurrent_executions, version, open)?;
    Ok(Resolved { deployed, policy })
}

/// Whether a qualifier is a version, not an alias.
#[must_use]
pub fn is_version(qualifier: &str) -> bool {
    qualifier == LATEST || (!qualifier.is_empty() && qualifier.bytes().all(|b| b.is_ascii_digit()))
}

/// SHA-256 as the API writes it, base64, as bytes.
#[must_use]
pub fn sha256_of_text(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn deployed(
    function: &Address,
    reserved_concurrency: Option<u32>,
    version: FunctionVersion,
    open: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Deployed, Refused> {
    let internal = |what: &str| {
        tracing::error!(function = %function.arn(), what, "a function's row cannot be used");
        failed()
    };
    let environment: BTreeMap<String, String> = match &version.environment_sealed {
        None => BTreeMap::new(),
        Some(sealed) => {
            let opened = open(sealed).ok_or_else(|| internal("its environment cannot be unsealed on this node"))?;
            serde_json::from_slice(&opened).map_err(|_| internal("its environment is no JSON object of texts"))?
        }
    };
    let code_sha256 = sha256_of_text(&version.code_sha256).ok_or_else(|| internal("its code has no hash"))?;
    let unqualified = Address { qualifier: None, ..function.clone() }.arn();
    Ok(Deployed {
        key: format!("{unqualified}:{}#{}", version.version, version.revision_id).into(),
        arn: function.arn().into(),
        name: function.name.clone(),
        version: version.version.into(),
        account: function.account.clone(),
        region: function.region.clone(),
        runtime: version.runtime.into(),
        handler: version.handler.unwrap_or_default().into(),
        memory_mb: version.memory_size,
        ephemeral_mb: version.ephemeral_storage.size,
        timeout_s: version.timeout,
        architecture: version.architectures.into_iter().next().unwrap_or_default().into(),
        environment,
        log_group: version.logging_config.log_group.into(),
        code_sha256,
        code_bytes: version.code_size,
        reserved_concurrency,
    })
}

fn not_found(arn: &str) -> Refused {
    let message = format!("Function not found: {arn}").into();
    Refused { status: 404, kind: "ResourceNotFoundException", message }
}

fn failed() -> Refused {
    Refused { status: 500, kind: "ServiceException", message: "An internal error occurred.".into() }
}

fn unreadable(cause: RowError) -> Refused {
    tracing::error!(%cause, "a function's row cannot be read");
    failed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::lambda::RoutingConfig;
    use crate::state::Ops;

    fn address(qualifier: Option<&str>) -> Address {
        let qualifier = qualifier.map(Into::into);
        Address { region: "us-east-1".into(), account: "000000000000".into(), name: "pets".into(), qualifier }
    }

    fn world() -> World {
        let mut world = World::default();
        let mut ops = Ops::new();
        let scope = address(None).scope();
        ops.put(&scope, "pets", &Function { reserved_concurrent_executions: Some(2), ..Function::default() });
        for (version, revision) in [(LATEST, "r0"), ("1", "r1"), ("2", "r2")] {
            let row = FunctionVersion {
                function_name: "pets".into(),
                version: version.into(),
                revision_id: revision.into(),
                code_sha256: STANDARD.encode([7; 32]),
                environment_sealed: Some(br#"{"A":"b"}"#.to_vec()),
                timeout: 3,
                policy: vec![PolicyStatement { statement_id: version.into(), ..PolicyStatement::default() }],
                ..FunctionVersion::default()
            };
            ops.put(&scope, &FunctionVersion::row_id("pets", version), &row);
        }
        let alias = Alias {
            name: "live".into(),
            function_version: "1".into(),
            routing_config: Some(RoutingConfig {
                additional_version_weights: [("2".to_owned(), 0.5)].into(),
                ..RoutingConfig::default()
            }),
            policy: vec![PolicyStatement { statement_id: "alias".into(), ..PolicyStatement::default() }],
            ..Alias::default()
        };
        ops.put(&scope, &Alias::row_id("pets", "live"), &alias);
        world.advance(1, &ops.0);
        world
    }

    #[test]
    fn a_call_reaches_latest_a_number_or_what_an_alias_names() {
        let world = world();
        let found = |qualifier: Option<&str>, chance: f64| {
            let found = resolve(&world, &address(qualifier), chance, &|sealed| Some(sealed.to_vec())).unwrap();
            (found.deployed.version.to_string(), found.policy[0].statement_id.clone())
        };
        assert_eq!(found(None, 0.0), (LATEST.to_owned(), LATEST.to_owned()));
        assert_eq!(found(Some(LATEST), 0.0), (LATEST.to_owned(), LATEST.to_owned()));
        assert_eq!(found(Some("2"), 0.0), ("2".to_owned(), "2".to_owned()));
        assert_eq!(found(Some("live"), 0.4), ("2".to_owned(), "alias".to_owned()));
        assert_eq!(found(Some("live"), 0.6), ("1".to_owned(), "alias".to_owned()));
    }

    #[test]
    fn what_runs_carries_its_environment_and_never_prints_it() {
        let found = resolve(&world(), &address(Some("live")), 0.9, &|sealed| Some(sealed.to_vec())).unwrap().deployed;
        assert_eq!(&*found.key, "arn:aws:lambda:us-east-1:000000000000:function:pets:1#r1");
        assert_eq!(&*found.arn, "arn:aws:lambda:us-east-1:000000000000:function:pets:live");
        assert_eq!((found.environment["A"].as_str(), found.reserved_concurrency), ("b", Some(2)));
        assert!(!format!("{found:?}").contains("\"b\""));
        let sealed = resolve(&world(), &address(None), 0.0, &|_| None).unwrap_err();
        assert_eq!((sealed.status, sealed.kind), (500, "ServiceException"));
    }

    #[test]
    fn what_there_is_not_is_refused_with_its_arn() {
        let world = world();
        for qualifier in ["3", "dead", "01"] {
            let refused = resolve(&world, &address(Some(qualifier)), 0.0, &|_| None).unwrap_err();
            let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:pets:{qualifier}");
            assert_eq!((refused.status, &*refused.message), (404, format!("Function not found: {arn}").as_str()));
        }
        assert!(knows(&world, &address(Some("3"))));
        assert!(!knows(&world, &Address { name: "cats".into(), ..address(None) }));
    }

    #[test]
    fn an_arn_is_an_address_and_other_text_is_none() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:pets:live";
        assert_eq!(Address::from_arn(arn), Some(address(Some("live"))));
        assert_eq!(Address::from_arn("arn:aws:lambda:us-east-1:000000000000:function:pets"), Some(address(None)));
        for text in [
            "pets",
            "arn:aws:lambda:us-east-1:000000000000:function",
            "arn:aws:lambda:us-east-1:000000000000:function:",
            "arn:aws:lambda:us-east-1:1:function:pets",
            "arn:aws:lambda:US:000000000000:function:pets",
            "arn:aws:lambda:us-east-1:000000000000:function:a/b",
            "arn:aws:lambda:us-east-1:000000000000:function:pets:a:b",
            "arn:aws:lambda:us-east-1:000000000000:layer:pets",
        ] {
            assert_eq!(Address::from_arn(text), None, "{text}");
        }
    }
}
