//! JSON schema, draft 4, as API Gateway validates bodies against models.
//!
//! A [`Schema`] is compiled once, with every model that it refers to, circular ones too. Its messages are those of the
//! Java validator behind API Gateway. Formats are not checked. Patterns run in linear time; what needs backtracking is
//! refused when the schema is compiled.

mod compile;
mod instance;
mod message;
mod node;
mod uri;
mod validate;

pub use instance::Instance;
use node::{Node, NodeId};
use serde_json::Value as Json;

/// Why a model cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{model}{pointer}: {message}")]
pub struct SchemaError {
    /// The model.
    pub model: String,
    /// A JSON pointer to the place in it, as a fragment (`#/properties/a`).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// Where models come from: their names and schemas. A `$ref` to another model ends in `/models/{name}`, or is its name.
pub type Models<'m> = &'m [(&'m str, &'m Json)];

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    nodes: Vec<Node>,
    root: NodeId,
}

/// What is wrong with an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// A message for each failing keyword.
    pub messages: Vec<String>,
    /// A JSON pointer to the first value that fails, as a fragment (`#/items/0/name`).
    pub pointer: String,
}

impl Invalid {
    /// Whether more fuel might have come to another verdict.
    pub fn is_out_of_fuel(&self) -> bool {
        self.messages.iter().any(|message| message == message::TOO_MUCH)
    }
}

impl std::fmt::Display for Invalid {
    /// As `$context.error.validationErrorString` shows it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.messages.join(", "))
    }
}

impl Schema {
    /// Compiles the model `name` out of `models`.
    pub fn compile(name: &str, models: Models<'_>) -> Result<Schema, SchemaError> {
        compile::schema(name, models)
    }

    /// Judges an instance, with `fuel` steps at most: about one for each schema that a value is held against.
    pub fn validate(&self, instance: &Instance<'_>, fuel: u64) -> Result<(), Invalid> {
        validate::instance(self, instance, fuel)
    }
}

#[cfg(test)]
mod tests;
