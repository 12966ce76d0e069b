//! One client connection, plain or TLS, for the commands and the demo: HTTP/1.1 by hyper, no pool, no retries.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// An answer, whole.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// An open connection; requests go one after another.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects without TLS to `HOST:PORT`.
    pub(super) async fn plain(address: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Self::over(socket).await
    }

    /// Connects with TLS; the server must prove to be `name`.
    pub(super) async fn tls(address: &str, name: &str, trust: &Arc<rustls::ClientConfig>) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let name = rustls::pki_types::ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        Self::over(tokio_rustls::TlsConnector::from(trust.clone()).connect(name, socket).await?).await
    }

    async fn over<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> io::Result<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends one request and reads its whole answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> io::Result<Answer> {
        self.sender.ready().await.map_err(io::Error::other)?;
        let response = self.sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Answer { status, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
