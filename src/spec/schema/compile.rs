//! From JSON to nodes: every schema that can be reached is compiled once; `$ref` becomes a node's number.

use super::node::{Additional, Dependency, Items, Node, NodeId, Properties, TYPES};
use super::{Models, Schema, SchemaError, uri};
use crate::spec::java_regex::JavaRegex;
use serde_json::{Map, Number, Value as Json};
use std::collections::HashMap;

/// Schemas that one model may lead to, and how deep they may lie in one another.
const MOST_NODES: usize = 20_000;
const MOST_DEPTH: usize = 64;
/// Bytes of a pointer to a schema: each schema below a long name would carry it.
const MOST_POINTER: usize = 8192;
/// Bytes that all patterns of a model may compile to.
const MOST_PATTERNS: usize = 16 << 20;

type Compiled<T> = Result<T, SchemaError>;

/// Where a schema stands: which model, the way to it, and the URI that its references are joined to.
#[derive(Clone)]
struct Place {
    model: usize,
    pointer: String,
    base: String,
}

impl Place {
    fn at(&self, key: &str) -> Place {
        let key = key.replace('~', "~0").replace('/', "~1");
        Place { pointer: format!("{}/{key}", self.pointer), ..self.clone() }
    }
}

struct Compiler<'m> {
    models: Models<'m>,
    nodes: Vec<Node>,
    /// Nodes by where their schema lies in memory.
    known: HashMap<*const Json, NodeId>,
    /// Schemas that name themselves by `id`.
    ids: HashMap<String, Place>,
    depth: usize,
    /// Bytes that the patterns so far take.
    patterns: usize,
}

pub(super) fn schema(name: &str, models: Models<'_>) -> Compiled<Schema> {
    let mut compiler =
        Compiler { models, nodes: Vec::new(), known: HashMap::new(), ids: HashMap::new(), depth: 0, patterns: 0 };
    for (model, (_, schema)) in models.iter().enumerate() {
        compiler.collect_ids(schema, Place { model, pointer: String::new(), base: String::new() }, 0);
    }
    let Some(model) = models.iter().position(|(known, _)| *known == name) else {
        return Err(SchemaError {
            model: name.to_owned(),
            pointer: "#".to_owned(),
            message: "there is no such model".to_owned(),
        });
    };
    let root = compiler.at(model, "", &Place { model, pointer: String::new(), base: String::new() })?;
    let schema = Schema { nodes: compiler.nodes, root };
    schema.nodes.iter().enumerate().try_for_each(|(start, node)| {
        // A circle of references alone would never come to a schema.
        let mut steps = 0;
        let mut next = node.reference;
        while let Some(at) = next {
            steps += 1;
            if at == start || steps > schema.nodes.len() {
                let message = "a $ref leads back to itself".to_owned();
                return Err(SchemaError { model: name.to_owned(), pointer: "#".to_owned(), message });
            }
            next = schema.nodes[at].reference;
        }
        Ok(())
    })?;
    Ok(schema)
}

impl<'m> Compiler<'m> {
    fn wrong<T>(&self, place: &Place, message: impl Into<String>) -> Compiled<T> {
        Err(SchemaError {
            model: self.models[place.model].0.to_owned(),
            pointer: format!("#{}", place.pointer),
            message: message.into(),
        })
    }

    fn collect_ids(&mut self, schema: &Json, mut place: Place, depth: usize) {
        if depth > MOST_DEPTH || place.pointer.len() + place.base.len() > MOST_POINTER {
            return;
        }
        match schema {
            Json::Object(map) => {
                if let (Some(Json::String(id)), None) = (map.get("id"), map.get("$ref")) {
                    let (document, fragment) = uri::join(&place.base, id);
                    let whole = if fragment.is_empty() { document.clone() } else { format!("{document}#{fragment}") };
                    place.base = document;
                    self.ids.entry(whole).or_insert_with(|| place.clone());
                }
                for (key, inner) in map.iter().filter(|(key, _)| *key != "enum") {
                    self.collect_ids(inner, place.at(key), depth + 1);
                }
            }
            Json::Array(items) => {
                for (at, inner) in items.iter().enumerate() {
                    self.collect_ids(inner, place.at(&at.to_string()), depth + 1);
                }
            }
            _ => {}
        }
    }

