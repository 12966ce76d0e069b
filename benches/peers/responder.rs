//! A bare hyper responder: the least that a gateway on hyper spends on an answer of its own. Also the backend of proxies.

use crate::{Flags, Outcome, on_one_thread};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::TcpListener;

/// What a mock answers, at every peer.
pub(crate) const SMALL: &str = "{\"ok\":true}";

/// What answers an order: about a kilobyte of JSON.
fn receipt() -> Bytes {
    let lines: Vec<String> =
        (0..20).map(|n| format!(r#"{{"line":{n},"text":"receipt line {n}","sum":{n}.25}}"#)).collect();
    format!(r#"{{"id":"r-1","total":190.5,"lines":[{}]}}"#, lines.join(",")).into()
}

async fn answer(request: Request<Incoming>, kib: Bytes, mib: Bytes, receipt: Bytes) -> Response<Full<Bytes>> {
    let body = match request.uri().path() {
        "/1k" => kib,
        "/1m" => mib,
        "/order" => {
            // Whoever sends a body must see it read, or the connection ends.
            let _ = request.into_body().collect().await;
            receipt
        }
        _ => Bytes::from_static(SMALL.as_bytes()),
    };
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

/// `responder --listen ADDRESS`: plain HTTP/1.1.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let address = flags.text("listen").unwrap_or("127.0.0.1:0").to_owned();
    let (kib, mib) = (Bytes::from(vec![b'k'; 1 << 10]), Bytes::from(vec![b'm'; 1 << 20]));
    let receipt = receipt();
    on_one_thread(async move {
        let listener = TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (kib, mib, receipt) = (kib.clone(), mib.clone(), receipt.clone());
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| {
                    let response = answer(request, kib.clone(), mib.clone(), receipt.clone());
                    async move { Ok::<_, Infallible>(response.await) }
                });
                // A client that goes away ends its connection; that is no failure of the bench.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })?
}
