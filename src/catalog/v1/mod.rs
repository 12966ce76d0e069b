//! The nouns of the REST control plane (`apigateway`, 2015-07-09), one file each.
//!
//! Members are AWS's, stored under AWS's names; ours beside them are times in milliseconds, revisions and sealed values.
//! What AWS derives (`apiSummary`, `resourceMethods`, a plan key's name and value) is derived here too, not stored.

mod account;
mod api_key;
mod authorizer;
mod client_certificate;
mod deployment;
mod documentation_part;
mod domain_name;
mod gateway_response;
mod integration;
mod method;
mod model;
mod request_validator;
mod resource;
mod rest_api;
mod stage;
mod usage_plan;
mod usage_plan_key;
mod vpc_link;
mod words;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use api_key::ApiKey;
pub use authorizer::{Authorizer, JwtClaim, JwtConfiguration, JwtIssuer};
pub use client_certificate::ClientCertificate;
pub use deployment::Deployment;
pub use documentation_part::{DocumentationPart, DocumentationPartLocation, DocumentationVersion};
pub use domain_name::{BasePathMapping, DomainName, DomainNameAccessAssociation, MutualTlsAuthentication};
pub use gateway_response::GatewayResponse;
pub use integration::{Integration, IntegrationResponse, TlsConfig};
pub use method::{Method, MethodResponse};
pub use model::Model;
pub use request_validator::RequestValidator;
pub use resource::Resource;
pub use rest_api::{EndpointConfiguration, RestApi};
pub use stage::{AccessLogSettings, CanarySettings, MethodSetting, Stage};
pub use usage_plan::{ApiStage, QuotaSettings, ThrottleSettings, UsagePlan};
pub use usage_plan_key::UsagePlanKey;
pub use vpc_link::VpcLink;
pub use words::{
    ApiKeySource, AuthorizerType, ConnectionType, ContentHandling, DocumentationPartType, EndpointType,
    GatewayResponseType, IntegrationType, IpAddressType, JwtAlgorithm, PassthroughBehavior, QuotaPeriod,
    ResponseTransferMode, RoutingMode, UnauthorizedCacheControlHeaderStrategy, VpcLinkStatus,
};

use std::collections::BTreeMap;

/// Names and texts: tags, variables, parameters. Ordered, so that equal nouns have equal bytes.
pub type Texts = BTreeMap<String, String>;

/// Media type → template. AWS keeps a template that was given as empty or null, and shows it as null.
pub type Templates = BTreeMap<String, Option<String>>;

/// For members that are only written when set.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The same for counters.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
