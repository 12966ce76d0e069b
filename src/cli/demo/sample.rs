//! The sample: one API per region with its backend there, one that every region serves, a key and a usage plan; all made
//! through the AWS-compatible control plane.

use super::fleet::Fleet;
use crate::cli::CliError;
use serde_json::{Value, json};

/// One deployed API.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) id: String,
    /// What the table calls it.
    pub(super) kind: String,
    /// Path below the host that a client asks for.
    pub(super) path: String,
    /// The region in its host name.
    pub(super) region: String,
    /// Whether its method needs the key.
    pub(super) keyed: bool,
}

/// What was made.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) apis: Vec<Api>,
    /// The API that every region serves.
    pub(super) everywhere: Api,
    pub(super) key: String,
}

/// Makes everything, on the first node.
pub(super) async fn make(fleet: &Fleet) -> Result<Sample, CliError> {
    let mut apis = Vec::new();
    for node in &fleet.nodes {
        let region = &node.region;
        let uri = format!("http://{}/hello", node.backend.address);
        let api = create(fleet, region, &format!("hello-{region}"), &json!({})).await?;
        method(fleet, region, &api, "hello", false, &json!({ "type": "HTTP_PROXY", "httpMethod": "GET", "uri": uri }))
            .await?;
        deploy(fleet, region, &api).await?;
        let kind = format!("HTTP_PROXY in {region}");
        apis.push(Api { id: api, kind, path: "/prod/hello".into(), region: region.clone(), keyed: false });
    }
    let home = fleet.nodes[0].region.clone();
    let everywhere = create(fleet, &home, "hello-everywhere", &json!({ "meridian:regions": "*" })).await?;
    let mock = json!({ "type": "MOCK", "requestTemplates": { "application/json": "{\"statusCode\": 200}" } });
    method(fleet, &home, &everywhere, "hello", false, &mock).await?;
    method(fleet, &home, &everywhere, "keyed", true, &mock).await?;
    deploy(fleet, &home, &everywhere).await?;
    let key = key_and_plan(fleet, &home, &everywhere).await?;
    let everywhere =
        Api { id: everywhere, kind: "MOCK everywhere".into(), path: "/prod/hello".into(), region: home, keyed: false };
    let keyed = Api { kind: "MOCK, key, quota".into(), path: "/prod/keyed".into(), keyed: true, ..everywhere.clone() };
    apis.push(everywhere.clone());
    apis.push(keyed);
    Ok(Sample { apis, everywhere, key })
}

async fn post(fleet: &Fleet, region: &str, path: &str, body: &Value) -> Result<Value, CliError> {
    fleet.must_in(0, region, "POST", path, body, 201).await
}

async fn create(fleet: &Fleet, region: &str, name: &str, tags: &Value) -> Result<String, CliError> {
    let api = post(fleet, region, "/restapis", &json!({ "name": name, "tags": tags })).await?;
    Ok(api["id"].as_str().unwrap_or_default().to_owned())
}

/// A resource with GET: method, integration, and for a MOCK its responses.
async fn method(
    fleet: &Fleet,
    region: &str,
    api: &str,
    path: &str,
    keyed: bool,
    integration: &Value,
) -> Result<(), CliError> {
    let found = fleet.must_in(0, region, "GET", &format!("/restapis/{api}"), &Value::Null, 200).await?;
    let root = found["rootResourceId"].as_str().unwrap_or_default();
    let resource =
        post(fleet, region, &format!("/restapis/{api}/resources/{root}"), &json!({ "pathPart": path })).await?;
    let base = format!("/restapis/{api}/resources/{}/methods/GET", resource["id"].as_str().unwrap_or_default());
    let put = |path: String, body: Value| async move { fleet.must_in(0, region, "PUT", &path, &body, 201).await };
    put(base.clone(), json!({ "authorizationType": "NONE", "apiKeyRequired": keyed })).await?;
    put(format!("{base}/integration"), integration.clone()).await?;
    if integration["type"] == "MOCK" {
        put(format!("{base}/responses/200"), json!({})).await?;
        let body = json!({ "responseTemplates": { "application/json": "{\"hello\": \"from the nearest region\"}" } });
        put(format!("{base}/integration/responses/200"), body).await?;
    }
    Ok(())
}

async fn deploy(fleet: &Fleet, region: &str, api: &str) -> Result<(), CliError> {
    post(fleet, region, &format!("/restapis/{api}/deployments"), &json!({ "stageName": "prod" })).await.map(|_| ())
}

async fn key_and_plan(fleet: &Fleet, region: &str, api: &str) -> Result<String, CliError> {
    let key = post(fleet, region, "/apikeys", &json!({ "name": "demo", "enabled": true })).await?;
    let plan = json!({
        "name": "demo", "apiStages": [{ "apiId": api, "stage": "prod" }],
        "throttle": { "rateLimit": 1000.0, "burstLimit": 1000 }, "quota": { "limit": 100_000, "period": "DAY" },
    });
    let plan = post(fleet, region, "/usageplans", &plan).await?;
    let path = format!("/usageplans/{}/keys", plan["id"].as_str().unwrap_or_default());
    post(fleet, region, &path, &json!({ "keyId": key["id"], "keyType": "API_KEY" })).await?;
    Ok(key["value"].as_str().unwrap_or_default().to_owned())
}
