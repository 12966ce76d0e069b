//! Where paths come to lie, and what stands for AWS's variables.

use super::{Node, Reader, Version};
use crate::spec::openapi::document::{BasePath, ReadOptions};
use serde_json::Value;

/// The file with `${AWS::AccountId}`, `${AWS::Partition}` and `${AWS::Region}` put in.
pub(super) fn substituted(file: &Value, options: &ReadOptions) -> Value {
    match file {
        Value::String(text) if text.contains("${AWS::") => Value::String(
            text.replace("${AWS::AccountId}", &options.account)
                .replace("${AWS::Partition}", "aws")
                .replace("${AWS::Region}", &options.region),
        ),
        Value::Array(items) => items.iter().map(|item| substituted(item, options)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), substituted(value, options))).collect())
        }
        other => other.clone(),
    }
}

/// The prefix of every path: what a mode leaves of a base path, without a slash at its end.
pub(super) fn prefix(mode: BasePath, base: &str) -> String {
    let segments: Vec<&str> = base.split('/').filter(|segment| !segment.is_empty()).collect();
    let kept = match mode {
        BasePath::Ignore => &[],
        BasePath::Prepend => &segments[..],
        BasePath::Split => segments.get(1..).unwrap_or_default(),
    };
    kept.iter().map(|segment| format!("/{segment}")).collect()
}

/// A path below a prefix. The root below a prefix is the prefix.
pub(super) fn below(prefix: &str, path: &str) -> String {
    let path = path.trim_end_matches('/');
    match (prefix, path) {
        ("", "") => "/".to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}{path}"),
    }
}

/// The longest path, characters: no client can ask for more.
const LONGEST: usize = 8_192;
/// The most segments of a path: each is a resource.
const MOST_SEGMENTS: usize = 100;

/// Why a path cannot be one.
pub(super) fn judge(path: &str) -> Option<String> {
    if path.len() > LONGEST {
        return Some(format!("a path has at most {LONGEST} characters"));
    }
    let many = path.split('/').filter(|segment| !segment.is_empty()).count() > MOST_SEGMENTS;
    many.then(|| format!("a path has at most {MOST_SEGMENTS} segments"))
}

impl Reader<'_> {
    /// The file's base path: `basePath`, or the variable of that name of any server, or the path of the first server.
    pub(super) fn base_path(&self) -> String {
        let root = Node::root(self.root);
        if self.version == Version::V2 {
            return root.text_of("basePath").unwrap_or_default();
        }
        let servers: Vec<Node<'_>> =
            root.get("servers").into_iter().flat_map(|list| list.items().collect::<Vec<_>>()).collect();
        let variable = |server: &Node<'_>| server.get("variables")?.get("basePath")?.text_of("default");
        if let Some(path) = servers.iter().find_map(variable) {
            return path;
        }
        let url = servers.first().and_then(|server| server.text_of("url")).unwrap_or_default();
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        match rest.find('/') {
            Some(slash) => rest[slash..].to_owned(),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_modes_place_a_path_as_aws_does() {
        let place = |mode, base, path| below(&prefix(mode, base), path);
        assert_eq!(place(BasePath::Ignore, "/a/b/c", "/e"), "/e");
        assert_eq!(place(BasePath::Prepend, "/a/b/c", "/e"), "/a/b/c/e");
        assert_eq!(place(BasePath::Split, "/a/b/c", "/e"), "/b/c/e");
        assert_eq!(place(BasePath::Split, "/a", "/e"), "/e");
        assert_eq!(place(BasePath::Prepend, "/a/", "/"), "/a");
        assert_eq!(place(BasePath::Prepend, "", "/"), "/");
    }
}
