//! What one can own, in AWS's names: one file per noun, plus the names, ids and times that nouns share.
//!
//! A noun is stored as a row (MessagePack with field names, foundations §3.2): members are AWS's names, fields are only
//! ever added, and members that this version does not know are kept in [`Unknown`] and written back.

mod ids;
mod mint;

pub mod cluster;
pub mod lambda;
pub mod v1;

pub use ids::{AccountId, ApiId, Region, StageName};
pub use mint::Mint;

use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// Members of a row that this version does not know: kept as they came, so that a newer node's data survives us.
pub type Unknown = BTreeMap<String, rmpv::Value>;

/// A thing that is stored as one row.
pub trait Noun: Serialize + DeserializeOwned {
    /// Where its rows live.
    const TABLE: Table;
    /// Row version: the first byte of every row. A row with a higher one is not written by this node.
    const VERSION: u8 = 1;
}

/// Which noun a row is. The number is stored: append only, never renumber.
///
/// In an API's scope, tables below [`Table::FIRST_DELIVERY`] are the draft that `CreateDeployment` freezes; the others
/// (deployments, stages) point at frozen trees and are no part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The API itself; id: the API's id.
    RestApi = 1,
    /// A path; id: the resource id.
    Resource = 2,
    /// A method with its integration and responses; id: `{resourceId}/{METHOD}`.
    Method = 3,
    /// A JSON schema; id: the model's name.
    Model = 4,
    /// An authorizer; id: its id.
    Authorizer = 5,
    /// A request validator; id: its id.
    RequestValidator = 6,
    /// A customised gateway response; id: its type.
    GatewayResponse = 7,
    /// A documentation part; id: its id.
    DocumentationPart = 8,

    /// A frozen API; id: the deployment id.
    Deployment = 64,
    /// A stage; id: its name.
    Stage = 65,
    /// A documentation version; id: its name.
    DocumentationVersion = 66,

    /// Account settings of one region; id: empty.
    Account = 100,
    /// An API key; id: the key id.
    ApiKey = 101,
    /// A usage plan; id: the plan id.
    UsagePlan = 102,
    /// A key's membership of a plan; id: `{planId}/{keyId}`.
    UsagePlanKey = 103,
    /// A client certificate; id: its id.
    ClientCertificate = 104,
    /// A VPC link; id: its id.
    VpcLink = 105,
    /// A custom domain name; id: the name, or `{name}+{id}` for a private one.
    DomainName = 106,
    /// A base path mapping; id: `{domain}/{basePath}`.
    BasePathMapping = 107,
    /// A VPC endpoint's way to a private domain name; id: its ARN.
    DomainNameAccessAssociation = 108,
    /// A function; id: its name.
    Function = 109,
    /// A version of a function; id: `{function}/{version}`, padded.
    FunctionVersion = 110,
    /// An alias of a function; id: `{function}/{alias}`.
    FunctionAlias = 111,

    /// The cluster itself; id: empty.
    Cluster = 200,
    /// A node; id: its number, 16 hexadecimal digits.
    Node = 201,
    /// A join token; id: hex of its hash.
    Token = 202,
    /// Credentials of an administrator; id: the access key id, or the hash of a bearer token.
    AdminKey = 203,
    /// An answered request (exactly once); id: the request id.
    Request = 204,
    /// A counter that only grows; id: its name.
    Sequence = 205,
}

impl Table {
    /// The first table of an API's scope that a deployment does not freeze.
    pub const FIRST_DELIVERY: u8 = 64;

    /// Every table, in order.
    pub const ALL: [Self; 29] = [
        Self::RestApi,
        Self::Resource,
        Self::Method,
        Self::Model,
        Self::Authorizer,
        Self::RequestValidator,
        Self::GatewayResponse,
        Self::DocumentationPart,
        Self::Deployment,
        Self::Stage,
        Self::DocumentationVersion,
        Self::Account,
        Self::ApiKey,
        Self::UsagePlan,
        Self::UsagePlanKey,
        Self::ClientCertificate,
        Self::VpcLink,
        Self::DomainName,
        Self::BasePathMapping,
        Self::DomainNameAccessAssociation,
        Self::Function,
        Self::FunctionVersion,
        Self::FunctionAlias,
        Self::Cluster,
        Self::Node,
        Self::Token,
        Self::AdminKey,
        Self::Request,
        Self::Sequence,
    ];

    /// The stored number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The table with this number, if this version knows it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.number() == number)
    }
}
