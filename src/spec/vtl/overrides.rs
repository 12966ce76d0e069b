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
        Ok(Overrides { request: plain_map(heap, request, 0)?, response: plain_map(heap, response, 0)? })
    }

    /// Gives them to a run.
    pub(super) fn write<'a>(&'a self, heap: &mut Heap<'a>) -> Result<(MapId, MapId), Exceeded> {
        let request = live_map(heap, &self.request, &["path", "header", "querystring"])?;
        let response = live_map(heap, &self.response, &["header"])?;
        Ok((request, response))
    }
}

fn plain_map(heap: &Heap<'_>, id: MapId, depth: usize) -> Result<Map<String, Json>, Exceeded> {
    let mut map = Map::new();
    for (key, value) in heap.dict(id).entries() {
        let mut name = String::new();
        heap.print(*key, &mut name, heap.memory_left(), &|_, _| {})?;
        map.insert(name, plain(heap, *value, depth + 1)?);
    }
    Ok(map)
}

fn plain(heap: &Heap<'_>, value: Value<'_>, depth: usize) -> Result<Json, Exceeded> {
    if depth > MOST_DEPTH / 2 {
        return Err(Exceeded::Depth);
    }
    Ok(match value {
        Value::Null | Value::Foreign(_) => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Int(number) => number.into(),
        Value::Long(number) => number.into(),
        Value::Double(number) if number.is_finite() => number.into(),
        Value::Str(text) => Json::String(heap.str(text).to_owned()),
        Value::Map(id) => Json::Object(plain_map(heap, id, depth)?),
        Value::List(id) => {
            let items: Result<Vec<Json>, Exceeded> =
                heap.items(id).iter().map(|item| plain(heap, *item, depth + 1)).collect();
            Json::Array(items?)
        }
        other => {
            let mut text = String::new();
            heap.print(other, &mut text, heap.memory_left(), &|_, _| {})?;
            Json::String(text)
        }
    })
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
