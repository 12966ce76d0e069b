//! Holding an instance against a schema. As in the Java validator, what lies in a value is looked at only when the
//! value itself is in order.

use super::instance::{Instance, Item, Kind, Lookup, Several};
use super::message as say;
use super::node::{Additional, Dependency, Items, Node, NodeId, asks};
use super::{Invalid, Schema};
use serde_json::{Number, Value as Json};
use std::cmp::Ordering;
use std::collections::HashSet;

/// How deep schemas may be applied within one another.
const MOST_DEPTH: usize = 200;

struct Validator<'v> {
    schema: &'v Schema,
    fuel: u64,
    depth: usize,
}

/// The work became too much.
struct TooMuch;

/// Letters of a name that a pointer shows.
const MOST_NAME: usize = 64;

/// Bytes of messages that are kept; after these, one says that there are more.
const MOST_SAID: usize = 1 << 20;

/// What is wrong with an instance so far.
struct Said {
    count: usize,
    /// `None` where only the count is asked for.
    texts: Option<Vec<String>>,
    bytes: usize,
    /// Where the first of it stands: made on the way back from there, so that a valid instance pays nothing.
    pointer: Option<String>,
}

impl Said {
    fn new(kept: bool) -> Said {
        Said { count: 0, texts: kept.then(Vec::new), bytes: 0, pointer: None }
    }

    fn push(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        let Some(texts) = &mut self.texts else { return };
        self.pointer.get_or_insert_default();
        if self.bytes > MOST_SAID {
            return;
        }
        let text = text();
        self.bytes += text.len();
        texts.push(text);
        if self.bytes > MOST_SAID {
            texts.push(say::MORE.to_owned());
        }
    }
}

type Judged<T> = Result<T, TooMuch>;

pub(super) fn instance(schema: &Schema, instance: &Instance<'_>, fuel: u64) -> Result<(), Invalid> {
    let mut validator = Validator { schema, fuel, depth: 0 };
    let mut said = Said::new(true);
    match validator.check(schema.root, instance.root(), &mut said) {
        Ok(()) if said.count == 0 => Ok(()),
        Ok(()) => Err(Invalid {
            messages: said.texts.unwrap_or_default(),
            pointer: format!("#{}", said.pointer.unwrap_or_default()),
        }),
        Err(TooMuch) => Err(Invalid { messages: vec![say::TOO_MUCH.to_owned()], pointer: "#".to_owned() }),
    }
}

