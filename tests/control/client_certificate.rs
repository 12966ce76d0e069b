//! ClientCertificate.

use serde_json::{Value, json};

use crate::bench::{Bench, NOW_MS};
use crate::deployment::{bad_request, deploy, mocked, not_found};

const MISSING: &str = "Invalid Client Certificate identifier specified";

#[test]
fn a_certificate_is_made_with_a_key_that_nobody_sees() {
    let bench = Bench::new();
    let made = bench.post("/clientcertificates", json!({"description": "d", "tags": {"a": "b"}})).ok(201);
    let id = made["clientCertificateId"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 6);
    let pem = made["pemEncodedCertificate"].as_str().unwrap();
    let expires = made["expirationDate"].as_i64().unwrap();
    assert!((364..=365).contains(&((expires - NOW_MS / 1000) / 86_400)), "{expires}");
    assert_eq!(
        made,
        json!({
            "clientCertificateId": id, "description": "d", "pemEncodedCertificate": pem, "createdDate": NOW_MS / 1000,
            "expirationDate": expires, "tags": {"a": "b"},
        })
    );
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"));
    assert_eq!(bench.get(&format!("/clientcertificates/{id}")).ok(200), made);
    let bare = bench.post("/clientcertificates", json!({})).ok(201);
    assert!(bare.get("tags").is_none() && bare.get("description").is_none());
    let bare_id = bare["clientCertificateId"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/clientcertificates/{bare_id}")).ok(200)["tags"], json!({}));
    assert_ne!(bare["pemEncodedCertificate"], made["pemEncodedCertificate"]);
    let listed = bench.get("/clientcertificates").ok(200);
    assert_eq!(listed["item"].as_array().unwrap().len(), 2);
    assert!(listed["item"].as_array().unwrap().contains(&bare));
    // The row holds the sealed key of this certificate.
    let world = bench.memory.world.lock().unwrap().clone();
    let scope = meridian::state::Scope::region(&"000000000000".into(), &"us-east-1".into());
    let row: meridian::catalog::v1::ClientCertificate = world.get(&scope, &id).unwrap().unwrap();
    let opened = meridian::control::Seal::open(&crate::bench::Reverse, &row.private_key_sealed).unwrap();
    assert_eq!(opened[0], 0x30, "a DER sequence");
    assert!(!row.private_key_sealed.starts_with(&opened[..16]), "it went through the seal");
}

#[test]
fn a_certificate_changes_its_description_and_goes_when_no_stage_has_it() {
    let bench = Bench::new();
    let made = bench.post("/clientcertificates", json!({})).ok(201);
    let id = made["clientCertificateId"].as_str().unwrap().to_owned();
    let url = format!("/clientcertificates/{id}");
    let after = bench.patch(&url, &[("replace", "/description", json!("new"))]).ok(200);
    assert_eq!(after["description"], json!("new"));
    assert_eq!(
        bench.patch(&url, &[("replace", "/x", json!("new"))]).refusal(),
        bad_request("Invalid patch path  '/x' specified for op 'replace'. Must be one of: [/description]")
    );
    let api = mocked(&bench);
    let deployment = deploy(&bench, &api);
    let stages = format!("/restapis/{api}/stages");
    bench.post(&stages, json!({"stageName": "prod", "deploymentId": deployment})).ok(201);
    let attach = |id: &str| bench.patch(&format!("{stages}/prod"), &[("replace", "/clientCertificateId", json!(id))]);
    assert_eq!(attach("nope").refusal(), bad_request(MISSING));
    assert_eq!(attach(&id).ok(200)["clientCertificateId"], json!(id));
    assert_eq!(
        bench.delete(&url).refusal(),
        bad_request(&format!("Cannot delete client certificate {id}: the stage {api}:prod uses it; detach it first"))
    );
    attach("").ok(200);
    assert_eq!(bench.delete(&url).ok(202), Value::Null);
    for seen in [bench.get(&url), bench.delete(&url), bench.patch(&url, &[])] {
        assert_eq!(seen.refusal(), not_found(MISSING));
    }
}
