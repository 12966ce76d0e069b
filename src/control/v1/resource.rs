//! Resource: the tree of paths.

use crate::catalog::Table;
use crate::catalog::v1::{Method, Resource};
use crate::control::page;
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::quotas::{self, Owner};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb};
use crate::state::{Ops, Tree};

use super::{locate, method};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateResource", create),
    Verb::read("GetResource", get),
    Verb::read("GetResources", list),
    Verb::draft("UpdateResource", update),
    Verb::draft("DeleteResource", delete),
];

/// What may be changed. Where the resource comes to lie is judged when all steps are done.
pub const RULES: Rules<Resource> = Rules {
    style: Style::Listing(&["/parentId", "/pathPart"]),
    rules: &[
        Rule {
            path: "/parentId",
            ops: &[Op::Replace],
            apply: |resource, step, _| match resource.parent_id {
                None => Err(Fault::bad_request("Root resource cannot update its parentId.")),
                Some(_) => {
                    resource.parent_id = Some(step.text().to_owned());
                    Ok(())
                }
            },
        },
        Rule {
            path: "/pathPart",
            ops: &[Op::Replace],
            apply: |resource, step, _| match resource.path_part {
                None => Err(Fault::bad_request("Root resource cannot update its pathPart.")),
                Some(_) => {
                    resource.path_part = Some(step.text().to_owned());
                    Ok(())
                }
            },
        },
    ],
    other: None,
};

fn show(scene: &Scene<'_>, tree: &Tree, resource: &Resource) -> Result<Object, Fault> {
    let embed = scene.call.texts("embed").unwrap_or_default().iter().any(|e| e == "methods");
    let mut methods = Object::new();
    let mut some = false;
    for (_, found) in tree.list::<Method>(&Method::row_id(&resource.id, ""))? {
        let shown = if embed { method::show(&found, &resource.id) } else { Object::new() };
        methods = methods.set(&found.http_method, shown);
        some = true;
    }
    Ok(Object::new()
        .set("id", resource.id.as_str())
        .maybe("parentId", resource.parent_id.as_deref())
        .maybe("pathPart", resource.path_part.as_deref())
        .set("path", resource.path.as_str())
        .maybe("resourceMethods", some.then_some(methods)))
}

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, parent) = locate::resource(scene, call.label("parentId"))?;
    let tree = scene.world.tree(&scope);
    let mut mint = scene.mint();
    let mut resource = Resource {
        id: mint.lower(6),
        parent_id: Some(parent.id.clone()),
        path_part: Some(call.label("pathPart").to_owned()),
        ..Resource::default()
    };
    while tree.get::<Resource>(&resource.id)?.is_some() {
        resource.id = mint.lower(6);
    }
    place(&tree, &mut resource, &parent)?;
    quotas::room(scene.world, &scope, Table::Resource, scene.quotas.resources, "Resources", Owner::Api)?;
    let mut ops = Ops::new();
    ops.put(&scope, &resource.id, &resource);
    Ok((ops, Reply::json(show(scene, &tree, &resource)?)))
}

