//! The stage's cache: what is kept, for whom, for how long, and that misses together call once.

use super::backends::{Act, Backend, plain};
use super::site::{Rows, Site, proxy};
use meridian::catalog::v1::{Integration, MethodSetting, Stage, UnauthorizedCacheControlHeaderStrategy as Strategy};
use meridian::gateway::Clock;
use meridian::usage::Now;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// A clock that only a test moves.
#[derive(Default)]
struct Still(AtomicU64);

impl Still {
    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000_000_000, Ordering::SeqCst);
    }
}

impl Clock for Still {
    fn now(&self) -> Now {
        Now { mono_ns: self.0.load(Ordering::SeqCst), utc_ms: 1_700_000_000_000 }
    }
}

fn keyed(uri: &str, names: &[&str]) -> Integration {
    Integration { cache_key_parameters: names.iter().map(|name| (*name).to_owned()).collect(), ..proxy(uri) }
}

fn cached(stage: &mut Stage) {
    stage.cache_cluster_enabled = true;
    let setting = MethodSetting { caching_enabled: true, ..MethodSetting::default() };
    stage.method_settings.insert("*/*".into(), setting);
}

/// Each answer tells which call it was.
async fn counting() -> Backend {
    Backend::start(|n| Act::Say(plain(200, "X-Own: 1\r\nCache-Control: no-store\r\n", &format!("call {n}")))).await
}

fn rows(backend: &Backend, more: impl FnOnce(&mut Stage)) -> Rows {
    let mut rows = Rows::new().method(
        "/pets/{proxy+}",
        "ANY",
        keyed(&backend.url("/{proxy}"), &["method.request.path.proxy", "method.request.querystring.q"]),
    );
    rows.redeploy(|stage| {
        cached(stage);
        more(stage);
    });
    rows
}

