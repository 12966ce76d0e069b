//! The resources of a draft: a path and all that lies above it.

use super::draft::Draft;
use crate::catalog::v1::Resource;
use crate::control::v1::resource::check_part;

impl Draft {
    /// Puts a resource into the draft as it is.
    pub(super) fn keep(&mut self, resource: Resource) {
        let variable = resource.path_part.as_ref().filter(|part| part.starts_with('{'));
        if let (Some(part), Some((parent, _))) = (variable, resource.path.rsplit_once('/')) {
            self.variables.insert(parent.to_owned(), part.clone());
        }
        self.resource_ids.insert(resource.id.clone());
        self.resources.insert(resource.id.clone(), resource);
    }

    /// The id of the resource at a path, made with all above it where it is missing; `None` where it may not be.
    pub(super) fn resource(&mut self, path: &str, pointer: &str) -> Option<String> {
        let mut parent = (self.root_id.clone(), String::new());
        for part in path.split('/').skip(1).filter(|part| path != "/" || !part.is_empty()) {
            let here = format!("{}/{part}", parent.1);
            let old = self.by_path.get(&here).cloned();
            let id = match old {
                Some(old) if self.resources.contains_key(&old.id) => old.id,
                old => {
                    if let Err(error) = self.may_lie(part, &parent.1) {
                        let text = format!("Unable to create resource at path '{here}': {error}");
                        self.refuse(pointer.to_owned(), text);
                        return None;
                    }
                    let resource = Resource {
                        id: old.map_or_else(|| self.fresh_resource_id(), |old| old.id),
                        parent_id: Some(parent.0),
                        path_part: Some(part.to_owned()),
                        path: here.clone(),
                        ..Resource::default()
                    };
                    let id = resource.id.clone();
                    self.by_path.insert(here.clone(), resource.clone());
                    self.keep(resource);
                    id
                }
            };
            parent = (id, here);
        }
        Some(parent.0)
    }

    fn may_lie(&self, part: &str, parent: &str) -> Result<(), String> {
        check_part(part).map_err(|fault| fault.message)?;
        let above = parent.rsplit('/').next().unwrap_or_default();
        if above.ends_with("+}") {
            return Err(format!("Cannot create a child of a resource with a greedy path variable: {above}"));
        }
        match self.variables.get(parent) {
            Some(other) if part.starts_with('{') && other != part => Err(format!(
                "A sibling ({other}) of this resource already has a variable path part -- only one is allowed"
            )),
            _ => Ok(()),
        }
    }

    fn fresh_resource_id(&mut self) -> String {
        let mut id = self.mint.lower(6);
        while self.resource_ids.contains(&id) {
            id = self.mint.lower(6);
        }
        id
    }
}
