//! authorize: who the caller is. NONE is all that is built; any other authorization lets nobody in until it is.

use super::policy::{Permitted, unbuilt};
use super::refusal::Refusal;
use super::route::Routed;

/// A request whose caller is known as far as its method asks.
pub(super) struct Authorized(pub Routed);

pub(super) fn authorize(permitted: Permitted) -> Result<Authorized, Refusal> {
    match &permitted.0.matched.method().unbuilt_authorization {
        None => Ok(Authorized(permitted.0)),
        Some(kind) => Err(unbuilt(&format!("{kind} authorization"))),
    }
}
