//! A small API as its owner makes it: `/free` for everybody, `/keyed` behind a key with a quota, served in every region.

use super::Owner;
use serde_json::{Value, json};

/// What was made.
pub(crate) struct Served {
    pub(crate) api: String,
    pub(crate) plan: String,
    pub(crate) key: String,
    /// What a client sends as `x-api-key`.
    pub(crate) key_value: String,
}

/// What both methods answer.
pub(crate) const BODY: &str = "{\"here\":true}";

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}")).to_owned()
}

fn method(owner: &Owner, api: &str, root: &str, part: &str, keyed: bool) {
    let resources = format!("/restapis/{api}/resources");
    let made = owner.must("POST", &format!("{resources}/{root}"), &json!({"pathPart": part}).to_string(), 201);
    let method = format!("{resources}/{}/methods/GET", text(&made, "id"));
    let put = |path: &str, body: Value| owner.must("PUT", &format!("{method}{path}"), &body.to_string(), 201);
    put("", json!({"authorizationType": "NONE", "apiKeyRequired": keyed}));
    put("/responses/200", json!({}));
    put("/integration", json!({"type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}}));
    put("/integration/responses/200", json!({"responseTemplates": {"application/json": BODY}}));
}

impl Served {
    /// Makes the API, deploys it as `prod`, and a plan of `quota` requests a month with one key.
    pub(crate) fn make(owner: &Owner, quota: u64) -> Self {
        let named = json!({"name": "small", "tags": {"meridian:regions": "*"}});
        let made = owner.must("POST", "/restapis", &named.to_string(), 201);
        let (api, root) = (text(&made, "id"), text(&made, "rootResourceId"));
        method(owner, &api, &root, "free", false);
        method(owner, &api, &root, "keyed", true);
        owner.must("POST", &format!("/restapis/{api}/deployments"), r#"{"stageName":"prod"}"#, 201);
        let key = owner.must("POST", "/apikeys", r#"{"name":"client","enabled":true}"#, 201);
        let plan = json!({
            "name": "counted",
            "apiStages": [{"apiId": api, "stage": "prod"}],
            "quota": {"limit": quota, "period": "MONTH"},
        });
        let plan = owner.must("POST", "/usageplans", &plan.to_string(), 201);
        let member = json!({"keyId": key["id"], "keyType": "API_KEY"});
        owner.must("POST", &format!("/usageplans/{}/keys", text(&plan, "id")), &member.to_string(), 201);
        Self { api, plan: text(&plan, "id"), key: text(&key, "id"), key_value: text(&key, "value") }
    }

    pub(crate) fn path(&self, part: &str) -> String {
        format!("/_aws/execute-api/{}/prod/{part}", self.api)
    }
}
