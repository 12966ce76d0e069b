//! Every noun survives the row codec: whole, with members it does not know, and byte for byte as it was first stored.

use super::*;
use crate::catalog::{Noun, Unknown};
use std::{collections::BTreeMap, fmt::Debug};

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn one<V>(key: &str, value: V) -> BTreeMap<String, V> {
    BTreeMap::from([(key.to_owned(), value)])
}

fn newer() -> Unknown {
    one("fromTheFuture", rmpv::Value::from("kept"))
}

fn account() -> Account {
    Account {
        cloudwatch_role_arn: some("arn:aws:iam::000000000000:role/logs"),
        throttle_settings: Some(throttle()),
        features: vec!["UsagePlans".into()],
        unknown: newer(),
    }
}

fn throttle() -> ThrottleSettings {
    ThrottleSettings { burst_limit: Some(5), rate_limit: Some(2.5), unknown: newer() }
}

fn api_key() -> ApiKey {
    ApiKey {
        id: "a1b2c3d4e5".into(),
        name: some("mobile"),
        customer_id: some("customer"),
        description: some("the app"),
        enabled: true,
        stage_keys: vec!["a1b2c3d4e5/prod".into()],
        tags: texts(&[("team", "pets")]),
        value_sealed: vec![1, 2, 255],
        value_hash: Some([7; 32]),
        plan_ids: vec!["p1p1p1".into()],
        created_date_ms: 1_700_000_000_123,
        last_updated_date_ms: 1_700_000_000_456,
        unknown: newer(),
    }
}

fn deployment() -> Deployment {
    Deployment { id: "d1d1d1".into(), description: some("first"), created_date_ms: 1_700_000_000_123, unknown: newer() }
}

fn integration() -> Integration {
    let response = IntegrationResponse {
        status_code: "200".into(),
        selection_pattern: some("2\\d\\d"),
        response_parameters: Some(texts(&[("method.response.header.X", "'static'")])),
        response_templates: Some(one("application/json", None)),
        content_handling: Some(ContentHandling::ConvertToText),
        unknown: newer(),
    };
    Integration {
        kind: IntegrationType::HttpProxy,
        http_method: some("GET"),
        uri: some("http://${stageVariables.host}/pets/{id}"),
        connection_type: Some(ConnectionType::Internet),
        connection_id: some("v1v1v1"),
        credentials: some("arn:aws:iam::*:user/*"),
        request_parameters: texts(&[("integration.request.path.id", "method.request.path.id")]),
        request_templates: one("application/json", some("{\"statusCode\":200}")),
        passthrough_behavior: Some(PassthroughBehavior::WhenNoTemplates),
        content_handling: Some(ContentHandling::ConvertToBinary),
        timeout_in_millis: Some(29_000),
        cache_namespace: some("r1r1r1"),
        cache_key_parameters: vec!["method.request.path.id".into()],
        integration_responses: one("200", response),
        tls_config: Some(TlsConfig { insecure_skip_verification: Some(true), unknown: newer() }),
        response_transfer_mode: Some(ResponseTransferMode::Stream),
        integration_target: some("arn:aws:elasticloadbalancing:::loadbalancer/app/x"),
        unknown: newer(),
    }
}

fn method() -> Method {
    let response = MethodResponse {
        status_code: "200".into(),
        response_parameters: Some(one("method.response.header.X", false)),
        response_models: Some(texts(&[("application/json", "Empty")])),
        unknown: newer(),
    };
    Method {
        http_method: "GET".into(),
        authorization_type: "CUSTOM".into(),
        authorizer_id: some("u1u1u1"),
        api_key_required: true,
        request_validator_id: some("q1q1q1"),
        operation_name: some("GetPet"),
        request_parameters: Some(one("method.request.path.id", true)),
        request_models: Some(Texts::new()),
        method_responses: one("200", response),
        method_integration: Some(integration()),
        authorization_scopes: vec!["pets/read".into()],
        unknown: newer(),
    }
}

fn resource() -> Resource {
    Resource {
        id: "r1r1r1".into(),
        parent_id: some("krznpq9xpg"),
        path_part: some("{id}"),
        path: "/{id}".into(),
        unknown: newer(),
    }
}

