//! The event that a Lambda proxy integration sends, version 1.0 (data-plane §9), written straight into a buffer.

use super::context::{Context, Variable};
use super::mapping::decode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;

/// What an event tells of a visit, but for its body.
pub struct Event<'a> {
    /// The resource's path, `/pets/{id}`.
    pub resource: &'a str,
    /// The path below the stage, as it was sent.
    pub path: &'a str,
    /// The client's verb.
    pub http_method: &'a str,
    /// Headers with their values, those of one name one after another.
    pub headers: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// The query as it was sent.
    pub query: &'a str,
    /// Path parameters as they were sent.
    pub path_parameters: &'a [(Box<str>, Box<str>)],
    /// The stage's variables.
    pub stage_variables: &'a BTreeMap<String, String>,
    /// What `requestContext` is made of.
    pub context: &'a dyn Context,
    /// The method's `operationName`.
    pub operation_name: Option<&'a str>,
    /// Whether the method wants an API key, which the identity then tells.
    pub keyed: bool,
    /// What the authorizer told, a JSON object.
    pub authorizer: Option<&'a str>,
}

/// Members of `identity` that are always there.
const IDENTITY: [(&str, Variable); 12] = [
    ("accessKey", Variable::AccessKey),
    ("accountId", Variable::CallerAccountId),
    ("caller", Variable::Caller),
    ("cognitoAuthenticationProvider", Variable::CognitoAuthenticationProvider),
    ("cognitoAuthenticationType", Variable::CognitoAuthenticationType),
    ("cognitoIdentityId", Variable::CognitoIdentityId),
    ("cognitoIdentityPoolId", Variable::CognitoIdentityPoolId),
    ("principalOrgId", Variable::PrincipalOrgId),
    ("sourceIp", Variable::SourceIp),
    ("user", Variable::User),
    ("userAgent", Variable::UserAgent),
    ("userArn", Variable::UserArn),
];
/// Members of `identity` that are there where the visit has them.
const MORE_IDENTITY: [(&str, Variable); 2] = [("vpcId", Variable::VpcId), ("vpceId", Variable::VpceId)];

impl Event<'_> {
    /// Writes everything up to the body, which [`finish`] writes.
    pub fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"resource\":");
        text(out, self.resource);
        out.extend_from_slice(b",\"path\":");
        text(out, self.path);
        out.extend_from_slice(b",\"httpMethod\":");
        text(out, self.http_method);
        self.headers(out);
        self.query(out);
        out.extend_from_slice(b",\"pathParameters\":");
        object(out, self.path_parameters.iter().map(|(name, value)| (&**name, &**value)));
        out.extend_from_slice(b",\"stageVariables\":");
        object(out, self.stage_variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.context(out);
        out.extend_from_slice(b",\"body\":");
    }

    fn headers(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"headers\":");
        let groups = || self.headers.chunk_by(|(one, _), (next, _)| one == next);
        object(out, groups().filter_map(|group| group.last()).map(|(name, value)| (&**name, &**value)));
        out.extend_from_slice(b",\"multiValueHeaders\":");
        lists(out, groups().map(|group| (&*group[0].0, group.iter().map(|(_, value)| &**value))));
    }

    fn query(&self, out: &mut Vec<u8>) {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = pairs.map(|(n, v)| (decode(n), decode(v))).collect();
        // Those of one name one after another, at the place of the first.
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by(|one, other| pairs[*one].0.cmp(&pairs[*other].0));
        let mut groups: Vec<&[usize]> = order.chunk_by(|one, next| pairs[*one].0 == pairs[*next].0).collect();
        groups.sort_unstable_by_key(|group| group[0]);
        out.extend_from_slice(b",\"queryStringParameters\":");
        let last = groups.iter().filter_map(|group| group.last());
        object(out, last.map(|at| (&*pairs[*at].0, &*pairs[*at].1)));
        out.extend_from_slice(b",\"multiValueQueryStringParameters\":");
        lists(out, groups.iter().map(|group| (&*pairs[group[0]].0, group.iter().map(|at| &*pairs[*at].1))));
    }

    fn context(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"requestContext\":{\"accountId\":");
        self.value(out, &Variable::AccountId);
        for (name, variable) in [
            ("apiId", Variable::ApiId),
            ("deploymentId", Variable::DeploymentId),
            ("domainName", Variable::DomainName),
            ("domainPrefix", Variable::DomainPrefix),
            ("extendedRequestId", Variable::ExtendedRequestId),
            ("httpMethod", Variable::HttpMethod),
        ] {
            member(out, name);
            self.value(out, &variable);
        }
        if let Some(authorizer) = self.authorizer {
            member(out, "authorizer");
            out.extend_from_slice(authorizer.as_bytes());
        }
        if let Some(matched) = self.context.value(&Variable::BasePathMatched) {
            out.extend_from_slice(b",\"customDomain\":{\"basePathMatched\":");
            text(out, &matched);
            out.push(b'}');
        }
        self.identity(out);
        if let Some(name) = self.operation_name {
            member(out, "operationName");
            text(out, name);
        }
        for (name, variable) in [
            ("path", Variable::Path),
            ("protocol", Variable::Protocol),
            ("requestId", Variable::RequestId),
            ("requestTime", Variable::RequestTime),
        ] {
            member(out, name);
            self.value(out, &variable);
        }
        member(out, "requestTimeEpoch");
        out.extend_from_slice(self.context.value(&Variable::RequestTimeEpoch).as_deref().unwrap_or("0").as_bytes());
        for (name, variable) in
            [("resourceId", Variable::ResourceId), ("resourcePath", Variable::ResourcePath), ("stage", Variable::Stage)]
        {
            member(out, name);
            self.value(out, &variable);
        }
        self.known(out, &[("wafResponseCode", Variable::WafResponseCode), ("webaclArn", Variable::WebAclArn)]);
        out.push(b'}');
    }

    fn identity(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"identity\":{");
        for (index, (name, variable)) in IDENTITY.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            text(out, name);
            out.push(b':');
            self.value(out, variable);
        }
        if self.keyed {
            self.known(out, &[("apiKey", Variable::ApiKey), ("apiKeyId", Variable::ApiKeyId)]);
        }
        self.known(out, &MORE_IDENTITY);
        if let Some(pem) = self.context.value(&Variable::ClientCertPem) {
            out.extend_from_slice(b",\"clientCert\":{\"clientCertPem\":");
            text(out, &pem);
            for (name, variable) in [
                ("subjectDN", Variable::ClientCertSubject),
                ("issuerDN", Variable::ClientCertIssuer),
                ("serialNumber", Variable::ClientCertSerialNumber),
            ] {
                member(out, name);
                self.value(out, &variable);
            }
            out.extend_from_slice(b",\"validity\":{\"notBefore\":");
            self.value(out, &Variable::ClientCertNotBefore);
            out.extend_from_slice(b",\"notAfter\":");
            self.value(out, &Variable::ClientCertNotAfter);
            out.extend_from_slice(b"}}");
        }
        out.push(b'}');
    }

    /// A variable, `null` where the visit has none.
    fn value(&self, out: &mut Vec<u8>, variable: &Variable) {
        match self.context.value(variable) {
            Some(value) => text(out, &value),
            None => out.extend_from_slice(b"null"),
        }
    }

    /// Further members, those that the visit has.
    fn known(&self, out: &mut Vec<u8>, members: &[(&str, Variable)]) {
        for (name, variable) in members {
            if let Some(value) = self.context.value(variable) {
                member(out, name);
                text(out, &value);
            }
        }
    }
}

