//! Which headers pass, which are dropped and which are renamed (data-plane §8).

use super::explain::is_ours;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Dropped from every request before any mapping; hyper makes framing and `Host` anew.
fn never_from_client(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::CONTENT_LENGTH
            | header::EXPECT
            | header::MAX_FORWARDS
            | header::PROXY_AUTHENTICATE
            | header::SERVER
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::WWW_AUTHENTICATE
            | header::HOST
    ) || [KEEP_ALIVE, PROXY_CONNECTION, CONTENT_MD5].contains(name)
        || is_ours(name)
}

/// Takes out of a client's headers what no backend sees. `proxy`: for HTTP_PROXY, which drops `Via` as well, and
/// `Content-Encoding`, since the body is decoded.
pub(super) fn drop_from_client(headers: &mut HeaderMap, proxy: bool) {
    // What `Connection` names is between the client and us.
    if headers.contains_key(header::CONNECTION) {
        let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
        let named: Vec<HeaderName> =
            lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
        for name in named {
            headers.remove(name);
        }
    }
    let mut gone: [Option<HeaderName>; 16] = Default::default();
    loop {
        let mut found = 0;
        for name in headers
            .keys()
            .filter(|n| never_from_client(n) || proxy && (**n == header::VIA || **n == header::CONTENT_ENCODING))
        {
            gone[found] = Some(name.clone());
            found += 1;
            if found == gone.len() {
                break;
            }
        }
        gone[..found].iter_mut().filter_map(Option::take).for_each(|name| drop(headers.remove(name)));
        if found < gone.len() {
            break;
        }
    }
    let signed = |v: &HeaderValue| v.as_bytes().starts_with(b"AWS4-HMAC-SHA256");
    if headers.get(header::AUTHORIZATION).is_some_and(signed) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// Makes one `Cookie` of the crumbs that HTTP/2 clients send: HTTP/1.1 knows only one (RFC 9113 §8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    // What was valid apart is valid together.
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, whole);
    }
}

/// What a mapping to `integration.request.header.X` comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// It is set.
    Send,
    /// It is left out without a word.
    Drop,
    /// 500.
    Fail,
}

pub(super) fn mapped_to_backend(name: &HeaderName) -> Mapped {
    match *name {
        header::CONNECTION | header::PROXY_AUTHENTICATE | header::TE | header::EXPECT | header::VIA => Mapped::Drop,
        header::CONTENT_LENGTH | header::TRANSFER_ENCODING => Mapped::Fail,
        // They would announce what we do not do.
        header::UPGRADE | header::TRAILER => Mapped::Drop,
        _ => Mapped::Send,
    }
}

/// The same for a call of an AWS service, which is signed: what would frame or sign it is no mapping's to say.
pub(super) fn mapped_to_service(name: &HeaderName) -> Mapped {
    match *name {
        header::CONNECTION
        | header::PROXY_AUTHENTICATE
        | header::TE
        | header::EXPECT
        | header::CONTENT_LENGTH
        | header::TRANSFER_ENCODING
        | header::AUTHORIZATION => Mapped::Fail,
        header::HOST | header::UPGRADE | header::TRAILER => Mapped::Drop,
        _ if matches!(name.as_str(), "x-amz-date" | "x-amz-security-token" | "x-amz-content-sha256") => Mapped::Drop,
        _ => Mapped::Send,
    }
}

/// The other name under which an answer's header goes to the client, if it does.
fn remapped(name: &HeaderName) -> Option<HeaderName> {
    Some(HeaderName::from_static(match *name {
        header::AUTHORIZATION => "x-amzn-remapped-authorization",
        header::CONNECTION => "x-amzn-remapped-connection",
        header::CONTENT_LENGTH => "x-amzn-remapped-content-length",
        header::DATE => "x-amzn-remapped-date",
        header::EXPECT => "x-amzn-remapped-expect",
        header::HOST => "x-amzn-remapped-host",
        header::MAX_FORWARDS => "x-amzn-remapped-max-forwards",
        header::PROXY_AUTHENTICATE => "x-amzn-remapped-proxy-authenticate",
        header::SERVER => "x-amzn-remapped-server",
        header::TRAILER => "x-amzn-remapped-trailer",
        header::UPGRADE => "x-amzn-remapped-upgrade",
        header::USER_AGENT => "x-amzn-remapped-user-agent",
        header::WWW_AUTHENTICATE => "x-amzn-remapped-www-authenticate",
        _ if *name == CONTENT_MD5 => "x-amzn-remapped-content-md5",
        _ if *name == REQUEST_ID => "x-amzn-remapped-x-amzn-requestid",
        _ => return None,
    }))
}

