//! Table row: which operation a request names, from its method, raw path and raw query.

use std::collections::HashMap;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;

use super::model::{Operation, Service};
use super::table::OPERATIONS;

/// An operation and the labels of its path, decoded, by wire name.
#[derive(Debug)]
pub struct Route {
    /// The operation.
    pub operation: &'static Operation,
    /// Path labels in the order of the template.
    pub labels: Vec<(&'static str, String)>,
}

/// Query keys and values, decoded, in order.
pub type Query = Vec<(String, String)>;

/// Why no operation was found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// No operation has such a path and method.
    #[error("no operation has this method and path")]
    Unknown,
    /// The path or query is not percent-encoded UTF-8.
    #[error("the path or the query is not percent-encoded UTF-8")]
    Malformed,
}

#[derive(Debug)]
struct Template {
    operation: &'static Operation,
    segments: Vec<Segment>,
    query: Vec<(&'static str, &'static str)>,
}

#[derive(Debug)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
}

/// Templates by (method, number of segments), most literal first.
static TEMPLATES: LazyLock<HashMap<(&'static str, usize), Vec<Template>>> = LazyLock::new(|| {
    let mut map: HashMap<_, Vec<Template>> = HashMap::new();
    for operation in &OPERATIONS {
        let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let segments: Vec<Segment> = path.split('/').skip(1).map(segment).collect();
        let query = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        map.entry((operation.method, segments.len())).or_default().push(Template { operation, segments, query });
    }
    for list in map.values_mut() {
        let literals = |t: &Template| t.segments.iter().filter(|s| matches!(s, Segment::Literal(_))).count();
        list.sort_by_key(|t| std::cmp::Reverse((literals(t), t.query.len())));
    }
    map
});

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(label) => Segment::Label(label),
        None => Segment::Literal(text),
    }
}

/// Finds the operation. `path` and `query` are as received, still encoded; a segment is decoded only after the split,
/// so an encoded slash stays inside its label. Tag ARNs may come with bare slashes too.
pub fn route(method: &str, path: &str, query: &Query) -> Result<Route, NoRoute> {
    let Some(rest) = path.strip_prefix('/') else { return Err(NoRoute::Unknown) };
    // Older clients of Lambda end the list's path so.
    let rest = if rest == "2015-03-31/functions/" { "2015-03-31/functions" } else { rest };
    let mut segments: Vec<&str> = rest.split('/').collect();
    let tagged = ["tags/", "v2/tags/"].iter().find(|p| rest.starts_with(**p));
    if let Some(prefix) = tagged {
        segments = prefix.split('/').filter(|s| !s.is_empty()).collect();
        segments.push(&rest[prefix.len()..]);
    }
    let key = METHODS.iter().find(|m| **m == method).ok_or(NoRoute::Unknown)?;
    let candidates = TEMPLATES.get(&(*key, segments.len())).ok_or(NoRoute::Unknown)?;
    let found = candidates.iter().find(|t| t.fits(&segments, query)).ok_or(NoRoute::Unknown)?;
    let mut labels = Vec::new();
    for (part, raw) in found.segments.iter().zip(&segments) {
        if let Segment::Label(name) = part {
            labels.push((*name, percent_decode_str(raw).decode_utf8().map_err(|_| NoRoute::Malformed)?.into_owned()));
        }
    }
    Ok(Route { operation: found.operation, labels })
}

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

impl Template {
    fn fits(&self, segments: &[&str], query: &Query) -> bool {
        self.segments.iter().zip(segments).all(|(part, raw)| match part {
            Segment::Literal(text) => text == raw,
            Segment::Label(_) => !raw.is_empty(),
        }) && self.query.iter().all(|(k, v)| query.iter().any(|(qk, qv)| qk == k && qv == v))
    }
}

/// Splits and decodes a raw query; `+` is a blank.
pub fn query(raw: &str) -> Result<Query, NoRoute> {
    let decode = |part: &str| {
        let blanks = part.replace('+', " ");
        percent_decode_str(&blanks).decode_utf8().map(|s| s.into_owned()).map_err(|_| NoRoute::Malformed)
    };
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(k)?, decode(v)?))
        })
        .collect()
}