async fn at(rows: &Rows) -> (Site, Arc<Still>) {
    let clock = Arc::new(Still::default());
    let parts = clock.clone();
    (Site::with(rows, |made| made.clock = parts).await, clock)
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_by_what_its_key_names() {
    let backend = counting().await;
    let (site, clock) = at(&rows(&backend, |_| {})).await;
    let first = site.get("/pets/1?q=a&other=1").await;
    assert_eq!((first.status, first.text().as_str()), (200, "call 0"));
    let again = site.ask("GET", "/pets/1?other=2&q=a", "X-Else: 1\r\n", "").await;
    assert_eq!((again.text().as_str(), again.header("x-own")), ("call 0", Some("1")));
    assert_ne!(first.header("x-amzn-requestid"), again.header("x-amzn-requestid"));
    assert_eq!(site.get("/pets/2?q=a").await.text(), "call 1");
    assert_eq!(site.get("/pets/1?q=b").await.text(), "call 2");
    // What is set for all methods keeps answers to GET alone.
    assert_eq!(site.ask("POST", "/pets/1?q=a", "", "x").await.text(), "call 3");
    assert_eq!(site.ask("POST", "/pets/1?q=a", "", "x").await.text(), "call 4");
    clock.pass(299);
    assert_eq!(site.get("/pets/1?q=a").await.text(), "call 0");
    clock.pass(1);
    assert_eq!(site.get("/pets/1?q=a").await.text(), "call 5");
    assert_eq!(site.get("/pets/1?q=a").await.text(), "call 5");
}

#[tokio::test]
async fn a_flush_forgets_and_a_deployment_does_not() {
    let backend = counting().await;
    let mut rows = rows(&backend, |_| {});
    let (site, _) = at(&rows).await;
    assert_eq!(site.get("/pets/1").await.text(), "call 0");
    rows.redeploy(|_| {});
    site.publish(&rows);
    assert_eq!(site.get("/pets/1").await.text(), "call 0");
    rows.redeploy(|stage| stage.cache_flushes += 1);
    site.publish(&rows);
    assert_eq!(site.get("/pets/1").await.text(), "call 1");
    rows.redeploy(|stage| stage.cache_cluster_enabled = false);
    site.publish(&rows);
    assert_eq!(site.get("/pets/1").await.text(), "call 2");
    assert_eq!(site.get("/pets/1").await.text(), "call 3");
}

#[tokio::test]
async fn misses_together_call_the_backend_once() {
    let open = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = open.clone();
    // The first answer waits until all have asked.
    let backend = Backend::start(|n| match n {
        0 => Act::Hang,
        n => Act::Say(plain(200, "", &format!("call {n}"))),
    })
    .await;
    let (site, _) = at(&rows(&backend, |_| {})).await;
    let site = Arc::new(site);
    let ask = |site: Arc<Site>, gate: Arc<tokio::sync::Semaphore>| {
        tokio::spawn(async move {
            let mut raw = site.connect().await;
            raw.send(super::site::request("GET", "/pets/1", "", "")).await;
            gate.add_permits(1);
            raw.answer().await.map(|answer| answer.text())
        })
    };
    let leader = ask(site.clone(), gate.clone());
    backend.seen.arrived.notified().await;
    let others: Vec<_> = (0..20).map(|_| ask(site.clone(), gate.clone())).collect();
    open.acquire_many(21).await.expect("open").forget();
    assert_eq!(backend.requests().len(), 1);
    // The leader's client leaves: one of the others leads, and all get what it brings.
    // Longer than what counts as a half-close.
    tokio::time::sleep(Duration::from_millis(100)).await;
    leader.abort();
    let left = backend.seen.left.notified();
    tokio::time::timeout(Duration::from_secs(5), left).await.expect("the leader's call was cancelled");
    for other in others {
        assert_eq!(other.await.expect("asked").as_deref(), Some("call 1"));
    }
    assert_eq!(backend.requests().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_kept_is_asked_for_each_time_and_passes_whole() {
    let long = "x".repeat(1_048_577);
    let count = Arc::new(AtomicUsize::new(0));
    let (text, seen) = (long.clone(), count.clone());
    let backend = Backend::start(move |n| {
        seen.fetch_add(1, Ordering::SeqCst);
        match n {
            0 | 1 => Act::Say(plain(200, "", &text)),
            // Of unknown length, and too long.
            2 | 3 => Act::SayAndClose(format!("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n{text}").into_bytes()),
            // Of unknown length, and kept.
            4 => Act::SayAndClose(b"HTTP/1.1 404 X\r\nConnection: close\r\n\r\nnothing here".to_vec()),
            _ => Act::Say(b"HTTP/1.1 500 broken\r\nContent-Length: -1\r\n\r\n".to_vec()),
        }
    })
    .await;
    let (site, _) = at(&rows(&backend, |_| {})).await;
    for _ in 0..4 {
        assert_eq!(site.get("/pets/1").await.body.len(), long.len());
    }
    for _ in 0..3 {
        // Whatever the backend said, whatever its status.
        let answer = site.get("/pets/1").await;
        assert_eq!((answer.status, answer.text().as_str()), (404, "nothing here"));
    }
    assert_eq!(count.load(Ordering::SeqCst), 5);
    // What the gateway says itself is not kept.
    let first = site.get("/pets/2").await.status;
    assert!(first >= 500, "{first}");
    assert_eq!(site.get("/pets/2").await.status, first);
    assert_eq!(count.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn only_who_may_has_an_answer_fetched_anew() {
    for (free, strategy, status, warned, fresh) in [
        (true, Strategy::FailWith403, 200, false, true),
        (false, Strategy::FailWith403, 403, false, false),
        (false, Strategy::SucceedWithResponseHeader, 200, true, false),
        (false, Strategy::SucceedWithoutResponseHeader, 200, false, false),
    ] {
        let backend = counting().await;
        let rows = rows(&backend, |stage| {
            let setting = stage.method_settings.get_mut("*/*").expect("set");
            setting.require_authorization_for_cache_control = !free;
            setting.unauthorized_cache_control_header_strategy = strategy.clone();
        });
        let (site, _) = at(&rows).await;
        assert_eq!(site.get("/pets/1").await.text(), "call 0");
        // Neither is what asks for an answer anew.
        for header in ["Cache-Control: no-cache\r\n", "Cache-Control: max-age=00\r\n", "Pragma: no-cache\r\n"] {
            assert_eq!(site.ask("GET", "/pets/1", header, "").await.text(), "call 0");
        }
        let anew = site.ask("GET", "/pets/1", "Cache-Control: no-transform, Max-Age=0\r\n", "").await;
        assert_eq!((anew.status, anew.header("warning").is_some()), (status, warned), "{strategy}");
        if warned {
            let words = "199 Cache-Control header ignored because caller was unauthorized";
            assert_eq!((anew.header("warning"), anew.text().as_str()), (Some(words), "call 0"));
        }
        let now = site.get("/pets/1").await;
        assert_eq!(now.text(), if fresh { "call 1" } else { "call 0" });
        assert_eq!(now.header("warning"), None);
    }
}

#[tokio::test]
async fn kept_answers_take_no_more_memory_than_they_may() {
    let backend = Backend::always(Act::Say(plain(200, "", &"x".repeat(100_000)))).await;
    let rows = rows(&backend, |_| {});
    let site = Site::with(&rows, |parts| parts.limits.cache_bytes = 1_000_000).await;
    for n in 0..60 {
        assert_eq!(site.get(&format!("/pets/{n}")).await.status, 200);
    }
    // Eviction runs beside the visits.
    let began = std::time::Instant::now();
    while site.gateway.cached_bytes() > 1_000_000 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} bytes", site.gateway.cached_bytes());
        site.get("/pets/0").await;
    }
    assert!(site.gateway.cached_bytes() > 100_000);
}

#[tokio::test]
async fn a_compressed_answer_is_kept_once_for_all_codings() {
    let backend = counting().await;
    let mut rows = rows(&backend, |_| {});
    rows.change(|ops| {
        let api = meridian::catalog::v1::RestApi {
            id: super::site::API.into(),
            minimum_compression_size: Some(0),
            ..Default::default()
        };
        ops.put(&super::site::api_scope(), super::site::API, &api);
    });
    rows.redeploy(|_| {});
    let (site, _) = at(&rows).await;
    let packed = site.ask("GET", "/pets/1", "Accept-Encoding: gzip\r\n", "").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let plain = site.get("/pets/1").await;
    assert_eq!((plain.header("content-encoding"), plain.text().as_str()), (None, "call 0"));
}
