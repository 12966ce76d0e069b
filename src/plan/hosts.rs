//! How a request names an API and a stage (design §3): by host, by path, by header.

/// A stage as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'r> {
    /// The API's id.
    pub api: &'r str,
    /// The stage's name.
    pub stage: &'r str,
    /// Where in the path the part below the stage begins, bytes; at the path's end where nothing is below.
    pub below: usize,
    /// Which form it was.
    pub form: Form,
}

/// The forms, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{api}.execute-api.…`
    Host,
    /// `{api}-{vpce}.execute-api.…`
    PrivateHost,
    /// `/_aws/execute-api/{api}/{stage}/…`
    AwsPath,
    /// `/restapis/{api}/{stage}/_user_request_/…`
    LocalPath,
    /// `x-apigw-api-id`
    Header,
}

/// The stage that a request names, if it names one. `header` gives the value of `x-apigw-api-id`, where it comes to that.
pub fn named<'r>(host: &'r str, path: &'r str, header: impl FnOnce() -> Option<&'r str>) -> Option<Named<'r>> {
    let host = without_port(host);
    if let Some((label, form)) = host_label(host) {
        return in_path(label, path, form);
    }
    if let Some(found) = invoke_path(path) {
        return Some(found);
    }
    // A custom domain must not be passed by a header: its mTLS would be, too (foundations §8.6).
    let may = is_plain_host(host) || is_private_host(host);
    let api = may.then(header)??;
    in_path(api, path, Form::Header)
}

/// The forms that need neither host nor header, on raw segments: no dot segments, no encoded slash.
/// The admin listener answers these on loopback before its own routes (foundations §8.1).
pub fn invoke_path(path: &str) -> Option<Named<'_>> {
    const AWS: &str = "/_aws/execute-api/";
    const LOCAL: &str = "/restapis/";
    const MARK: &str = "_user_request_";
    if let Some(rest) = path.strip_prefix(AWS) {
        let (api, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let stage = rest.split('/').next().unwrap_or_default();
        let below = AWS.len() + api.len() + 1 + stage.len();
        let found = Named { api, stage, below: below.min(path.len()), form: Form::AwsPath };
        return (!api.is_empty() && !stage.is_empty() && is_clean(path)).then_some(found);
    }
    let rest = path.strip_prefix(LOCAL)?;
    let mut parts = rest.splitn(4, '/');
    let (api, stage, mark) = (parts.next()?, parts.next()?, parts.next()?);
    let below = LOCAL.len() + api.len() + 1 + stage.len() + 1 + MARK.len();
    let found = Named { api, stage, below, form: Form::LocalPath };
    (mark == MARK && !api.is_empty() && !stage.is_empty() && is_clean(path)).then_some(found)
}

fn is_clean(path: &str) -> bool {
    let dots = |part: &str| {
        matches!(part, "." | "..")
            || part.to_ascii_lowercase().replace("%2e", ".").trim_matches('.').is_empty() && !part.is_empty()
    };
    !path.split('/').take(6).any(dots) && !path.to_ascii_lowercase().split('/').take(5).any(|part| part.contains("%2f"))
}

/// API and stage from a path whose first segment is the stage; slashes before it do not count.
fn in_path<'r>(api: &'r str, path: &'r str, form: Form) -> Option<Named<'r>> {
    let trimmed = path.trim_start_matches('/');
    let stage = until(trimmed, b'/');
    let below = path.len() - trimmed.len() + stage.len();
    (!stage.is_empty() && !api.is_empty()).then_some(Named { api, stage, below, form })
}

/// The API of `{api}.execute-api.…` or `{api}-{vpce}.execute-api.…`.
fn host_label(host: &str) -> Option<(&str, Form)> {
    let label = until(host, b'.');
    let service = until(host.get(label.len() + 1..)?, b'.');
    if !service.eq_ignore_ascii_case("execute-api") || label.is_empty() || label.starts_with("vpce-") {
        return None;
    }
    let api = until(label, b'-');
    let rest = label.get(api.len() + 1..);
    Some(if rest.is_some_and(|vpce| vpce.starts_with("vpce")) { (api, Form::PrivateHost) } else { (label, Form::Host) })
}

