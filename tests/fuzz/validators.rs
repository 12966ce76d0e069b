//! A method with a validator and a model, for targets that need one.

use crate::site::{Rows, api_scope, mock};
use meridian::catalog::v1::{Model, RequestValidator};

/// Puts a mock at `path` whose POST wants a query parameter and an object.
pub(crate) fn demand(rows: &mut Rows, path: &str) {
    let schema =
        r##"{"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}, "b": {"pattern": "^(a+)+$"}}}"##;
    let model = Model { id: "m".into(), name: "Any".into(), schema: Some(schema.into()), ..Model::default() };
    let validator = RequestValidator {
        id: "v".into(),
        validate_request_body: true,
        validate_request_parameters: true,
        ..RequestValidator::default()
    };
    rows.change(|ops| {
        ops.put(&api_scope(), "Any", &model).put(&api_scope(), "v", &validator);
    });
    rows.put_method(path, "POST", mock(r#"{"statusCode": 200}"#), |method| {
        method.request_validator_id = Some("v".into());
        method.request_models = Some([("application/json".to_owned(), "Any".to_owned())].into());
        method.request_parameters = Some([("method.request.querystring.q".to_owned(), true)].into());
    });
}
