//! What a node file says of backends and of stages' logs, on a real node: a private authority, a stage's client certificate,
//! and logs on standard output.

#[path = "../../benches/peers/signer.rs"]
mod signer;

use super::REGION;
use super::nodes::{Cluster, Launch, START, http, wait_for};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use signer::Signer;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

/// A node of its own with this node file.
fn start(folder: &Path, file: &str) -> Cluster {
    Cluster::start_each(&[(REGION, with(folder, file))])
}

fn with(folder: &Path, file: &str) -> Launch {
    let path = folder.join("node.toml");
    std::fs::write(&path, file).expect("a node file");
    Launch { flags: vec!["--config".into(), path.to_string_lossy().into_owned()], ..Launch::default() }
}

/// One call as an AWS client makes it; gives the answer's JSON.
fn signed(cluster: &Cluster, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let address = cluster.nodes[0].listen.admin;
    let signer = Signer {
        access_key_id: cluster.access_key_id.clone(),
        secret_access_key: cluster.secret_access_key.clone(),
        region: REGION.into(),
        host: address.to_string(),
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let own = signer.headers(method, path, body.as_bytes());
    let headers: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut client = http::Client::connect(address).expect("the admin listener");
    let answer = client.send(method, path, &headers, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    answer.json().unwrap_or_default()
}

/// An API whose `/x` goes to `uri`, deployed as `prod`.
fn deployed(cluster: &Cluster, integration: &Value) -> String {
    let file = json!({"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {"/x": {"get": {
        "responses": {"200": {"description": ""}}, "x-amazon-apigateway-integration": integration}}}});
    let made = signed(cluster, "POST", "/restapis?mode=import", &file, 201);
    let api = made["id"].as_str().expect("an id").to_owned();
    signed(cluster, "POST", &format!("/restapis/{api}/deployments"), &json!({"stageName": "prod"}), 201);
    api
}

fn visit(cluster: &Cluster, api: &str, path: &str) -> http::Answer {
    let target = format!("/_aws/execute-api/{api}/prod{path}");
    http::get(cluster.nodes[0].listen.gateway_http, &target, &[]).expect("an answer")
}

/// A backend with a certificate for `localhost` that `issuer` signed, which serves only callers with the `caller`'s
/// certificate, and answers with its length; its port.
fn backend(issuer: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>, caller: CertificateDer<'static>) -> u16 {
    let provider = meridian::net::http::tls::provider;
    let key = rcgen::KeyPair::generate().expect("key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_string()]).expect("params");
    let own = params.signed_by(&key, issuer).expect("signed");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(caller).expect("root");
    let callers = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().expect("verifier");
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(callers)
        .with_single_cert(vec![own.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(config.clone()).expect("a session");
            std::thread::spawn(move || {
                let mut stream = rustls::StreamOwned::new(session, socket);
                let mut asked = vec![0; 8_192];
                while stream.read(&mut asked).is_ok_and(|n| n > 0) {
                    let shown = stream.conn.peer_certificates().map_or(0, |chain| chain[0].len()).to_string();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{shown}", shown.len());
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_stage_shows_its_certificate_to_a_backend_that_a_private_authority_vouches_for() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("params");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("key");
    let issuer = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, issuer.pem()).expect("ca.pem");
    let trusting = format!("[backends]\nca = {:?}\n", ca.to_string_lossy());
    let mut cluster = start(folder.path(), &trusting);

    let made = signed(&cluster, "POST", "/clientcertificates", &json!({"description": "ours"}), 201);
    let pem = made["pemEncodedCertificate"].as_str().expect("a certificate");
    let caller = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
    let length = caller.len().to_string();
    let port = backend(&issuer, caller);
    let integration = json!({"type": "http_proxy", "httpMethod": "GET", "uri": format!("https://localhost:{port}/"), "responses": {}});
    let api = deployed(&cluster, &integration);
    let network = (504, r#"{"message": "Network error communicating with endpoint"}"#.to_owned());
    let ask = |cluster: &Cluster| {
        let answer = visit(cluster, &api, "/x");
        (answer.status, answer.text())
    };
    let show = |cluster: &Cluster, id: &Value| {
        let patch = json!({"patchOperations": [{"op": "replace", "path": "/clientCertificateId", "value": id}]});
        signed(cluster, "PATCH", &format!("/restapis/{api}/stages/prod"), &patch, 200);
    };
    assert_eq!(ask(&cluster), network, "a stage without a certificate");
    show(&cluster, &made["clientCertificateId"]);
    assert_eq!(ask(&cluster), (200, length.clone()));
    // The key is a sealed row: it is there after a restart, too.
    cluster.nodes[0].kill_9();
    cluster.nodes[0].restart();
    assert_eq!(wait_for("the stage", START, || Some(ask(&cluster)).filter(|a| a.0 != 403)), (200, length));
    show(&cluster, &json!(""));
    assert_eq!(ask(&cluster), network, "a stage that lost its certificate");
    show(&cluster, &made["clientCertificateId"]);
    // Without the node file nobody vouches for the backend.
    cluster.nodes[0].kill_9();
    let doubting = with(folder.path(), "");
    cluster.nodes[0].restart_as(doubting);
    assert_eq!(wait_for("the stage", START, || Some(ask(&cluster)).filter(|a| a.0 != 403)), network);
}

#[test]
fn stages_logs_go_to_standard_output_with_their_names_before_each_line() {
    let folder = tempfile::tempdir().expect("a directory");
    let cluster = start(folder.path(), "[logs]\nto = \"stdout\"\n[log]\naccess = \"off\"\n");
    let mock = json!({"type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
        "responses": {"default": {"statusCode": "200"}}});
    let api = deployed(&cluster, &mock);
    let replace = |path: &str, value: &str| json!({"op": "replace", "path": path, "value": value});
    let patch = json!({"patchOperations": [
        replace("/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:000000000000:log-group:anything"),
        replace("/accessLogSettings/format", "$context.requestId $context.status $context.resourcePath"),
        replace("/*/*/logging/loglevel", "INFO"),
    ]});
    signed(&cluster, "PATCH", &format!("/restapis/{api}/stages/prod"), &patch, 200);
    let answer = visit(&cluster, &api, "/x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.header("x-amzn-requestid").expect("an id").to_owned();
    let node = &cluster.nodes[0];
    let (access, execution) = (format!("access-{api}-prod "), format!("execution-{api}-prod "));
    let lines = wait_for("the lines of both logs", START, || {
        let printed = std::fs::read_to_string(node.data.join("stdout.log")).ok()?;
        // The first line is the node's own: where it listens.
        let lines: Vec<String> = printed.lines().skip(1).map(str::to_owned).collect();
        let done = |line: &String| line.starts_with(&execution) && line.contains("Method completed with status: 200");
        (lines.iter().any(done) && lines.iter().any(|line| line.starts_with(&access))).then_some(lines)
    });
    assert!(lines.contains(&format!("{access}{id} 200 /x")), "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with(&access) || line.starts_with(&execution)), "{lines:#?}");
    assert!(lines.iter().filter(|line| line.starts_with(&execution)).all(|line| line.contains(&id)), "{lines:#?}");
    assert!(!node.data.join("logs").exists(), "nothing goes to files");
}
