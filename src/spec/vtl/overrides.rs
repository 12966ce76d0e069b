//! `$context.requestOverride` and `$context.responseOverride`: what templates write for the gateway to apply.

use crate::spec::object::{Exceeded, Heap, ListKind, MOST_DEPTH, MapId, Value};
use serde_json::{Map, Value as Json};

/// What templates wrote, as plain data; it lasts from the request template to the response template of one call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `$context.requestOverride`: `header`, `path`, `querystring`, and whatever else a template put there.
    pub request: Map<String, Json>,
    /// `$context.responseOverride`: `header`, `status`, and whatever else.
    pub response: Map<String, Json>,
}

impl Overrides {
    /// The value of one name in a branch of the request's overrides, or the response's: several for a list.
    pub fn values(branch: Option<&Json>, name: &str) -> Vec<String> {
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        match branch.and_then(|branch| branch.get(name)) {
            None => Vec::new(),
            Some(Json::Array(values)) => values.iter().map(text).collect(),
            Some(value) => vec![text(value)],
        }
    }

    /// The status that a template set: a whole number from 100 to 599, all else counts as none.
    pub fn status(&self) -> Option<u16> {
        let status = match self.response.get("status")? {
            Json::Number(number) => number.as_u64()?,
            Json::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        u16::try_from(status).ok().filter(|status| (100..600).contains(status))
    }

    /// Takes them over from a run.
    pub(super) fn read(heap: &Heap<'_>, request: MapId, response: MapId) -> Result<Overrides, Exceeded> {
        let mut copy = Copy { heap, steps: heap.fuel_left() };
        Ok(Overrides { request: copy.map(request, 0)?, response: copy.map(response, 0)? })
    }

    /// Gives them to a run.
    pub(super) fn write<'a>(&'a self, heap: &mut Heap<'a>) -> Result<(MapId, MapId), Exceeded> {
        let request = live_map(heap, &self.request, &["path", "header", "querystring"])?;
        let response = live_map(heap, &self.response, &["header"])?;
        Ok((request, response))
    }
}

/// Copies objects out of a heap. What lies in many places is copied as often, so that it is counted.
struct Copy<'c, 'a> {
    heap: &'c Heap<'a>,
    steps: usize,
}

impl<'a> Copy<'_, 'a> {
    fn charge(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(1 + bytes / 16).ok_or(Exceeded::Fuel)?;
        Ok(())
    }

    fn text(&mut self, value: Value<'a>) -> Result<String, Exceeded> {
        let mut text = String::new();
        self.heap.print(value, &mut text, self.heap.memory_left(), &|_, _| {})?;
        self.charge(text.len())?;
        Ok(text)
    }

    fn map(&mut self, id: MapId, depth: usize) -> Result<Map<String, Json>, Exceeded> {
        let mut map = Map::new();
        for (key, value) in self.heap.dict(id).entries() {
            let name = self.text(*key)?;
            map.insert(name, self.value(*value, depth + 1)?);
        }
        Ok(map)
    }

    fn value(&mut self, value: Value<'a>, depth: usize) -> Result<Json, Exceeded> {
        if depth > MOST_DEPTH / 2 {
            return Err(Exceeded::Depth);
        }
        self.charge(0)?;
        Ok(match value {
            Value::Null | Value::Foreign(_) => Json::Null,
            Value::Bool(value) => Json::Bool(value),
            Value::Int(number) => number.into(),
            Value::Long(number) => number.into(),
            Value::Double(number) if number.is_finite() => number.into(),
            Value::Map(id) => Json::Object(self.map(id, depth)?),
            Value::List(id) => {
                let heap = self.heap;
                let items: Result<Vec<Json>, Exceeded> =
                    heap.items(id).iter().map(|item| self.value(*item, depth + 1)).collect();
                Json::Array(items?)
            }
            other => Json::String(self.text(other)?),
        })
    }
}

fn live_map<'a>(heap: &mut Heap<'a>, map: &'a Map<String, Json>, branches: &[&'static str]) -> Result<MapId, Exceeded> {
    let id = heap.map()?;
    for branch in branches {
        let inner = heap.map()?;
        heap.put(id, Value::Str(crate::spec::object::Text::Lent(branch)), Value::Map(inner))?;
    }
    for (key, value) in map {
        let value = live(heap, value)?;
        heap.put(id, Value::Str(crate::spec::object::Text::Lent(key)), value)?;
    }
    Ok(id)
}

fn live<'a>(heap: &mut Heap<'a>, value: &'a Json) -> Result<Value<'a>, Exceeded> {
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => i32::try_from(number).map_or(Value::Long(number), Value::Int),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Str(crate::spec::object::Text::Lent(text)),
        Json::Array(items) => {
            let items: Result<Vec<_>, Exceeded> = items.iter().map(|item| live(heap, item)).collect();
            heap.list(ListKind::Java, items?)?
        }
        Json::Object(map) => Value::Map(live_map(heap, map, &[])?),
    })
}
