//! Holding an instance against a schema. As in the Java validator, what lies in a value is looked at only when the
//! value itself is in order.

use super::message as say;
use super::node::{Additional, Dependency, Items, Node, NodeId, type_of};
use super::{Invalid, Schema};
use serde_json::{Map, Number, Value as Json};
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

type Judged<T> = Result<T, TooMuch>;

pub(super) fn instance(schema: &Schema, instance: &Json, fuel: u64) -> Result<(), Invalid> {
    let mut validator = Validator { schema, fuel, depth: 0 };
    let mut messages = Vec::new();
    match validator.check(schema.root, instance, &mut messages) {
        Ok(()) if messages.is_empty() => Ok(()),
        Ok(()) => Err(Invalid { messages }),
        Err(TooMuch) => Err(Invalid { messages: vec![say::TOO_MUCH.to_owned()] }),
    }
}

impl Validator<'_> {
    fn charge(&mut self, steps: usize) -> Judged<()> {
        self.fuel = self.fuel.checked_sub(steps as u64).ok_or(TooMuch)?;
        Ok(())
    }

    fn matches(&mut self, node: NodeId, instance: &Json) -> Judged<bool> {
        let mut messages = Vec::new();
        self.check(node, instance, &mut messages)?;
        Ok(messages.is_empty())
    }

    fn count(&mut self, nodes: &[NodeId], instance: &Json) -> Judged<usize> {
        let mut count = 0;
        for node in nodes {
            count += usize::from(self.matches(*node, instance)?);
        }
        Ok(count)
    }

    fn check(&mut self, node: NodeId, instance: &Json, messages: &mut Vec<String>) -> Judged<()> {
        self.charge(1)?;
        if self.depth >= MOST_DEPTH {
            return Err(TooMuch);
        }
        self.depth += 1;
        let schema = self.schema;
        let node = &schema.nodes[node];
        match node.reference {
            Some(reference) => self.check(reference, instance, messages)?,
            None => {
                let before = messages.len();
                self.own(node, instance, messages)?;
                if messages.len() == before {
                    self.children(node, instance, messages)?;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Keywords about the value itself.
    fn own(&mut self, node: &Node, instance: &Json, messages: &mut Vec<String>) -> Judged<()> {
        let found = type_of(instance);
        if let Some(types) = node.types
            && types & found == 0
        {
            messages.push(say::wrong_type(found, types));
        }
        if let Some(values) = &node.enumeration {
            self.charge(values.len())?;
            if !values.iter().any(|value| equal(value, instance)) {
                messages.push(say::not_in_enum(instance, values));
            }
        }
        match instance {
            Json::Number(number) => numeric(node, number, messages),
            Json::String(text) => self.textual(node, text, messages)?,
            Json::Array(items) => self.array(node, items, messages)?,
            Json::Object(map) => self.object(node, instance, map, messages)?,
            _ => {}
        }
        self.combined(node, instance, messages)
    }

    fn textual(&mut self, node: &Node, text: &str, messages: &mut Vec<String>) -> Judged<()> {
        if node.min_length.is_some() || node.max_length.is_some() {
            self.charge(text.len() / 64)?;
            let length = text.chars().count() as u64;
            if let Some(minimum) = node.min_length.filter(|minimum| length < *minimum) {
                messages.push(say::too_short(text, length, minimum));
            }
            if let Some(maximum) = node.max_length.filter(|maximum| length > *maximum) {
                messages.push(say::too_long(text, length, maximum));
            }
        }
        if let Some((pattern, regex)) = &node.pattern {
            self.charge(text.len() / 8)?;
            if !regex.finds(text) {
                messages.push(say::no_match(text, pattern));
            }
        }
        Ok(())
    }

    fn array(&mut self, node: &Node, items: &[Json], messages: &mut Vec<String>) -> Judged<()> {
        let count = items.len() as u64;
        if let Some(minimum) = node.min_items.filter(|minimum| count < *minimum) {
            messages.push(say::few_items(count, minimum));
        }
        if let Some(maximum) = node.max_items.filter(|maximum| count > *maximum) {
            messages.push(say::many_items(count, maximum));
        }
        if let (Items::Each(schemas), Additional::None) = (&node.items, node.additional_items)
            && items.len() > schemas.len()
        {
            messages.push(say::many_items(count, schemas.len() as u64));
        }
        if node.unique_items {
            let mut seen = HashSet::new();
            for item in items {
                let text = canonical(item);
                self.charge(1 + text.len() / 32)?;
                if !seen.insert(text) {
                    messages.push(say::DUPLICATES.to_owned());
                    break;
                }
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        node: &Node,
        instance: &Json,
        map: &Map<String, Json>,
        messages: &mut Vec<String>,
    ) -> Judged<()> {
        let count = map.len() as u64;
        if let Some(minimum) = node.min_properties.filter(|minimum| count < *minimum) {
            messages.push(say::few_properties(count, minimum));
        }
        if let Some(maximum) = node.max_properties.filter(|maximum| count > *maximum) {
            messages.push(say::many_properties(count, maximum));
        }
        self.charge(node.required.len() / 8)?;
        let absent = |names: &'_ [String]| -> Vec<String> {
            names.iter().filter(|name| !map.contains_key(*name)).cloned().collect()
        };
        let missing = absent(&node.required);
        if !missing.is_empty() {
            messages.push(say::missing(&missing.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        if matches!(node.additional_properties, Additional::None) {
            let mut unwanted = Vec::new();
            for name in map.keys() {
                self.charge(1 + node.pattern_properties.len() * (1 + name.len() / 8))?;
                let known = node.properties.contains_key(name)
                    || node.pattern_properties.iter().any(|(regex, _)| regex.finds(name));
                if !known {
                    unwanted.push(name.as_str());
                }
            }
            if !unwanted.is_empty() {
                unwanted.sort_unstable();
                messages.push(say::unwanted(&unwanted));
            }
        }
        for (name, dependency) in node.dependencies.iter().filter(|(name, _)| map.contains_key(name)) {
            match dependency {
                Dependency::Properties(required) => {
                    let missing = absent(required);
                    if !missing.is_empty() {
                        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
                        messages.push(say::missing_dependencies(name, required, &missing));
                    }
                }
                Dependency::Schema(schema) => self.check(*schema, instance, messages)?,
            }
        }
        Ok(())
    }

    fn combined(&mut self, node: &Node, instance: &Json, messages: &mut Vec<String>) -> Judged<()> {
        if !node.all_of.is_empty() {
            let matched = self.count(&node.all_of, instance)?;
            if matched < node.all_of.len() {
                messages.push(say::not_all(matched, node.all_of.len()));
            }
        }
        if !node.any_of.is_empty() && self.count(&node.any_of, instance)? == 0 {
            messages.push(say::not_any(node.any_of.len()));
        }
        if !node.one_of.is_empty() {
            let matched = self.count(&node.one_of, instance)?;
            if matched != 1 {
                messages.push(say::not_one(matched, node.one_of.len()));
            }
        }
        if let Some(not) = node.not
            && self.matches(not, instance)?
        {
            messages.push(say::MATCHED_NOT.to_owned());
        }
        Ok(())
    }

    /// What lies in an array or an object.
    fn children(&mut self, node: &Node, instance: &Json, messages: &mut Vec<String>) -> Judged<()> {
        match instance {
            Json::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let schema = match &node.items {
                        Items::Any => None,
                        Items::All(schema) => Some(*schema),
                        Items::Each(schemas) => schemas.get(at).copied().or(match node.additional_items {
                            Additional::Schema(schema) => Some(schema),
                            _ => None,
                        }),
                    };
                    if let Some(schema) = schema {
                        self.check(schema, item, messages)?;
                    }
                }
            }
            Json::Object(map) => {
                for (name, value) in map {
                    let mut known = false;
                    if let Some(schema) = node.properties.get(name) {
                        known = true;
                        self.check(*schema, value, messages)?;
                    }
                    for (regex, schema) in &node.pattern_properties {
                        self.charge(1 + name.len() / 8)?;
                        if regex.finds(name) {
                            known = true;
                            self.check(*schema, value, messages)?;
                        }
                    }
                    if let (false, Additional::Schema(schema)) = (known, node.additional_properties) {
                        self.check(schema, value, messages)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn numeric(node: &Node, number: &Number, messages: &mut Vec<String>) {
    if let Some((minimum, exclusive)) = &node.minimum {
        let order = compare(number, minimum);
        if order == Ordering::Less || (*exclusive && order == Ordering::Equal) {
            messages.push(say::too_low(number, minimum, *exclusive));
        }
    }
    if let Some((maximum, exclusive)) = &node.maximum {
        let order = compare(number, maximum);
        if order == Ordering::Greater || (*exclusive && order == Ordering::Equal) {
            messages.push(say::too_high(number, maximum, *exclusive));
        }
    }
    if let Some(divisor) = &node.multiple_of
        && !is_multiple(number, divisor)
    {
        messages.push(say::not_multiple(number, divisor));
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

/// Equal as JSON values: `1` and `1.0` are.
fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => compare(left, right) == Ordering::Equal,
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| equal(value, other)))
        }
        (left, right) => left == right,
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
