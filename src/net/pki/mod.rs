//! The cluster's certificates: a CA of its own, node certificates with the node id in their name, key files.

mod ca;
mod files;
mod gateway;
mod stage;

pub use ca::{ClusterCa, NodeKey, PkiError, certificate_from_pem, certificate_pem, node_id_of, node_name, spki_sha256};
pub use files::{read_private, write_private};
pub use gateway::gateway_certificate;
pub use stage::{StageCertificate, stage_certificate};
