//! Why a node did not start, or stopped.

use super::home::HomeError;
use crate::cluster::{ClusterError, OpenError};
use crate::net::peer::PeerError;
use crate::net::pki::PkiError;
use std::net::SocketAddr;

/// Why a node did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A replicated group.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A call on the cluster.
    #[error("the cluster did not take the call")]
    Cluster(#[from] ClusterError),
    /// A certificate or key.
    #[error("a certificate or key cannot be made or read")]
    Pki(#[from] PkiError),
    /// An address is taken, or not this machine's.
    #[error("the {name} listener cannot be bound to {at}: choose another with --{flag}, or stop what listens there")]
    Bind {
        /// Which.
        name: &'static str,
        /// The flag that sets it.
        flag: &'static str,
        /// Where.
        at: SocketAddr,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The operator named another cluster.
    #[error(
        "this directory belongs to cluster {found}, but `[cluster] id` names {wanted}: use the directory of that cluster's node"
    )]
    OtherCluster {
        /// What the directory says.
        found: String,
        /// What the operator says.
        wanted: String,
    },
    /// A node that belonged to a cluster has no data.
    #[error(
        "`[cluster] id` names {0}, but the data directory is empty, and an empty node must not found a second cluster under that \
         name. If this node lost its data: on another node run `meridian remove {1}` and `meridian token create`, then here \
         `meridian join TOKEN`"
    )]
    Lost(String, String),
    /// `join` over another cluster's data.
    #[error(
        "this directory belongs to cluster {found}, but the token invites to {invited}: choose an empty --data directory"
    )]
    Invited {
        /// What the directory says.
        found: String,
        /// What the token says.
        invited: String,
    },
    /// The token is none, or names nobody.
    #[error(transparent)]
    Token(#[from] super::token::TokenError),
    /// The cluster did not let the node in.
    #[error("the cluster did not let this node in: {0}")]
    Refused(String),
    /// No node of the cluster answered.
    #[error(
        "no node of the cluster answered the join: check that {addresses} can be reached by UDP from here, then run the same command again"
    )]
    Knock {
        /// Where it was tried.
        addresses: String,
        /// The last failure.
        #[source]
        cause: PeerError,
    },
    /// A TLS file cannot be used.
    #[error("{what} cannot be used: {cause}")]
    Tls {
        /// Which.
        what: String,
        /// Why.
        cause: String,
    },
    /// The system refused something.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// A setting has a value that only the running node can judge.
    #[error("{0}")]
    Setting(String),
}
