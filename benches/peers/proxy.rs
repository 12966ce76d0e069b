//! A bare hyper proxy: hyper on both sides, an idle list per worker, and nothing between; plain or TLS, h1 or h2.

use crate::{Flags, Outcome, on_one_thread, tls};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

/// Connections to the backend that wait for their next request.
#[derive(Clone)]
struct Upstream {
    address: Rc<str>,
    idle: Rc<RefCell<Vec<SendRequest<Incoming>>>>,
}

impl Upstream {
    async fn forward(self, request: Request<Incoming>) -> Outcome<Response<Incoming>> {
        let taken = self.idle.borrow_mut().pop().filter(|sender| !sender.is_closed());
        let mut sender = match taken {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(&*self.address).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                spawn_local(connection);
                sender
            }
        };
        let (mut parts, body) = request.into_parts();
        // h2 requests carry an absolute target; the backend is asked by path alone.
        if let Some(path) = parts.uri.path_and_query().filter(|_| parts.uri.authority().is_some()) {
            parts.headers.insert(hyper::header::HOST, hyper::header::HeaderValue::from_str(&self.address)?);
            parts.uri = hyper::Uri::from(path.clone());
            parts.version = hyper::Version::HTTP_11;
        }
        let response = sender.send_request(Request::from_parts(parts, body)).await?;
        spawn_local(async move {
            if sender.ready().await.is_ok() {
                self.idle.borrow_mut().push(sender);
            }
        });
        Ok(response)
    }
}

/// Runs h2 streams on this thread.
#[derive(Clone)]
struct Here;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, h2: bool, upstream: Upstream) {
    let service = service_fn(move |request| upstream.clone().forward(request));
    let io = TokioIo::new(stream);
    if h2 {
        let _ = hyper::server::conn::http2::Builder::new(Here).serve_connection(io, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}

/// `proxy --listen ADDRESS --upstream ADDRESS [--cert FILE --key FILE]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let address = flags.text("listen").unwrap_or("127.0.0.1:0").to_owned();
    let upstream: Rc<str> = flags.text("upstream").ok_or("--upstream is missing")?.into();
    let acceptor = match (flags.text("cert"), flags.text("key")) {
        (Some(cert), Some(key)) => Some(TlsAcceptor::from(tls::server(cert, key)?)),
        _ => None,
    };
    on_one_thread(async move {
        let upstream = Upstream { address: upstream, idle: Rc::default() };
        let listener = TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (upstream, acceptor) = (upstream.clone(), acceptor.clone());
            spawn_local(async move {
                match acceptor {
                    None => serve(stream, false, upstream).await,
                    Some(acceptor) => {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        serve(stream, h2, upstream).await;
                    }
                }
            });
        }
    })?
}
