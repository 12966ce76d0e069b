//! The cluster's own rows: what nodes there are, who may join, who may administrate, what was answered.

mod access;
mod identity;
mod node;
mod request;

pub use access::{AdminKey, JoinToken};
pub use identity::{Cluster, Sequence};
pub use node::{Node, NodeRole};
pub use request::Request;
