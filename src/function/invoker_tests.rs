//! Calls on a node whose host is a small one of these tests: it keeps calls until they are let go, and counts them.

use super::*;
use crate::catalog::lambda::{Function, FunctionVersion, LATEST, PolicyStatement};
use crate::state::Ops;
use base64::Engine;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

const MOMENT: Duration = Duration::from_millis(1);

/// Answers with the version's name and the event; fails where the event says so.
#[derive(Default)]
struct Host {
    runs: AtomicUsize,
    /// Calls wait for these permits where some are asked for.
    gate: Option<Arc<Semaphore>>,
    full: AtomicUsize,
}

impl Run for Host {
    fn check(&self, _: Bytes) -> futures_util::future::BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn run(&self, deployed: Deployed, call: Call) -> Calling<'_> {
        Box::pin(async move {
            self.runs.fetch_add(1, Ordering::SeqCst);
            assert_eq!(call.invocation, InvocationType::RequestResponse);
            if self.full.load(Ordering::SeqCst) > 0 {
                self.full.fetch_sub(1, Ordering::SeqCst);
                return Err(too_many("full"));
            }
            if let Some(gate) = &self.gate {
                gate.acquire().await.unwrap().forget();
            }
            let failed = call.payload == "fail"[..];
            let payload = if call.streamed {
                let (sender, pieces) = mpsc::channel(1);
                tokio::spawn(async move {
                    for piece in ["one", "two"] {
                        let _ = sender.send(Ok(Bytes::from_static(piece.as_bytes()))).await;
                    }
                });
                Payload::Pieces(pieces)
            } else {
                Payload::Whole(call.payload)
            };
            let function_error = failed.then(|| "Unhandled".into());
            let executed_version = Some(deployed.version);
            Ok(Answer { status: 200, function_error, log_tail: None, executed_version, payload })
        })
    }
}

fn world(reserved: Option<u32>, policy: Vec<PolicyStatement>) -> Arc<World> {
    let mut world = World::default();
    let mut ops = Ops::new();
    let scope = address().scope();
    ops.put(&scope, "pets", &Function { reserved_concurrent_executions: reserved, ..Function::default() });
    let row = FunctionVersion {
        function_name: "pets".into(),
        version: LATEST.into(),
        code_sha256: base64::engine::general_purpose::STANDARD.encode([7; 32]),
        policy,
        ..FunctionVersion::default()
    };
    ops.put(&scope, &FunctionVersion::row_id("pets", LATEST), &row);
    world.advance(1, &ops.0);
    Arc::new(world)
}

fn address() -> Address {
    Address { region: "us-east-1".into(), account: "000000000000".into(), name: "pets".into(), qualifier: None }
}

fn invoker(world: Arc<World>, host: Arc<Host>) -> Invoker {
    Invoker::new(InvokerParts {
        world: Arc::new(move || world.clone()),
        open: Arc::new(|sealed| Some(sealed.to_vec())),
        chance: Arc::new(|| 0.5),
        run: host,
        runtime: tokio::runtime::Handle::current(),
        waits: Waits { retries: [MOMENT; 2], pauses: (MOMENT, MOMENT), ..Waits::default() },
    })
}

fn call(invocation: InvocationType, payload: &'static str) -> Call {
    Call {
        function: address(),
        caller: Caller::Account("000000000000".into()),
        invocation,
        payload: Bytes::from_static(payload.as_bytes()),
        client_context: None,
        trace: None,
        log_tail: false,
        streamed: false,
        request_id: "r".into(),
        until: Instant::now() + Duration::from_secs(60),
    }
}

fn gateway(payload: &'static str) -> Call {
    let caller = Caller::Service {
        principal: "apigateway.amazonaws.com".into(),
        source_arn: "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/prod/GET/".into(),
        source_account: "000000000000".into(),
    };
    Call { caller, ..call(InvocationType::RequestResponse, payload) }
}

#[tokio::test]
async fn a_call_is_run_and_a_dry_one_is_not() {
    let host = Arc::new(Host::default());
    let invoker = invoker(world(None, Vec::new()), host.clone());
    let answer = invoker.invoke(call(InvocationType::RequestResponse, "{}")).await.unwrap();
    assert_eq!((answer.status, answer.executed_version.as_deref()), (200, Some(LATEST)));
    let answer = invoker.invoke(call(InvocationType::DryRun, "{}")).await.unwrap();
    assert_eq!((answer.status, host.runs.load(Ordering::SeqCst)), (204, 1));
    assert!(invoker.knows(&address()));
    assert!(!invoker.knows(&Address { name: "cats".into(), ..address() }));
}

