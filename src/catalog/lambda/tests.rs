//! Every noun of functions survives the row codec: whole, with members it does not know, and byte for byte as first stored.

use super::*;
use crate::catalog::{Noun, Unknown};
use std::{collections::BTreeMap, fmt::Debug};

fn newer() -> Unknown {
    BTreeMap::from([("fromTheFuture".to_owned(), rmpv::Value::from("kept"))])
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn statement() -> PolicyStatement {
    PolicyStatement {
        statement_id: "s1".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "apigateway.amazonaws.com".into(),
        source_arn: some("arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/GET/pets"),
        source_account: some("000000000000"),
        event_source_token: some("token"),
        principal_org_id: some("o-a1b2c3d4e5"),
        function_url_auth_type: some("NONE"),
        invoked_via_function_url: Some(true),
        unknown: newer(),
    }
}

fn function() -> Function {
    Function {
        function_name: "pets".into(),
        reserved_concurrent_executions: Some(5),
        tags: BTreeMap::from([("team".to_owned(), "pets".to_owned())]),
        created_ms: 1_700_000_000_123,
        unknown: newer(),
    }
}

fn version() -> FunctionVersion {
    FunctionVersion {
        function_name: "pets".into(),
        version: LATEST.into(),
        runtime: "python3.13".into(),
        role: "arn:aws:iam::000000000000:role/run".into(),
        handler: some("pets.handler"),
        description: "all of them".into(),
        timeout: 3,
        memory_size: 128,
        code_size: 5,
        code_sha256: "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=".into(),
        environment_sealed: Some(vec![1, 2, 255]),
        kms_key_arn: some("arn:aws:kms:us-east-1:000000000000:key/k"),
        architectures: vec!["x86_64".into()],
        ephemeral_storage: EphemeralStorage { size: 512, unknown: newer() },
        tracing_config: TracingConfig { mode: "Active".into(), unknown: newer() },
        logging_config: LoggingConfig {
            log_format: "JSON".into(),
            application_log_level: some("INFO"),
            system_log_level: some("WARN"),
            log_group: "/aws/lambda/pets".into(),
            unknown: newer(),
        },
        revision_id: "e5b4f6a8-0000-4000-8000-000000000000".into(),
        last_modified_ms: 1_700_000_000_456,
        policy: vec![statement()],
        unknown: newer(),
    }
}

fn alias() -> Alias {
    Alias {
        name: "live".into(),
        function_version: "1".into(),
        description: "what clients get".into(),
        routing_config: Some(RoutingConfig {
            additional_version_weights: BTreeMap::from([("2".to_owned(), 0.25)]),
            unknown: newer(),
        }),
        revision_id: "e5b4f6a8-0000-4000-8000-000000000001".into(),
        policy: vec![statement()],
        unknown: newer(),
    }
}

/// Both ways, with what a newer version adds and an older one lacks. Returns the row's line of `golden.txt`.
fn survives<T: Noun + Debug + PartialEq + Default>(name: &str, full: &T) -> String {
    let row = |noun: &T| {
        let mut bytes = vec![T::VERSION];
        noun.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()).expect("a noun encodes");
        bytes
    };
    let bytes = row(full);
    assert_eq!(&rmp_serde::from_slice::<T>(&bytes[1..]).expect("a full row reads"), full, "{name}");
    let empty = row(&T::default());
    assert_eq!(rmp_serde::from_slice::<T>(&empty[1..]).expect("an empty row reads"), T::default(), "{name}");
    assert_eq!(rmp_serde::from_slice::<T>(&[0x80]).expect("a row without members reads"), T::default(), "{name}");
    for cut in 1..bytes.len() {
        assert!(rmp_serde::from_slice::<T>(&bytes[1..cut]).is_err(), "{name} cut at {cut}");
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {hex}\n")
}

#[test]
fn every_noun_of_functions_survives_its_row_with_members_of_a_newer_version() {
    let rows = [
        survives("AliasConfiguration", &alias()),
        survives("Function", &function()),
        survives("FunctionConfiguration", &version()),
    ]
    .concat();
    let golden = include_str!("golden.txt");
    assert!(rows == golden, "stored bytes changed (members are only ever added, at the end); they are now:\n{rows}");
}

#[test]
fn rows_of_versions_are_in_the_order_of_their_numbers_and_latest_is_first() {
    let ids: Vec<String> = [LATEST, "1", "9", "10", "18446744073709551615"]
        .iter()
        .map(|version| FunctionVersion::row_id("pets", version))
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with(&FunctionVersion::prefix("pets"))));
}

#[test]
fn an_alias_sends_its_share_of_calls_to_the_other_version() {
    let alias = alias();
    assert_eq!([0.0, 0.2499, 0.25, 0.999].map(|chance| alias.version_for(chance)), ["2", "2", "1", "1"]);
    let plain = Alias { routing_config: None, ..alias };
    assert_eq!(plain.version_for(0.0), "1");
}