/// Checks the resource's part against its parent and siblings, and sets its path.
fn place(tree: &Tree, resource: &mut Resource, parent: &Resource) -> Result<(), Fault> {
    let part = resource.path_part.clone().unwrap_or_default();
    check_part(&part)?;
    if let Some(greedy) = parent.path_part.as_deref().filter(|p| p.ends_with("+}")) {
        let text = format!("Cannot create a child of a resource with a greedy path variable: {greedy}");
        return Err(Fault::bad_request(text));
    }
    for (id, other) in tree.list::<Resource>("")? {
        if other.parent_id.as_ref() != Some(&parent.id) || id == resource.id {
            continue;
        }
        let theirs = other.path_part.unwrap_or_default();
        if theirs.starts_with('{') && part.starts_with('{') {
            return Err(Fault::bad_request(format!(
                "A sibling ({theirs}) of this resource already has a variable path part -- only one is allowed"
            )));
        }
        if theirs == part {
            return Err(Fault::conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
    }
    resource.path = format!("{}/{part}", parent.path.trim_end_matches('/'));
    Ok(())
}

/// Checks a segment.
///
/// # Errors
/// BadRequest for letters that no segment may have.
pub(super) fn check_part(part: &str) -> Result<(), Fault> {
    let allowed = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c) || more.contains(c))
    };
    let variable = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
    let good = match variable {
        Some(name) => allowed(name.strip_suffix('+').unwrap_or(name), ""),
        None => allowed(part, ",:"),
    };
    let text = "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.";
    if good { Ok(()) } else { Err(Fault::bad_request(text)) }
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, resource) = locate::resource(scene, scene.call.label("resourceId"))?;
    Ok((Ops::new(), Reply::json(show(scene, &scene.world.tree(&scope), &resource)?)))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let tree = scene.world.tree(&scene.call.api_scope());
    let all = tree.list::<Resource>("")?;
    if all.is_empty() {
        return Err(locate::no_resource());
    }
    let page = page::cut(scene.call, all)?;
    let mut rows = Vec::new();
    for (id, resource) in page.rows {
        rows.push((id, show(scene, &tree, &resource)?));
    }
    Ok((Ops::new(), page::Page { rows, position: page.position }.reply(|_, object| object)))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, before) = locate::resource(scene, scene.call.label("resourceId"))?;
    let tree = scene.world.tree(&scope);
    let mut resource = before.clone();
    RULES.apply(&mut resource, scene)?;
    let mut ops = Ops::new();
    if let Some(parent) = resource.parent_id.clone().filter(|_| resource != before) {
        let parent = tree.get::<Resource>(&parent)?.ok_or_else(locate::no_resource)?;
        if is_below(&parent, &before) {
            return Err(Fault::bad_request("Resources cannot be cyclical."));
        }
        place(&tree, &mut resource, &parent)?;
        if resource.path_part.as_deref().is_some_and(|p| p.ends_with("+}")) && has_children(&tree, &resource)? {
            let part = resource.path_part.as_deref().unwrap_or_default();
            let text = format!("Cannot create a child of a resource with a greedy path variable: {part}");
            return Err(Fault::bad_request(text));
        }
        for (id, mut child) in tree.list::<Resource>("")? {
            if id != resource.id && is_below(&child, &before) {
                child.path = format!("{}{}", resource.path, &child.path[before.path.len()..]);
                ops.put(&scope, &id, &child);
            }
        }
    }
    ops.put(&scope, &resource.id, &resource);
    Ok((ops, Reply::json(show(scene, &tree, &resource)?)))
}

fn has_children(tree: &Tree, resource: &Resource) -> Result<bool, Fault> {
    Ok(tree.list::<Resource>("")?.iter().any(|(_, r)| r.parent_id.as_ref() == Some(&resource.id)))
}

/// Whether a resource is another one or lies below it: its path says so.
fn is_below(resource: &Resource, top: &Resource) -> bool {
    let rest = resource.path.strip_prefix(top.path.trim_end_matches('/'));
    resource.id == top.id || rest.is_some_and(|rest| rest.starts_with('/'))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, resource) = locate::resource(scene, scene.call.label("resourceId"))?;
    if resource.parent_id.is_none() {
        return Err(Fault::bad_request("Root resource cannot be deleted."));
    }
    let tree = scene.world.tree(&scope);
    let mut ops = Ops::new();
    for (id, _) in tree.list::<Resource>("")?.iter().filter(|(_, r)| is_below(r, &resource)) {
        for (method, _) in tree.rows(Table::Method, &Method::row_id(id, "")) {
            ops.drop::<Method>(&scope, method);
        }
        ops.drop::<Resource>(&scope, id);
    }
    Ok((ops, Reply::empty()))
}