impl Validator<'_> {
    fn charge(&mut self, steps: usize) -> Judged<()> {
        self.fuel = self.fuel.checked_sub(steps as u64).ok_or(TooMuch)?;
        Ok(())
    }

    fn matches(&mut self, node: NodeId, instance: Item<'_>) -> Judged<bool> {
        let mut said = Said::new(false);
        self.check(node, instance, &mut said)?;
        Ok(said.count == 0)
    }

    fn count(&mut self, nodes: &[NodeId], instance: Item<'_>) -> Judged<usize> {
        let mut count = 0;
        for node in nodes {
            count += usize::from(self.matches(*node, instance)?);
        }
        Ok(count)
    }

    fn check(&mut self, node: NodeId, instance: Item<'_>, said: &mut Said) -> Judged<()> {
        self.charge(1)?;
        if self.depth >= MOST_DEPTH {
            return Err(TooMuch);
        }
        self.depth += 1;
        let schema = self.schema;
        let node = &schema.nodes[node];
        match node.reference {
            Some(reference) => self.check(reference, instance, said)?,
            None => {
                let before = said.count;
                self.own(node, instance, said)?;
                if said.count == before {
                    self.children(node, instance, said)?;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// The same for what lies at `place` in its parent.
    fn below(
        &mut self,
        place: &dyn std::fmt::Display,
        node: NodeId,
        instance: Item<'_>,
        said: &mut Said,
    ) -> Judged<()> {
        let found = said.pointer.is_some();
        self.check(node, instance, said)?;
        if let (false, Some(pointer)) = (found, &mut said.pointer) {
            let name: String = place.to_string().chars().take(MOST_NAME).collect();
            pointer.insert_str(0, &format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        }
        Ok(())
    }

    /// Keywords about the value itself.
    fn own(&mut self, node: &Node, instance: Item<'_>, said: &mut Said) -> Judged<()> {
        let found = instance.type_bit();
        if let Some(types) = node.types
            && types & found == 0
        {
            said.push(|| say::wrong_type(found, types));
        }
        if node.asks(asks::ENUMERATION)
            && let Some(values) = &node.enumeration
        {
            let mut found = false;
            for value in values {
                found = found || self.equal(value, instance)?;
            }
            if !found {
                said.push(|| say::not_in_enum(&instance.json(), values));
            }
        }
        match instance.kind() {
            Kind::Number(number) if node.asks(asks::NUMBERS) => numeric(node, number, said),
            Kind::Text(text) if node.asks(asks::TEXTS) => self.textual(node, text, said)?,
            Kind::List(items) if node.asks(asks::LISTS) => self.array(node, items, said)?,
            Kind::Map(members) if node.asks(asks::MAPS) => self.object(node, instance, members, said)?,
            _ => {}
        }
        if node.asks(asks::SCHEMAS) {
            self.combined(node, instance, said)?;
        }
        Ok(())
    }

    /// Equal as JSON values: `1` and `1.0` are.
    fn equal(&mut self, left: &Json, right: Item<'_>) -> Judged<bool> {
        self.charge(1)?;
        Ok(match (left, right.kind()) {
            (Json::Null, Kind::Null) => true,
            (Json::Bool(left), Kind::Bool(right)) => *left == right,
            (Json::Number(left), Kind::Number(right)) => compare(left, right) == Ordering::Equal,
            (Json::String(left), Kind::Text(right)) => {
                self.charge(left.len().min(right.len()) / 256)?;
                left == right
            }
            (Json::Array(left), Kind::List(right)) => {
                if left.len() != right.count {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.items()) {
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Json::Object(left), Kind::Map(right)) => {
                if left.len() != right.count {
                    return Ok(false);
                }
                for (name, value) in right.members() {
                    match left.get(name) {
                        Some(known) if self.equal(known, value)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            _ => false,
        })
    }

    fn textual(&mut self, node: &Node, text: &str, said: &mut Said) -> Judged<()> {
        if node.min_length.is_some() || node.max_length.is_some() {
            self.charge(text.len() / 64)?;
            let length = text.chars().count() as u64;
            if let Some(minimum) = node.min_length.filter(|minimum| length < *minimum) {
                said.push(|| say::too_short(text, length, minimum));
            }
            if let Some(maximum) = node.max_length.filter(|maximum| length > *maximum) {
                said.push(|| say::too_long(text, length, maximum));
            }
        }
        if let Some((pattern, regex)) = &node.pattern {
            self.charge(regex.cost(text.len()))?;
            if !regex.finds(text).map_err(|_| TooMuch)? {
                said.push(|| say::no_match(text, pattern));
            }
        }
        Ok(())
    }

    fn array(&mut self, node: &Node, items: Several<'_>, said: &mut Said) -> Judged<()> {
        let count = items.count as u64;
        if let Some(minimum) = node.min_items.filter(|minimum| count < *minimum) {
            said.push(|| say::few_items(count, minimum));
        }
        if let Some(maximum) = node.max_items.filter(|maximum| count > *maximum) {
            said.push(|| say::many_items(count, maximum));
        }
        if let (Items::Each(schemas), Additional::None) = (&node.items, node.additional_items)
            && items.count > schemas.len()
        {
            said.push(|| say::many_items(count, schemas.len() as u64));
        }
        if node.unique_items {
            let mut seen = HashSet::new();
            for item in items.items() {
                let text = canonical(&item.json());
                self.charge(1 + text.len() / 32)?;
                if !seen.insert(text) {
                    said.push(|| say::DUPLICATES.to_owned());
                    break;
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, node: &Node, instance: Item<'_>, members: Several<'_>, said: &mut Said) -> Judged<()> {
        let count = members.count as u64;
        if let Some(minimum) = node.min_properties.filter(|minimum| count < *minimum) {
            said.push(|| say::few_properties(count, minimum));
        }
        if let Some(maximum) = node.max_properties.filter(|maximum| count > *maximum) {
            said.push(|| say::many_properties(count, maximum));
        }
        self.charge(node.required.len() / 8)?;
        let depended = node.dependencies.iter().map(|(_, dependency)| match dependency {
            Dependency::Properties(names) => 1 + names.len(),
            Dependency::Schema(_) => 1,
        });
        let map = Lookup::of(members, node.required.len() + depended.sum::<usize>());
        let absent =
            |names: &'_ [String]| -> Vec<String> { names.iter().filter(|name| !map.holds(name)).cloned().collect() };
        let missing = absent(&node.required);
        if !missing.is_empty() {
            said.push(|| say::missing(&missing.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        if matches!(node.additional_properties, Additional::None) {
            let mut unwanted = Vec::new();
            for (name, _) in members.members() {
                self.charge(1)?;
                for (regex, _) in &node.pattern_properties {
                    self.charge(regex.cost(name.len()))?;
                }
                // One that is given up vouches for nothing.
                let known = node.properties.get(name).is_some()
                    || node.pattern_properties.iter().any(|(regex, _)| regex.finds(name).unwrap_or(false));
                if !known {
                    unwanted.push(name);
                }
            }
            if !unwanted.is_empty() {
                unwanted.sort_unstable();
                said.push(|| say::unwanted(&unwanted));
            }
        }
        for (name, dependency) in node.dependencies.iter().filter(|(name, _)| map.holds(name)) {
            match dependency {
                Dependency::Properties(required) => {
                    let missing = absent(required);
                    if !missing.is_empty() {
                        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
                        said.push(|| say::missing_dependencies(name, required, &missing));
                    }
                }
                Dependency::Schema(schema) => self.check(*schema, instance, said)?,
            }
        }
        Ok(())
    }

    fn combined(&mut self, node: &Node, instance: Item<'_>, said: &mut Said) -> Judged<()> {
        if !node.all_of.is_empty() {
            let matched = self.count(&node.all_of, instance)?;
            if matched < node.all_of.len() {
                said.push(|| say::not_all(matched, node.all_of.len()));
            }
        }
        if !node.any_of.is_empty() && self.count(&node.any_of, instance)? == 0 {
            said.push(|| say::not_any(node.any_of.len()));
        }
        if !node.one_of.is_empty() {
            let matched = self.count(&node.one_of, instance)?;
            if matched != 1 {
                said.push(|| say::not_one(matched, node.one_of.len()));
            }
        }
        if let Some(not) = node.not
            && self.matches(not, instance)?
        {
            said.push(|| say::MATCHED_NOT.to_owned());
        }
        Ok(())
    }

    /// What lies in an array or an object.
    fn children(&mut self, node: &Node, instance: Item<'_>, said: &mut Said) -> Judged<()> {
        match instance.kind() {
            Kind::List(items) if node.asks(asks::LISTS) => {
                for (at, item) in items.items().enumerate() {
                    let schema = match &node.items {
                        Items::Any => None,
                        Items::All(schema) => Some(*schema),
                        Items::Each(schemas) => schemas.get(at).copied().or(match node.additional_items {
                            Additional::Schema(schema) => Some(schema),
                            _ => None,
                        }),
                    };
                    if let Some(schema) = schema {
                        self.below(&at, schema, item, said)?;
                    }
                }
            }
            Kind::Map(members) if node.asks(asks::MAPS) => {
                for (name, value) in members.members() {
                    let mut known = false;
                    if let Some(schema) = node.properties.get(name) {
                        known = true;
                        self.below(&name, schema, value, said)?;
                    }
                    for (regex, schema) in &node.pattern_properties {
                        self.charge(regex.cost(name.len()))?;
                        if regex.finds(name).map_err(|_| TooMuch)? {
                            known = true;
                            self.below(&name, *schema, value, said)?;
                        }
                    }
                    if let (false, Additional::Schema(schema)) = (known, node.additional_properties) {
                        self.below(&name, schema, value, said)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn numeric(node: &Node, number: &Number, said: &mut Said) {
    if let Some((minimum, exclusive)) = &node.minimum {
        let order = compare(number, minimum);
        if order == Ordering::Less || (*exclusive && order == Ordering::Equal) {
            said.push(|| say::too_low(number, minimum, *exclusive));
        }
    }
    if let Some((maximum, exclusive)) = &node.maximum {
        let order = compare(number, maximum);
        if order == Ordering::Greater || (*exclusive && order == Ordering::Equal) {
            said.push(|| say::too_high(number, maximum, *exclusive));
        }
    }
    if let Some(divisor) = &node.multiple_of
        && !is_multiple(number, divisor)
    {
        said.push(|| say::not_multiple(number, divisor));
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

fn compare(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => float(left).partial_cmp(&float(right)).unwrap_or(Ordering::Equal),
    }
}

/// Decimal fractions divide as decimals: 0.0075 is a multiple of 0.0001.
fn is_multiple(number: &Number, divisor: &Number) -> bool {
    match (whole(number), whole(divisor)) {
        (Some(number), Some(divisor)) => divisor != 0 && number % divisor == 0,
        _ => {
            let quotient = float(number) / float(divisor);
            quotient.is_finite() && (quotient - quotient.round()).abs() <= 1e-9 * quotient.abs().max(1.0)
        }
    }
}

/// A text that equal values share.
fn canonical(value: &Json) -> String {
    match value {
        Json::Number(number) if number.is_f64() => {
            let number = float(number);
            if number.fract() == 0.0 && number.abs() < 1e15 { format!("{}", number as i64) } else { number.to_string() }
        }
        Json::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Json::Object(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(name, value)| format!("{}:{}", Json::from(name.as_str()), canonical(value))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_string(),
    }
}
