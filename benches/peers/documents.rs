//! OpenAPI documents of any size, as JSON and as the YAML that people write.

use serde_json::{Map, Value, json};

/// A document of `nouns × 5` operations as a middling service has them: parameters, bodies, models, mapped integrations.
pub(crate) fn rich(nouns: usize) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for n in 0..nouns {
        let (noun, model) = (format!("thing{n}"), format!("Thing{n}"));
        schemas.insert(model.clone(), schema(&noun));
        let item = json!({
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "get": operation("Get", &model, "get", &noun, false),
            "put": operation("Replace", &model, "put", &noun, true),
            "delete": operation("Delete", &model, "delete", &noun, false),
        });
        let all = json!({
            "get": operation("List", &model, "get", &noun, false),
            "post": operation("Create", &model, "post", &noun, true),
        });
        paths.insert(format!("/{noun}s"), all);
        paths.insert(format!("/{noun}s/{{id}}"), item);
    }
    let error = json!({"type": "object", "properties": {"message": {"type": "string"}}});
    schemas.insert("Failure".to_owned(), error);
    json!({
        "openapi": "3.0.1",
        "info": {"title": "bench", "version": "2026-11-01", "description": "Things of many kinds"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn schema(noun: &str) -> Value {
    json!({
        "type": "object",
        "required": ["id", "name"],
        "properties": {
            "id": {"type": "string", "description": format!("The number of a {noun}")},
            "name": {"type": "string", "minLength": 1, "maxLength": 200},
            "price": {"type": "number", "minimum": 0},
            "tags": {"type": "array", "items": {"type": "string"}},
            "state": {"type": "string", "enum": ["new", "open", "closed"]},
        },
    })
}

fn answer(model: &str) -> Value {
    let schema = json!({"$ref": format!("#/components/schemas/{model}")});
    json!({"description": "What became of it", "content": {"application/json": {"schema": schema}}})
}

fn operation(verb: &str, model: &str, method: &str, noun: &str, body: bool) -> Value {
    let mut operation = json!({
        "operationId": format!("{verb}{model}"),
        "summary": format!("{verb} what is known of a {noun}"),
        "parameters": [
            {"name": "limit", "in": "query", "schema": {"type": "integer"}},
            {"name": "X-Trace", "in": "header", "required": true, "schema": {"type": "string"}},
        ],
        "responses": {"200": answer(model), "400": answer("Failure")},
        "x-amazon-apigateway-integration": {
            "type": "http",
            "httpMethod": method.to_uppercase(),
            "uri": format!("https://backend.example.com/{noun}s"),
            "passthroughBehavior": "when_no_templates",
            "timeoutInMillis": 5_000,
            "requestParameters": {"integration.request.querystring.limit": "method.request.querystring.limit"},
            "responses": {
                "default": {"statusCode": "200", "responseTemplates": {"application/json": "$input.json('$')"}},
                "4\\d{2}": {"statusCode": "400", "responseTemplates": {"application/json": "{\"message\": \"no\"}"}},
            },
        },
    });
    if body {
        let schema = json!({"$ref": format!("#/components/schemas/{model}")});
        operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// A document of `resources` resources besides the root, each with a proxied method.
pub(crate) fn plain(name: &str, resources: usize) -> Value {
    let mut paths = Map::new();
    for n in 0..resources {
        let (path, parameter) = match n % 2 {
            0 => (format!("/noun{}", n / 2), "method.request.querystring.limit"),
            _ => (format!("/noun{}/{{id}}", n / 2), "method.request.path.id"),
        };
        let kind = if n % 2 == 0 { ("limit", "query") } else { ("id", "path") };
        let get = json!({
            "operationId": format!("Get{n}"),
            "parameters": [{"name": kind.0, "in": kind.1, "required": n % 2 == 1, "schema": {"type": "string"}}],
            "responses": {"200": {"description": "ok"}},
            "x-amazon-apigateway-integration": {
                "type": "http",
                "httpMethod": "GET",
                "uri": format!("https://backend.example.com/{name}/{n}"),
                "requestParameters": {"integration.request.querystring.key": parameter},
                "responses": {"default": {"statusCode": "200"}},
            },
        });
        paths.insert(path, json!({ "get": get }));
    }
    json!({"openapi": "3.0.1", "info": {"title": name, "version": "1"}, "paths": paths})
}

/// The value in block style, as YAML is written by hand.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let plain = name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
                *text += &if plain { format!("{indent}{name}:") } else { format!("{indent}{}:", json!(name)) };
                after(member, depth, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                *text += &format!("{indent}-");
                after(item, depth, text);
            }
        }
        scalar => *text += &format!("{indent}{scalar}\n"),
    }
}

/// What stands behind a colon or a dash.
fn after(value: &Value, depth: usize, text: &mut String) {
    let nested = value.as_object().is_some_and(|o| !o.is_empty()) || value.as_array().is_some_and(|a| !a.is_empty());
    if nested {
        text.push('\n');
        block(value, depth + 1, text);
    } else {
        *text += &format!(" {value}\n");
    }
}
