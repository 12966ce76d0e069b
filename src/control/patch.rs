//! PATCH: a list of operations over a noun's rule table, all or nothing, with the two styles of refusal that API Gateway has.

use serde_json::Value;

use super::{Call, Fault, Scene};

/// What a patch operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Adds.
    Add,
    /// Removes.
    Remove,
    /// Replaces.
    Replace,
    /// Copies from another path.
    Copy,
    /// Parsed and refused.
    Move,
    /// Parsed and refused.
    Test,
}

impl Op {
    const ALL: [Op; 6] = [Op::Add, Op::Remove, Op::Replace, Op::Copy, Op::Move, Op::Test];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Replace => "replace",
            Op::Copy => "copy",
            Op::Move => "move",
            Op::Test => "test",
        }
    }
}

/// One operation of a PATCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub op: Op,
    /// The path as it was sent.
    pub path: String,
    /// The decoded segments that stand where the rule has `{}`.
    pub keys: Vec<String>,
    /// The value; absent and null are the same.
    pub value: Option<String>,
    /// Where to copy from.
    pub from: Option<String>,
}

impl Step {
    /// The value, empty when absent.
    pub fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// The value as a boolean: anything but `true` is false, as API Gateway reads it.
    pub fn flag(&self) -> bool {
        self.text().eq_ignore_ascii_case("true")
    }

    /// The value, absent when empty: for texts that an empty value clears.
    pub fn cleared(&self) -> Option<String> {
        self.value.clone().filter(|v| !v.is_empty())
    }

    /// The first key of the path.
    pub fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// The path's segments, decoded.
    pub fn segments(&self) -> Vec<String> {
        segments(&self.path)
    }
}

/// Puts one step into the noun.
pub type Apply<T> = fn(&mut T, &Step, &Scene<'_>) -> Result<(), Fault>;

/// A row of a noun's rule table: a path (`{}` takes one segment), the operations it knows, what they do.
pub struct Rule<T> {
    /// The path pattern.
    pub path: &'static str,
    /// Operations that it knows.
    pub ops: &'static [Op],
    /// What they do.
    pub apply: Apply<T>,
}

/// How a noun words its refusals (control-plane.md §4).
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// Names the paths that there are, in this order.
    Listing(&'static [&'static str]),
    /// Says only that the path or the operation is wrong.
    Plain,
}

/// A noun's rule table.
pub struct Rules<T: 'static> {
    /// How refusals are worded.
    pub style: Style,
    /// The rules; the first whose path fits counts.
    pub rules: &'static [Rule<T>],
    /// What becomes of a path that no rule fits; `None`: it is refused in the noun's style.
    pub other: Option<Apply<T>>,
}

impl<T> Rules<T> {
    /// Applies the call's `patchOperations` in order. The noun must be thrown away when one is refused.
    ///
    /// # Errors
    /// What every step was refused for, as [`together`] puts it.
    pub fn apply(&self, noun: &mut T, scene: &Scene<'_>) -> Result<(), Fault> {
        together(steps(scene.call)?.into_iter().map(|step| self.one(noun, step, scene)))
    }

    fn one(&self, noun: &mut T, mut step: Step, scene: &Scene<'_>) -> Result<(), Fault> {
        let Some(rule) = self.rule(&mut step)? else {
            return match self.other {
                Some(apply) => apply(noun, &step, scene),
                None => Err(self.bad_path(&step)),
            };
        };
        if !rule.ops.contains(&step.op) {
            return Err(self.bad_op(&step, rule));
        }
        (rule.apply)(noun, &step, scene)
    }

