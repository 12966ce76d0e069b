//! One run of a template: its variables, its scopes, and how it ends.

use super::facts::Facts;
use super::node::{Argument, Block, Expression, Place, Slot};
use super::overrides::Overrides;
use super::{Limits, Template};
use crate::spec::object::{Allowance, Exceeded, Foreign, Heap, ListId, MapId, NotJson, Text, Value};
use std::collections::HashMap;

/// The empty string: what every undefined reference is.
pub(super) const EMPTY: Value<'static> = Value::Str(Text::Lent(""));

/// How deep directives, macros and expressions may run in one another.
pub(super) const MOST_DEPTH: usize = 160;

/// Why the statements that follow are not run. Small, and words all through: it travels with every value.
#[derive(Debug)]
#[repr(u64)]
pub(super) enum Halt {
    /// `#stop`
    Stop,
    /// `#break`, out of the nearest block or out of a certain loop.
    Break(Option<u32>),
    /// The run fails.
    Fail(Box<Failure>),
}

/// What went wrong, and where in the template.
#[derive(Debug)]
pub(super) struct Failure {
    pub place: Place,
    pub what: String,
}

pub(super) type Ran<T> = Result<T, Halt>;

/// Gives an error of the heap its place.
pub(super) trait At<T> {
    fn at(self, place: Place) -> Ran<T>;
}

impl<T> At<T> for Result<T, Exceeded> {
    fn at(self, place: Place) -> Ran<T> {
        self.map_err(|error| fail(place, error.to_string()))
    }
}

impl<T> At<T> for Result<T, NotJson> {
    fn at(self, place: Place) -> Ran<T> {
        self.map_err(|error| fail(place, error.to_string()))
    }
}

pub(super) fn fail(place: Place, what: impl Into<String>) -> Halt {
    Halt::Fail(Box::new(Failure { place, what: what.into() }))
}

/// The sorts of objects that only the engine knows.
pub(super) mod kind {
    pub(crate) const INPUT: u16 = 1;
    pub(crate) const HELPERS: u16 = 2;
    /// `id` is the branch.
    pub(crate) const CONTEXT: u16 = 3;
    pub(crate) const STAGE_VARIABLES: u16 = 4;
    /// `id` is an index into the run's scopes.
    pub(crate) const SCOPE: u16 = 5;
    /// `id` is an index into the run's block references.
    pub(crate) const BLOCK: u16 = 6;
    /// `id` is an index into the run's entries.
    pub(crate) const ENTRY: u16 = 7;
    /// `id` is an index into the run's iterators.
    pub(crate) const ITERATOR: u16 = 8;
}

/// What `$foreach` is.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// Which loop of the template.
    pub owner: u32,
    pub index: i32,
    pub has_next: bool,
    pub parent: Option<u32>,
    pub replaced: Value<'a>,
    /// What the template put into it.
    pub storage: Option<MapId>,
}

/// An entry of a map that the template holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub map: MapId,
    pub key: Value<'a>,
    /// Where it stood in its map when it was asked for.
    pub at: u32,
}

/// A block that a variable holds: `#define`, or what stands between `#@macro` and `#end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockReference {
    pub block: u32,
    pub running: u32,
    pub most: u32,
}

/// The variables of a macro's call. Parameters are passed by name: they are looked up anew each time.
#[derive(Debug, Default)]
struct Frame<'a> {
    locals: HashMap<Slot, Value<'a>>,
    proxies: HashMap<Slot, &'a Argument>,
}

pub(super) struct Run<'a> {
    pub template: &'a Template,
    pub facts: &'a dyn Facts,
    pub limits: Limits,
    pub heap: Heap<'a>,
    pub out: String,
    variables: Vec<Value<'a>>,
    frames: Vec<Frame<'a>>,
    /// How many of the frames are seen: an argument is looked up where the macro was called.
    view: usize,
    pub depth: usize,
    /// Macros that run, and those that a `#break` left: Velocity never takes these off its stack.
    pub macros_running: usize,
    pub scopes: Vec<Scope<'a>>,
    pub blocks: Vec<BlockReference>,
    pub entries: Vec<Entry<'a>>,
    pub iterators: Vec<(ListId, usize)>,
    /// The payload as an object, once somebody asked; `None` in it when it is no JSON.
    pub document: Option<Option<Value<'a>>>,
    pub parameters: Option<MapId>,
    /// Request and response overrides, once somebody asked.
    pub overrides: Option<(MapId, MapId)>,
    pub kept_overrides: &'a Overrides,
    /// What the template put into `$context` itself.
    pub context_extra: Option<MapId>,
}

pub(super) fn render(
    template: &Template,
    facts: &dyn Facts,
    overrides: &mut Overrides,
    limits: &Limits,
) -> Result<String, Failure> {
    let kept = std::mem::take(overrides);
    let result = render_with(template, facts, &kept, limits);
    match result {
        Ok((text, changed)) => {
            *overrides = changed.unwrap_or(kept);
            Ok(text)
        }
        Err(failure) => {
            *overrides = kept;
            Err(failure)
        }
    }
}

