//! Meridian as the bench runs it: a node with an API that mocks, proxies, and checks key, throttle and quota.

use crate::Outcome;
use crate::nodes::Owner;
use crate::responder::SMALL;
use serde_json::{Value, json};

/// What the load generator has to send.
pub(crate) struct Api {
    pub(crate) host: String,
    /// Sent as `x-api-key` to `/prod/keyed`.
    pub(crate) key: String,
}

fn member(value: &Value, name: &str) -> Outcome<String> {
    Ok(value[name].as_str().ok_or_else(|| format!("no {name} in {value}"))?.to_owned())
}

struct Made<'a> {
    owner: &'a Owner,
    api: String,
    root: String,
}

impl Made<'_> {
    fn call(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        self.owner.must(method, path, &body.to_string(), status)
    }

    /// `GET /{part}`: to `uri`, or answered here when there is none.
    fn method(&self, part: &str, uri: Option<&str>, keyed: bool) -> Outcome<()> {
        let resources = format!("/restapis/{}/resources", self.api);
        let resource = self.call("POST", &format!("{resources}/{}", self.root), &json!({"pathPart": part}), 201);
        let method = format!("{resources}/{}/methods/GET", member(&resource, "id")?);
        self.call("PUT", &method, &json!({"authorizationType": "NONE", "apiKeyRequired": keyed}), 201);
        let integration = format!("{method}/integration");
        if let Some(uri) = uri {
            self.call("PUT", &integration, &json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": uri}), 201);
            return Ok(());
        }
        self.call("PUT", &format!("{method}/responses/200"), &json!({}), 201);
        let template = json!({"type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}});
        self.call("PUT", &integration, &template, 201);
        let answer = json!({"responseTemplates": {"application/json": SMALL}});
        self.call("PUT", &format!("{integration}/responses/200"), &answer, 201);
        Ok(())
    }
}

impl Made<'_> {
    /// `POST /full`: a key, a model of the whole order, a template there and a template back; `POST /order`: none of it.
    fn orders(&self, uri: &str) -> Outcome<()> {
        let api = format!("/restapis/{}", self.api);
        let item = json!({"type": "object", "required": ["id", "name"], "properties": {
            "id": {"type": "integer", "minimum": 0}, "name": {"type": "string", "minLength": 1, "maxLength": 64},
            "price": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}},
            "nested": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}});
        let order = json!({"type": "object", "required": ["customer", "items"], "properties": {
            "customer": {"type": "string"}, "city": {"type": "string"}, "items": {"type": "array", "items": item}}});
        let model = json!({"name": "Order", "contentType": "application/json", "schema": order.to_string()});
        self.call("POST", &format!("{api}/models"), &model, 201);
        let validator = json!({"name": "all", "validateRequestBody": true, "validateRequestParameters": true});
        let validator = member(&self.call("POST", &format!("{api}/requestvalidators"), &validator, 201), "id")?;
        let resources = format!("{api}/resources");
        for part in ["order", "full"] {
            let resource = self.call("POST", &format!("{resources}/{}", self.root), &json!({"pathPart": part}), 201);
            let method = format!("{resources}/{}/methods/POST", member(&resource, "id")?);
            let integration = format!("{method}/integration");
            if part == "order" {
                self.call("PUT", &method, &json!({"authorizationType": "NONE"}), 201);
                self.call("PUT", &integration, &json!({"type": "HTTP_PROXY", "httpMethod": "POST", "uri": uri}), 201);
                continue;
            }
            let demands = json!({"authorizationType": "NONE", "apiKeyRequired": true, "requestValidatorId": validator,
                "requestModels": {"application/json": "Order"}});
            self.call("PUT", &method, &demands, 201);
            self.call("PUT", &format!("{method}/responses/200"), &json!({}), 201);
            let there = json!({"type": "HTTP", "httpMethod": "POST", "uri": uri,
                "requestTemplates": {"application/json": THERE}});
            self.call("PUT", &integration, &there, 201);
            let back = json!({"responseTemplates": {"application/json": BACK}});
            self.call("PUT", &format!("{integration}/responses/200"), &back, 201);
        }
        Ok(())
    }
}

/// What is made of an order for the backend.
const THERE: &str = r##"#set($order = $input.path('$'))
{"for": "$util.escapeJavaScript($order.customer)", "in": "$order.city", "from": "$context.identity.sourceIp", "count": $order.items.size(),
 "items": [#foreach($item in $order.items){"id": $item.id, "name": "$item.name", "price": $item.price}#if($foreach.hasNext),#end#end]}"##;

/// What is made of the receipt for the client.
const BACK: &str = r##"#set($receipt = $input.path('$')){"receipt": "$receipt.id", "total": $receipt.total, "lines": $receipt.lines.size(), "first": $input.json('$.lines[0]')}"##;

/// Makes the API and deploys it, with limits that are counted but never reached.
pub(crate) fn set_up(owner: &Owner, backend: &str) -> Outcome<Api> {
    let made = owner.must("POST", "/restapis", "{\"name\":\"bench\"}", 201);
    let bench = Made { owner, api: member(&made, "id")?, root: member(&made, "rootResourceId")? };
    bench.method("mock", None, false)?;
    bench.method("kept", Some(&format!("http://{backend}/mock")), false)?;
    bench.method("1k", Some(&format!("http://{backend}/1k")), false)?;
    bench.method("1m", Some(&format!("http://{backend}/1m")), false)?;
    bench.method("keyed", Some(&format!("http://{backend}/1k")), true)?;
    bench.orders(&format!("http://{backend}/order"))?;
    bench.call("POST", &format!("/restapis/{}/deployments", bench.api), &json!({"stageName": "prod"}), 201);
    let kept = json!({"patchOperations": [
        {"op": "replace", "path": "/cacheClusterEnabled", "value": "true"},
        {"op": "replace", "path": "/~1kept/GET/throttling/rateLimit", "value": "1000000000"},
        {"op": "replace", "path": "/~1kept/GET/throttling/burstLimit", "value": "1000000000"},
        {"op": "replace", "path": "/~1kept/GET/caching/enabled", "value": "true"}]});
    bench.call("PATCH", &format!("/restapis/{}/stages/prod", bench.api), &kept, 200);
    let key = bench.call("POST", "/apikeys", &json!({"name": "bench", "enabled": true}), 201);
    let plan = json!({
        "name": "bench",
        "apiStages": [{"apiId": bench.api, "stage": "prod"}],
        "throttle": {"rateLimit": 1e9, "burstLimit": 1_000_000_000},
        "quota": {"limit": 1_000_000_000, "period": "MONTH"},
    });
    let plan = bench.call("POST", "/usageplans", &plan, 201);
    let joined = json!({"keyId": key["id"], "keyType": "API_KEY"});
    bench.call("POST", &format!("/usageplans/{}/keys", member(&plan, "id")?), &joined, 201);
    Ok(Api { host: format!("{}.execute-api.{}.localhost", bench.api, owner.region), key: member(&key, "value")? })
}
