//! The gateway's forms on the admin listener, so that one port is enough on a laptop (foundations §8.1).
//!
//! Only where the listener is private; matched on raw segments before any control route, and answered so that a page
//! that an API serves cannot act on the admin origin.

use super::NodeShared;
use crate::net::http::{Body, ConnInfo};
use http::{HeaderValue, Request, Response, StatusCode, header};
use std::rc::Rc;
use std::sync::Arc;

/// Whether a raw path is one of the forms that name a stage: `/_aws/execute-api/{api}/…` or
/// `/restapis/{api}/{stage}/_user_request_…`.
pub(super) fn is_invoke(path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    match segments.next() {
        Some("_aws") => segments.next() == Some("execute-api"),
        Some("restapis") => segments.nth(2) == Some("_user_request_"),
        _ => false,
    }
}

/// What could make two readers of a path disagree about it.
fn is_ambiguous(path: &str) -> bool {
    let dots = |segment: &str| matches!(segment, "." | "..");
    path.split('/').any(dots) || path.to_ascii_lowercase().contains("%2f") || path.to_ascii_lowercase().contains("%2e")
}

/// Answers a visit that came to the admin listener.
pub(super) async fn on_admin(node: &Arc<NodeShared>, request: Request<Body>, conn: Rc<ConnInfo>) -> Response<Body> {
    let refuse = |text: &'static str| {
        super::operate::answer(StatusCode::FORBIDDEN, &serde_json::json!({ "message": text })).map(Body::full)
    };
    if !node.settings.invoke {
        return refuse("the admin listener answers API calls on loopback only: use the gateway listener");
    }
    if is_ambiguous(request.uri().path()) {
        return refuse("dot segments and encoded slashes are not answered on the admin listener");
    }
    let mut response = node.gateway.visit(request, conn).await;
    response.headers_mut().remove(header::SET_COOKIE);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    response
}

#[cfg(test)]
mod tests {
    use super::{is_ambiguous, is_invoke};

    #[test]
    fn only_the_two_forms_are_visits_and_no_path_is_read_in_two_ways() {
        for visit in
            ["/_aws/execute-api/a/prod/x", "/restapis/a/prod/_user_request_/x", "/restapis/a/prod/_user_request_"]
        {
            assert!(is_invoke(visit), "{visit}");
        }
        for control in [
            "/restapis",
            "/restapis/a",
            "/restapis/a/stages/prod",
            "/_aws/other",
            "/",
            "/restapis/a/b/c/_user_request_",
        ] {
            assert!(!is_invoke(control), "{control}");
        }
        for ambiguous in ["/_aws/execute-api/../..", "/_aws/execute-api/a/%2fx", "/a/%2E%2e/b", "/a/./b"] {
            assert!(is_ambiguous(ambiguous), "{ambiguous}");
        }
    }
}
