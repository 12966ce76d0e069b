//! Why the gateway refused what it refused: a record of each refusal in the memory of the node that made it, and the
//! header `x-meridian-cause` for stages that ask for it. Look-ups over nodes are `node`'s.

mod hints;
mod ring;
pub mod wire;

pub use hints::hint;
pub use ring::RecordId;
pub(super) use ring::{Records, Shard};
pub use wire::Record;

use super::ask::Ask;
use super::refusal::Refusal;
use super::worker::Worker;
use super::{Gateway, log};
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;

/// Bytes of a record's text at most; the rest is cut off.
const TEXT_BYTES: usize = 512;
/// Bytes of the header's value at most.
const HEADER_BYTES: usize = 256;
/// The stage variable that shows causes to clients when it is `true`.
const VARIABLE: &str = "meridian_explain";
/// The header that shows them.
pub(super) const CAUSE: HeaderName = HeaderName::from_static("x-meridian-cause");

impl Gateway {
    /// What this node remembers of a refused request, the oldest first. What was answered well leaves nothing.
    #[must_use]
    pub fn explain(&self, id: RecordId) -> Vec<Record<'static>> {
        self.shared.records.find(id)
    }
}

/// As much of a text as a record holds.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

/// A record's text.
fn lent(text: Option<&str>) -> Cow<'_, str> {
    Cow::Borrowed(cut(text.unwrap_or_default()))
}

/// Keeps what is known of a refusal. `status` is what the client gets; `resumed`: for an edge that will tell the client.
pub(super) fn keep(worker: &Worker, ask: &Ask, refusal: &Refusal, status: u16, resumed: bool) {
    let facts = &ask.facts;
    let plan = facts.stage.as_ref().map(|stage| &stage.plan);
    let method = plan.and_then(|plan| plan.methods.get(facts.method?));
    worker.records.keep(&Record {
        request_id: lent(facts.request_id.to_str().ok()),
        extended_id: lent(facts.extended_id.to_str().ok()),
        time_ms: facts.time_ms,
        api: lent(plan.map(|plan| &*plan.api)),
        stage: lent(plan.map(|plan| &*plan.stage)),
        method: lent(Some(ask.method.as_str())),
        resource_path: lent(method.map(|method| &*method.resource_path)),
        path: lent(Some(ask.path())),
        step: Cow::Borrowed(facts.step.name()),
        response_type: Cow::Borrowed(refusal.kind.name()),
        status,
        message: lent(refusal.message()),
        cause: lent(Some(&refusal.cause)),
        detail: lent(Some(&refusal.detail)),
        place: lent(refusal.place.as_deref()),
        key_id: lent(Some(&facts.key_id)),
        plan_id: lent(Some(&facts.plan_id)),
        resumed,
        refused_in: lent(facts.served_by.as_deref()),
        integration_status: facts.integration_status,
        integration_us: facts.integration_us,
        latency_us: log::elapsed_us(facts),
    });
}

/// `{step}/{cause}[; {place}]` for the client of a stage that shows causes.
pub(super) fn header(ask: &Ask, refusal: &Refusal) -> Option<HeaderValue> {
    let shown = ask.facts.stage.as_ref()?.plan.variables.get(VARIABLE)? == "true";
    shown.then(|| value(ask.facts.step.name(), &refusal.cause, refusal.place.as_deref()))?
}

fn value(step: &str, cause: &str, place: Option<&str>) -> Option<HeaderValue> {
    let text = match place {
        Some(place) => format!("{step}/{cause}; {place}"),
        None => format!("{step}/{cause}"),
    };
    let safe = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    let text: String = text.chars().take(HEADER_BYTES).map(safe).collect();
    HeaderValue::try_from(text).ok()
}

/// Whether only the gateway itself may send a header to clients.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-meridian-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_no_more_than_a_header_may() {
        let of = |place| value("map", "template_failed", place).expect("a value");
        assert_eq!(of(None), "map/template_failed");
        assert_eq!(of(Some("3:14")), "map/template_failed; 3:14");
        assert_eq!(of(Some("a\r\nSet-Cookie: x=1\u{e9}")), "map/template_failed; a??Set-Cookie: x=1?");
        assert_eq!(of(Some(&"\u{20ac}".repeat(5_000))).len(), HEADER_BYTES);
    }

    #[test]
    fn texts_are_cut_between_letters() {
        assert_eq!(cut("short"), "short");
        let long = format!("a{}", "\u{20ac}".repeat(TEXT_BYTES));
        assert!(cut(&long).len() <= TEXT_BYTES && cut(&long).len() > TEXT_BYTES - 4 && long.starts_with(cut(&long)));
    }
}
