//! The headers of ours that steer a call: index, consistency, waiting, exactly-once (foundations §1).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;

use super::authenticate::Principal;
use super::render::Answer;
use super::{Call, Fault, wire};
use crate::catalog::cluster::Cluster;
use crate::cluster::{self, Wait};
use crate::state::{Scope, World};

/// How long a call may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// How long `x-meridian-min-index` waits.
pub(super) const MIN_INDEX_WAIT: Duration = Duration::from_secs(5);
/// How long an explicit `x-meridian-wait: all` waits.
pub(super) const WAIT_ALL: Duration = Duration::from_secs(30);

/// What a request's headers ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    /// `x-meridian-consistency: stale`: read what this node has.
    pub stale: bool,
    /// `x-meridian-min-index`: epoch and index that must be served here first.
    pub min_index: Option<(u64, u64)>,
    /// `x-meridian-wait`.
    pub wait: Wait,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Reads the wishes.
///
/// # Errors
/// BadRequest that names the header.
pub(super) fn wishes(headers: &HeaderMap) -> Result<Wishes, Fault> {
    let bad = |name: &str, want: &str| Err(Fault::bad_request(format!("The header {name} must be {want}")));
    let stale = match text(headers, "x-meridian-consistency") {
        None | Some("linearizable") => false,
        Some("stale") => true,
        Some(_) => return bad("x-meridian-consistency", "stale or linearizable"),
    };
    let wait = match text(headers, "x-meridian-wait") {
        None => Wait::Auto,
        Some("quorum") => Wait::Quorum,
        Some("all") => Wait::All { at_most: WAIT_ALL },
        Some(_) => return bad("x-meridian-wait", "quorum or all"),
    };
    let min_index = match text(headers, "x-meridian-min-index") {
        None => None,
        Some(value) => match value.split_once('.').map(|(e, i)| (e.parse(), i.parse())) {
            Some((Ok(epoch), Ok(index))) => Some((epoch, index)),
            _ => return bad("x-meridian-min-index", "EPOCH.INDEX, as x-meridian-index gave it"),
        },
    };
    Ok(Wishes { stale, min_index, wait })
}

/// The cluster's epoch: it grows when a cluster is recovered from lost quorum.
pub(super) fn epoch(world: &World) -> u64 {
    world.get::<Cluster>(&Scope::cluster(), "").ok().flatten().map_or(0, |c| c.epoch)
}

/// Refuses an index of another epoch: after a recovery, what it promised may be lost.
///
/// # Errors
/// 412 with both epochs.
pub(super) fn check_epoch(asked: u64, ours: u64) -> Result<(), Fault> {
    if asked == ours {
        return Ok(());
    }
    let text =
        format!("The index is of epoch {asked}, the cluster is in epoch {ours}: read again before you rely on it");
    Err(Fault::new("PreconditionFailedException", 412, text))
}

/// Adds the index that the answer holds at.
pub(super) fn stamp(answer: &mut Answer, world: &World, index: u64) {
    answer.header("x-meridian-index", format!("{}.{index}", epoch(world)));
}

/// The call as cluster knows it. Its id is the client's `Idempotency-Key`, else the SDK's invocation id, else ours; it
/// is bound to who sent it, so that nobody is answered with another's reply.
///
/// # Errors
/// BadRequest for a key that is too long or not printable.
pub(super) fn proposal(
    call: &Call,
    who: &Principal,
    headers: &HeaderMap,
    request_id: &str,
) -> Result<cluster::Call, Fault> {
    let id = match (headers.get("idempotency-key"), text(headers, "amz-sdk-invocation-id")) {
        (Some(key), _) => {
            let key = key.to_str().ok().filter(|k| (1..=255).contains(&k.len()));
            let key = key.ok_or_else(|| Fault::bad_request("Idempotency-Key must be 1 to 255 printable characters"))?;
            format!("key/{}/{key}", who.account)
        }
        (None, Some(invocation)) if invocation.len() <= 128 => format!("sdk/{}/{invocation}", who.access_key),
        _ => format!("own/{request_id}"),
    };
    let payload = wire::encode_call(call)?;
    let mut payload_hash = [0; 32];
    payload_hash.copy_from_slice(digest(&SHA256, &payload).as_ref());
    Ok(cluster::Call { id, payload_hash, room: super::ROOM, payload })
}
