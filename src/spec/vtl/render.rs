//! Statements of a run: text, references, directives.

use super::node::{Arm, Block, Call, Foreach, Node, Place, Reference, Set, Slot, Sort, Step};
use super::run::{At, BlockReference, Entry, Halt, MOST_DEPTH, Ran, Run, Scope, fail, kind};
use crate::spec::object::{Exceeded, Foreign, Heap, MapId, Value};
use std::cell::Cell;

/// How often a `#define`d block may render itself.
const DEFINE_DEPTH: u32 = 2;
/// How deep macros may call one another.
const MACRO_DEPTH: usize = 20;

impl<'a> Run<'a> {
    /// Runs statements one after another.
    pub(super) fn block(&mut self, block: &'a Block) -> Ran<()> {
        for node in block {
            match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    self.check_output(0)?;
                }
                Node::Reference(reference) => self.show(reference)?,
                Node::Set(set) => self.set(set)?,
                Node::If(arms) => self.choose(arms)?,
                Node::Foreach(foreach) => self.deeper(foreach.place, |run| run.foreach(foreach))?,
                Node::Call(call) => self.macro_call(call)?,
                Node::Define(slot, block) => {
                    let reference = self.block_reference(*block, DEFINE_DEPTH)?;
                    self.put(*slot, reference);
                }
                Node::Stop => return Err(Halt::Stop),
                Node::Break(None, _) => return Err(Halt::Break(None)),
                Node::Break(Some(scope), place) => match self.value(scope)? {
                    Value::Foreign(object) if object.kind == kind::SCOPE => {
                        return Err(Halt::Break(Some(self.scopes[object.id as usize].owner)));
                    }
                    _ => return Err(fail(*place, "#break needs a loop's scope, such as $foreach")),
                },
                Node::Unavailable(name, place) => {
                    return Err(fail(*place, format!("{name} is not available in API Gateway")));
                }
            }
        }
        Ok(())
    }

    pub(super) fn check_output(&mut self, place: Place) -> Ran<()> {
        if self.out.len() > self.limits.output {
            return Err(fail(place, Exceeded::Output.to_string()));
        }
        self.heap.charge(1).at(place)
    }

    fn block_reference(&mut self, block: u32, most: u32) -> Ran<Value<'a>> {
        self.heap.take(16).at(0)?;
        self.blocks.push(BlockReference { block, running: 0, most });
        Ok(Value::Foreign(Foreign { kind: kind::BLOCK, id: self.blocks.len() as u32 - 1 }))
    }

    /// Prints a reference.
    fn show(&mut self, reference: &'a Reference) -> Ran<()> {
        match reference.sort {
            Sort::Runt => self.out.push_str(&reference.literal),
            Sort::Mute => {}
            Sort::Escaped => {
                self.reference(reference)?;
                self.out.push_str(&reference.prefix);
                self.show_literal(reference);
            }
            Sort::Normal => match self.reference(reference)? {
                Value::Str(text) => {
                    self.out.push_str(&reference.prefix);
                    let text = self.heap.str(text);
                    self.out.push_str(text);
                }
                Value::Foreign(object) if object.kind == kind::BLOCK => {
                    if !self.render_block(object.id, reference.place)? {
                        // Its backslashes come twice then.
                        let more = reference.prefix.trim_start_matches('\\');
                        self.out.push_str(&reference.prefix[..reference.prefix.len() - more.len()]);
                        self.out.push_str(&reference.prefix);
                        self.show_literal(reference);
                    }
                }
                value => {
                    self.out.push_str(&reference.prefix);
                    let mut out = std::mem::take(&mut self.out);
                    let before = out.len();
                    let printed = self.print_within(value, &mut out, self.limits.output).at(reference.place);
                    self.heap.charge((out.len() - before) / 64).at(reference.place)?;
                    self.out = out;
                    printed?;
                }
            },
        }
        self.check_output(reference.place)
    }

    /// What was written: within a macro, what its caller wrote for the parameter.
    fn show_literal(&mut self, reference: &'a Reference) {
        let caller = match &reference.steps[..] {
            [] if reference.literal.starts_with('$') && !reference.literal.contains(['{', '!']) => {
                self.written(reference.slot)
            }
            _ => None,
        };
        self.out.push_str(caller.unwrap_or(&reference.literal));
    }

    /// Renders a block that a variable holds; `false` when it runs already as often as it may.
    fn render_block(&mut self, id: u32, place: Place) -> Ran<bool> {
        let reference = &mut self.blocks[id as usize];
        if reference.running >= reference.most {
            return Ok(false);
        }
        reference.running += 1;
        let template = self.template;
        let block = &template.blocks[reference.block as usize];
        let result = self.deeper(place, |run| run.block(block));
        self.blocks[id as usize].running -= 1;
        match result {
            Ok(()) | Err(Halt::Break(None)) => Ok(true),
            Err(other) => Err(other),
        }
    }

    /// Appends what a value prints to a string that the run makes; blocks render.
    pub(super) fn print(&mut self, value: Value<'a>, out: &mut String, place: Place) -> Ran<()> {
        if let Value::Foreign(object) = value
            && object.kind == kind::BLOCK
        {
            let before = std::mem::take(&mut self.out);
            let result = self.render_block(object.id, place);
            let made = std::mem::replace(&mut self.out, before);
            out.push_str(&made);
            return result.map(|_| ());
        }
        let most = out.len() + self.heap.memory_left();
        self.print_within(value, out, most)
            .map_err(|error| match error {
                Exceeded::Output => Exceeded::Memory,
                other => other,
            })
            .at(place)
    }

    fn print_within(&mut self, value: Value<'a>, out: &mut String, most: usize) -> Result<(), Exceeded> {
        match value {
            Value::Map(id) if self.is_untouched_override(id) => Ok(()),
            value => {
                let looked = Cell::new(0);
                let foreign = |object: Foreign, out: &mut String| {
                    show_foreign(object, out, &self.heap, &self.entries, &looked);
                };
                self.heap.print(value, out, most, &foreign)?;
                self.heap.charge(looked.get() / 8)
            }
        }
    }

    fn set(&mut self, set: &'a Set) -> Ran<()> {
        self.heap.charge(1).at(set.place)?;
        let value = self.value(&set.value)?;
        if matches!(value, Value::Null) {
            return Ok(());
        }
        let Some((last, steps)) = set.target.steps.split_last() else {
            self.put(set.name, value);
            return Ok(());
        };
        let mut target = self.get(set.target.slot)?;
        for step in steps {
            if matches!(target, Value::Null) {
                return Ok(());
            }
            target = self.step(target, step)?;
        }
        match last {
            _ if matches!(target, Value::Null) => Ok(()),
            Step::Property(name, place) => self.set_property(target, name, value, *place),
            Step::Index(index, place) => {
                let index = self.value(index)?;
                self.set_index(target, index, value, *place)
            }
            // A call cannot be set; Velocity looks for a property of the method's name.
            Step::Call(invocation) => self.set_property(target, &invocation.name, value, invocation.place),
        }
    }

    fn choose(&mut self, arms: &'a [Arm]) -> Ran<()> {
        for arm in arms {
            let take = match &arm.when {
                Some(condition) => self.holds(condition)?,
                None => true,
            };
            if take {
                return self.deeper(0, |run| run.block(&arm.then));
            }
        }
        Ok(())
    }

    fn macro_call(&mut self, call: &'a Call) -> Ran<()> {
        let template = self.template;
        let Some(found) = template.macros.get(&call.name) else {
            self.out.push_str(&call.literal);
            return self.check_output(call.place);
        };
        if call.arguments.iter().any(|argument| argument.word) {
            return Err(fail(
                call.place,
                format!("#{} takes references and values; references begin with $", call.name),
            ));
        }
        if self.macros_running >= MACRO_DEPTH {
            return Err(fail(call.place, format!("macros call one another more than {MACRO_DEPTH} deep")));
        }
        let content = match call.body {
            Some(block) => Some(self.block_reference(block, MACRO_DEPTH as u32)?),
            None => None,
        };
        self.macros_running += 1;
        match self.with_frame(&found.parameters, &call.arguments, content, &found.body, call.place) {
            Err(Halt::Break(None)) => Ok(()),
            Ok(()) => {
                self.macros_running -= 1;
                Ok(())
            }
            other => other,
        }
    }

    fn foreach(&mut self, foreach: &'a Foreach) -> Ran<()> {
        let Some(list) = &foreach.list else { return Ok(()) };
        let list = self.value(list)?;
        let Some(elements) = self.elements(list, foreach.place)? else { return Ok(()) };
        let known = self.template.known;
        let saved: [(Slot, Value<'a>); 3] = [
            (foreach.element, self.get(foreach.element)?),
            (known.count, self.get(known.count)?),
            (known.has_next, self.get(known.has_next)?),
        ];
        let before = self.get(known.foreach)?;
        let (parent, replaced) = match before {
            Value::Foreign(object) if object.kind == kind::SCOPE => (Some(object.id), Value::Null),
            other => (None, other),
        };
        self.heap.take(64).at(foreach.place)?;
        let id = self.scopes.len() as u32;
        let scope = Scope { owner: foreach.id, index: -1, has_next: false, parent, replaced, storage: None };
        self.scopes.push(scope);
        self.put(known.foreach, Value::Foreign(Foreign { kind: kind::SCOPE, id }));
        let result = self.iterate(foreach, elements, id);
        for (slot, value) in saved {
            self.put_back(slot, value);
        }
        // Whatever the body made of `$foreach`, the loop around it gets its own back.
        if let Value::Foreign(object) = self.get(known.foreach)?
            && object.kind == kind::SCOPE
        {
            let scope = &self.scopes[object.id as usize];
            let back = match scope.parent {
                Some(parent) => Value::Foreign(Foreign { kind: kind::SCOPE, id: parent }),
                None => self.replaced(object.id),
            };
            self.put_back(known.foreach, back);
        }
        match result {
            Err(Halt::Break(None)) => Ok(()),
            Err(Halt::Break(Some(owner))) if owner == foreach.id => Ok(()),
            other => other,
        }
    }

    fn replaced(&self, id: u32) -> Value<'a> {
        self.scopes[id as usize].replaced
    }

    fn iterate(&mut self, foreach: &'a Foreach, mut elements: Elements<'a>, id: u32) -> Ran<()> {
        let known = self.template.known;
        let mut count = 0;
        while count < self.limits.iterations && elements.at < elements.count(&self.heap) {
            self.heap.charge(2).at(foreach.place)?;
            let value = elements
                .next(&self.heap)
                .ok_or_else(|| fail(foreach.place, "a list was changed while #foreach went through it"))?;
            count += 1;
            let has_next = elements.at < elements.count(&self.heap);
            self.put(known.count, Value::Int(count as i32));
            self.put(known.has_next, Value::Bool(has_next));
            self.put(foreach.element, value);
            let scope = &mut self.scopes[id as usize];
            scope.index += 1;
            scope.has_next = has_next;
            self.block(&foreach.body)?;
        }
        Ok(())
    }

    fn elements(&mut self, value: Value<'a>, place: Place) -> Ran<Option<Elements<'a>>> {
        let mut at = 0;
        let of = match value {
            Value::List(id) => Of::List(id),
            Value::Map(id) => Of::Values(id),
            Value::Foreign(object) if object.kind == kind::ITERATOR => {
                let (list, from) = self.iterators[object.id as usize];
                let rest = self.heap.items(list).len();
                self.iterators[object.id as usize].1 = rest;
                at = from;
                Of::List(list)
            }
            Value::Foreign(object) => match self.foreign_map(object, place)? {
                Some(map) => Of::Values(map),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let mut elements = Elements { of, at, expected: 0, marker: std::marker::PhantomData };
        elements.expected = elements.count(&self.heap);
        Ok(Some(elements))
    }
}

/// What a loop goes through, live: as in Java, changing it meanwhile is an error.
struct Elements<'a> {
    of: Of,
    at: usize,
    expected: usize,
    marker: std::marker::PhantomData<Value<'a>>,
}

enum Of {
    List(crate::spec::object::ListId),
    Values(MapId),
}

impl<'a> Elements<'a> {
    fn count(&self, heap: &Heap<'a>) -> usize {
        match self.of {
            Of::List(id) => heap.items(id).len(),
            Of::Values(id) => heap.dict(id).entries().len(),
        }
    }

    fn next(&mut self, heap: &Heap<'a>) -> Option<Value<'a>> {
        if self.count(heap) != self.expected {
            return None;
        }
        self.at += 1;
        match self.of {
            Of::List(id) => heap.items(id).get(self.at - 1).copied(),
            Of::Values(id) => heap.dict(id).entries().get(self.at - 1).map(|(_, value)| *value),
        }
    }
}

/// How objects print that only the engine knows. Branches of `$context` print nothing, as recorded.
fn show_foreign<'a>(object: Foreign, out: &mut String, heap: &Heap<'a>, entries: &[Entry<'a>], looked: &Cell<usize>) {
    match object.kind {
        kind::SCOPE => out.push_str("{}"),
        kind::ENTRY => {
            let Some(Entry { map, key, at }) = entries.get(object.id as usize) else { return };
            let known = heap.dict(*map).entries();
            let found = match (known.get(*at as usize), key) {
                (Some(entry), _) if same_key(heap, entry.0, *key) => Some(*entry),
                (_, Value::Str(key)) => heap.find_entry(*map, heap.str(*key)),
                _ => {
                    looked.set(looked.get() + known.len());
                    known.iter().find(|(known, _)| same_key(heap, *known, *key)).copied()
                }
            };
            let value = found.map_or(Value::Null, |(_, value)| value);
            let most = out.len() + MOST_DEPTH * 4096;
            let none = |_: Foreign, _: &mut String| {};
            let _ = heap.print(*key, out, most, &none);
            out.push('=');
            let _ = heap.print(value, out, most, &none);
        }
        kind::ITERATOR => out.push_str("java.util.Iterator"),
        _ => {}
    }
}

fn same_key(heap: &Heap<'_>, left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Str(left), Value::Str(right)) => heap.str(left) == heap.str(right),
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Long(left), Value::Long(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        _ => false,
    }
}