/// Writes the body, and ends the event. `binary`: the body is bytes, sent as Base64; else what is no UTF-8 is replaced.
pub fn finish(out: &mut Vec<u8>, body: &[u8], binary: bool) {
    if body.is_empty() {
        out.extend_from_slice(b"null");
    } else if binary {
        let at = out.len() + 1;
        out.resize(at + body.len().div_ceil(3) * 4, b'"');
        // The slice is as long as what is written.
        let written = STANDARD.encode_slice(body, &mut out[at..]).unwrap_or_default();
        out.truncate(at + written);
        out.push(b'"');
    } else {
        out.reserve(body.len() + body.len() / 8);
        text(out, &String::from_utf8_lossy(body));
    }
    out.extend_from_slice(if binary && !body.is_empty() {
        b",\"isBase64Encoded\":true}"
    } else {
        b",\"isBase64Encoded\":false}"
    });
}

fn member(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    text(out, name);
    out.push(b':');
}

fn text(out: &mut Vec<u8>, text: &str) {
    if serde_json::to_writer(&mut *out, text).is_err() {
        // Nothing that is written to memory fails.
        let _ = out.write_all(b"null");
    }
}

/// An object of texts; an empty one is `null`.
fn object<'p>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'p str, &'p str)>) {
    let mut open = b'{';
    for (name, value) in pairs {
        out.push(open);
        open = b',';
        text(out, name);
        out.push(b':');
        text(out, value);
    }
    out.extend_from_slice(if open == b'{' { b"null" } else { b"}" });
}

