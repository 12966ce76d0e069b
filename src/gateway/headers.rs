//! Which headers pass, which are dropped and which are renamed (data-plane §8).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const REMAPPED: &str = "x-amzn-remapped-";

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
        || name.as_str().starts_with("x-meridian-")
}

/// Takes out of a client's headers what no backend sees. `proxy`: for HTTP_PROXY, which drops `Via` as well.
pub(super) fn drop_from_client(headers: &mut HeaderMap, proxy: bool) {
    // What `Connection` names is between the client and us.
    if let Some(named) = headers.get(header::CONNECTION) {
        let named: Vec<HeaderName> =
            named.to_str().unwrap_or_default().split(',').filter_map(|n| n.trim().parse().ok()).collect();
        for name in named {
            headers.remove(name);
        }
    }
    let mut gone: [Option<HeaderName>; 16] = Default::default();
    loop {
        let mut found = 0;
        for name in headers.keys().filter(|n| never_from_client(n) || proxy && **n == header::VIA) {
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

/// Whether an answer's header goes to the client under another name.
fn is_remapped(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::AUTHORIZATION
            | header::EXPECT
            | header::HOST
            | header::MAX_FORWARDS
            | header::PROXY_AUTHENTICATE
            | header::TRAILER
            | header::UPGRADE
            | header::USER_AGENT
            | header::WWW_AUTHENTICATE
            | header::CONNECTION
            | header::CONTENT_LENGTH
            | header::DATE
            | header::SERVER
    ) || [CONTENT_MD5, REQUEST_ID].contains(name)
}

/// The name that a client sees; `None`: it sees none.
pub(super) fn to_client(name: &HeaderName) -> Option<HeaderName> {
    if *name == header::TRANSFER_ENCODING {
        return None;
    }
    if !is_remapped(name) {
        return Some(name.clone());
    }
    HeaderName::try_from(format!("{REMAPPED}{name}")).ok()
}

/// Renames and drops in place what HTTP_PROXY passes on from its backend.
pub(super) fn pass_to_client(headers: &mut HeaderMap) {
    let odd =
        |n: &&HeaderName| is_remapped(n) || matches!(**n, header::TRANSFER_ENCODING | header::VIA) || **n == KEEP_ALIVE;
    let names: Vec<HeaderName> = headers.keys().filter(odd).cloned().collect();
    for name in names {
        let renamed = to_client(&name).filter(|new| *new != name);
        let values: Vec<HeaderValue> = match headers.entry(name) {
            header::Entry::Occupied(found) => found.remove_entry_mult().1.collect(),
            header::Entry::Vacant(_) => Vec::new(),
        };
        if let Some(new) = renamed {
            for value in values {
                headers.append(new.clone(), value);
            }
        }
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