#[tokio::test]
async fn a_gateway_calls_only_what_a_statement_permits() {
    let permission = PolicyStatement {
        statement_id: "s".into(),
        action: "lambda:InvokeFunction".into(),
        principal: "apigateway.amazonaws.com".into(),
        source_arn: Some("arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*".into()),
        ..PolicyStatement::default()
    };
    let permitted = invoker(world(None, vec![permission]), Arc::default());
    assert_eq!(permitted.invoke(gateway("{}")).await.unwrap().status, 200);
    let host = Arc::new(Host::default());
    let forbidden = invoker(world(None, Vec::new()), host.clone());
    let refused = forbidden.invoke(gateway("{}")).await.unwrap_err();
    assert_eq!((refused.status, refused.kind), (403, "AccessDeniedException"));
    let mut missing = gateway("{}");
    missing.function.name = "cats".into();
    assert_eq!(forbidden.invoke(missing).await.unwrap_err().status, 404);
    let mut stranger = call(InvocationType::DryRun, "{}");
    stranger.caller = Caller::Account("111122223333".into());
    assert_eq!(forbidden.invoke(stranger.clone()).await.unwrap_err().status, 403);
    stranger.function.name = "cats".into();
    assert_eq!(forbidden.invoke(stranger).await.unwrap_err().status, 403, "a stranger does not learn what there is");
    assert_eq!(host.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_are_reserved() {
    let gate = Arc::new(Semaphore::new(0));
    let host = Arc::new(Host { gate: Some(gate.clone()), ..Host::default() });
    let invoker = invoker(world(Some(2), Vec::new()), host.clone());
    let start = || {
        let invoker = invoker.clone();
        tokio::spawn(async move { invoker.invoke(call(InvocationType::RequestResponse, "{}")).await.map(|a| a.status) })
    };
    let running = [start(), start()];
    while host.runs.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let refused = start().await.unwrap().unwrap_err();
    assert_eq!((refused.status, refused.kind, &*refused.message), (429, "TooManyRequestsException", "Rate Exceeded."));
    gate.add_permits(2);
    for one in running {
        assert_eq!(one.await.unwrap(), Ok(200));
    }
    gate.add_permits(1);
    assert_eq!(start().await.unwrap(), Ok(200));
    assert!(invoker.0.running.lock().unwrap().is_empty(), "nothing is remembered of functions that do not run");
}

#[tokio::test]
async fn a_streamed_call_holds_its_place_until_its_last_piece() {
    let invoker = invoker(world(Some(1), Vec::new()), Arc::default());
    let streamed = || Call { streamed: true, ..call(InvocationType::RequestResponse, "{}") };
    let answer = invoker.invoke(streamed()).await.unwrap();
    assert_eq!(invoker.invoke(streamed()).await.unwrap_err().status, 429);
    let Payload::Pieces(mut pieces) = answer.payload else { panic!("not in pieces") };
    let mut got = Vec::new();
    while let Some(piece) = pieces.recv().await {
        got.push(piece.unwrap());
    }
    assert_eq!(got, ["one", "two"]);
    while !invoker.0.running.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(invoker.invoke(streamed()).await.unwrap().status, 200);
}

#[tokio::test]
async fn nothing_is_run_where_nothing_may() {
    let host = Arc::new(Host::default());
    let invoker = invoker(world(Some(0), Vec::new()), host.clone());
    for invocation in [InvocationType::RequestResponse, InvocationType::Event] {
        assert_eq!(invoker.invoke(call(invocation, "{}")).await.unwrap_err().status, 429);
    }
    assert_eq!(host.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_event_is_taken_at_once_and_tried_three_times() {
    let host = Arc::new(Host::default());
    let invoker = invoker(world(None, Vec::new()), host.clone());
    // Its room is free again once it is over.
    let over = async || {
        while invoker.0.events.available_permits() < EVENTS_KIB {
            tokio::task::yield_now().await;
        }
        host.runs.load(Ordering::SeqCst)
    };
    let taken = invoker.invoke(call(InvocationType::Event, "fail")).await.unwrap();
    assert_eq!((taken.status, taken.executed_version.as_deref()), (202, Some(LATEST)));
    assert_eq!(over().await, 3);
    // While there is no room it waits, and that is no failure of the function.
    host.full.store(5, Ordering::SeqCst);
    invoker.invoke(call(InvocationType::Event, "{}")).await.unwrap();
    assert_eq!(over().await, 9);
}

#[tokio::test]
async fn events_take_no_more_memory_than_they_may() {
    let gate = Arc::new(Semaphore::new(0));
    let invoker = invoker(world(None, Vec::new()), Arc::new(Host { gate: Some(gate.clone()), ..Host::default() }));
    let large = Bytes::from(vec![b'1'; 1 << 20]);
    let event = || Call { payload: large.clone(), ..call(InvocationType::Event, "") };
    for _ in 0..256 {
        invoker.invoke(event()).await.unwrap();
    }
    let refused = invoker.invoke(event()).await.unwrap_err();
    assert_eq!((refused.status, refused.kind), (429, "TooManyRequestsException"));
}
