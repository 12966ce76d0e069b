//! HTTP at the sockets: workers, listeners, one body type, and the way out to backends.
//!
//! A socket is accepted, handed to the least-loaded worker and stays there with all its visits and backend connections;
//! hyper does all framing, on both sides.
//!
//! ```text
//! listen ─ accept ─→ Workers ─→ conn (TLS, h1 or h2) ─→ Serve ─→ Response<Body>
//!                                                         └→ Pool (Upstream) ─→ egress ─→ backend
//! ```

pub mod body;
pub mod coding;
pub mod conn;
pub mod egress;
mod gate;
mod idle;
pub mod listen;
mod names;
mod raw;
pub mod roots;
mod shelf;
mod sieve;
mod socket;
pub mod target;
pub mod tls;
pub mod upstream;
pub mod worker;

pub use body::{Body, BodyError};
pub use coding::Coding;
pub use conn::{ConnInfo, HttpLimits, Serve, TlsInfo};
pub use egress::{Egress, EgressError, EgressPolicy};
pub use listen::{ListenOptions, Listener};
pub use names::SentNames;
pub use sieve::{OUT_OF_TIME, PatientBody, Sieve, SievedBody};
pub use target::{Identity, Scheme, Target};
pub use upstream::{Pool, PoolCounts, Upstream, UpstreamError, UpstreamOptions};
pub use worker::{Job, Workers};