/// An object of lists of texts; an empty one is `null`.
fn lists<'p, L: Iterator<Item = &'p str>>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'p str, L)>) {
    let mut open = b'{';
    for (name, values) in pairs {
        out.push(open);
        open = b',';
        text(out, name);
        out.extend_from_slice(b":[");
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            text(out, value);
        }
        out.push(b']');
    }
    out.extend_from_slice(if open == b'{' { b"null" } else { b"}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Visit(Vec<(Variable, &'static str)>);

    impl Context for Visit {
        fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
            self.0.iter().find(|(known, _)| known == variable).map(|(_, value)| Cow::Borrowed(*value))
        }
    }

    fn written(event: &Event<'_>, body: &[u8], binary: bool) -> String {
        let mut out = Vec::new();
        event.begin(&mut out);
        finish(&mut out, body, binary);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn an_event_has_every_member_in_its_place_and_null_for_what_is_not_there() {
        let visit = Visit(vec![
            (Variable::AccountId, "111122223333"),
            (Variable::ApiId, "a1"),
            (Variable::RequestTimeEpoch, "1583349317135"),
            (Variable::SourceIp, "192.0.2.1"),
        ]);
        let event = Event {
            resource: "/{proxy+}",
            path: "/proxy-value/",
            http_method: "GET",
            headers: &[("Accept".into(), "*/*".into()), ("tEsT".into(), "a\"\u{1}\u{e9}".into())],
            query: "",
            path_parameters: &[("proxy".into(), "test%2Balias".into())],
            stage_variables: &BTreeMap::new(),
            context: &visit,
            operation_name: None,
            keyed: false,
            authorizer: None,
        };
        assert_eq!(
            written(&event, b"", true),
            concat!(
                r#"{"resource":"/{proxy+}","path":"/proxy-value/","httpMethod":"GET","#,
                r#""headers":{"Accept":"*/*","tEsT":"a\"\u0001é"},"multiValueHeaders":{"Accept":["*/*"],"tEsT":["a\"\u0001é"]},"#,
                r#""queryStringParameters":null,"multiValueQueryStringParameters":null,"#,
                r#""pathParameters":{"proxy":"test%2Balias"},"stageVariables":null,"#,
                r#""requestContext":{"accountId":"111122223333","apiId":"a1","deploymentId":null,"domainName":null,"#,
                r#""domainPrefix":null,"extendedRequestId":null,"httpMethod":null,"identity":{"accessKey":null,"#,
                r#""accountId":null,"caller":null,"cognitoAuthenticationProvider":null,"cognitoAuthenticationType":null,"#,
                r#""cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null,"sourceIp":"192.0.2.1","#,
                r#""user":null,"userAgent":null,"userArn":null},"path":null,"protocol":null,"requestId":null,"#,
                r#""requestTime":null,"requestTimeEpoch":1583349317135,"resourceId":null,"resourcePath":null,"stage":null},"#,
                r#""body":null,"isBase64Encoded":false}"#
            )
        );
    }

    #[test]
    fn several_values_are_lists_and_the_last_one_where_one_must_do() {
        let visit = Visit(vec![
            (Variable::ApiKey, "k"),
            (Variable::ApiKeyId, "kid"),
            (Variable::ClientCertPem, "PEM"),
            (Variable::ClientCertNotAfter, "May"),
            (Variable::BasePathMatched, "v1"),
        ]);
        let event = Event {
            resource: "/",
            path: "/",
            http_method: "GET",
            headers: &[("A".into(), "1".into()), ("A".into(), "2".into()), ("b".into(), "3".into())],
            query: "z=1&a=%2B+x&z=2&&e&z=%20",
            path_parameters: &[],
            stage_variables: &BTreeMap::from([("v".to_owned(), "1".to_owned())]),
            context: &visit,
            operation_name: Some("List"),
            keyed: true,
            authorizer: Some(r#"{"principalId":"p"}"#),
        };
        let whole = written(&event, b"\xff\x00", true);
        let value: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
        let said = |pointer: &str| value.pointer(pointer).expect(pointer).to_string();
        assert_eq!(said("/headers"), r#"{"A":"2","b":"3"}"#);
        assert_eq!(said("/multiValueHeaders"), r#"{"A":["1","2"],"b":["3"]}"#);
        assert_eq!(said("/queryStringParameters"), r#"{"z":" ","a":"+ x","e":""}"#);
        assert_eq!(said("/multiValueQueryStringParameters"), r#"{"z":["1","2"," "],"a":["+ x"],"e":[""]}"#);
        assert_eq!((said("/pathParameters"), said("/stageVariables")), ("null".into(), r#"{"v":"1"}"#.into()));
        assert_eq!((said("/body"), said("/isBase64Encoded")), (r#""/wA=""#.into(), "true".into()));
        let identity = "/requestContext/identity";
        assert_eq!(said(&format!("{identity}/apiKey")) + &said(&format!("{identity}/apiKeyId")), r#""k""kid""#);
        let cert = r#"{"clientCertPem":"PEM","subjectDN":null,"issuerDN":null,"serialNumber":null,"validity":{"notBefore":null,"notAfter":"May"}}"#;
        assert_eq!(said(&format!("{identity}/clientCert")), cert);
        assert_eq!(said("/requestContext/authorizer/principalId"), r#""p""#);
        assert_eq!(said("/requestContext/customDomain/basePathMatched"), r#""v1""#);
        assert_eq!(said("/requestContext/operationName"), r#""List""#);
        assert_eq!(
            written(&event, b"h\xe9", false).rsplit_once("\"body\":").expect("a body").1,
            "\"h\u{fffd}\",\"isBase64Encoded\":false}"
        );
    }
}
