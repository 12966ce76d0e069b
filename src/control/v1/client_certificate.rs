//! Client certificates: how a stage shows backends who it is.

use super::{locate, tags};
use crate::catalog::Table;
use crate::catalog::v1::{ClientCertificate, Stage};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::quotas::{self, Owner};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::net::pki::stage_certificate;
use crate::state::Ops;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    // Making an RSA key takes its time: beside the lane.
    Verb::draft("GenerateClientCertificate", generate).slow(|call| vec![call.region_scope()]),
    Verb::read("GetClientCertificate", get),
    Verb::read("GetClientCertificates", list),
    Verb::draft("UpdateClientCertificate", update),
    Verb::serving("DeleteClientCertificate", delete),
];

/// What is said of a certificate that there is none of.
pub(super) const MISSING: &str = "Invalid Client Certificate identifier specified";

const RULES: Rules<ClientCertificate> = Rules {
    style: Style::Listing(&["/description"]),
    rules: &[Rule {
        path: "/description",
        ops: &[Op::Replace],
        apply: |certificate, step, _| {
            certificate.description = step.cleared();
            Ok(())
        },
    }],
    other: None,
};

fn generate(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut mint) = (scene.call, scene.mint());
    let tags = tags::of(call)?;
    let scope = call.region_scope();
    quotas::room(
        scene.world,
        &scope,
        Table::ClientCertificate,
        scene.quotas.client_certificates,
        "Client Certificates",
        Owner::Account,
    )?;
    let id = locate::unused_id(scene, &scope, Table::ClientCertificate, &mut mint);
    // A serial number is positive: its first bit is not set.
    let mut serial: [u8; 8] = mint.bytes();
    serial[0] = serial[0] & 0x3f | 0x40;
    let made = stage_certificate(&serial, scene.stamp.time_ms)
        .map_err(|error| Fault::internal(format!("a client certificate could not be made: {error}")))?;
    let certificate = ClientCertificate {
        client_certificate_id: id,
        description: call.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        pem_encoded_certificate: made.pem,
        private_key_sealed: scene.seal.seal(&made.key_der, mint.bytes()),
        tags,
        created_date_ms: scene.stamp.time_ms,
        expiration_date_ms: made.expires_ms,
        ..ClientCertificate::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope, &certificate.client_certificate_id, &certificate);
    Ok((ops, Reply::json(show(&certificate).map("tags", &certificate.tags))))
}

fn find(scene: &Scene<'_>) -> Result<ClientCertificate, Fault> {
    let found = scene.world.get(&scene.call.region_scope(), scene.call.label("clientCertificateId"))?;
    found.ok_or_else(|| Fault::not_found(MISSING))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let found = find(scene)?;
    Ok((Ops::new(), Reply::json(show(&found).set("tags", texts(&found.tags)))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let all = scene.world.list::<ClientCertificate>(&scene.call.region_scope(), "")?;
    let page = page::cut(scene.call, all)?;
    Ok((Ops::new(), page.reply(|_, certificate| show(&certificate).map("tags", &certificate.tags))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut certificate = find(scene)?;
    RULES.apply(&mut certificate, scene)?;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &certificate.client_certificate_id, &certificate);
    Ok((ops, Reply::json(show(&certificate).set("tags", texts(&certificate.tags)))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let id = find(scene)?.client_certificate_id;
    for api in scene.world.apis(&call.account, &call.region) {
        for (name, stage) in scene.world.list::<Stage>(&call.scope_of(api.as_str()), "")? {
            if stage.client_certificate_id.as_ref() == Some(&id) {
                return Err(Fault::bad_request(format!(
                    "Cannot delete client certificate {id}: the stage {api}:{name} uses it; detach it first"
                )));
            }
        }
    }
    let mut ops = Ops::new();
    ops.drop::<ClientCertificate>(&call.region_scope(), &id);
    Ok((ops, Reply::empty()))
}

/// A certificate's JSON, but for its tags.
fn show(certificate: &ClientCertificate) -> Object {
    Object::new()
        .set("clientCertificateId", certificate.client_certificate_id.as_str())
        .maybe("description", certificate.description.as_deref())
        .set("pemEncodedCertificate", certificate.pem_encoded_certificate.as_str())
        .time("createdDate", certificate.created_date_ms)
        .time("expirationDate", certificate.expiration_date_ms)
}
