//! VPC links: how integrations reach what has no public address.

use super::{locate, tags};
use crate::catalog::Table;
use crate::catalog::v1::{Method, Stage, VpcLink, VpcLinkStatus};
use crate::control::patch::{Op, Rule, Rules, Step, Style};
use crate::control::quotas::{self, Owner};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Tree};
use std::collections::BTreeSet;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateVpcLink", create),
    Verb::read("GetVpcLink", get),
    Verb::read("GetVpcLinks", list),
    Verb::draft("UpdateVpcLink", update),
    Verb::serving("DeleteVpcLink", delete),
];

/// What is said of a link that there is none of.
pub(super) const MISSING: &str = "Invalid Vpc Link identifier specified";
const NO_NAME: &str = "Name cannot be empty";
const READY: &str = "Your vpc link is ready for use";

const EVERY: &[Op] = &[Op::Add, Op::Remove, Op::Replace];

fn fixed(_: &mut VpcLink, _: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    Err(Fault::bad_request("Target arns are not allowed to be changed/added."))
}

const RULES: Rules<VpcLink> = Rules {
    style: Style::Listing(&["/name", "/description"]),
    rules: &[
        Rule { path: "/targetArns", ops: EVERY, apply: fixed },
        Rule { path: "/targetArns/{}", ops: EVERY, apply: fixed },
        Rule {
            path: "/name",
            ops: &[Op::Replace],
            apply: |link, step, _| {
                link.name = step.cleared().ok_or_else(|| Fault::bad_request(NO_NAME))?;
                Ok(())
            },
        },
        Rule {
            path: "/description",
            ops: &[Op::Replace],
            apply: |link, step, _| {
                link.description = step.cleared();
                Ok(())
            },
        },
    ],
    other: None,
};

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let name = call.label("name");
    if name.is_empty() {
        return Err(Fault::bad_request(NO_NAME));
    }
    let target_arns = call.texts("targetArns").unwrap_or_default();
    for arn in &target_arns {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        if !matches!(parts[..], ["arn", _, service, _, _, rest] if !service.is_empty() && !rest.is_empty()) {
            let shown: String = arn.chars().take(512).collect();
            return Err(Fault::bad_request(format!("Invalid ARN. ARN is not well formed {shown}")));
        }
    }
    match target_arns.len() {
        0 => return Err(Fault::bad_request("At least one target arn must be specified for vpc link.")),
        1 => {}
        _ => return Err(Fault::bad_request("More than one target arn specified for vpc link.")),
    }
    let scope = call.region_scope();
    quotas::room(scene.world, &scope, Table::VpcLink, scene.quotas.vpc_links, "VPC Links", Owner::Account)?;
    let link = VpcLink {
        id: locate::unused_id(scene, &scope, Table::VpcLink, &mut scene.mint()),
        name: name.to_owned(),
        description: call.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        target_arns,
        status: VpcLinkStatus::Available,
        status_message: Some(READY.to_owned()),
        tags: tags::of(call)?,
        ..VpcLink::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope, &link.id, &link);
    // There is nothing to wait for; AWS's clients expect to be told to wait all the same.
    let pending = VpcLink { status: VpcLinkStatus::Pending, status_message: None, ..link };
    Ok((ops, Reply::json(show(&pending).map("tags", &pending.tags))))
}

fn find(scene: &Scene<'_>) -> Result<VpcLink, Fault> {
    let found = scene.world.get(&scene.call.region_scope(), scene.call.label("vpcLinkId"))?;
    found.ok_or_else(|| Fault::not_found(MISSING))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let link = find(scene)?;
    Ok((Ops::new(), Reply::json(show(&link).set("tags", texts(&link.tags)))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let page = page::cut(scene.call, scene.world.list::<VpcLink>(&scene.call.region_scope(), "")?)?;
    Ok((Ops::new(), page.reply(|_, link| show(&link).map("tags", &link.tags))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut link = find(scene)?;
    RULES.apply(&mut link, scene)?;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &link.id, &link);
    Ok((ops, Reply::json(show(&link).set("tags", texts(&link.tags)))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let link = find(scene)?;
    let users = users_of(scene, &link.id)?;
    if !users.is_empty() {
        let (id, users) = (&link.id, users.join(", "));
        return Err(Fault::bad_request(format!(
            "Cannot delete vpc link. Vpc link '{id}', is referenced in [{users}] in format of [RESTApiId:Method:Resource:Stage]."
        )));
    }
    let mut ops = Ops::new();
    ops.drop::<VpcLink>(&scene.call.region_scope(), &link.id);
    Ok((ops, Reply::empty()))
}

/// Where the draft of an API is said to be served: for tests of methods alone.
const DRAFT: &str = "test-invoke-stage";
/// Most users that a refusal names.
const MOST_TOLD: usize = 20;

/// The methods whose integrations use a link, of drafts and of what stages serve.
fn users_of(scene: &Scene<'_>, id: &str) -> Result<Vec<String>, Fault> {
    let call = scene.call;
    let mut users = BTreeSet::new();
    for api in scene.world.apis(&call.account, &call.region) {
        let scope = call.scope_of(api.as_str());
        let draft = scene.world.tree(&scope);
        in_tree(&draft, id, api.as_str(), DRAFT, &mut users)?;
        for (name, stage) in draft.list::<Stage>("")? {
            let canary = stage.canary_settings.map(|canary| canary.deployment_id);
            for deployment in canary.iter().chain([&stage.deployment_id]) {
                if let Some(frozen) = scene.world.frozen(&scope, deployment) {
                    in_tree(&frozen, id, api.as_str(), &name, &mut users)?;
                }
            }
        }
    }
    Ok(users.into_iter().take(MOST_TOLD).collect())
}

/// Rows that do not hold the id are not even decoded.
fn in_tree(tree: &Tree, id: &str, api: &str, stage: &str, users: &mut BTreeSet<String>) -> Result<(), Fault> {
    for (row_id, row) in tree.rows(Table::Method, "") {
        if !row.bytes().windows(id.len()).any(|part| part == id.as_bytes()) {
            continue;
        }
        let method: Method = row.read()?;
        if method.method_integration.is_some_and(|i| i.connection_id.as_deref() == Some(id)) {
            let (resource, verb) = row_id.split_once('/').unwrap_or((row_id, ""));
            users.insert(format!("{api}:{verb}:{resource}:{stage}"));
        }
    }
    Ok(())
}

/// A link's JSON, but for its tags.
fn show(link: &VpcLink) -> Object {
    Object::new()
        .set("id", link.id.as_str())
        .set("name", link.name.as_str())
        .maybe("description", link.description.as_deref())
        .set("targetArns", link.target_arns.clone())
        .set("status", link.status.as_str())
        .maybe("statusMessage", link.status_message.as_deref())
}