fn rest_api() -> RestApi {
    RestApi {
        id: "a1b2c3d4e5".into(),
        name: "pets".into(),
        description: some("all of them"),
        version: some("v1"),
        warnings: vec!["odd".into()],
        binary_media_types: vec!["image/png".into()],
        minimum_compression_size: Some(0),
        api_key_source: Some(ApiKeySource::Authorizer),
        endpoint_configuration: EndpointConfiguration {
            types: vec![EndpointType::Private],
            ip_address_type: Some(IpAddressType::Dualstack),
            vpc_endpoint_ids: vec!["vpce-1".into()],
            unknown: newer(),
        },
        policy: some("{}"),
        tags: texts(&[("meridian:regions", "*")]),
        disable_execute_api_endpoint: true,
        root_resource_id: "krznpq9xpg".into(),
        security_policy: some("TLS_1_2"),
        endpoint_access_mode: some("STRICT"),
        api_status: some("AVAILABLE"),
        api_status_message: some("fine"),
        created_date_ms: 1_700_000_000_123,
        unknown: newer(),
    }
}

fn stage() -> Stage {
    let setting = MethodSetting {
        logging_level: some("INFO"),
        throttling_rate_limit: -1.0,
        unknown: newer(),
        ..MethodSetting::default()
    };
    Stage {
        stage_name: "prod".into(),
        deployment_id: "d1d1d1".into(),
        client_certificate_id: some("c1c1c1"),
        description: some("live"),
        cache_cluster_enabled: true,
        cache_cluster_size: some("0.5"),
        cache_cluster_status: some("AVAILABLE"),
        method_settings: one("*/*", setting),
        variables: Some(texts(&[("host", "example.com")])),
        documentation_version: some("1"),
        access_log_settings: Some(AccessLogSettings {
            format: some("$context.requestId"),
            destination_arn: some("arn:aws:logs:::log-group:x"),
            unknown: newer(),
        }),
        canary_settings: Some(CanarySettings {
            percent_traffic: 12.5,
            deployment_id: "d2d2d2".into(),
            stage_variable_overrides: Some(texts(&[("host", "next.example.com")])),
            use_stage_cache: true,
            unknown: newer(),
        }),
        tracing_enabled: true,
        web_acl_arn: some("arn:aws:wafv2:::webacl/x"),
        tags: texts(&[("team", "pets")]),
        revision: 3,
        created_date_ms: 1_700_000_000_123,
        last_updated_date_ms: 1_700_000_000_456,
        cache_flushes: 2,
        authorizer_flushes: 1,
        unknown: newer(),
    }
}

fn usage_plan() -> UsagePlan {
    UsagePlan {
        id: "p1p1p1".into(),
        name: "gold".into(),
        description: some("much"),
        api_stages: vec![ApiStage {
            api_id: "a1b2c3d4e5".into(),
            stage: "prod".into(),
            throttle: one("/pets/GET", throttle()),
            unknown: newer(),
        }],
        throttle: Some(throttle()),
        quota: Some(QuotaSettings { limit: 100, offset: 6, period: QuotaPeriod::Week, unknown: newer() }),
        product_code: some("prod-1"),
        tags: texts(&[("team", "pets")]),
        created_date_ms: 1_700_000_000_123,
        unknown: newer(),
    }
}

fn usage_plan_key() -> UsagePlanKey {
    UsagePlanKey { id: "a1b2c3d4e5".into(), kind: UsagePlanKey::API_KEY.into(), unknown: newer() }
}

fn authorizer() -> Authorizer {
    let claim = JwtClaim {
        claim_name: "tier".into(),
        format: "SINGLE_STRING".into(),
        required: true,
        expected_values: vec!["gold".into()],
        unknown: newer(),
    };
    let issuer = JwtIssuer {
        issuer: "https://issuer.example.com".into(),
        audiences: vec!["pets".into()],
        additional_claims: vec![claim],
        jwks_uri: some("https://issuer.example.com/jwks"),
        unknown: newer(),
    };
    Authorizer {
        id: "u1u1u1".into(),
        name: "tokens".into(),
        kind: AuthorizerType::Jwt,
        provider_arns: vec!["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a".into()],
        auth_type: some("oauth2"),
        authorizer_uri: some("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations"),
        authorizer_credentials: some("arn:aws:iam::000000000000:role/call"),
        identity_source: some("method.request.header.Authorization"),
        identity_validation_expression: some("Bearer .+"),
        authorizer_result_ttl_in_seconds: Some(0),
        jwt_configuration: Some(JwtConfiguration {
            issuers: vec![issuer],
            default_algorithms: vec![JwtAlgorithm::Es256],
            unknown: newer(),
        }),
        unknown: newer(),
    }
}

