//! aws: integrations with AWS services, Lambda functions first among them.
//!
//! ```text
//! map        request: event or mapped body ─┬─ this cluster's own function ──── invoke ─┐
//! integrate                                 └─ sign ─ the operator's endpoint, or AWS ──┤
//! answer     result: proxy result, or integration responses; stream: the same in pieces ┘
//! ```
//! Where services are and with which keys they are called is the operator's to say (`services`), never the API owner's.

mod invoke;
mod request;
mod result;
mod services;
mod sign;
mod stream;

pub(super) use invoke::{Invocation, called};
pub(super) use request::{event, service};
pub(super) use result::{function_failed, proxied};
pub use services::{AwsServices, EndpointError};
pub(super) use sign::Keys;
pub(super) use stream::opened;
