//! validate: the request against its validator. It comes later; a method whose validator asks for anything lets nobody in
//! until then.

use super::admit::Admitted;
use super::policy::unbuilt;
use super::refusal::Refusal;
use super::route::Matched;

/// A request that is as its method wants it.
pub(super) struct Valid(pub Matched);

pub(super) fn validate(admitted: Admitted) -> Result<Valid, Refusal> {
    if admitted.matched.method().unbuilt_validation {
        return Err(unbuilt("request validation"));
    }
    Ok(Valid(admitted.matched))
}