fn base_path_mapping() -> BasePathMapping {
    BasePathMapping {
        base_path: BasePathMapping::NONE.into(),
        rest_api_id: "a1b2c3d4e5".into(),
        stage: some("prod"),
        unknown: newer(),
    }
}

fn client_certificate() -> ClientCertificate {
    ClientCertificate {
        client_certificate_id: "c1c1c1".into(),
        description: some("for the backend"),
        pem_encoded_certificate: "-----BEGIN CERTIFICATE-----".into(),
        private_key_sealed: vec![1, 2, 255],
        tags: texts(&[("team", "pets")]),
        created_date_ms: 1_700_000_000_123,
        expiration_date_ms: 1_731_536_000_123,
        unknown: newer(),
    }
}

fn documentation_part() -> DocumentationPart {
    DocumentationPart {
        id: "o1o1o1".into(),
        location: DocumentationPartLocation {
            kind: DocumentationPartType::ResponseHeader,
            path: some("/pets"),
            method: some("GET"),
            status_code: some("200"),
            name: some("X"),
            unknown: newer(),
        },
        properties: "{\"description\":\"x\"}".into(),
        unknown: newer(),
    }
}

fn documentation_version() -> DocumentationVersion {
    DocumentationVersion {
        version: "1".into(),
        description: some("first"),
        parts: vec![documentation_part()],
        created_date_ms: 1_700_000_000_123,
        unknown: newer(),
    }
}

fn domain_name() -> DomainName {
    DomainName {
        domain_name: "api.example.com".into(),
        domain_name_id: some("n1n1n1"),
        domain_name_arn: some("arn:aws:apigateway:us-east-1:000000000000:/domainnames/api.example.com+n1n1n1"),
        certificate_name: some("cert"),
        certificate_arn: some("arn:aws:acm:us-east-1:000000000000:certificate/x"),
        certificate_upload_date_ms: Some(1_700_000_000_123),
        regional_domain_name: some("d-x.execute-api.us-east-1.localhost"),
        regional_hosted_zone_id: some("Z1"),
        regional_certificate_name: some("cert"),
        regional_certificate_arn: some("arn:aws:acm:us-east-1:000000000000:certificate/y"),
        distribution_domain_name: some("d1.localhost"),
        distribution_hosted_zone_id: some("Z2"),
        endpoint_configuration: rest_api().endpoint_configuration,
        domain_name_status: some("AVAILABLE"),
        domain_name_status_message: some("fine"),
        security_policy: some("TLS_1_2"),
        endpoint_access_mode: some("BASIC"),
        tags: texts(&[("team", "pets")]),
        mutual_tls_authentication: Some(MutualTlsAuthentication {
            truststore_uri: some("s3://bucket/key.pem"),
            truststore_version: some("1"),
            truststore_warnings: vec!["odd".into()],
            unknown: newer(),
        }),
        ownership_verification_certificate_arn: some("arn:aws:acm:us-east-1:000000000000:certificate/z"),
        management_policy: some("{}"),
        policy: some("{}"),
        routing_mode: Some(RoutingMode::RoutingRuleOnly),
        certificate_pem: some("-----BEGIN CERTIFICATE-----"),
        private_key_sealed: vec![1, 2, 255],
        unknown: newer(),
    }
}

fn access_association() -> DomainNameAccessAssociation {
    DomainNameAccessAssociation {
        domain_name_access_association_arn:
            "arn:aws:apigateway:us-east-1:000000000000:/domainnameaccessassociations/domainname/x/vpcesource/vpce-1"
                .into(),
        domain_name_arn: "arn:aws:apigateway:us-east-1:000000000000:/domainnames/x+n1n1n1".into(),
        access_association_source_type: "VPCE".into(),
        access_association_source: "vpce-1".into(),
        tags: texts(&[("team", "pets")]),
        rejected: true,
        unknown: newer(),
    }
}

fn gateway_response() -> GatewayResponse {
    GatewayResponse {
        response_type: GatewayResponseType::Default5xx,
        status_code: some("502"),
        response_parameters: texts(&[("gatewayresponse.header.X", "'static'")]),
        response_templates: Some(texts(&[("application/json", "{}")])),
        unknown: newer(),
    }
}

