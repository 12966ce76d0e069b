//! What a file says about an API, in the catalog's nouns; the middle between every version of OpenAPI and the rows.

use super::Finding;
use crate::catalog::v1::{
    ApiKeySource, Authorizer, DocumentationPart, GatewayResponse, Method, Model, RequestValidator, Texts,
};

/// How paths and the file's base path go together (`basepath`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BasePath {
    /// Paths stand alone.
    #[default]
    Ignore,
    /// The base path goes before each.
    Prepend,
    /// The base path without its first segment goes before each.
    Split,
}

impl BasePath {
    /// The mode of a word, in any case.
    #[must_use]
    pub fn known(word: &str) -> Option<Self> {
        let modes = [("ignore", Self::Ignore), ("prepend", Self::Prepend), ("split", Self::Split)];
        modes.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, mode)| mode)
    }
}

/// What a reader must know beside the file.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The API that the file becomes: references to models name it.
    pub api_id: String,
    /// For `${AWS::Region}`.
    pub region: String,
    /// For `${AWS::AccountId}`.
    pub account: String,
    /// What becomes of the base path.
    pub base_path: BasePath,
    /// Whether descriptions become no documentation parts (`ignore=documentation`).
    pub ignore_documentation: bool,
}

/// An API as a file describes it.
///
/// Nouns have no ids; a method's `authorizer_id` and `request_validator_id` are names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: Option<String>,
    /// `info.description`.
    pub description: Option<String>,
    /// Paths with what they answer to, in the file's order, without `/` between where nothing is.
    pub paths: Vec<Path>,
    /// Models; their references name `https://apigateway.amazonaws.com/restapis/{api}/models/{name}`.
    pub models: Vec<Model>,
    /// Authorizers, also those that no method uses.
    pub authorizers: Vec<Authorizer>,
    /// Request validators.
    pub validators: Vec<RequestValidator>,
    /// Customised gateway responses.
    pub gateway_responses: Vec<GatewayResponse>,
    /// Media types that are bytes; absent: the file does not say.
    pub binary_media_types: Option<Vec<String>>,
    /// Answers from this size on are compressed, bytes.
    pub minimum_compression_size: Option<i32>,
    /// The resource policy, JSON text.
    pub policy: Option<String>,
    /// Where keys are looked for.
    pub api_key_source: Option<ApiKeySource>,
    /// Whether only custom domains reach it.
    pub disable_execute_api_endpoint: Option<bool>,
    /// The VPC endpoints of a private API.
    pub vpc_endpoint_ids: Option<Vec<String>>,
    /// Least TLS version and ciphers.
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`.
    pub endpoint_access_mode: Option<String>,
    /// Documentation parts.
    pub documentation: Vec<DocumentationPart>,
    /// Tags that have a value (`x-amazon-apigateway-tag-value`).
    pub tags: Texts,
}

/// A path and its methods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Path {
    /// The whole path, beginning with `/`.
    pub path: String,
    /// Where it stands in the file.
    pub pointer: String,
    /// Its methods, in the file's order.
    pub methods: Vec<Method>,
}

/// A document and what is wrong with the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What was understood. Not to be used where there are errors.
    pub document: Document,
    /// What was not, in the order of reading.
    pub findings: Vec<Finding>,
}

/// Where the models of an API are named in references.
pub(super) fn model_reference(api: &str, model: &str) -> String {
    format!("https://apigateway.amazonaws.com/restapis/{api}/models/{model}")
}

/// The model that such a reference names, of whatever API.
pub(super) fn referenced_model(reference: &str) -> Option<&str> {
    let rest = reference.strip_prefix("https://apigateway.amazonaws.com/restapis/")?;
    rest.split_once("/models/").map(|(_, model)| model)
}
