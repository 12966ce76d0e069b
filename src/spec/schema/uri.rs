//! As much of URIs as schema references need: joining a reference to a base.

/// A reference made absolute: document and fragment.
pub(super) fn join(base: &str, reference: &str) -> (String, String) {
    let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let base = base.split('#').next().unwrap_or_default();
    let document = if path.is_empty() {
        base.to_owned()
    } else if has_scheme(path) {
        path.to_owned()
    } else if let Some((origin, base_path)) = origin(base) {
        if path.starts_with('/') {
            format!("{origin}{path}")
        } else {
            format!("{origin}{}", merged(if base_path.is_empty() { "/" } else { base_path }, path))
        }
    } else {
        merged(base, path)
    };
    (document, fragment.to_owned())
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
    })
}

/// Scheme with authority, and the path.
fn origin(uri: &str) -> Option<(&str, &str)> {
    let start = uri.find("://")? + 3;
    let end = uri[start..].find('/').map_or(uri.len(), |at| start + at);
    Some((&uri[..end], &uri[end..]))
}

/// The base's folder and the path, dots resolved.
fn merged(base: &str, path: &str) -> String {
    let folder = base.rfind('/').map_or("", |at| &base[..=at]);
    let mut parts: Vec<&str> = Vec::new();
    let whole = format!("{}{path}", if folder.is_empty() && base.starts_with('/') { "/" } else { folder });
    for part in whole.split('/') {
        match part {
            "." => {}
            ".." => {
                if parts.len() > 1 {
                    parts.pop();
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A fragment without its percent escapes.
pub(super) fn decoded(fragment: &str) -> String {
    percent_encoding::percent_decode_str(fragment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn references_are_joined_to_their_base() {
        for (base, reference, document, fragment) in [
            ("", "#/a", "", "/a"),
            ("http://x/a/b.json", "c.json#d", "http://x/a/c.json", "d"),
            ("http://x/a/b.json", "/c", "http://x/c", ""),
            ("http://x/a/b", "../c", "http://x/c", ""),
            ("http://x", "c", "http://x/c", ""),
            ("http://x/a", "urn:b:c", "urn:b:c", ""),
            ("http://x/a/", "b/", "http://x/a/b/", ""),
            ("a.json", "b.json", "b.json", ""),
        ] {
            assert_eq!(join(base, reference), (document.to_owned(), fragment.to_owned()), "{base} {reference}");
        }
    }
}
