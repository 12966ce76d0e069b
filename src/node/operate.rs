//! The cluster admin API, `/cluster/v1/…`: what operators ask and change. The commands print its answers as they are.

use super::door::propose;
use super::token::Token;
use super::{NodeShared, VERSION, arrive::sha256_hex, explain, hex, identity_of, look};
use crate::catalog::cluster::Node;
use crate::catalog::{Mint, Region};
use crate::cluster::MemberChange;
use crate::cluster::admin::{AdminCall, AdminFault, AdminReply};
use crate::control::{Fault, router};
use crate::net::pki::{certificate_from_pem, spki_sha256};
use crate::state::Scope;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};

const CHANGE: Duration = Duration::from_secs(15);
const DEFAULT_TTL_MS: i64 = 3_600_000;

/// A JSON answer.
pub(super) fn answer(status: StatusCode, value: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn refused(status: StatusCode, message: impl Into<String>) -> Response<Bytes> {
    answer(status, &json!({ "message": message.into() }))
}

impl NodeShared {
    /// Answers a request below `/cluster/v1/`, whose sender was let in.
    pub(super) async fn operate(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path: Vec<&str> = request.uri().path().trim_start_matches("/cluster/v1/").split('/').collect();
        let get = request.method() == Method::GET;
        let post = request.method() == Method::POST;
        match path.as_slice() {
            ["status"] if get => answer(StatusCode::OK, &look::status(self)),
            ["members"] if get => answer(StatusCode::OK, &json!({ "members": look::members(self) })),
            ["rtt"] if get => answer(StatusCode::OK, &json!({ "rtt": look::rtt_of_all(self).await })),
            ["check"] if get => answer(StatusCode::OK, &look::check(self).await),
            ["explain", id] if get => explain::explain(self, id).await,
            ["apis", api, "diff"] if get => self.diff(api, request.uri().query()).await,
            ["tokens"] if post => self.create_token(request.body()).await,
            ["members", name] if request.method() == Method::DELETE => {
                self.admin(AdminCall::Remove { name: (*name).to_owned() }).await
            }
            ["members", name, "promote"] if post => {
                self.admin(AdminCall::SetRole { name: (*name).to_owned(), voter: true }).await
            }
            ["members", name, "demote"] if post => {
                self.admin(AdminCall::SetRole { name: (*name).to_owned(), voter: false }).await
            }
            ["members", name, "drain"] if post => {
                self.admin(AdminCall::Drain { name: (*name).to_owned(), draining: true }).await
            }
            ["members", name, "transfer-leader"] if post => self.transfer(name).await,
            ["usage" | "snapshots", ..] => {
                refused(StatusCode::NOT_IMPLEMENTED, format!("Meridian does not implement /cluster/v1/{} yet", path[0]))
            }
            _ => refused(StatusCode::NOT_FOUND, "there is no such path or method below /cluster/v1/"),
        }
    }

    async fn diff(&self, api: &str, query: Option<&str>) -> Response<Bytes> {
        let query = router::query(query.unwrap_or_default()).unwrap_or_default();
        let Some((_, stage)) = query.iter().find(|(name, _)| name == "stage") else {
            return refused(StatusCode::BAD_REQUEST, "the query must name a stage: ?stage=NAME");
        };
        match self.control.diff(api, stage).await {
            Ok(found) => answer(StatusCode::OK, &found),
            Err(fault) => {
                let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                refused(status, fault.message)
            }
        }
    }

    async fn admin(&self, call: AdminCall) -> Response<Bytes> {
        let id = match super::arrive::random::<16>() {
            Ok(seed) => Mint::new(seed).uuid(),
            Err(cause) => return refused(StatusCode::INTERNAL_SERVER_ERROR, cause.to_string()),
        };
        match propose(&self.config, format!("admin:{id}"), &call).await {
            Ok(AdminReply::Done | AdminReply::Node { .. }) => answer(StatusCode::OK, &json!({ "done": true })),
            Ok(AdminReply::Fault(fault @ AdminFault::NoNode(_))) => refused(StatusCode::NOT_FOUND, fault.to_string()),
            Ok(AdminReply::Fault(fault)) => refused(StatusCode::CONFLICT, fault.to_string()),
            Err(cause) => refused(StatusCode::SERVICE_UNAVAILABLE, cause),
        }
    }

    async fn transfer(&self, name: &str) -> Response<Bytes> {
        let nodes = self.config.world().list::<Node>(&Scope::cluster(), "").unwrap_or_default();
        let Some((_, node)) = nodes.into_iter().find(|(_, node)| node.name == name) else {
            return refused(StatusCode::NOT_FOUND, AdminFault::NoNode(name.to_owned()).to_string());
        };
        match self.config.change(MemberChange::Transfer { node_id: node.id }, CHANGE).await {
            Ok(()) => answer(StatusCode::OK, &json!({ "done": true })),
            Err(cause) => refused(StatusCode::CONFLICT, cause.to_string()),
        }
    }

    async fn create_token(&self, body: &[u8]) -> Response<Bytes> {
        let wish: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap_or(json!("?")) };
        let ttl_ms = match &wish["ttl_ms"] {
            Value::Null if !wish.is_string() => DEFAULT_TTL_MS,
            value => match value.as_i64().filter(|ms| *ms > 0) {
                Some(ms) => ms,
                None => return refused(StatusCode::BAD_REQUEST, "ttl_ms must be a positive number of milliseconds"),
            },
        };
        let region = wish["region"].as_str().unwrap_or_default().to_owned();
        if !region.is_empty() && !Region::from(region.as_str()).is_valid() {
            return refused(StatusCode::BAD_REQUEST, format!("region `{region}` is no region name"));
        }
        match self.new_token(region, ttl_ms).await {
            Ok(token) => answer(StatusCode::CREATED, &json!({ "token": token.to_text(), "ttl_ms": ttl_ms })),
            Err(cause) => refused(StatusCode::SERVICE_UNAVAILABLE, cause),
        }
    }

    async fn new_token(&self, region: String, ttl_ms: i64) -> Result<Token, String> {
        let secret = Mint::new(super::arrive::random().map_err(|cause| cause.to_string())?).mixed(32);
        let ca = self.home.must("ca.crt").map_err(|cause| cause.to_string())?;
        let pin = certificate_from_pem(&ca).and_then(|ca| spki_sha256(&ca)).map_err(|cause| cause.to_string())?;
        let call = AdminCall::CreateToken { secret_sha256: sha256_hex(&secret), region: region.clone(), ttl_ms };
        match propose(&self.config, format!("token:{}", sha256_hex(&secret)), &call).await? {
            AdminReply::Fault(fault) => return Err(fault.to_string()),
            AdminReply::Done | AdminReply::Node { .. } => {}
        }
        let own = self.peers.node_id();
        let mut peers = self.peers.roster().all().to_vec();
        // The node that was asked first: the operator reaches it.
        peers.sort_by_key(|peer| (peer.id != own, peer.id));
        let addresses: Vec<SocketAddr> = peers.iter().map(|peer| peer.addr).take(5).collect();
        let cluster_id = identity_of(&self.config.world()).id;
        Ok(Token { cluster_id, ca_sha256: hex::encode(&pin), secret, region, addresses })
    }

    /// `POST /_dev/reset`: drops everything that accounts own.
    pub(super) async fn reset(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let marked = request.headers().get("x-meridian-dev").is_some_and(|mark| mark == "1");
        if !self.settings.dev || !marked || request.method() != Method::POST {
            let text = "/_dev/reset needs a node started with --dev, the method POST and the header x-meridian-dev: 1";
            return Ok(refused(StatusCode::FORBIDDEN, text));
        }
        Ok(self.admin(AdminCall::Reset).await)
    }

    /// What this node says of itself in its listing.
    pub(super) fn version() -> &'static str {
        VERSION
    }
}
