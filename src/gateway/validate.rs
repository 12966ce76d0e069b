//! validate: the request against its validator. Comes with models; until then everything passes.

use super::admit::Admitted;
use super::refusal::Refusal;
use super::route::Matched;

/// A request that is as its method wants it.
pub(super) struct Valid(pub Matched);

pub(super) fn validate(admitted: Admitted) -> Result<Valid, Refusal> {
    Ok(Valid(admitted.matched))
}
