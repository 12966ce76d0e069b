//! Signers that are not ours against a listener that asks for credentials: boto3, the AWS CLI, curl, presigned queries.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use meridian::catalog::AccountId;
use meridian::catalog::cluster::AdminKey;
use meridian::control::{Control, Seal, Visit};
use meridian::state::{Ops, Scope};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bench::{Bench, Reverse};

fn visit(peer: SocketAddr, local: SocketAddr) -> Visit {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let seed = now.as_nanos().to_be_bytes();
    Visit { peer, local, now_ms: i64::try_from(now.as_millis()).expect("a clock"), seed }
}

async fn serve(listener: TcpListener, control: Arc<Control>) {
    while let Ok((socket, peer)) = listener.accept().await {
        let (control, local) = (control.clone(), socket.local_addr().expect("an address"));
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let control = control.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                let answer = control.handle(&http::Request::from_parts(parts, body), &visit(peer, local)).await;
                Ok::<_, Infallible>(answer.map(Full::new))
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

fn guarded() -> Bench {
    let bench = Bench::with(|s| s.dev = false);
    let mut ops = Ops::new();
    let key = AdminKey {
        account: AccountId::from("111122223333"),
        secret_sealed: Reverse.seal(b"root/secret+key", [0; 16]),
        ..AdminKey::default()
    };
    ops.put(&Scope::cluster(), "AKROOT", &key);
    bench.memory.put(&ops.0);
    bench
}

#[test]
fn boto3_the_aws_cli_curl_and_presigned_queries_are_verified() {
    let Ok(python) = std::env::var("MERIDIAN_TEST_PYTHON") else {
        eprintln!("SKIPPED: MERIDIAN_TEST_PYTHON names no python with boto3; run ./scripts/test");
        return;
    };
    let bench = guarded();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(serve(listener, bench.control.clone()));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control/signers.py");
    let run =
        Command::new(python).args([script, &endpoint, "AKROOT", "root/secret+key"]).output().expect("python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut seen: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    if seen["curl"] == json!("SKIPPED: no curl") {
        eprintln!("{}", seen["curl"]);
        seen["curl"] = json!("curl");
    }
    let invalid = "The security token included in the request is invalid.";
    for (what, expected) in [
        (
            "made",
            json!({"name": "péts & co", "binaryMediaTypes": ["image/png"], "tags": {"a b": "c/d+e=f"}, "apiKeySource": "HEADER"}),
        ),
        ("tags", json!({"k": "v w"})),
        ("paged", json!(4)),
        ("odd_label", json!([404, "NotFoundException", "Invalid API identifier specified 111122223333:a/b c%+é"])),
        ("odd_query", json!([400, "BadRequestException", "Invalid position parameter"])),
        ("unknown_key", json!([403, "UnrecognizedClientException", invalid])),
        ("token", json!([403, "UnrecognizedClientException", invalid])),
        ("absent", json!([501, "NotImplementedException", "Meridian does not implement GetSdkTypes yet"])),
        ("presigned", json!(true)),
        ("presigned_changed", json!([403, "InvalidSignatureException"])),
        ("cli", json!("péts & co")),
        ("curl", json!("curl")),
    ] {
        assert_eq!(seen[what], expected, "{what}");
    }
    assert_eq!(seen["wrong_secret"][1], json!("InvalidSignatureException"));
    assert!(seen["created"].as_f64().is_some_and(|s| s > 1.6e9), "{}", seen["created"]);
}
