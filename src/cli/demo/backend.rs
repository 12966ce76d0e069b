//! A small HTTP backend of one region: it answers with the region's name.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running backend; it stops when this is dropped.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Backend {
    /// Listens on a free port of loopback.
    pub(super) async fn start(region: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let body = Bytes::from(format!("{{\"region\":\"{region}\"}}\n"));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                let body = body.clone();
                let answer = service_fn(move |_request: Request<Incoming>| {
                    let mut response = Response::new(Full::new(body.clone()));
                    let json = http::HeaderValue::from_static("application/json");
                    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}
