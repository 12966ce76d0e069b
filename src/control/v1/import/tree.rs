//! The resources of a draft: a path and all that lies above it.

use super::draft::Draft;
use crate::catalog::v1::Resource;
use crate::control::v1::resource::check_part;

/// Most resources of an imported API: the paths of a file can be more, and longer together, than the file by far
/// (AWS: 300, more on request).
const MOST: usize = 10_000;

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
        let path = if path == "/" { "" } else { path };
        let (mut id, above) = self.nearest(path);
        let mut parent = above.to_owned();
        for part in path[above.len()..].split('/').skip(1) {
            let here = format!("{parent}/{part}");
            if let Err(error) = self.may_lie(part, &parent) {
                let text = format!("Unable to create resource at path '{here}': {error}");
                self.refuse(pointer.to_owned(), text);
                return None;
            }
            let old = self.by_path.get(&here).map(|old| old.id.clone());
            let resource = Resource {
                id: old.unwrap_or_else(|| self.fresh_resource_id()),
                parent_id: Some(id),
                path_part: Some(part.to_owned()),
                path: here.clone(),
                ..Resource::default()
            };
            id = resource.id.clone();
            self.by_path.insert(here.clone(), resource.clone());
            self.keep(resource);
            parent = here;
        }
        Some(id)
    }

    /// The resource at a path or the nearest above it: its id, and its path without a slash at the end.
    fn nearest<'p>(&self, path: &'p str) -> (String, &'p str) {
        let mut here = path;
        while let Some(slash) = here.rfind('/') {
            let there = self.by_path.get(here).filter(|found| self.resources.contains_key(&found.id));
            if let Some(found) = there {
                return (found.id.clone(), here);
            }
            here = &here[..slash];
        }
        (self.root_id.clone(), "")
    }

    fn may_lie(&self, part: &str, parent: &str) -> Result<(), String> {
        if self.resources.len() >= MOST {
            return Err(format!("an imported API has at most {MOST} resources"));
        }
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
