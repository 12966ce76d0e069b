//! The admin listener: health, metrics, cluster admin API, and AWS's control plane; on loopback the gateway's forms too.

use super::{NodeShared, operate};
use crate::control::{Principal, Visit};
use crate::net::http::{Body, ConnInfo, Serve};
use crate::observe;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// The service of the admin listener. The listener is bound before the node is built, so that a joining node can say
/// where it is reached; until then everything but `/healthz` answers 503.
#[derive(Clone, Default)]
pub(super) struct Admin {
    pub(super) node: Arc<OnceLock<Arc<NodeShared>>>,
}

impl Serve for Admin {
    async fn serve(self: Rc<Self>, request: Request<Body>, conn: Rc<ConnInfo>) -> Response<Body> {
        if let Some(flaw) = conn.take_head_flaw() {
            return full(message(StatusCode::BAD_REQUEST, flaw));
        }
        let Some(node) = self.node.get().cloned() else {
            let healthy = request.uri().path() == "/healthz";
            let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            return full(message(status, "the node is starting"));
        };
        if super::invoke::is_invoke(request.uri().path()) {
            return super::invoke::on_admin(&node, request, conn).await;
        }
        answer(&node, request, &conn).await
    }
}

fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    operate::answer(status, &json!({ "message": text }))
}

fn full(response: Response<Bytes>) -> Response<Body> {
    response.map(Body::full)
}

async fn answer(node: &Arc<NodeShared>, request: Request<Body>, conn: &ConnInfo) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let limit = node.control.most_body_bytes(&parts.method, parts.uri.path());
    // Bodies that bring code are large: a few at once, and the others wait their turn.
    let _turn = match limit > node.settings.max_body_bytes {
        true => node.settings.large_bodies.acquire().await.ok(),
        false => None,
    };
    let body = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(cause) if cause.is::<LengthLimitError>() => {
            let text = format!("The request body is longer than {limit} bytes");
            return full(message(StatusCode::PAYLOAD_TOO_LARGE, &text));
        }
        Err(_) => return full(message(StatusCode::BAD_REQUEST, "The request body ended early")),
    };
    let request = Request::from_parts(parts, body);
    let seed = match super::arrive::random() {
        Ok(seed) => seed,
        Err(cause) => return full(message(StatusCode::INTERNAL_SERVER_ERROR, &cause.to_string())),
    };
    let visit = Visit { peer: conn.peer, local: conn.local, now_ms: super::clock::now_ms(), seed };
    full(match request.uri().path() {
        "/healthz" => message(StatusCode::OK, "ok"),
        "/readyz" => ready(node),
        "/metrics" => metrics(node),
        "/_dev/reset" => node.reset(&request).await.unwrap_or_else(|fault| refuse(&fault)),
        path if path.starts_with("/cluster/v1/") => match node.control.admit(&request, &visit) {
            Ok(who) => operate(node, &request, &who).await,
            Err(fault) => refuse(&fault),
        },
        _ => return node.control.handle(&request, &visit).await,
    })
}

/// The cluster belongs to its first account: another account's keys do not run it.
async fn operate(node: &Arc<NodeShared>, request: &Request<Bytes>, who: &Principal) -> Response<Bytes> {
    if who.account != node.settings.account && !node.settings.dev {
        let text = "only the cluster's first account runs the cluster: use the admin token of a node";
        return message(StatusCode::FORBIDDEN, text);
    }
    node.operate(request).await
}

fn refuse(fault: &crate::control::Fault) -> Response<Bytes> {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    message(status, &fault.message)
}

/// 200 while the node serves visitors; the admin part says whether changes can be made.
fn ready(node: &NodeShared) -> Response<Bytes> {
    let status = node.config.status();
    let admin = match (&status.stopped, status.leader) {
        (Some(_), _) => "stopped",
        (None, None) => "no leader",
        (None, Some(_)) => "ok",
    };
    let draining = node.receiver.is_draining();
    let code = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    operate::answer(code, &json!({ "serving": !draining, "admin": admin, "index": node.config.world().seq() }))
}

fn metrics(node: &NodeShared) -> Response<Bytes> {
    match observe::encode(&node.registry) {
        Ok(text) => {
            let mut response = Response::new(Bytes::from(text));
            let kind = http::HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
            response
        }
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be encoded"),
    }
}
