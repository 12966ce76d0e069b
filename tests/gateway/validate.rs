//! validate: required parameters first, then the body against its model, in AWS's words.

use super::site::{Rows, Site, api_scope, mock};
use meridian::catalog::v1::{Method, Model, RequestValidator};

const PET: &str = r##"{"type": "object", "required": ["name", "age"], "properties": {
  "name": {"type": "string", "minLength": 2, "pattern": "^(?!.*bad).*$"}, "age": {"type": "integer"},
  "friend": {"$ref": "https://apigateway.amazonaws.com/restapis/a1b2c3d4e5/models/Friend"}}}"##;
/// Circular: a friend has friends.
const FRIEND: &str = r##"{"type": ["object", "null"], "properties": {
  "friends": {"type": "array", "items": {"$ref": "https://apigateway.amazonaws.com/restapis/a1b2c3d4e5/models/Friend"}},
  "kind": {"oneOf": [{"type": "null"}, {"enum": ["cat"]}]}}}"##;

fn site_rows() -> Rows {
    let mut rows = Rows::new();
    for (name, schema) in [("Pet", PET), ("Friend", FRIEND), ("Broken", r#"{"type": "nothing"}"#)] {
        let model = Model {
            id: name.into(),
            name: name.into(),
            schema: Some(schema.into()),
            content_type: "application/json".into(),
            ..Model::default()
        };
        rows.change(|ops| {
            ops.put(&api_scope(), name, &model);
        });
    }
    for (id, body, parameters) in
        [("all", true, true), ("body", true, false), ("parameters", false, true), ("none", false, false)]
    {
        let validator = RequestValidator {
            id: id.into(),
            validate_request_body: body,
            validate_request_parameters: parameters,
            ..RequestValidator::default()
        };
        rows.change(|ops| {
            ops.put(&api_scope(), id, &validator);
        });
    }
    for id in ["all", "body", "parameters", "none", "lost"] {
        rows.put_method(&format!("/{id}/{{id}}"), "POST", mock(r#"{"statusCode": 200}"#), |m| demanding(m, id, "Pet"));
    }
    rows.put_method("/broken", "POST", mock(r#"{"statusCode": 200}"#), |m| demanding(m, "body", "Broken"));
    rows.put_method("/get/{id}", "GET", mock(r#"{"statusCode": 200}"#), |m| demanding(m, "body", "Pet"));
    rows
}

fn demanding(method: &mut Method, validator: &str, model: &str) {
    method.request_validator_id = Some(validator.into());
    method.request_models = Some([("application/json".to_owned(), model.to_owned())].into());
    let names = [
        ("method.request.querystring.qs1", true),
        ("method.request.header.X-Header-Param", true),
        ("method.request.path.issuer", false),
        ("method.request.path.id", true),
        ("method.request.querystring.free", false),
        ("method.request.querystring.Qs2", true),
    ];
    method.request_parameters = Some(names.map(|(name, required)| (name.to_owned(), required)).into());
}

#[tokio::test]
async fn missing_parameters_are_named_in_awss_order_before_the_body_is_looked_at() {
    let site = Site::new(&site_rows().deploy()).await;
    let good = r#"{"name": "Rex", "age": 3}"#;
    let all = "X-Header-Param: 1\r\n";
    for (path, headers, body, wanted) in [
        ("/all/1?qs1=1&Qs2=2", all, good, Ok(())),
        ("/all/1?qs1=1&Qs2=2&free=", all, good, Ok(())),
        ("/all/1", "", good, Err("Missing required request parameters: [X-Header-Param, Qs2, qs1]")),
        ("/all/1?qs1=1&qs2=2", all, good, Err("Missing required request parameters: [Qs2]")),
        (
            "/all/1?qs1=+&Qs2=%20",
            "X-Header-Param:  \r\n",
            good,
            Err("Missing required request parameters: [X-Header-Param, Qs2, qs1]"),
        ),
        ("/all/1", "", "{}", Err("Missing required request parameters: [X-Header-Param, Qs2, qs1]")),
        ("/all/%20?qs1=1&Qs2=2", all, good, Ok(())),
        ("/all/1?qs1=1&Qs2=2", all, "{}", Err("Invalid request body")),
        ("/body/1", "", "{}", Err("Invalid request body")),
        ("/body/1", "", good, Ok(())),
        ("/parameters/1?qs1=1&Qs2=2", all, "{}", Ok(())),
        ("/none/1", "", "{}", Ok(())),
    ] {
        let answer = site.ask("POST", path, headers, body).await;
        match wanted {
            Ok(()) => assert_eq!(answer.status, 200, "{path} {headers}{body}: {}", answer.text()),
            Err(message) => {
                assert_eq!(answer.text(), format!("{{\"message\": \"{message}\"}}"), "{path} {headers}{body}");
                assert_eq!(answer.status, 400);
                assert_eq!(answer.header("x-amzn-errortype"), Some("BadRequestException"));
            }
        }
    }
}

#[tokio::test]
async fn bodies_are_held_against_the_model_of_their_media_type() {
    let site = Site::new(&site_rows().deploy()).await;
    let deep =
        format!(r#"{{"name": "Rex", "age": 3, "friend": {}null{}}}"#, r#"{"friends": ["#.repeat(30), "]}".repeat(30));
    let bottomless = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (headers, body, valid) in [
        ("", r#"{"name": "Rex", "age": 3}"#, true),
        ("Content-Type: application/json; charset=utf-8\r\n", r#"{"name": "Rex", "age": 3}"#, true),
        ("", r#"{"name": "R", "age": 3}"#, false),
        ("", r#"{"name": "so bad", "age": 3}"#, false),
        ("", r#"{"name": "Rex", "age": 3.5}"#, false),
        ("", r#"{"name": "Rex", "age": 3, "friend": {"kind": null}}"#, true),
        ("", r#"{"name": "Rex", "age": 3, "friend": {"friends": [{"kind": "dog"}]}}"#, false),
        ("", deep.as_str(), true),
        ("", bottomless.as_str(), false),
        ("", "", false),
        ("", "no json", false),
        ("", "[]", false),
        ("Content-Type: application/JSON\r\n", "{}", false),
    ] {
        let answer = site.ask("POST", "/body/1", headers, body).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, if valid { 200 } else { 400 }, "{headers}{shown}: {}", answer.text());
        if !valid {
            assert_eq!(answer.text(), r#"{"message": "Invalid request body"}"#);
        }
    }
    // No model for it, so no validation: the body passes, and names no status for the mock.
    let other = site.ask("POST", "/body/1", "Content-Type: text/plain\r\n", r#"{"statusCode": 200}"#).await;
    assert_eq!(other.status, 200);
    assert_eq!(site.get("/get/1").await.status, 400, "a GET without a body lacks what the model demands");
    for path in ["/lost/1", "/broken"] {
        let answer = site.ask("POST", path, "", "{}").await;
        assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"message": "Internal server error"}"#), "{path}");
    }
}

#[tokio::test]
async fn a_large_body_is_validated_without_holding_the_worker() {
    let site = Site::new(&site_rows().deploy()).await;
    let friends = vec![r#"{"kind": "cat"}"#; 50_000].join(",");
    let body = format!(r#"{{"name": "Rex", "age": 3, "friend": {{"friends": [{friends}]}}}}"#);
    let mut slow = site.connect().await;
    slow.send(super::site::request("POST", "/body/1", "", &body)).await;
    for _ in 0..20 {
        assert_eq!(site.ask("POST", "/none/1", "", "{}").await.status, 200);
    }
    assert_eq!(slow.answer().await.map(|a| a.status), Some(200));
}
