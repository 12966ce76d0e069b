//! What a method's request validator demands: parameters that must be there, and a schema by media type (data-plane §4).

use super::flaw::Flaw;
use super::media;
use crate::catalog::v1::{Method, Model, RequestValidator};
use crate::spec::schema::{Schema, SchemaError};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a required parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a header.
    Header,
    /// In the path.
    Path,
    /// In the query string.
    Query,
}

impl Place {
    /// Its word in `method.request.{word}.{name}`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Place::Header => "header",
            Place::Path => "path",
            Place::Query => "querystring",
        }
    }
}

/// A compiled model, or why it is none.
pub type Compiled = Result<Arc<Schema>, SchemaError>;

/// What is validated.
#[derive(Debug, Default)]
pub struct Validation {
    /// Parameters that must be there and not blank, in the order in which AWS names the missing ones.
    pub required: Vec<(Place, Box<str>)>,
    /// The validator that the method names and that does not exist: every call is answered 500.
    pub gone: Option<Box<str>>,
    /// Schemas by media type; `None`: bodies are not validated.
    bodies: Option<Vec<(Box<str>, Compiled)>>,
}

impl Validation {
    /// The schema for a body of this media type; one without a model is not validated.
    #[must_use]
    pub fn schema(&self, media: &str) -> Option<&Compiled> {
        media::find(self.bodies.as_ref()?, media)
    }

    /// Every model that cannot be compiled.
    pub fn flaws(&self) -> impl Iterator<Item = &SchemaError> {
        self.bodies.iter().flatten().filter_map(|(_, schema)| schema.as_ref().err())
    }
}

/// The models of an API, each compiled when a method first asks for it.
#[derive(Debug, Default)]
pub(super) struct ModelShelf {
    schemas: Vec<(String, Json)>,
    /// Models whose text is no JSON.
    broken: BTreeMap<String, String>,
    compiled: RefCell<BTreeMap<String, Compiled>>,
}

impl ModelShelf {
    pub(super) fn of(models: Vec<(String, Model)>) -> ModelShelf {
        let mut shelf = ModelShelf::default();
        for (name, model) in models {
            // A model without a schema allows everything.
            match serde_json::from_str(model.schema.as_deref().unwrap_or("{}")) {
                Ok(schema) => shelf.schemas.push((name, schema)),
                Err(error) => drop(shelf.broken.insert(name, error.to_string())),
            }
        }
        shelf
    }

    fn get(&self, name: &str) -> Compiled {
        if let Some(known) = self.compiled.borrow().get(name) {
            return known.clone();
        }
        let compiled = match self.broken.get(name) {
            Some(error) => Err(SchemaError { model: name.to_owned(), pointer: "#".to_owned(), message: error.clone() }),
            None => {
                let models: Vec<(&str, &Json)> =
                    self.schemas.iter().map(|(name, json)| (name.as_str(), json)).collect();
                Schema::compile(name, &models).map(Arc::new)
            }
        };
        self.compiled.borrow_mut().insert(name.to_owned(), compiled.clone());
        compiled
    }
}

/// Compiles what a method's validator asks for; `None` when it asks for nothing.
pub(super) fn compile(
    row: &Method,
    validators: &[(String, RequestValidator)],
    models: &ModelShelf,
    place: &str,
    flaws: &mut Vec<Flaw>,
) -> Option<Validation> {
    let id = row.request_validator_id.as_deref().filter(|id| !id.is_empty())?;
    let Some((_, validator)) = validators.iter().find(|(known, _)| known == id) else {
        return Some(Validation { gone: Some(id.into()), ..Validation::default() });
    };
    let mut validation = Validation::default();
    if validator.validate_request_parameters {
        let required = row.request_parameters.iter().flatten().filter(|(_, required)| **required);
        for name in required.filter_map(|(name, _)| name.strip_prefix("method.request.")) {
            match name.split_once('.') {
                // A header has one name in any case.
                Some(("header", name)) => validation.required.push((Place::Header, name.into())),
                Some(("path", name)) => validation.required.push((Place::Path, name.into())),
                Some(("querystring", name)) => validation.required.push((Place::Query, name.into())),
                _ => flaws.push(Flaw::new(place, format!("`{name}` is no request parameter"))),
            }
        }
    }
    if validator.validate_request_body {
        let models =
            row.request_models.iter().flatten().map(|(media, model)| (media.as_str().into(), models.get(model)));
        validation.bodies = Some(models.collect());
    }
    (!validation.required.is_empty() || validation.bodies.as_ref().is_some_and(|b| !b.is_empty())).then_some(validation)
}
