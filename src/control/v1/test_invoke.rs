//! TestInvokeMethod: one call of a method's draft, with its execution log (control-plane §11).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::locate::{self, Missing};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb};
use crate::gateway::{Trial, Tried};

/// The operations of this file. They ask the gateway: a trial changes no row.
pub const OPERATIONS: &[Verb] = &[Verb::trial("TestInvokeMethod", ask, tell)];

fn ask(scene: &Scene<'_>) -> Result<Trial, Fault> {
    let (_, resource) = locate::resource(scene, scene.call.label("resourceId"))?;
    let mut found = locate::method(scene, Missing::Method)?;
    found.integration().map_err(|_| Fault::bad_request("No integration defined for method"))?;
    let call = scene.call;
    let texts = |name: &str| call.input.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Trial {
        tree: scene.world.tree(&found.scope),
        account: call.account.to_string(),
        region: call.region.to_string(),
        api: call.label("restApiId").to_owned(),
        resource_id: resource.id,
        resource_path: resource.path,
        http_method: found.method.http_method,
        target: call.text("pathWithQueryString").filter(|path| !path.is_empty()).map(str::to_owned),
        headers: headers(&texts("headers"), &texts("multiValueHeaders")),
        body: Bytes::from(call.text("body").unwrap_or_default().to_owned()),
        variables: texts("stageVariables").into_iter().filter_map(|(n, v)| Some((n, v.as_str()?.to_owned()))).collect(),
    })
}

/// A name that is in both maps has the values of both.
fn headers(single: &Map<String, Value>, many: &Map<String, Value>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, values) in many {
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        all.extend(values.map(|value| (name.clone(), value.to_owned())));
    }
    for (name, value) in single {
        if let Some(value) = value.as_str()
            && !all.iter().any(|(known, have)| known == name && have == value)
        {
            all.push((name.clone(), value.to_owned()));
        }
    }
    all
}

fn tell(tried: &Tried) -> Reply {
    let mut many: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (name, value) in &tried.headers {
        many.entry(name).or_default().push(value.as_str().into());
    }
    let last = |values: &[Value]| values.last().cloned().unwrap_or_default();
    let single: Map<String, Value> = many.iter().map(|(name, all)| ((*name).to_owned(), last(all))).collect();
    let many: Map<String, Value> = many.into_iter().map(|(name, all)| (name.to_owned(), all.into())).collect();
    let shown = Object::new()
        .set("status", tried.status)
        .set("body", String::from_utf8_lossy(&tried.body).into_owned())
        .set("headers", single)
        .set("multiValueHeaders", many)
        .set("log", tried.log.as_str())
        .set("latency", tried.latency_ms);
    Reply::json(shown)
}
