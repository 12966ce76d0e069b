//! What to do next, by cause: one sentence for each cause that the gateway names.

/// What to do about a cause; one that only a newer node knows gets the general advice.
#[must_use]
pub fn hint(cause: &str) -> &'static str {
    let known = HINTS.iter().find(|(known, _)| *known == cause).map(|(_, hint)| *hint);
    known.unwrap_or("Look at the detail here, and at the log of the node that made the refusal.")
}

const OURS: &str = "This is a fault of Meridian: look at the log of the node that made the refusal, and report it.";
const REGION: &str =
    "Look with `meridian members` at the nodes of the regions that serve the API, and at the network between.";

/// In the order of the walk.
#[rustfmt::skip]
static HINTS: &[(&str, &str)] = &[
    // place
    ("request_framing", "Send one well-formed request: the detail says what of its framing two readers could read differently."),
    ("host_header", "Send exactly one Host header, equal to the host of the target."),
    ("uri_too_long", "Shorten the path and the query, or send the data in the body."),
    ("headers_too_large", "Send fewer or shorter headers, or run the node with another profile."),
    ("query_characters", "Percent-encode |, { and } in the query."),
    ("no_stage_named", "Name API and stage: by host API.execute-api.REGION…, by path /_aws/execute-api/API/STAGE/…, or with the header x-apigw-api-id."),
    ("default_endpoint_disabled", "Call the API by its custom domain name, or set disableExecuteApiEndpoint to false."),
    ("unknown_api", "Check the API's id with `aws apigateway get-rest-apis`; an API that was just made may not have reached this node."),
    ("unknown_stage", "Check the stage's name with `aws apigateway get-stages`, or deploy with `aws apigateway create-deployment --stage-name`."),
    ("no_deployment", "Point the stage at a deployment: `aws apigateway create-deployment --stage-name`."),
    ("stage_row", OURS),
    ("api_row", OURS),
    ("account_row", OURS),
    ("plan_flaws", "Correct what the detail names in the API, then deploy it again."),
    ("compile_panicked", OURS),
    ("canary_unusable", "Point canarySettings/deploymentId at a deployment that can be served, or remove the canary; the node's log says why it cannot."),
    // route
    ("method_override", "Send a verb in X-HTTP-Method-Override, or leave it out."),
    ("no_such_method", "Check path and verb against the deployed resources; a method that was just made must be deployed."),
    // policy, authorize
    ("not_built", "The API uses what this version of Meridian cannot do yet: the message names it."),
    // key
    ("no_key", "Send an API key in the header x-api-key, or set apiKeyRequired to false."),
    ("unknown_key", "Check the key's value with `aws apigateway get-api-key --include-value`; no key of the API's region has the one that was sent."),
    ("disabled_key", "Enable the key: `aws apigateway update-api-key --patch-operations op=replace,path=/enabled,value=true`."),
    ("no_plan_for_stage", "Put the key into a usage plan that covers this stage: `aws apigateway create-usage-plan-key`."),
    ("key_row", OURS),
    // admit
    ("plan_throttle", "Call less often, or raise rate and burst of the usage plan, or those of this method in it."),
    ("stage_throttle", "Call less often, or raise throttling/rateLimit and burstLimit in the stage's method settings."),
    ("account_throttle", "Call less often, or raise the account's throttle: `aws apigateway update-account`."),
    ("quota_exceeded", "Wait for the next period, or extend the quota: `aws apigateway update-usage`."),
    ("quota_unavailable", "Bring back a majority of the voters (`meridian check`): no node could tell what is left of the quota."),
    // forward
    ("no_peers", "The API lives in another region and this node belongs to no cluster: call a node of that region, or add this one to the tag meridian:regions."),
    ("no_node", REGION),
    ("other_revision", "Call again: edge and region had different revisions of the stage; if it stays, look at lag with `meridian members`."),
    ("region_rejected", "Call again: the region's nodes had too much work or were leaving; if it stays, add nodes there."),
    ("node_lost", "Call again if the call may be done twice: the node that served was lost, and nobody knows how far it came."),
    ("region_timeout", "Look at the integration's latency and at the round trip to the region (`meridian rtt`)."),
    ("region_malformed", "Run the same version of Meridian on all nodes: the region's answer could not be read."),
    ("forward", OURS),
    // cache
    ("cache_invalidation", "Leave Cache-Control: max-age=0 out, or set caching/requireAuthorizationForCacheControl to false in the stage's method settings."),
    // validate, payloads
    ("body_too_large", "Send a smaller body, or let the client put it into a store and send its address."),
    ("content_encoding", "Send the body as it is, or compressed as Content-Encoding says: gzip, deflate or identity."),
    ("request_body_stalled", "Look at the client and its network: the body did not come within two minutes."),
    ("request_body_broken", "Look at the client and its network: the body broke off."),
    ("validator_gone", "Make the request validator anew or take its id off the method, then deploy."),
    ("missing_parameters", "Send the parameters that the place names, or set them to false in the method's requestParameters."),
    ("model_unusable", "Correct the model at the place that is named, then deploy."),
    ("invalid_body", "Send a body that the method's model allows: the detail says what is wrong with this one."),
    ("overloaded", "Call again later, or add nodes: this one has more large bodies and templates in hand than it can do."),
    ("heavy_pool", OURS),
    // map
    ("no_request_template", "Send a Content-Type that the integration has a request template for, or change its passthroughBehavior."),
    ("invalid_json", "Send a body that is JSON: a parameter mapping reads from it."),
    ("body_mapping", "Make the body smaller or the JSONPath of the mapping simpler: reading it took too much."),
    ("binary_body_with_template", "Set contentHandling to CONVERT_TO_TEXT, or take the media type out of binaryMediaTypes: no template reads bytes."),
    ("not_base64", "Set contentHandling to what the payload is: CONVERT_TO_BINARY needs Base64."),
    ("template_failed", "Correct the mapping template at the line and column that are named; `aws apigateway test-invoke-method` tries a draft."),
    ("mock_status", "Let the mock's request template give an integer statusCode: {\"statusCode\": 200}."),
    ("endpoint_address", "Check the integration's uri, its path parameters and stage variables: together they make no address."),
    ("mapped_header", "Correct the mapping to the header that is named: it may not be set, or its value is none that a header can carry."),
    ("own_header", OURS),
    ("integration_arn", "Check the integration's uri, with its stage variables put in: arn:aws:apigateway:REGION:SERVICE:path/… or :action/…."),
    ("function_verb", "Set the integration's httpMethod to POST: a Lambda function is invoked by nothing else."),
    ("transfer_mode", "Use …/response-streaming-invocations in the uri with responseTransferMode STREAM, and …/invocations without."),
    ("caller_credentials", "Name a role in the integration's credentials: Meridian does not have its callers' secret keys."),
    ("credentials_role", "Name a role of the API's own account in the integration's credentials."),
    ("no_credentials", "Add what the detail names to the node file, with access_key and secret: nodes sign only for listed accounts."),
    ("event_too_large", "Send a smaller body: Lambda takes events of 6 MB, and Base64 makes bytes a third longer."),
    // integrate
    ("endpoint_unresolvable", "Check the host in the integration's uri: its name has no address."),
    ("endpoint_refused", "Allow the address with [egress] allow in the node file, or take another: nodes do not call such addresses."),
    ("connect_failed", "Start the backend, or check host and port in the integration's uri: nothing answers there."),
    ("connect_timeout", "Check firewalls between this node and the backend: it does not answer a connection."),
    ("tls_failed", "Check the backend's certificate, or set tlsConfig.insecureSkipVerification on the integration."),
    ("answer_head_too_long", "Let the backend send fewer or shorter headers."),
    ("unasked_upgrade", "Let the backend answer in HTTP/1.1: it changed the protocol without being asked."),
    ("invalid_answer", "Look at the backend's log: what it sent is no HTTP answer."),
    ("connection_lost", "Look at the backend's log: it closed the connection before its answer was whole."),
    ("backend_crowded", "Make the backend faster, or let it take more connections: no place became free in time."),
    ("function_permissions", "Let API Gateway invoke the function: `aws lambda add-permission --principal apigateway.amazonaws.com`."),
    ("function_unknown", "Check the function's name, version and alias in the integration's uri: Lambda does not know it."),
    ("function_throttled", "Raise the function's concurrency, or call less often: Lambda refused the call."),
    ("function_refused", "Look at the detail: Lambda refused the call and said why. Redirects are never followed."),
    ("function_service", "Look at the endpoint of Lambda: it failed, and the function may not have run."),
    ("integration_timeout", "Make the backend faster, or raise the integration's timeoutInMillis."),
    // answer
    ("function_error", "Look at the function's log: it failed, and the detail says how."),
    ("malformed_proxy_response", "Let the function return statusCode, headers, multiValueHeaders, body and isBase64Encoded, and nothing else."),
    ("answer_too_large", "Let the backend send less, or let the answer pass through without a template."),
    ("no_output_mapping", "Add an integration response whose selectionPattern matches this status, or one without a pattern as the default."),
    ("undeclared_status", "Add a method response with the status of the integration response, then deploy."),
    ("output_status", "Correct the status that the template sets in $context.responseOverride.status."),
    ("compression", OURS),
    ("panic", OURS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The gateway's source without its tests, by file name.
    fn sources() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway");
        let files = |folder: &Path| std::fs::read_dir(folder).expect("the gateway's folder").filter_map(Result::ok);
        let files = files(&folder).chain(files(&folder.join("aws")));
        let named = files.map(|file| (file.file_name().to_string_lossy().into_owned(), file.path()));
        let own = named.filter(|(name, _)| name.ends_with(".rs") && !name.ends_with("_tests.rs"));
        let read = own.map(|(name, path)| (name, std::fs::read_to_string(path).expect("a source file")));
        read.map(|(name, text)| {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            (name, code)
        })
        .collect()
    }

    /// Every cause that the source names, and what names a cause without saying it in place.
    fn named() -> (BTreeSet<String>, BTreeSet<String>) {
        let pattern = |text: &str| Regex::new(text).expect("a pattern");
        let (made, unsaid) =
            (pattern(r#"Refusal::new\(\s*[\w:]+(?:\([^)]*\))?[^,"]*,\s*([^)]*?)\s*\)"#), r#"^"(\w*)"$"#);
        let unsaid = pattern(unsaid);
        // Closures and functions that take a cause, tuples and arms that choose one, and answers without a refusal.
        let passed = pattern(r#"\b(?:forbidden|unknown|broken|config_error|wrong|bad_gateway)\(\s*"(\w+)"\s*\)"#);
        let chosen = pattern(r#"(?:\(Kind::\w+, |Level::\w+ => |cause: )"([a-z_]+)""#);
        let (mut causes, mut variables) = (BTreeSet::new(), BTreeSet::new());
        for (name, text) in sources() {
            for found in made.captures_iter(&text) {
                match unsaid.captures(&found[1]) {
                    Some(word) if word[1].is_empty() => {}
                    Some(word) => drop(causes.insert(word[1].to_owned())),
                    None => drop(variables.insert(format!("{name} {}", &found[1]))),
                }
            }
            let more = passed.captures_iter(&text).chain(chosen.captures_iter(&text));
            causes.extend(more.map(|found| found[1].to_owned()));
        }
        (causes, variables)
    }

    #[test]
    fn every_cause_that_the_gateway_names_has_a_hint_of_its_own() {
        let (causes, variables) = named();
        assert!(causes.len() > 60, "the source was read: {causes:?}");
        let known: BTreeSet<String> = HINTS.iter().map(|(cause, _)| (*cause).to_owned()).collect();
        assert_eq!(known.len(), HINTS.len(), "one hint a cause");
        let missing: Vec<_> = causes.difference(&known).collect();
        assert!(missing.is_empty(), "causes without a hint: {missing:?}");
        let gone: Vec<_> = known.difference(&causes).collect();
        assert!(gone.is_empty(), "hints for causes that nothing names: {gone:?}");
        // A new place that passes a cause on must be added to the patterns above.
        let passing =
            ["result.rs cause", "admit.rs cause", "answer.rs cause", "cut.rs cause", "key.rs cause", "map.rs cause"];
        let more = ["stage.rs cause", "stage.rs what"];
        assert_eq!(variables, passing.into_iter().chain(more).map(str::to_owned).collect());
    }

    #[test]
    fn hints_are_sentences_and_an_unknown_cause_gets_one_too() {
        for (cause, hint) in HINTS {
            assert!(hint.ends_with('.') || hint.ends_with("}."), "{cause}: {hint}");
            assert!(hint.starts_with(|c: char| c.is_ascii_uppercase()) && hint.len() < 200, "{cause}: {hint}");
        }
        assert!(hint("what_only_a_newer_node_knows").ends_with('.'));
    }
}