    /// The node of the schema at a pointer into a model.
    fn at(&mut self, model: usize, pointer: &str, from: &Place) -> Compiled<NodeId> {
        let (_, mut schema) = self.models[model];
        let mut place = Place { model, pointer: String::new(), base: String::new() };
        for part in std::iter::once(None).chain(pointer.split('/').skip(1).map(Some)) {
            if let Some(part) = part {
                let key = part.replace("~1", "/").replace("~0", "~");
                let inner = match schema {
                    Json::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get(at)),
                    other => other.get(&key),
                };
                let Some(inner) = inner else {
                    return self.wrong(from, format!("a $ref leads to #{pointer}, where nothing is"));
                };
                schema = inner;
                place = place.at(&key);
            }
            if let (Some(Json::String(id)), None) = (schema.get("id"), schema.get("$ref")) {
                place.base = uri::join(&place.base, id).0;
            }
        }
        self.node(schema, place)
    }

    fn node(&mut self, schema: &Json, mut place: Place) -> Compiled<NodeId> {
        let key = std::ptr::from_ref(schema);
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        let Json::Object(map) = schema else { return self.wrong(&place, "a schema is a JSON object") };
        if self.nodes.len() >= MOST_NODES {
            return self.wrong(&place, format!("more than {MOST_NODES} schemas"));
        }
        if place.pointer.len() + place.base.len() > MOST_POINTER {
            return self.wrong(&place, format!("the names above it have more than {MOST_POINTER} bytes"));
        }
        if self.depth >= MOST_DEPTH {
            return self.wrong(&place, format!("schemas lie more than {MOST_DEPTH} deep in one another"));
        }
        let id = self.nodes.len();
        self.nodes.push(Node::default());
        self.known.insert(key, id);
        self.depth += 1;
        let node = match map.get("$ref") {
            Some(Json::String(reference)) => {
                let reference = Some(self.reference(reference, &place)?);
                Node { reference, ..Node::default() }
            }
            _ => {
                if let Some(Json::String(id)) = map.get("id") {
                    place.base = uri::join(&place.base, id).0;
                }
                let mut node = Node::default();
                self.plain(map, &place, &mut node)?;
                self.nested(map, &place, &mut node)?;
                node
            }
        };
        self.depth -= 1;
        self.nodes[id] = node.settled();
        Ok(id)
    }

    fn reference(&mut self, reference: &str, place: &Place) -> Compiled<NodeId> {
        let (document, fragment) = uri::join(&place.base, reference);
        let fragment = uri::decoded(&fragment);
        if !fragment.is_empty()
            && let Some(named) = self.ids.get(&format!("{document}#{fragment}")).cloned()
        {
            return self.at(named.model, &named.pointer, place);
        }
        if let Some(named) = self.ids.get(&document).cloned() {
            return self.at(named.model, &format!("{}{fragment}", named.pointer), place);
        }
        if document == place.base.split('#').next().unwrap_or_default() && !reference.contains("/models/") {
            return self.at(place.model, &fragment, place);
        }
        let name = document.rsplit('/').next().unwrap_or_default();
        match self.models.iter().position(|(known, _)| *known == name) {
            Some(model) => self.at(model, &fragment, place),
            None => self.wrong(place, format!("{reference:?} names no model of this API")),
        }
    }

    /// Keywords without schemas in them.
    fn plain(&mut self, map: &Map<String, Json>, place: &Place, node: &mut Node) -> Compiled<()> {
        for (keyword, value) in map {
            match keyword.as_str() {
                "type" => node.types = Some(self.types(value, place)?),
                "enum" => match value {
                    Json::Array(values) => node.enumeration = Some(values.clone()),
                    _ => return self.wrong(place, "enum is an array"),
                },
                "multipleOf" => node.multiple_of = Some(self.number(keyword, value, place)?),
                "minimum" => {
                    let exclusive = map.get("exclusiveMinimum") == Some(&Json::Bool(true));
                    node.minimum = Some((self.number(keyword, value, place)?, exclusive));
                }
                "maximum" => {
                    let exclusive = map.get("exclusiveMaximum") == Some(&Json::Bool(true));
                    node.maximum = Some((self.number(keyword, value, place)?, exclusive));
                }
                "minLength" => node.min_length = Some(self.count(keyword, value, place)?),
                "maxLength" => node.max_length = Some(self.count(keyword, value, place)?),
                "minItems" => node.min_items = Some(self.count(keyword, value, place)?),
                "maxItems" => node.max_items = Some(self.count(keyword, value, place)?),
                "minProperties" => node.min_properties = Some(self.count(keyword, value, place)?),
                "maxProperties" => node.max_properties = Some(self.count(keyword, value, place)?),
                "uniqueItems" => node.unique_items = value == &Json::Bool(true),
                "required" => {
                    node.required = self.names(keyword, value, place)?;
                    node.required.sort();
                }
                "pattern" => match value {
                    Json::String(pattern) => node.pattern = Some((pattern.clone(), self.regex(pattern, place)?)),
                    _ => return self.wrong(place, "pattern is a string"),
                },
                _ => {}
            }
        }
        Ok(())
    }

    fn types(&self, value: &Json, place: &Place) -> Compiled<u8> {
        let names: Vec<&str> = match value {
            Json::String(name) => vec![name],
            Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let mut types = 0;
        for name in &names {
            match TYPES.iter().find(|(known, _)| known == name) {
                // Every integer is a number.
                Some((_, 16)) => types |= 16 | 4,
                Some((_, bit)) => types |= bit,
                None => return self.wrong(place, format!("{name:?} is no type")),
            }
        }
        if types == 0 { self.wrong(place, "type is a type's name or an array of them") } else { Ok(types) }
    }

    fn number(&self, keyword: &str, value: &Json, place: &Place) -> Compiled<Number> {
        match value {
            Json::Number(number) => Ok(number.clone()),
            _ => self.wrong(place, format!("{keyword} is a number")),
        }
    }

    fn count(&self, keyword: &str, value: &Json, place: &Place) -> Compiled<u64> {
        let whole = |number: f64| (number >= 0.0 && number.fract() == 0.0).then_some(number as u64);
        match value.as_u64().or_else(|| value.as_f64().and_then(whole)) {
            Some(count) => Ok(count),
            None => self.wrong(place, format!("{keyword} is a whole number, not negative")),
        }
    }

    fn names(&self, keyword: &str, value: &Json, place: &Place) -> Compiled<Vec<String>> {
        let names = value.as_array().map(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        match names.flatten() {
            Some(names) => Ok(names),
            None => self.wrong(place, format!("{keyword} is an array of strings")),
        }
    }

    fn regex(&mut self, pattern: &str, place: &Place) -> Compiled<JavaRegex> {
        let regex = JavaRegex::compile(pattern).or_else(|error| self.wrong(place, error.to_string()))?;
        self.patterns += regex.bytes();
        if self.patterns > MOST_PATTERNS {
            return self.wrong(place, "the patterns of this model are too large");
        }
        Ok(regex)
    }

    /// Keywords with schemas in them.
    fn nested(&mut self, map: &Map<String, Json>, place: &Place, node: &mut Node) -> Compiled<()> {
        for (keyword, value) in map {
            let inside = place.at(keyword);
            match (keyword.as_str(), value) {
                ("items", Json::Array(items)) => node.items = Items::Each(self.several(items, &inside)?),
                ("items", value) => node.items = Items::All(self.node(value, inside)?),
                ("additionalItems", value) => node.additional_items = self.additional(value, inside)?,
                ("additionalProperties", value) => node.additional_properties = self.additional(value, inside)?,
                ("properties", Json::Object(properties)) => {
                    let mut list = Vec::with_capacity(properties.len());
                    for (name, schema) in properties {
                        list.push((name.as_str().into(), self.node(schema, inside.at(name))?));
                    }
                    node.properties = Properties::of(list);
                }
                ("patternProperties", Json::Object(properties)) => {
                    for (pattern, schema) in properties {
                        let regex = self.regex(pattern, &inside)?;
                        let id = self.node(schema, inside.at(pattern))?;
                        node.pattern_properties.push((regex, id));
                    }
                }
                ("dependencies", Json::Object(dependencies)) => {
                    for (name, value) in dependencies {
                        let dependency = match value {
                            Json::Array(_) => Dependency::Properties(self.names(keyword, value, &inside)?),
                            schema => Dependency::Schema(self.node(schema, inside.at(name))?),
                        };
                        node.dependencies.push((name.clone(), dependency));
                    }
                }
                ("allOf", Json::Array(schemas)) => node.all_of = self.several(schemas, &inside)?,
                ("anyOf", Json::Array(schemas)) => node.any_of = self.several(schemas, &inside)?,
                ("oneOf", Json::Array(schemas)) => node.one_of = self.several(schemas, &inside)?,
                ("not", schema) => node.not = Some(self.node(schema, inside)?),
                ("properties" | "patternProperties" | "dependencies", _) => {
                    return self.wrong(place, format!("{keyword} is an object"));
                }
                ("allOf" | "anyOf" | "oneOf", _) => return self.wrong(place, format!("{keyword} is an array")),
                _ => {}
            }
        }
        Ok(())
    }

    fn several(&mut self, schemas: &[Json], place: &Place) -> Compiled<Vec<NodeId>> {
        let numbered = schemas.iter().enumerate();
        numbered.map(|(at, schema)| self.node(schema, place.at(&at.to_string()))).collect()
    }

    fn additional(&mut self, value: &Json, place: Place) -> Compiled<Additional> {
        Ok(match value {
            Json::Bool(true) => Additional::Any,
            Json::Bool(false) => Additional::None,
            schema => Additional::Schema(self.node(schema, place)?),
        })
    }
}
