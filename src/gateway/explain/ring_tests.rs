//! The ring: bounded whatever comes, and fair to what is rare.

use super::*;
use crate::gateway::explain::{TEXT_BYTES, cut};
use std::borrow::Cow;

fn record(number: u128, status: u16, detail: &str) -> Record<'_> {
    Record {
        request_id: RecordId::Request(number).to_string().into(),
        extended_id: format!("{number:015}=").into(),
        time_ms: 0,
        api: "a1b2c3d4e5".into(),
        stage: "prod".into(),
        method: "GET".into(),
        resource_path: "/pets".into(),
        path: "/prod/pets".into(),
        step: "admit".into(),
        response_type: "THROTTLED".into(),
        status,
        message: "Too Many Requests".into(),
        cause: "plan_throttle".into(),
        detail: Cow::Borrowed(detail),
        place: "".into(),
        key_id: "k1".into(),
        plan_id: "p1".into(),
        resumed: false,
        refused_in: "".into(),
        integration_status: None,
        integration_us: None,
        latency_us: 5,
    }
}

fn held(records: &Records) -> (usize, usize) {
    let rings = records.shards.iter().flat_map(|shard| [&shard.client, &shard.server]);
    rings.fold((0, 0), |(entries, bytes), ring| {
        let ring = ring.lock().expect("lock");
        let counted: usize = ring.entries.iter().map(Entry::bytes).sum();
        assert_eq!(counted, ring.bytes, "the count is right");
        (entries + ring.entries.len(), bytes + counted)
    })
}

#[test]
fn a_flood_of_429_never_pushes_out_a_500() {
    let records = Records::bounded(2, 64, 1 << 20);
    let shards = [records.shard(), records.shard()];
    shards[0].keep(&record(1, 500, "rare"));
    for number in 2..10_000_u128 {
        shards[usize::from(number % 2 == 0)].keep(&record(number, 429, ""));
    }
    assert_eq!(records.find(RecordId::Request(1)).len(), 1, "the rare one is still there");
    assert_eq!(records.find(RecordId::Request(2)).len(), 0, "old ones went");
    assert_eq!(records.find(RecordId::Request(9_999)).len(), 1, "new ones came");
    // A flood of server errors leaves the others alone, too.
    (20_000..30_000).for_each(|number| shards[0].keep(&record(number, 504, "")));
    assert_eq!(records.find(RecordId::Request(1)).len(), 0);
    assert_eq!(records.find(RecordId::Request(9_999)).len(), 1);
    assert!(held(&records).0 <= 64);
}

#[test]
fn entries_and_bytes_are_bounded_whatever_a_record_holds() {
    let long = "é".repeat(100_000);
    let records = Records::bounded(3, 1_000, 64 << 10);
    let shard = records.shard();
    for number in 0..2_000_u128 {
        shard.keep(&record(number, if number % 3 == 0 { 500 } else { 400 }, cut(&long)));
    }
    let (entries, bytes) = held(&records);
    assert!(entries > 10 && bytes <= 64 << 10, "{entries} entries, {bytes} bytes");
    let newest = records.find(RecordId::Request(1_999)).pop().expect("the newest");
    assert!(newest.detail.len() <= TEXT_BYTES && newest.detail.starts_with('é'), "{}", newest.detail.len());
    // What is larger than any answer is not kept at all.
    shard.keep(&record(5_000, 500, &long));
    assert!(records.find(RecordId::Request(5_000)).is_empty());
}

#[test]
fn records_are_found_by_either_id_in_every_shard_and_come_back_as_they_went() {
    let records = Records::bounded(4, 100, 1 << 20);
    for number in 1..=8_u128 {
        records.shard().keep(&record(number, 403, "words"));
    }
    for number in 1..=8_u128 {
        let wanted = [record(number, 403, "words")];
        assert_eq!(records.find(RecordId::Request(number)), wanted);
        let extended = RecordId::parse(&wanted[0].extended_id).expect("an extended id");
        assert_eq!(records.find(extended), wanted);
    }
    assert!(records.find(RecordId::Request(99)).is_empty());
    // Ids that met give a bounded answer.
    let shard = records.shard();
    (0..20).for_each(|_| shard.keep(&record(77, 403, "")));
    assert_eq!(records.find(RecordId::Request(77)).len(), FOUND);
    // A record that could not be found takes no room.
    shard.keep(&Record { request_id: "no-uuid".into(), ..record(78, 500, "") });
    assert_eq!(held(&records).0, 28);
}

#[test]
fn ids_are_read_strictly() {
    let id = "1f0e4d1c-7a59-4a0b-9d0e-0123456789ab";
    assert_eq!(RecordId::parse(id).map(|id| id.to_string()).as_deref(), Some(id));
    assert_eq!(RecordId::parse(&id.to_uppercase()), RecordId::parse(id));
    assert_eq!(RecordId::parse("AbC+/0123456789=").map(|id| id.to_string()).as_deref(), Some("AbC+/0123456789="));
    for none in [
        "",
        "1f0e4d1c-7a59-4a0b-9d0e-0123456789a",
        "1f0e4d1c-7a59-4a0b-9d0e-0123456789ag",
        "1f0e4d1c+7a59-4a0b-9d0e-0123456789ab",
        "+f0e4d1c-7a59-4a0b-9d0e-0123456789ab",
        "AbC+/01234567890",
        "AbC%/0123456789=",
        "../../../status=",
        "é123456789012345=",
    ] {
        assert_eq!(RecordId::parse(none), None, "{none}");
    }
}