    fn rule(&self, step: &mut Step) -> Result<Option<&'static Rule<T>>, Fault> {
        // A pointer begins with a slash (RFC 6901).
        let parts = if step.path.starts_with('/') { step.segments() } else { Vec::new() };
        for rule in self.rules {
            if let Some(keys) = fit(rule.path, &parts) {
                step.keys = keys;
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    fn bad_path(&self, step: &Step) -> Fault {
        match self.style {
            Style::Listing(paths) => {
                let (path, op) = (&step.path, step.op.word());
                let what = if self.rules.iter().any(|r| r.ops.contains(&step.op)) {
                    format!("Must be one of: [{}]", paths.join(", "))
                } else {
                    "Please choose supported operations".to_owned()
                };
                Fault::bad_request(format!("Invalid patch path  '{path}' specified for op '{op}'. {what}"))
            }
            Style::Plain => bad_path(step),
        }
    }

    fn bad_op(&self, step: &Step, rule: &Rule<T>) -> Fault {
        match self.style {
            Style::Listing(_) => self.bad_path(step),
            Style::Plain => bad_op(rule.ops),
        }
    }
}

/// Most refusals that one answer tells of.
const MOST_TOLD: usize = 20;

/// One refusal for all steps of a PATCH: the first decides on exception and status, and the words of the others of its kind
/// follow, as API Gateway tells of several errors at once.
///
/// # Errors
/// When any step was refused.
pub fn together(steps: impl Iterator<Item = Result<(), Fault>>) -> Result<(), Fault> {
    let mut refused: Option<(Fault, usize)> = None;
    for fault in steps.filter_map(Result::err) {
        match &mut refused {
            None => refused = Some((fault, 1)),
            Some((first, told)) if first.name == fault.name && *told < MOST_TOLD => {
                first.message = format!("{}; {}", first.message, fault.message);
                *told += 1;
            }
            Some(_) => {}
        }
    }
    refused.map_or(Ok(()), |(fault, _)| Err(fault))
}

/// The plain refusal of a path.
pub fn bad_path(step: &Step) -> Fault {
    Fault::bad_request(format!("Invalid patch path {}", step.path))
}

/// The plain refusal of an operation.
pub fn bad_op(ops: &[Op]) -> Fault {
    let words: Vec<&str> = ops.iter().map(|op| op.word()).collect();
    Fault::bad_request(format!("Invalid patch operation specified. Must be one of: [{}]", words.join(", ")))
}

/// Most operations of one PATCH: each may look through what the ones before it made.
pub const MOST_STEPS: usize = 1_000;

/// The call's patch operations. A path that is missing is `null`, as API Gateway prints it.
///
/// # Errors
/// BadRequest for more than [`MOST_STEPS`].
pub fn steps(call: &Call) -> Result<Vec<Step>, Fault> {
    let text = |v: &Value, name: &str| v.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = call.list("patchOperations").unwrap_or_default();
    if list.len() > MOST_STEPS {
        let text = format!("patchOperations has {} members, at most {MOST_STEPS} are applied at once", list.len());
        return Err(Fault::bad_request(text));
    }
    let steps = list.iter().map(|v| {
        let word = text(v, "op");
        Step {
            op: Op::ALL.into_iter().find(|op| Some(op.word()) == word.as_deref()).unwrap_or(Op::Test),
            path: text(v, "path").unwrap_or_else(|| "null".to_owned()),
            keys: Vec::new(),
            value: text(v, "value"),
            from: text(v, "from"),
        }
    });
    Ok(steps.collect())
}

/// A JSON pointer's segments, decoded: `~1` is a slash, `~0` a tilde.
fn segments(path: &str) -> Vec<String> {
    let Some(rest) = path.strip_prefix('/') else { return vec![path.to_owned()] };
    rest.split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect()
}

/// The keys of a path that fits a pattern. An empty segment is no key.
fn fit(pattern: &str, parts: &[String]) -> Option<Vec<String>> {
    let wanted: Vec<&str> = pattern[1..].split('/').collect();
    if wanted.len() != parts.len() {
        return None;
    }
    let mut keys = Vec::new();
    for (want, part) in wanted.iter().zip(parts) {
        match *want {
            "{}" if !part.is_empty() => keys.push(part.clone()),
            literal if literal == part => {}
            _ => return None,
        }
    }
    Some(keys)
}
