//! An API by what its clients and owners see of it: things by name, as AWS shows them, with ids resolved.

use crate::catalog::v1::{Authorizer, GatewayResponse, Method, Model, RequestValidator, Resource, RestApi};
use crate::control::Fault;
use crate::control::v1::{authorizer, gateway_response, method, model, rest_api};
use crate::plan::Routes;
use crate::state::Tree;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What kind of thing, in the order in which people read a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Api,
    Resource,
    Method,
    Model,
    Authorizer,
    RequestValidator,
    GatewayResponse,
}

/// A thing by name: `GET /pets`, `model Pet`. A method's name is its path, then its verb, so that paths stay together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) verb: String,
}

impl Place {
    fn new(kind: Kind, name: &str) -> Place {
        Place { kind, name: name.to_owned(), verb: String::new() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { name, verb, .. } = self;
        match self.kind {
            Kind::Api => f.write_str("API"),
            Kind::Resource => write!(f, "resource {name}"),
            Kind::Method => write!(f, "{verb} {name}"),
            Kind::Model => write!(f, "model {name}"),
            Kind::Authorizer => write!(f, "authorizer {name}"),
            Kind::RequestValidator => write!(f, "request validator {name}"),
            Kind::GatewayResponse => write!(f, "gateway response {name}"),
        }
    }
}

/// The whole of it.
#[derive(Debug, Default)]
pub(super) struct Surface {
    pub(super) things: BTreeMap<Place, Value>,
    /// Verb and path → index into `methods`.
    routes: Routes,
    methods: Vec<Place>,
}

/// Members that say nothing about what is served.
const OF_THE_ROW: [&str; 7] =
    ["id", "createdDate", "rootResourceId", "tags", "apiStatus", "apiStatusMessage", "warnings"];

impl Surface {
    /// Reads a draft, or what a deployment froze.
    ///
    /// # Errors
    /// When a row cannot be read by this version.
    pub(super) fn of(tree: &Tree, api: &str) -> Result<Surface, Fault> {
        let mut surface = Surface::default();
        if let Some(api) = tree.get::<RestApi>(api)? {
            let shown = rest_api::show(&api, rest_api::Tags::Given).set("policy", parsed(api.policy.as_deref()));
            surface.add(Place::new(Kind::Api, ""), shown.into_value(), &OF_THE_ROW);
        }
        for (_, model) in tree.list::<Model>("")? {
            let shown = model::show(&model).set("schema", parsed(model.schema.as_deref()));
            surface.add(Place::new(Kind::Model, &model.name), shown.into_value(), &OF_THE_ROW);
        }
        for (_, response) in tree.list::<GatewayResponse>("")? {
            let name = response.response_type.as_str();
            let shown = gateway_response::show(tree, &response.response_type)?.into_value();
            surface.add(Place::new(Kind::GatewayResponse, name), shown, &["defaultResponse"]);
        }
        let authorizers: BTreeMap<String, Authorizer> = tree.list::<Authorizer>("")?.into_iter().collect();
        for authorizer in authorizers.values() {
            let place = Place::new(Kind::Authorizer, &authorizer.name);
            surface.add(place, authorizer::show(authorizer).into_value(), &OF_THE_ROW);
        }
        let validators: BTreeMap<String, RequestValidator> = tree.list::<RequestValidator>("")?.into_iter().collect();
        for validator in validators.values() {
            surface.add(Place::new(Kind::RequestValidator, name_of(validator)), checks(validator), &[]);
        }
        surface.methods(tree, &authorizers, &validators)?;
        Ok(surface)
    }

    fn methods(
        &mut self,
        tree: &Tree,
        authorizers: &BTreeMap<String, Authorizer>,
        validators: &BTreeMap<String, RequestValidator>,
    ) -> Result<(), Fault> {
        let resources: BTreeMap<String, Resource> = tree.list::<Resource>("")?.into_iter().collect();
        let mut bare: BTreeMap<&str, &str> = resources.iter().map(|(id, r)| (id.as_str(), r.path.as_str())).collect();
        for (id, row) in tree.list::<Method>("")? {
            let resource_id = id.split('/').next().unwrap_or_default();
            let Some(resource) = resources.get(resource_id) else { continue };
            bare.remove(resource_id);
            let mut shown = method::show(&row, resource_id).into_value();
            if let Some(id) = &row.request_validator_id {
                let found = validators.get(id).map_or_else(|| json!({ "name": id }), checks);
                shown["requestValidator"] = found;
            }
            if let Some(id) = &row.authorizer_id {
                shown["authorizer"] = authorizers.get(id).map_or(id.as_str(), |a| a.name.as_str()).into();
            }
            let namespace = shown.pointer("/methodIntegration/cacheNamespace").and_then(Value::as_str);
            if namespace == Some(resource_id)
                && let Some(integration) = shown["methodIntegration"].as_object_mut()
            {
                integration.remove("cacheNamespace");
            }
            let mut place = Place::new(Kind::Method, &resource.path);
            place.verb.clone_from(&row.http_method);
            // A path that no router takes is a refusal of its own.
            let _ = self.routes.add(&resource.path, Some((&row.http_method, self.methods.len())));
            self.methods.push(place.clone());
            self.add(place, shown, &["requestValidatorId", "authorizerId"]);
        }
        for path in bare.into_values().filter(|path| *path != "/") {
            self.add(Place::new(Kind::Resource, path), json!({}), &[]);
        }
        Ok(())
    }

    fn add(&mut self, mut place: Place, mut shown: Value, without: &[&str]) {
        if let Some(members) = shown.as_object_mut() {
            members.retain(|name, value| !without.contains(&name.as_str()) && !value.is_null());
        }
        // Names of authorizers and validators need not be unique.
        let name = place.name.clone();
        for number in 2.. {
            if !self.things.contains_key(&place) {
                break;
            }
            place.name = format!("{name} ({number})");
        }
        self.things.insert(place, shown);
    }

    /// The method that answers a verb at a resource's path, whatever its parameters are called.
    pub(super) fn answering(&self, verb: &str, path: &str) -> Option<&Place> {
        let concrete: Vec<&str> = path.split('/').map(|part| part.trim_matches(['{', '}', '+'])).collect();
        self.methods.get(self.routes.find(verb, &concrete.join("/"))?.method)
    }

    /// The methods.
    pub(super) fn every_method(&self) -> impl Iterator<Item = &Value> {
        self.methods.iter().filter_map(|place| self.things.get(place))
    }

    /// A model's schema.
    pub(super) fn schema(&self, model: &str) -> Option<&Value> {
        self.things.get(&Place::new(Kind::Model, model))?.get("schema")
    }
}

fn name_of(validator: &RequestValidator) -> &str {
    validator.name.as_deref().unwrap_or(&validator.id)
}

fn checks(validator: &RequestValidator) -> Value {
    json!({
        "name": name_of(validator), "validateRequestBody": validator.validate_request_body,
        "validateRequestParameters": validator.validate_request_parameters,
    })
}

/// JSON that is stored as text, so that a change in it has a place; text that is no JSON stays text.
fn parsed(text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    serde_json::from_str::<Map<String, Value>>(text).map_or_else(|_| text.into(), Value::Object)
}
