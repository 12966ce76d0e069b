//! A draft in the making: what there was, what the file says, and the effects that lead from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::v1::{
    Authorizer, DocumentationPart, DocumentationPartLocation, GatewayResponse, Method, Model, RequestValidator,
    Resource,
};
use crate::catalog::{Mint, Noun};
use crate::control::quotas::{self, Owner};
use crate::control::v1::{integration, locate, mapping, method, model};
use crate::control::{Fault, Quotas, sizes};
use crate::spec::openapi::{Document, Finding, Severity};
use crate::state::{Ops, Scope, Tree};

/// Rows of one noun: by row id, as they were and as they are to be.
struct Rows<T> {
    before: BTreeSet<String>,
    now: BTreeMap<String, T>,
}

impl<T: Noun> Rows<T> {
    fn of(tree: &Tree) -> Result<Self, Fault> {
        let now: BTreeMap<String, T> = tree.list("")?.into_iter().collect();
        Ok(Self { before: now.keys().cloned().collect(), now })
    }

    fn none() -> Self {
        Self { before: BTreeSet::new(), now: BTreeMap::new() }
    }

    fn effects(&self, scope: &Scope, ops: &mut Ops) {
        for gone in self.before.iter().filter(|id| !self.now.contains_key(*id)) {
            ops.drop::<T>(scope, gone);
        }
        for (id, noun) in &self.now {
            ops.put(scope, id, noun);
        }
    }
}

/// An API's draft while a file is put into it.
pub(super) struct Draft {
    /// What cannot be done, in AWS's words.
    pub(super) errors: Vec<Finding>,
    quotas: Quotas,
    pub(super) mint: Mint,
    pub(super) root_id: String,
    /// Every id that a resource has or had.
    pub(super) resource_ids: BTreeSet<String>,
    /// By path, those of the draft and those that `forget` left out: a path that comes back has its old id.
    pub(super) by_path: BTreeMap<String, Resource>,
    pub(super) resources: BTreeMap<String, Resource>,
    /// The variable segment below a path.
    pub(super) variables: BTreeMap<String, String>,
    methods: Rows<Method>,
    models: Rows<Model>,
    authorizers: Rows<Authorizer>,
    validators: Rows<RequestValidator>,
    gateway_responses: Rows<GatewayResponse>,
    documentation: Rows<DocumentationPart>,
    /// Ids by name of the authorizers and validators that there are.
    names: BTreeMap<(u8, String), String>,
    /// Ids of the documentation parts by what they are about.
    located: BTreeMap<(String, [Option<String>; 4]), String>,
    /// Ids by name of what an overwrite forgot.
    old_names: BTreeMap<(u8, String), String>,
}

/// What a documentation part is about, in an order.
fn location(part: &DocumentationPart) -> (String, [Option<String>; 4]) {
    let DocumentationPartLocation { kind, path, method, status_code, name, .. } = &part.location;
    (kind.as_str().to_owned(), [path.clone(), method.clone(), status_code.clone(), name.clone()])
}

impl Draft {
    /// An empty draft with its root.
    pub(super) fn new(root: Resource, mint: Mint, quotas: Quotas) -> Self {
        let mut draft = Self {
            errors: Vec::new(),
            quotas,
            mint,
            root_id: root.id.clone(),
            resource_ids: BTreeSet::new(),
            by_path: BTreeMap::new(),
            resources: BTreeMap::new(),
            variables: BTreeMap::new(),
            methods: Rows::none(),
            models: Rows::none(),
            authorizers: Rows::none(),
            validators: Rows::none(),
            gateway_responses: Rows::none(),
            documentation: Rows::none(),
            names: BTreeMap::new(),
            located: BTreeMap::new(),
            old_names: BTreeMap::new(),
        };
        draft.by_path.insert("/".to_owned(), root.clone());
        draft.keep(root);
        draft
    }

