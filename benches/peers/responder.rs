//! A bare hyper responder: the least that a gateway on hyper spends on an answer of its own. Also the backend of proxies.

use crate::{Flags, Outcome, on_one_thread};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::TcpListener;

/// What a mock answers, at every peer.
pub(crate) const SMALL: &str = "{\"ok\":true}";

fn answer(request: &Request<Incoming>, kib: &Bytes, mib: &Bytes) -> Response<Full<Bytes>> {
    let body = match request.uri().path() {
        "/1k" => kib.clone(),
        "/1m" => mib.clone(),
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
    on_one_thread(async move {
        let listener = TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (kib, mib) = (kib.clone(), mib.clone());
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| {
                    let response = answer(&request, &kib, &mib);
                    async move { Ok::<_, Infallible>(response) }
                });
                // A client that goes away ends its connection; that is no failure of the bench.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })?
}