/// A name as people write it: `Content-Type`, `x-amzn-ErrorType`.
pub(super) fn canonical(name: &HeaderName) -> String {
    match name.as_str() {
        "x-amzn-errortype" => "x-amzn-ErrorType".to_owned(),
        "x-amzn-requestid" => "x-amzn-RequestId".to_owned(),
        text if text.starts_with("x-amzn-remapped-") => format!("x-amzn-Remapped-{}", titled(&text[16..])),
        "x-amzn-apigateway-api-id" => name.to_string(),
        text => titled(text),
    }
}

fn titled(text: &str) -> String {
    let mut begins = true;
    let letter = |c: char| if std::mem::replace(&mut begins, c == '-') { c.to_ascii_uppercase() } else { c };
    text.chars().map(letter).collect()
}

/// The name that a client sees; `None`: it sees none.
pub(super) fn to_client(name: &HeaderName) -> Option<HeaderName> {
    if *name == header::TRANSFER_ENCODING || is_ours(name) {
        return None;
    }
    Some(remapped(name).unwrap_or_else(|| name.clone()))
}

/// Renames and drops in place what HTTP_PROXY passes on from its backend.
pub(super) fn pass_to_client(headers: &mut HeaderMap) {
    let dropped =
        |n: &HeaderName| matches!(*n, header::TRANSFER_ENCODING | header::VIA) || *n == KEEP_ALIVE || is_ours(n);
    let mut odd: [Option<(HeaderName, Option<HeaderName>)>; 8] = Default::default();
    loop {
        let mut found = 0;
        for name in headers.keys() {
            let renamed = remapped(name);
            if renamed.is_some() || dropped(name) {
                odd[found] = Some((name.clone(), renamed));
                found += 1;
                if found == odd.len() {
                    break;
                }
            }
        }
        odd[..found].iter_mut().filter_map(Option::take).for_each(|(name, renamed)| rename(headers, name, renamed));
        if found < odd.len() {
            break;
        }
    }
}

/// Moves all values of a header to another name, or drops them.
fn rename(headers: &mut HeaderMap, name: HeaderName, renamed: Option<HeaderName>) {
    let header::Entry::Occupied(found) = headers.entry(name) else { return };
    let Some(new) = renamed else {
        found.remove_entry();
        return;
    };
    if found.iter().nth(1).is_none() {
        let value = found.remove();
        headers.append(new, value);
        return;
    }
    let values: Vec<HeaderValue> = found.remove_entry_mult().1.collect();
    for value in values {
        headers.append(new.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse::<HeaderName>().expect("name"), v.parse().expect("value"))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<String> {
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn framing_hop_by_hop_and_our_own_headers_never_reach_a_backend() {
        let mut headers = map(&[
            ("connection", "x-hop, Keep-Alive"),
            ("x-hop", "1"),
            ("keep-alive", "5"),
            ("content-length", "3"),
            ("content-md5", "x"),
            ("expect", "100-continue"),
            ("max-forwards", "1"),
            ("proxy-authenticate", "x"),
            ("server", "x"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "x"),
            ("www-authenticate", "x"),
            ("host", "x"),
            ("via", "x"),
            ("proxy-connection", "x"),
            ("x-meridian-hops", "9"),
            ("x-meridian-y", "9"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=x"),
            ("accept", "a"),
            ("x-api-key", "k"),
        ]);
        drop_from_client(&mut headers, true);
        assert_eq!(names(&headers), ["accept", "x-api-key"]);
        let mut headers = HeaderMap::new();
        for (name, value) in [("connection", "close, x-one"), ("connection", "x-two"), ("x-one", "1"), ("x-two", "2")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        drop_from_client(&mut headers, true);
        assert_eq!(names(&headers), [""; 0]);
        let mut headers = map(&[("authorization", "Bearer x"), ("via", "y")]);
        drop_from_client(&mut headers, false);
        assert_eq!(names(&headers), ["authorization", "via"]);
    }

    #[test]
    fn answers_are_renamed_as_at_aws_and_keep_all_values() {
        let mut headers = map(&[
            ("date", "d"),
            ("server", "s"),
            ("connection", "close"),
            ("content-length", "5"),
            ("www-authenticate", "Basic"),
            ("x-amzn-requestid", "theirs"),
            ("transfer-encoding", "chunked"),
            ("via", "v"),
            ("x-meridian-cause", "admit/plan_throttle"),
            ("etag", "e"),
            ("set-cookie", "a"),
        ]);
        headers.append("set-cookie", "b".parse().expect("value"));
        headers.append("www-authenticate", "Bearer".parse().expect("value"));
        pass_to_client(&mut headers);
        assert_eq!(
            names(&headers),
            [
                "etag",
                "set-cookie",
                "x-amzn-remapped-connection",
                "x-amzn-remapped-content-length",
                "x-amzn-remapped-date",
                "x-amzn-remapped-server",
                "x-amzn-remapped-www-authenticate",
                "x-amzn-remapped-x-amzn-requestid",
            ]
        );
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(headers.get_all("x-amzn-remapped-www-authenticate").iter().count(), 2);
    }
}