/// Whether a path is one of Lambda's: its first segment is a date.
pub fn is_lambda(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
    OPERATIONS
        .iter()
        .any(|o| o.service == Service::Lambda && o.uri[1..].split('/').next().is_some_and(|head| head == first))
}

/// Whether a path belongs to AWS's namespace at all: its first segment begins some operation.
pub fn is_aws(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
    OPERATIONS.iter().any(|o| {
        o.service != Service::Management && o.uri[1..].split(['/', '?']).next().is_some_and(|head| head == first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = (&'static str, Vec<(&'static str, String)>);

    fn find(method: &str, target: &str) -> Result<Found, NoRoute> {
        let (path, raw) = target.split_once('?').unwrap_or((target, ""));
        route(method, path, &query(raw)?).map(|r| (r.operation.name, r.labels))
    }

    #[test]
    fn every_operation_is_found_by_its_own_template() {
        for operation in &OPERATIONS {
            let target = operation.uri.replace('{', "x").replace('}', "");
            let (path, raw) = target.split_once('?').unwrap_or((target.as_str(), ""));
            let found = route(operation.method, path, &query(raw).unwrap()).unwrap();
            assert!(std::ptr::eq(found.operation, operation), "{} went to {}", operation.name, found.operation.name);
        }
    }

    #[test]
    fn the_import_forms_share_a_path_with_the_create_forms() {
        assert_eq!(find("POST", "/restapis?mode=import").unwrap().0, "ImportRestApi");
        assert_eq!(find("POST", "/restapis?mode=other").unwrap().0, "CreateRestApi");
        assert_eq!(find("POST", "/apikeys?format=csv&mode=import").unwrap().0, "ImportApiKeys");
        assert_eq!(find("POST", "/apikeys").unwrap().0, "CreateApiKey");
        assert_eq!(find("PUT", "/restapis/abc?mode=merge").unwrap().0, "PutRestApi");
    }

    #[test]
    fn functions_are_found_by_name_and_by_arn() {
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Apets/invocations";
        let (name, labels) = find("POST", path).unwrap();
        assert_eq!((name, labels[0].1.as_str()), ("Invoke", "arn:aws:lambda:us-east-1:000000000000:function:pets"));
        assert_eq!(find("GET", "/2015-03-31/functions/").unwrap().0, "ListFunctions");
        assert_eq!(find("GET", "/2018-10-31/layers?find=LayerVersion&Arn=x").unwrap().0, "GetLayerVersionByArn");
        assert!(is_lambda("/2015-03-31/functions") && !is_lambda("/restapis") && !is_lambda("/tags/x"));
    }

    #[test]
    fn a_tag_arn_may_be_encoded_or_bare() {
        let arn = "arn:aws:apigateway:us-east-1::/restapis/abc/stages/prod";
        for path in [
            "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fabc%2Fstages%2Fprod".to_owned(),
            format!("/tags/{arn}"),
        ] {
            let (name, labels) = find("PUT", &path).unwrap();
            assert_eq!((name, labels[0].1.as_str()), ("TagResource", arn));
        }
        assert_eq!(find("POST", "/v2/tags/arn%3Aaws").unwrap().0, "TagResource");
    }

    #[test]
    fn labels_are_decoded_after_the_split() {
        let (name, labels) = find("GET", "/restapis/a%2Fb/resources/c").unwrap();
        assert_eq!(name, "GetResource");
        assert_eq!(labels, [("restapi_id", "a/b".to_owned()), ("resource_id", "c".to_owned())]);
        assert_eq!(find("GET", "/restapis/%ff"), Err(NoRoute::Malformed));
    }

    #[test]
    fn what_no_operation_has_is_unknown() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/restapi"),
            ("PATCH", "/restapis"),
            ("TRACE", "/restapis"),
            ("GET", "/restapis/"),
            ("GET", ""),
        ] {
            assert_eq!(find(method, path), Err(NoRoute::Unknown), "{method} {path}");
        }
        assert!(is_aws("/restapis/x") && is_aws("/v2/apis") && !is_aws("/cluster/v1/status") && !is_aws("/healthz"));
    }
}