fn render_with<'a>(
    template: &'a Template,
    facts: &'a dyn Facts,
    kept: &'a Overrides,
    limits: &Limits,
) -> Result<(String, Option<Overrides>), Failure> {
    let mut run = Run {
        template,
        facts,
        limits: *limits,
        heap: Heap::new(Allowance { fuel: limits.fuel, memory: limits.memory }),
        out: String::with_capacity(template.source.len().min(limits.output)),
        variables: vec![Value::Null; template.names.len()],
        frames: Vec::new(),
        view: 0,
        depth: 0,
        macros_running: 0,
        scopes: Vec::new(),
        blocks: Vec::new(),
        entries: Vec::new(),
        iterators: Vec::new(),
        document: None,
        parameters: None,
        overrides: None,
        kept_overrides: kept,
        context_extra: None,
    };
    let halt = |halt| match halt {
        Halt::Fail(failure) => Err(*failure),
        Halt::Break(Some(_)) => {
            Err(Failure { place: 0, what: "#break names a loop that does not run any more".to_owned() })
        }
        Halt::Stop | Halt::Break(None) => Ok(()),
    };
    run.begin().or_else(halt)?;
    run.block(&template.body).or_else(halt)?;
    let changed = match run.overrides {
        Some((request, response)) => Some(
            Overrides::read(&run.heap, request, response)
                .map_err(|error| Failure { place: 0, what: error.to_string() })?,
        ),
        None => None,
    };
    Ok((run.out, changed))
}

impl<'a> Run<'a> {
    /// Sets the variables that are there from the start.
    fn begin(&mut self) -> Ran<()> {
        let known = self.template.known;
        for (slot, kind) in [
            (known.input, kind::INPUT),
            (known.helpers, kind::HELPERS),
            (known.context, kind::CONTEXT),
            (known.stage_variables, kind::STAGE_VARIABLES),
        ] {
            self.variables[slot as usize] = Value::Foreign(Foreign { kind, id: 0 });
        }
        let mut given = Vec::new();
        self.facts.variables(&mut |name, json| given.push((name, json)));
        for (name, json) in given {
            if let Some(slot) = self.template.names.iter().position(|known| **known == *name) {
                self.variables[slot] = self.heap.read(json).at(0)?;
            }
        }
        Ok(())
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(&mut self, place: Place, inner: impl FnOnce(&mut Self) -> Ran<T>) -> Ran<T> {
        if self.depth >= MOST_DEPTH {
            return Err(fail(place, Exceeded::Depth.to_string()));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// A variable's value; null if it has none.
    #[inline]
    pub(super) fn get(&mut self, slot: Slot) -> Ran<Value<'a>> {
        if self.view == 0 {
            return Ok(self.variables[slot as usize]);
        }
        self.get_in_frames(slot)
    }

    fn get_in_frames(&mut self, slot: Slot) -> Ran<Value<'a>> {
        for at in (0..self.view).rev() {
            let frame = &self.frames[at];
            if let Some(value) = frame.locals.get(&slot)
                && !matches!(value, Value::Null)
            {
                return Ok(*value);
            }
            if let Some(argument) = frame.proxies.get(&slot).copied() {
                let view = std::mem::replace(&mut self.view, at);
                let value = match &argument.value {
                    Expression::Reference(reference) if reference.steps.is_empty() => self.get(reference.slot),
                    other => self.deeper(0, |run| run.value(other)),
                };
                self.view = view;
                return value;
            }
        }
        Ok(self.variables[slot as usize])
    }

    /// Sets a variable, in every macro's call that is seen and in the template.
    #[inline]
    pub(super) fn put(&mut self, slot: Slot, value: Value<'a>) {
        for frame in &mut self.frames[..self.view] {
            frame.locals.insert(slot, value);
        }
        self.variables[slot as usize] = value;
    }

    /// Takes a variable away.
    pub(super) fn remove(&mut self, slot: Slot) {
        for frame in &mut self.frames[..self.view] {
            frame.locals.remove(&slot);
            frame.proxies.remove(&slot);
        }
        self.variables[slot as usize] = Value::Null;
    }

    pub(super) fn put_back(&mut self, slot: Slot, value: Value<'a>) {
        match value {
            Value::Null => self.remove(slot),
            value => self.put(slot, value),
        }
    }

    /// What was written for a macro's parameter, where one of this name is seen.
    pub(super) fn written(&self, slot: Slot) -> Option<&'a str> {
        let frames = self.frames[..self.view].iter().rev();
        let mut proxies = frames.filter_map(|frame| frame.proxies.get(&slot));
        proxies.next().map(|argument| &*argument.literal)
    }

    /// Runs a macro's body with its parameters.
    pub(super) fn with_frame(
        &mut self,
        parameters: &[Slot],
        arguments: &'a [Argument],
        content: Option<Value<'a>>,
        body: &'a Block,
        place: Place,
    ) -> Ran<()> {
        let mut frame = Frame::default();
        for (slot, argument) in parameters.iter().zip(arguments) {
            match &argument.value {
                // By name: text, lists, maps and references.
                Expression::Str(_)
                | Expression::Interpolated(_)
                | Expression::Reference(_)
                | Expression::Range(_)
                | Expression::List(_)
                | Expression::Map(_) => {
                    frame.proxies.insert(*slot, argument);
                }
                constant => {
                    frame.locals.insert(*slot, self.value(constant)?);
                }
            }
        }
        if let Some(content) = content {
            frame.locals.insert(self.template.known.body_content, content);
        }
        // What is seen from here is only what was seen where the macro was called.
        let hidden = self.frames.split_off(self.view);
        self.heap.charge(1 + frame.proxies.len()).at(place)?;
        self.frames.push(frame);
        self.view += 1;
        let result = self.deeper(place, |run| run.block(body));
        self.frames.pop();
        self.view -= 1;
        self.frames.extend(hidden);
        result
    }

    /// A string of the run's.
    pub(super) fn text(&mut self, text: String, place: Place) -> Ran<Value<'a>> {
        self.heap.text(text).at(place)
    }
}