fn model() -> Model {
    Model {
        id: "m1m1m1".into(),
        name: "Pet".into(),
        description: some("a pet"),
        schema: some("{\"type\":\"object\"}"),
        content_type: "application/json".into(),
        unknown: newer(),
    }
}

fn request_validator() -> RequestValidator {
    RequestValidator {
        id: "q1q1q1".into(),
        name: some("all"),
        validate_request_body: true,
        validate_request_parameters: true,
        unknown: newer(),
    }
}

fn vpc_link() -> VpcLink {
    VpcLink {
        id: "v1v1v1".into(),
        name: "inside".into(),
        description: some("to the backend"),
        target_arns: vec!["arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1".into()],
        status: VpcLinkStatus::Pending,
        status_message: some("soon"),
        tags: texts(&[("team", "pets")]),
        unknown: newer(),
    }
}

/// A row as `state` writes it: the version, then MessagePack with field names.
fn row<T: Noun>(noun: &T) -> Vec<u8> {
    let mut bytes = vec![T::VERSION];
    noun.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()).expect("a noun encodes");
    bytes
}

/// Both ways, with what a newer version adds and an older one lacks. Returns the row's line of `golden.txt`.
fn survives<T: Noun + Debug + PartialEq + Default>(name: &str, full: &T) -> String {
    let bytes = row(full);
    assert_eq!(&rmp_serde::from_slice::<T>(&bytes[1..]).expect("a full row reads"), full, "{name}");

    let empty = row(&T::default());
    assert_eq!(rmp_serde::from_slice::<T>(&empty[1..]).expect("an empty row reads"), T::default(), "{name}");
    // A row of a version that knew fewer members: nothing but an empty map.
    assert_eq!(rmp_serde::from_slice::<T>(&[0x80]).expect("a row without members reads"), T::default(), "{name}");

    let as_map: BTreeMap<String, rmpv::Value> = rmp_serde::from_slice(&bytes[1..]).expect("a row is a map");
    assert_eq!(as_map.get("fromTheFuture"), Some(&rmpv::Value::from("kept")), "{name}");

    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {hex}\n")
}

#[test]
fn every_noun_survives_its_row_with_members_of_a_newer_version() {
    let rows = [
        survives("Account", &account()),
        survives("ApiKey", &api_key()),
        survives("Authorizer", &authorizer()),
        survives("BasePathMapping", &base_path_mapping()),
        survives("ClientCertificate", &client_certificate()),
        survives("Deployment", &deployment()),
        survives("DocumentationPart", &documentation_part()),
        survives("DocumentationVersion", &documentation_version()),
        survives("DomainName", &domain_name()),
        survives("DomainNameAccessAssociation", &access_association()),
        survives("GatewayResponse", &gateway_response()),
        survives("Method", &method()),
        survives("Model", &model()),
        survives("RequestValidator", &request_validator()),
        survives("Resource", &resource()),
        survives("RestApi", &rest_api()),
        survives("Stage", &stage()),
        survives("UsagePlan", &usage_plan()),
        survives("UsagePlanKey", &usage_plan_key()),
        survives("VpcLink", &vpc_link()),
    ]
    .concat();
    let golden = include_str!("golden.txt");
    assert!(rows == golden, "stored bytes changed (members are only ever added, at the end); they are now:\n{rows}");
}

#[test]
fn a_word_that_is_not_known_is_kept() {
    let word = QuotaPeriod::from("FORTNIGHT");
    assert_eq!(word, QuotaPeriod::Other("FORTNIGHT".into()));
    let bytes = rmp_serde::to_vec_named(&word).expect("a word encodes");
    assert_eq!(rmp_serde::from_slice::<QuotaPeriod>(&bytes).expect("a word reads"), word);
    assert_eq!(QuotaPeriod::known("FORTNIGHT"), None);
    assert_eq!(QuotaPeriod::KNOWN.iter().map(QuotaPeriod::as_str).collect::<Vec<_>>(), ["DAY", "WEEK", "MONTH"]);
}

#[test]
fn a_row_with_a_wrong_type_or_an_end_too_soon_is_an_error_and_no_panic() {
    let wrong = rmp_serde::to_vec_named(&one("stageName", 5)).expect("a map encodes");
    assert!(rmp_serde::from_slice::<Stage>(&wrong).is_err());
    let bytes = row(&stage());
    for cut in 1..bytes.len() {
        assert!(rmp_serde::from_slice::<Stage>(&bytes[1..cut]).is_err(), "cut at {cut}");
    }
}
