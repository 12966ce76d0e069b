//! The load generator: keep-alive requests, as fast as they are answered, with the spread of their times.
//!
//! HTTP/1.1 is written by hand (a fixed request, answers cut by their length), so that it costs little beside what is
//! measured; HTTP/2 is hyper's client. It warms up, prints `start`, measures, and prints one line of JSON.

use crate::{Flags, Outcome, on_one_thread, tls};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio_rustls::TlsConnector;

/// What one run saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// Answers other than 200, and connections that broke.
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

/// What to ask.
#[derive(Clone)]
struct Ask {
    address: String,
    path: String,
    host: String,
    header: Option<(String, String)>,
    tls: Option<TlsConnector>,
    h2: bool,
    streams: usize,
    /// Sent with POST; empty: GET without one. HTTP/1.1 alone.
    body: String,
}

struct Tally {
    times: Histogram<u64>,
    errors: u64,
    measuring: bool,
    stop: bool,
}

type Shared = Rc<RefCell<Tally>>;

fn note(tally: &Shared, began: Instant, good: bool) -> bool {
    let mut tally = tally.borrow_mut();
    if tally.measuring && good {
        tally.times.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    } else if tally.measuring {
        tally.errors += 1;
    }
    tally.stop
}

/// `load --address A --path P [--host H] [--header N:V] [--connections N] [--streams N] [--seconds S] [--cert FILE] [--h2 1]
/// [--body BYTES]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let need = |name: &str| flags.text(name).map(str::to_owned).ok_or(format!("--{name} is missing"));
    let h2 = flags.number("h2", 0_u8) == 1;
    let tls = flags.text("cert").map(|cert| tls::client(cert, h2, true)).transpose()?.map(TlsConnector::from);
    let ask = Ask {
        address: need("address")?,
        path: need("path")?,
        host: flags.text("host").unwrap_or("localhost").to_owned(),
        header: flags.text("header").and_then(|text| text.split_once(':')).map(|(n, v)| (n.to_owned(), v.to_owned())),
        tls,
        h2,
        streams: flags.number("streams", 1),
        body: order(flags.number("body", 0)),
    };
    let (connections, seconds) = (flags.number("connections", 64_usize), flags.number("seconds", 4.0_f64));
    let seen = on_one_thread(measure(ask, connections, seconds))??;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// An order of about this many bytes, as JSON; nothing for none.
fn order(bytes: usize) -> String {
    if bytes == 0 {
        return String::new();
    }
    let item = |n: usize| {
        format!(r#"{{"id":{n},"name":"item number {n}","price":{n}.5,"tags":["a","b"],"nested":{{"ok":true}}}}"#)
    };
    let mut items = String::new();
    for n in 0.. {
        if items.len() + 60 > bytes {
            break;
        }
        items.push_str(if n == 0 { "" } else { "," });
        items.push_str(&item(n));
    }
    format!(r#"{{"customer":"Rex","city":"Lima","items":[{items}]}}"#)
}

async fn measure(ask: Ask, connections: usize, seconds: f64) -> Outcome<Seen> {
    let times = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let tally: Shared = Rc::new(RefCell::new(Tally { times, errors: 0, measuring: false, stop: false }));
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (ask, tally) = (ask.clone(), tally.clone());
            spawn_local(async move {
                while !tally.borrow().stop {
                    if connection(&ask, &tally).await.is_err() {
                        note(&tally, Instant::now(), false);
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    println!("start");
    std::io::stdout().flush()?;
    tally.borrow_mut().measuring = true;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let took = began.elapsed().as_secs_f64();
    let seen = {
        let mut tally = tally.borrow_mut();
        (tally.measuring, tally.stop) = (false, true);
        let (p50_us, p99_us) = (tally.times.value_at_quantile(0.5), tally.times.value_at_quantile(0.99));
        Seen { requests: tally.times.len(), errors: tally.errors, seconds: took, p50_us, p99_us }
    };
    for task in tasks {
        task.abort();
    }
    Ok(seen)
}

async fn connection(ask: &Ask, tally: &Shared) -> Outcome<()> {
    let stream = TcpStream::connect(&ask.address).await?;
    stream.set_nodelay(true)?;
    match &ask.tls {
        None => h1(stream, ask, tally).await,
        Some(connector) => {
            let name = rustls::pki_types::ServerName::try_from(ask.host.clone())?;
            let stream = connector.connect(name, stream).await?;
            if ask.h2 { h2(stream, ask, tally).await } else { h1(stream, ask, tally).await }
        }
    }
}

async fn h1(mut stream: impl AsyncRead + AsyncWrite + Unpin, ask: &Ask, tally: &Shared) -> Outcome<()> {
    let header = ask.header.as_ref().map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
    let (verb, length) = match ask.body.len() {
        0 => ("GET", String::new()),
        length => ("POST", format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")),
    };
    let head = format!("{verb} {} HTTP/1.1\r\nHost: {}\r\n{header}{length}\r\n", ask.path, ask.host);
    let request = (head + &ask.body).into_bytes();
    let mut buffer = vec![0_u8; 64 << 10];
    loop {
        let began = Instant::now();
        stream.write_all(&request).await?;
        let (mut held, mut left) = (0, None);
        let mut good = false;
        while left != Some(0) {
            let read = stream.read(&mut buffer[held..]).await?;
            if read == 0 {
                return Err("closed in the middle of an answer".into());
            }
            match left {
                Some(more) => left = Some(more - read),
                None => {
                    held += read;
                    if let Some(end) = buffer[..held].windows(4).position(|window| window == b"\r\n\r\n") {
                        good = buffer.starts_with(b"HTTP/1.1 200");
                        left = Some(body_length(&buffer[..end])? + end + 4 - held);
                        held = 0;
                    }
                }
            }
        }
        if note(tally, began, good) {
            return Ok(());
        }
    }
}

fn body_length(head: &[u8]) -> Outcome<usize> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) =
        lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).ok_or("an answer without a length")?;
    Ok(value.trim().parse()?)
}

async fn h2(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, ask: &Ask, tally: &Shared) -> Outcome<()> {
    #[derive(Clone)]
    struct Here;
    impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
        fn execute(&self, future: F) {
            spawn_local(async move { drop(future.await) });
        }
    }
    let (sender, connection) = hyper::client::conn::http2::handshake(Here, TokioIo::new(stream)).await?;
    spawn_local(connection);
    let uri = format!("https://{}{}", ask.host, ask.path);
    let streams = (0..ask.streams).map(|_| {
        let (mut sender, uri) = (sender.clone(), uri.clone());
        async move {
            loop {
                let began = Instant::now();
                let mut request = Request::get(&uri).body(Empty::<bytes::Bytes>::new())?;
                if let Some((name, value)) = &ask.header {
                    let name = hyper::header::HeaderName::from_bytes(name.as_bytes())?;
                    request.headers_mut().insert(name, value.parse()?);
                }
                sender.ready().await?;
                let response = sender.send_request(request).await?;
                let good = response.status() == 200;
                let mut body = response.into_body();
                while let Some(frame) = body.frame().await {
                    frame?;
                }
                if note(tally, began, good) {
                    return Outcome::<()>::Ok(());
                }
            }
        }
    });
    futures_util::future::try_join_all(streams).await?;
    Ok(())
}