    /// The draft that an API has.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub(super) fn of(tree: &Tree, root_id: &str, mint: Mint, quotas: Quotas) -> Result<Self, Fault> {
        let root = tree.get::<Resource>(root_id)?;
        let mut draft = Self::new(root.ok_or_else(|| Fault::internal("the root resource is missing"))?, mint, quotas);
        for (id, resource) in tree.list::<Resource>("")? {
            draft.resource_ids.insert(id);
            draft.by_path.insert(resource.path.clone(), resource.clone());
            draft.keep(resource);
        }
        draft.methods = Rows::of(tree)?;
        draft.models = Rows::of(tree)?;
        draft.authorizers = Rows::of(tree)?;
        draft.validators = Rows::of(tree)?;
        draft.gateway_responses = Rows::of(tree)?;
        draft.documentation = Rows::of(tree)?;
        for (id, row) in &draft.authorizers.now {
            draft.names.entry((Authorizer::TABLE.number(), row.name.clone())).or_insert_with(|| id.clone());
        }
        for (id, row) in &draft.validators.now {
            let key = row.name.clone().map(|name| (RequestValidator::TABLE.number(), name));
            key.map(|key| draft.names.entry(key).or_insert_with(|| id.clone()));
        }
        draft.located = draft.documentation.now.iter().map(|(id, part)| (location(part), id.clone())).collect();
        Ok(draft)
    }

    /// Overwrite: nothing stays but the ids of what comes back under its old name.
    pub(super) fn forget(&mut self) {
        let root = self.resources.remove(&self.root_id);
        self.resources.clear();
        self.variables.clear();
        self.resources.extend(root.map(|root| (root.id.clone(), root)));
        self.authorizers.now.clear();
        self.validators.now.clear();
        self.old_names = std::mem::take(&mut self.names);
        self.located.clear();
        for (name, row) in std::mem::take(&mut self.models.now) {
            self.old_names.insert((Model::TABLE.number(), name), row.id);
        }
        self.methods.now.clear();
        self.gateway_responses.now.clear();
        self.documentation.now.clear();
    }

    /// Puts a file in.
    pub(super) fn take(&mut self, document: &Document) {
        self.take_named(document);
        for row in &document.gateway_responses {
            self.gateway_responses.now.insert(row.response_type.as_str().to_owned(), row.clone());
        }
        for part in &document.documentation {
            self.take_part(part);
        }
        for path in &document.paths {
            let Some(resource) = self.resource(&path.path, &path.pointer) else { continue };
            for found in &path.methods {
                let mut row = found.clone();
                if let Err(error) = self.settle(&mut row, &path.path) {
                    let verb = match row.http_method.as_str() {
                        "ANY" => "x-amazon-apigateway-any-method".to_owned(),
                        verb => verb.to_ascii_lowercase(),
                    };
                    self.refuse(format!("{}/{verb}", path.pointer), error);
                    continue;
                }
                self.methods.now.insert(Method::row_id(&resource, &row.http_method), row);
            }
        }
    }

    /// Notes what cannot be done.
    pub(super) fn refuse(&mut self, pointer: String, text: String) {
        self.errors.push(Finding { pointer, severity: Severity::Error, text, aws: true });
    }

    fn take_named(&mut self, document: &Document) {
        for row in &document.models {
            if let Err(fault) = model::check_size(row.schema.as_deref().unwrap_or_default()) {
                self.refuse(String::new(), format!("Unable to create model for {}: {}", row.name, fault.message));
                continue;
            }
            let there = self.models.now.get(&row.name).map(|old| old.id.clone());
            let id = self.id_for(Model::TABLE.number(), &row.name, there);
            self.models.now.insert(row.name.clone(), Model { id, ..row.clone() });
        }
        for row in &document.authorizers {
            let key = (Authorizer::TABLE.number(), row.name.clone());
            let there = self.names.get(&key).cloned();
            let id = self.id_for(key.0, &key.1, there);
            self.names.insert(key, id.clone());
            self.authorizers.now.insert(id.clone(), Authorizer { id, ..row.clone() });
        }
        for row in &document.validators {
            let key = (RequestValidator::TABLE.number(), row.name.clone().unwrap_or_default());
            let there = self.names.get(&key).cloned();
            let id = self.id_for(key.0, &key.1, there);
            self.names.insert(key, id.clone());
            self.validators.now.insert(id.clone(), RequestValidator { id, ..row.clone() });
        }
    }

    fn take_part(&mut self, part: &DocumentationPart) {
        let key = location(part);
        let id = self.located.get(&key).cloned().unwrap_or_else(|| {
            let mut id = self.mint.lower(6);
            while self.documentation.before.contains(&id) || self.documentation.now.contains_key(&id) {
                id = self.mint.lower(6);
            }
            id
        });
        self.located.insert(key, id.clone());
        self.documentation.now.insert(id.clone(), DocumentationPart { id, ..part.clone() });
    }

    /// The id of a thing with a name: its own, its old one, or a new one.
    fn id_for(&mut self, table: u8, name: &str, there: Option<String>) -> String {
        let known = there.or_else(|| self.old_names.get(&(table, name.to_owned())).cloned());
        known.unwrap_or_else(|| {
            let mut id = self.mint.lower(6);
            let taken = |id: &String| {
                self.authorizers.before.contains(id)
                    || self.authorizers.now.contains_key(id)
                    || self.validators.before.contains(id)
                    || self.validators.now.contains_key(id)
            };
            while taken(&id) {
                id = self.mint.lower(6);
            }
            id
        })
    }

    /// Names become ids, and the method is judged as its own calls judge it.
    fn settle(&self, row: &mut Method, path: &str) -> Result<(), String> {
        let verb = row.http_method.clone();
        let on_method =
            |fault: Fault| format!("Unable to put method '{verb}' on resource at path '{path}': {}", fault.message);
        if let Some(name) = row.authorizer_id.take() {
            row.authorizer_id = self.names.get(&(Authorizer::TABLE.number(), name)).cloned();
        }
        if let Some(name) = row.request_validator_id.take() {
            row.request_validator_id = self.names.get(&(RequestValidator::TABLE.number(), name)).cloned();
        }
        method::check_parameters(row.request_parameters.as_ref()).map_err(on_method)?;
        let bodies = row.method_responses.values().flat_map(|response| response.response_models.iter());
        for name in row.request_models.iter().chain(bodies).flat_map(BTreeMap::values) {
            if !matches!(name.as_str(), "Empty" | "Error") && !self.models.now.contains_key(name) {
                return Err(on_method(Fault::bad_request(format!("Invalid model identifier specified: {name}"))));
            }
        }
        let Some(found) = &row.method_integration else { return Ok(()) };
        let on_integration = |fault: Fault| {
            format!("Unable to put integration on '{verb}' for resource at path '{path}': {}", fault.message)
        };
        integration::check(found, row).map_err(on_integration)?;
        if let Some(ms) = found.timeout_in_millis {
            integration::timeout(Some(ms.into()), self.quotas.integration_timeout_ms).map_err(on_integration)?;
        }
        let on_response = |fault: Fault| {
            format!("Unable to put integration response on '{verb}' for resource at path '{path}': {}", fault.message)
        };
        for (code, response) in &found.integration_responses {
            let declared = row.method_responses.get(code).ok_or_else(|| on_response(locate::no_response()))?;
            if let Some(parameters) = &response.response_parameters {
                let declared = declared.response_parameters.as_ref();
                integration::check_response_parameters(parameters, declared).map_err(on_response)?;
            }
            let types = response.response_templates.iter().flat_map(BTreeMap::keys);
            mapping::check_media_types(types).map_err(on_response)?;
            let mut templates = response.response_templates.iter().flat_map(BTreeMap::values).flatten();
            templates.try_for_each(|text| sizes::text("responseTemplates", text)).map_err(on_response)?;
        }
        Ok(())
    }

    /// Checks how much there is now of each thing.
    ///
    /// # Errors
    /// LimitExceeded for the first that there is too much of.
    pub(super) fn fits(&self) -> Result<(), Fault> {
        let quotas = &self.quotas;
        let parts = self.documentation.now.len();
        quotas::fit(self.resources.len(), 0, quotas.resources, "Resources", Owner::Api)?;
        quotas::fit(self.authorizers.now.len(), 0, quotas.authorizers, "Authorizers", Owner::Api)?;
        quotas::fit(parts, 0, quotas.documentation_parts, "Documentation Parts", Owner::Api)
    }

    /// The effects on the rows.
    pub(super) fn ops(&self, scope: &Scope) -> Ops {
        let mut ops = Ops::new();
        for gone in self.resource_ids.iter().filter(|id| !self.resources.contains_key(*id)) {
            ops.drop::<Resource>(scope, gone);
        }
        for (id, resource) in &self.resources {
            ops.put(scope, id, resource);
        }
        self.methods.effects(scope, &mut ops);
        self.models.effects(scope, &mut ops);
        self.authorizers.effects(scope, &mut ops);
        self.validators.effects(scope, &mut ops);
        self.gateway_responses.effects(scope, &mut ops);
        self.documentation.effects(scope, &mut ops);
        ops
    }
}