/// A short text up to a byte, or whole: a plain loop, as the searches of `str` pay off in long texts only.
fn until(text: &str, end: u8) -> &str {
    text.bytes().position(|byte| byte == end).map_or(text, |at| &text[..at])
}

/// `{vpce-dns}.execute-api.{region}.vpce.…`
fn is_private_host(host: &str) -> bool {
    host.starts_with("vpce-") && host.contains(".execute-api.") && host.contains(".vpce.")
}

/// An IP address, `localhost` or a name below it.
pub fn is_plain_host(host: &str) -> bool {
    let host = without_port(host);
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let lower = bare.to_ascii_lowercase();
    lower == "localhost" || lower.ends_with(".localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str, path: &str, header: Option<&str>) -> Option<(String, String, String, Form)> {
        named(host, path, || header).map(|n| (n.api.into(), n.stage.into(), path[n.below..].into(), n.form))
    }

    #[test]
    fn every_way_to_name_a_stage_is_understood() {
        let a = "a1b2c3d4e5";
        let cases = [
            ("a1b2c3d4e5.execute-api.eu-west-1.localhost", "/prod/pets", None, "/pets", Form::Host),
            ("a1b2c3d4e5.execute-api.localhost:8080", "/prod", None, "", Form::Host),
            ("a1b2c3d4e5.Execute-Api.x", "//prod//pets/", None, "//pets/", Form::Host),
            ("a1b2c3d4e5-vpce0123.execute-api.eu-west-1.x", "/prod/", None, "/", Form::PrivateHost),
            ("127.0.0.1:8080", "/_aws/execute-api/a1b2c3d4e5/prod/pets", None, "/pets", Form::AwsPath),
            ("127.0.0.1:8080", "/_aws/execute-api/a1b2c3d4e5/prod", None, "", Form::AwsPath),
            ("x.example.com", "/restapis/a1b2c3d4e5/prod/_user_request_/pets/1", None, "/pets/1", Form::LocalPath),
            ("localhost", "/restapis/a1b2c3d4e5/prod/_user_request_", None, "", Form::LocalPath),
            ("localhost", "/restapis/a1b2c3d4e5/prod/_user_request_/", None, "/", Form::LocalPath),
            ("[::1]:80", "/prod/pets", Some(a), "/pets", Form::Header),
            ("foo.localhost", "/prod/pets", Some(a), "/pets", Form::Header),
            ("vpce-1-2.execute-api.eu-west-1.vpce.localhost", "/prod/pets", Some(a), "/pets", Form::Header),
        ];
        for (host, path, header, below, form) in cases {
            let wanted = Some((a.to_string(), "prod".to_string(), below.to_string(), form));
            assert_eq!(found(host, path, header), wanted, "{host}{path}");
        }
    }

    #[test]
    fn what_names_no_stage_is_not_guessed() {
        for (host, path, header) in [
            ("api.example.com", "/prod/pets", Some("a1b2c3d4e5")),
            ("localhost", "/prod/pets", None),
            ("a.execute-api.x", "/", None),
            ("localhost", "/_aws/execute-api//prod", None),
            ("localhost", "/_aws/execute-api/a", None),
            ("localhost", "/_aws/execute-api/a/../b", None),
            ("localhost", "/_aws/execute-api/a%2fb/prod", None),
            ("localhost", "/_aws/execute-api/a/%2e%2e/prod", None),
            ("localhost", "/restapis/a/b/c/_user_request_", None),
            ("localhost", "/restapis/a/stages/prod", None),
            ("", "/", None),
        ] {
            assert_eq!(found(host, path, header), None, "{host}{path}");
        }
    }

    #[test]
    fn a_host_form_wins_over_path_and_header() {
        let path = "/_aws/execute-api/zzzzzzzzzz/prod/x";
        let named = found("a1b2c3d4e5.execute-api.x", path, Some("yyyyyyyyyy")).expect("host form");
        assert_eq!((named.0.as_str(), named.1.as_str()), ("a1b2c3d4e5", "_aws"));
    }
}
