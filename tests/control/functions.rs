//! Functions of a bench: code in a folder of its own, and a host that answers without running any code.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use meridian::control::{Fault, Functions, KeptCode, Replica, Seal};
use meridian::function::blobs::Blobs;
use meridian::function::call::{Answer, Broken, Call, Calling, Invoke, Payload, Refused};
use meridian::function::deployed::Deployed;
use meridian::function::invoker::{Invoker, InvokerParts, Waits};
use meridian::function::run::Run;
use serde_json::{Value, json};

use crate::bench::{Bench, Memory, Reverse, Seen};

/// What a bench takes for a zip: the mark of one, and any bytes.
pub(crate) const ZIP: &[u8] = b"PK\x05\x06 code";
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/run";
/// The largest zip of a bench, bytes.
pub(crate) const MOST_ZIP: u64 = 1 << 20;

/// Code that is kept, and calls that were run.
pub(crate) struct Kept {
    folder: tempfile::TempDir,
    pub(crate) blobs: Arc<Blobs>,
    invoker: Invoker,
    pub(crate) host: Arc<Host>,
}

/// Answers as the event says: `{"say": …}`, `{"fail": true}`, `{"stream": […]}`, `{"break": true}`, `{"refuse": 429}`.
#[derive(Default)]
pub(crate) struct Host(pub(crate) Mutex<Vec<(Deployed, Call)>>);

impl Kept {
    pub(crate) fn new(memory: &Arc<Memory>, runtime: &tokio::runtime::Handle) -> Arc<Kept> {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Arc::new(Blobs::open(folder.path(), MOST_ZIP, 4 << 20).expect("blobs"));
        let (host, memory) = (Arc::new(Host::default()), memory.clone());
        let invoker = Invoker::new(InvokerParts {
            world: Arc::new(move || memory.world()),
            open: Arc::new(|sealed| Reverse.open(sealed)),
            chance: Arc::new(|| 0.5),
            run: host.clone(),
            runtime: runtime.clone(),
            waits: Waits { retries: [Duration::from_millis(1); 2], ..Waits::default() },
        });
        Arc::new(Kept { folder, blobs, invoker, host })
    }

    /// How many files there are.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).expect("the folder").count()
    }
}

impl Functions for Kept {
    fn most_zip_bytes(&self) -> usize {
        MOST_ZIP as usize
    }

    fn keep(&self, zip: Bytes) -> BoxFuture<'_, Result<KeptCode, Fault>> {
        let kept = async move {
            if let Err(why) = self.host.check(zip.clone()).await {
                return Err(Fault::new("InvalidParameterValueException", 400, why));
            }
            let sha256 = self.blobs.put(&zip).map_err(|cause| Fault::unavailable(cause.to_string()))?;
            Ok(KeptCode { sha256, bytes: zip.len() as u64 })
        };
        Box::pin(kept)
    }

    fn code(&self, sha256: [u8; 32]) -> BoxFuture<'_, Result<Bytes, Fault>> {
        let found = self.blobs.read(&sha256).expect("the disk");
        Box::pin(async move { found.ok_or_else(|| Fault::unavailable("no such blob")) })
    }

    fn invoke(&self, call: Call) -> Calling<'_> {
        self.invoker.invoke(call)
    }
}

impl Run for Host {
    fn check(&self, zip: Bytes) -> BoxFuture<'_, Result<(), String>> {
        let good = zip.starts_with(b"PK");
        let why = "Could not unzip uploaded file. Please check your file, then try to upload again.";
        Box::pin(async move { if good { Ok(()) } else { Err(why.to_owned()) } })
    }

    fn run(&self, deployed: Deployed, call: Call) -> Calling<'_> {
        let said: Value = serde_json::from_slice(&call.payload).expect("JSON, for it was looked at");
        let version = deployed.version.clone();
        let log_tail = call.log_tail.then(|| STANDARD.encode("START\nEND\n").into());
        self.0.lock().unwrap().push((deployed, call));
        let refused = said["refuse"].as_u64();
        Box::pin(async move {
            if let Some(status) = refused {
                let message = "Rate Exceeded".into();
                return Err(Refused { status: status as u16, kind: "TooManyRequestsException", message });
            }
            let payload = match (&said["stream"], &said["break"]) {
                (Value::Array(pieces), broken) => {
                    let (sender, receiver) = tokio::sync::mpsc::channel(8);
                    for piece in pieces {
                        let piece = piece.as_str().unwrap_or_default().to_owned();
                        sender.send(Ok(Bytes::from(piece))).await.expect("room");
                    }
                    if broken.as_bool() == Some(true) {
                        let broken = Broken { error_type: "Runtime.ExitError".into(), message: "exit 1".into() };
                        sender.send(Err(broken)).await.expect("room");
                    }
                    Payload::Pieces(receiver)
                }
                _ if said["fail"] == true => Payload::Whole(r#"{"errorMessage":"no","errorType":"Error"}"#.into()),
                _ => Payload::Whole(said["say"].to_string().into()),
            };
            Ok(Answer {
                status: 200,
                function_error: (said["fail"] == true).then(|| "Unhandled".into()),
                log_tail,
                executed_version: Some(version),
                payload,
            })
        })
    }
}

impl Bench {
    /// The body that makes a function.
    pub(crate) fn function_body(name: &str) -> Value {
        json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE,
            "Code": {"ZipFile": STANDARD.encode(ZIP)},
        })
    }

    /// A new function, with more members than it needs.
    pub(crate) fn function(&self, name: &str, more: Value) -> Value {
        let mut body = Bench::function_body(name);
        for (member, value) in more.as_object().expect("an object") {
            body[member] = value.clone();
        }
        self.post("/2015-03-31/functions", body).ok(201)
    }
}

impl Seen {
    /// Status, exception and message of a refusal of Lambda's; whether its `Type` is there.
    pub(crate) fn refused(&self) -> (u16, String, String, Value) {
        let body = self.json();
        let message = body["Message"].as_str().or_else(|| body["message"].as_str()).unwrap_or_default();
        let name = self.header("x-amzn-errortype").unwrap_or_default();
        (self.status, name.to_owned(), message.to_owned(), body["Type"].clone())
    }
}

/// 404 with an ARN.
pub(crate) fn missing(name: &str) -> (u16, String, String, Value) {
    let text = format!("Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}");
    (404, "ResourceNotFoundException".to_owned(), text, json!("User"))
}

/// 400 of Lambda's.
pub(crate) fn invalid(message: &str) -> (u16, String, String, Value) {
    (400, "InvalidParameterValueException".to_owned(), message.to_owned(), json!("User"))
}

/// 400 of the model's.
pub(crate) fn validation(message: &str) -> (u16, String, String, Value) {
    (400, "ValidationException".to_owned(), format!("1 validation error detected: {message}"), Value::Null)
}
