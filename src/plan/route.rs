//! Path and verb → method: exact segment before `{param}` before the deepest `{proxy+}` (data-plane §2).

use std::collections::HashMap;

/// What a method can be made for, and so what `ANY` stands for: `TRACE` would show a visitor what we add for the
/// backend, `CONNECT` would make a tunnel, and `ANY` itself is nobody's verb.
const VERBS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// The routes of one API.
#[derive(Debug, Default)]
pub struct Routes {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    exact: HashMap<Box<str>, Node>,
    param: Option<(Box<str>, Box<Node>)>,
    greedy: Option<(Box<str>, Box<Node>)>,
    verbs: Vec<(Box<str>, usize)>,
}

/// A match. Path values are as they were sent, percent sequences included.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'p, 'r> {
    /// Index of the method.
    pub method: usize,
    /// Names and values in the path's order.
    pub parameters: Vec<(&'p str, &'r str)>,
}

impl Routes {
    /// Adds a resource (`/pets/{id}`), and a method of it.
    ///
    /// # Errors
    /// When the path is none.
    pub fn add(&mut self, path: &str, method: Option<(&str, usize)>) -> Result<(), String> {
        let rest = path.strip_prefix('/').ok_or("a path begins with /")?;
        let mut node = &mut self.root;
        let mut parts = rest.split('/').filter(|_| !rest.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            node = match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                None if part.is_empty() || part.contains(['{', '}']) => {
                    return Err(format!("`{part}` is no path part"));
                }
                None => node.exact.entry(part.into()).or_default(),
                Some(name) => match name.strip_suffix('+') {
                    Some(_) if !last => return Err(format!("`{part}` must be the last part of a path")),
                    Some(name) => &mut *node.greedy.get_or_insert_with(|| (name.into(), Box::default())).1,
                    None => &mut *node.param.get_or_insert_with(|| (name.into(), Box::default())).1,
                },
            };
        }
        if let Some((verb, index)) = method {
            node.verbs.push((verb.into(), index));
        }
        Ok(())
    }

    /// The method for a verb and the path below the stage, in origin form without its query.
    pub fn find<'p, 'r>(&'p self, verb: &str, path: &'r str) -> Option<Found<'p, 'r>> {
        if !VERBS.contains(&verb) {
            return None;
        }
        // Slashes before the first segment and one behind the last do not count.
        let path = path.trim_start_matches('/');
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut parameters: Vec<(&'p str, &'r str)> = Vec::new();
        let mut node = &self.root;
        let mut greedy: Option<(&'p str, &'r str, &'p Node, usize)> = None;
        let mut rest = (!path.is_empty()).then_some(path);
        let mut stuck = false;
        while let Some(here) = rest {
            if let (Some((name, below)), false) = (&node.greedy, here.is_empty()) {
                greedy = Some((name, here, below, parameters.len()));
            }
            let (part, after) = here.split_once('/').map_or((here, None), |(part, after)| (part, Some(after)));
            if let Some(child) = exact(node, part) {
                node = child;
            } else if let (Some((name, child)), false) = (&node.param, part.is_empty()) {
                parameters.push((name, part));
                node = child;
            } else {
                stuck = true;
                break;
            }
            rest = after;
        }
        // A resource without any method is only a way to others: the greedy one above it answers.
        if stuck || node.verbs.is_empty() {
            let (name, value, below, kept) = greedy?;
            parameters.truncate(kept);
            parameters.push((name, value));
            node = below;
        }
        let named = node.verbs.iter().find(|(v, _)| **v == *verb);
        let (_, method) = named.or_else(|| node.verbs.iter().find(|(v, _)| **v == *"ANY"))?;
        Some(Found { method: *method, parameters })
    }
}

/// The child for a segment as it was sent, or as it reads decoded.
fn exact<'n>(node: &'n Node, part: &str) -> Option<&'n Node> {
    if let Some(child) = node.exact.get(part) {
        return Some(child);
    }
    if !part.contains('%') {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
    // An encoded slash never makes two segments of one.
    node.exact.get(&*decoded)
}
