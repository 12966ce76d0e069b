//! What a World must keep true, whatever Changes come.

use super::{Change, Loader, Ops, Scope, World, Write, decode_change, encode_change};
use crate::catalog::{AccountId, ApiId, Noun, Region, Table, cluster::Sequence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiKey {
    value_hash: serde_bytes::ByteArray<32>,
}

impl Noun for ApiKey {
    const TABLE: Table = Table::ApiKey;
}

fn api_scope(api: &str) -> Scope {
    Scope::api(&AccountId::from("000000000000"), &Region::from("eu-west-1"), &ApiId::from(api))
}

fn step(world: &mut World, disk: &mut BTreeMap<Vec<u8>, Vec<u8>>, ops: Ops) {
    let change = Change { prev: world.seq(), time_ms: world.time_ms() + 1, ops: ops.0 };
    let change = decode_change(&encode_change(&change).unwrap()).unwrap();
    let mut writes = Vec::new();
    world.apply(&change, &mut writes).unwrap();
    for Write { key, value } in writes {
        match value {
            Some(value) => disk.insert(key, value),
            None => disk.remove(&key),
        };
    }
    assert_eq!(&world.dump().collect::<BTreeMap<_, _>>(), disk, "the disk holds what the World holds");
}

fn loaded(disk: &BTreeMap<Vec<u8>, Vec<u8>>) -> World {
    let mut loader = Loader::default();
    for (key, value) in disk {
        loader.load(key, value).unwrap();
    }
    loader.finish()
}

fn counter(last: u64) -> Sequence {
    Sequence { last, ..Sequence::default() }
}

#[test]
fn disk_and_world_stay_equal_through_freeze_thaw_and_drop_and_load_gives_the_world_back() {
    let (mut world, mut disk) = (World::default(), BTreeMap::new());
    let scope = api_scope("abcdefghij");
    let mut ops = Ops::new();
    // A raw row stands for the draft: apply must not look inside.
    ops.0.push(super::Op::Put {
        scope: scope.clone(),
        table: 1,
        id: "abcdefghij".into(),
        row: super::Row::from_bytes(&[1, 2]),
    });
    ops.0.push(super::Op::Put {
        scope: scope.clone(),
        table: 2,
        id: "r1".into(),
        row: super::Row::from_bytes(&[1, 3]),
    });
    ops.0.push(super::Op::Put {
        scope: scope.clone(),
        table: 65,
        id: "prod".into(),
        row: super::Row::from_bytes(&[1, 9]),
    });
    ops.freeze(&scope, "d1");
    step(&mut world, &mut disk, ops);
    let frozen = world.frozen(&scope, "d1").unwrap();
    assert_eq!(frozen.len(), 2, "stages are no part of what a deployment freezes");

    let mut ops = Ops::new();
    ops.0.push(super::Op::Put {
        scope: scope.clone(),
        table: 2,
        id: "r1".into(),
        row: super::Row::from_bytes(&[1, 4]),
    });
    ops.freeze(&scope, "d2");
    step(&mut world, &mut disk, ops);
    assert_eq!(world.frozen(&scope, "d1").unwrap().digest(), frozen.digest(), "a frozen tree never changes");
    assert_ne!(world.frozen(&scope, "d2").unwrap().digest(), frozen.digest());
    assert_eq!(disk.keys().filter(|key| key[0] == b'b').count(), 3, "rows that two deployments share are kept once");

    let mut loaded = loaded(&disk);
    assert_eq!(loaded.dump().collect::<Vec<_>>(), world.dump().collect::<Vec<_>>());
    assert_eq!(loaded.api_scope("abcdefghij"), Some(scope.clone()));

    let mut ops = Ops::new();
    ops.thaw(&scope, "d1");
    step(&mut loaded, &mut disk, ops);
    assert_eq!(disk.keys().filter(|key| key[0] == b'b').count(), 2, "a row that nobody holds is gone");

    let mut ops = Ops::new();
    ops.drop_scope(&scope);
    step(&mut loaded, &mut disk, ops);
    assert_eq!(disk.keys().filter(|key| key[0] != b'm').count(), 0);
    assert_eq!(loaded.api_scope("abcdefghij"), None);
}

#[test]
fn a_change_made_for_another_state_has_no_effect() {
    let mut world = World::default();
    let mut ops = Ops::new();
    ops.put(&Scope::cluster(), "node", &counter(1));
    let change = Change { prev: 1, time_ms: 5, ops: ops.0 };
    assert!(world.apply(&change, &mut Vec::new()).is_err());
    assert_eq!((world.seq(), world.dump().count()), (0, 1));
}

#[test]
fn a_tip_is_what_the_applied_world_becomes() {
    let mut ops = Ops::new();
    ops.put(&Scope::cluster(), "node", &counter(7));
    let mut tip = World::default();
    let mut applied = tip.clone();
    tip.advance(9, &ops.0);
    applied.apply(&Change { prev: 0, time_ms: 9, ops: ops.0 }, &mut Vec::new()).unwrap();
    assert_eq!(tip.dump().collect::<Vec<_>>(), applied.dump().collect::<Vec<_>>());
    assert_eq!(tip.get::<Sequence>(&Scope::cluster(), "node").unwrap().unwrap().last, 7);
}

#[test]
fn a_key_is_found_by_the_hash_of_its_present_value_only() {
    let region = Scope::region(&AccountId::from("000000000000"), &Region::from("eu-west-1"));
    let (mut world, mut disk) = (World::default(), BTreeMap::new());
    for hash in [[1; 32], [2; 32]] {
        let mut ops = Ops::new();
        ops.put(&region, "k1", &ApiKey { value_hash: hash.into() });
        step(&mut world, &mut disk, ops);
    }
    assert_eq!(world.api_key_by_hash(&region, &[1; 32]), None);
    assert_eq!(world.api_key_by_hash(&region, &[2; 32]), Some("k1"));
    let mut ops = Ops::new();
    ops.drop::<ApiKey>(&region, "k1");
    step(&mut world, &mut disk, ops);
    assert_eq!(world.api_key_by_hash(&region, &[2; 32]), None);
}

const GOLDEN: &str = concat!(
    "0104fbd007020000cd046e6f6465080181a46c61737403",
    "03183030303030303030303030302f65752d776573742d312f610164",
);

#[test]
fn a_damaged_change_is_refused_and_its_bytes_never_change() {
    let mut ops = Ops::new();
    ops.put(&Scope::cluster(), "node", &counter(3)).freeze(&api_scope("a"), "d");
    let bytes = encode_change(&Change { prev: 4, time_ms: 1_000, ops: ops.0 }).unwrap();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, GOLDEN, "the stored form of a Change changed");
    for cut in 0..bytes.len() {
        assert!(decode_change(&bytes[..cut]).is_err());
    }
    assert!(decode_change(&[2, 0, 0, 0]).is_err());
}

#[test]
fn a_loaded_world_keeps_rows_that_drafts_and_deployments_share_once_in_memory() {
    let (mut world, mut disk) = (World::default(), BTreeMap::new());
    let scopes: Vec<Scope> = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"].map(api_scope).into();
    let row = |byte: u8| super::Row::from_bytes(&[1, byte]);
    let put = |scope: &Scope, id: &str, byte: u8| super::Op::Put {
        scope: scope.clone(),
        table: Table::Resource.number(),
        id: id.into(),
        row: row(byte),
    };
    for (number, scope) in (0_u8..).zip(&scopes) {
        let mut ops = Ops::new();
        ops.0.extend((0..40).map(|n| put(scope, &format!("r{n:02}"), 10 * number + n % 7)));
        ops.freeze(scope, "d1");
        ops.0.push(put(scope, "r00", 200));
        ops.freeze(scope, "d2");
        ops.0.push(put(scope, "r01", 201));
        step(&mut world, &mut disk, ops);
    }
    let loaded = loaded(&disk);
    assert_eq!(loaded.dump().collect::<Vec<_>>(), world.dump().collect::<Vec<_>>());
    for scope in &scopes {
        let (draft, old, new) =
            (loaded.tree(scope), loaded.frozen(scope, "d1").unwrap(), loaded.frozen(scope, "d2").unwrap());
        let at = |tree: &super::Tree, id: &str| tree.row(Table::Resource, id).unwrap().bytes().as_ptr();
        assert_eq!(at(&draft, "r02"), at(&old, "r02"), "unchanged since both");
        assert_eq!(at(&draft, "r00"), at(&new, "r00"), "unchanged since the second");
        assert_ne!(at(&draft, "r00"), at(&old, "r00"));
        assert_eq!(draft.row(Table::Resource, "r01"), Some(&row(201)), "never frozen");
    }
}

#[test]
fn what_lacks_a_frozen_row_or_has_an_unknown_key_is_not_loaded() {
    let (mut world, mut disk) = (World::default(), BTreeMap::new());
    let mut ops = Ops::new();
    ops.put(&api_scope("abcdefghij"), "x", &counter(1));
    ops.0.push(super::Op::Put {
        scope: api_scope("abcdefghij"),
        table: 2,
        id: "r1".into(),
        row: super::Row::from_bytes(&[1]),
    });
    ops.freeze(&api_scope("abcdefghij"), "d1");
    step(&mut world, &mut disk, ops);
    disk.retain(|key, _| key[0] != b'b');
    let mut loader = Loader::default();
    let refused = disk.iter().find_map(|(key, value)| loader.load(key, value).err()).expect("a refusal");
    assert_eq!(refused.to_string(), "deployment d1 lacks a row that its manifest names: the file is damaged");
    for key in [b"".as_slice(), b"x", b"r", b"rno scope\0k", b"f\0\xff"] {
        assert!(loader.load(key, b"").is_err(), "{key:?}");
    }
}

#[test]
fn a_page_of_apis_begins_after_the_last_one_seen() {
    let mut world = World::default();
    let (account, here) = (AccountId::from("000000000000"), Region::from("eu-west-1"));
    let mut ops = Ops::new();
    for region in ["eu-west-1", "eu-west-10", "eu-west"] {
        ops.put(&Scope::region(&account, &Region::from(region)), "x", &counter(1));
        for api in ["aa", "bb", "cc"] {
            ops.put(&Scope::api(&account, &Region::from(region), &ApiId::from(api)), "x", &counter(1));
        }
    }
    world.advance(1, &ops.0);
    let after = |id: &str| world.apis_after(&account, &here, id).map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(after(""), ["aa", "bb", "cc"]);
    assert_eq!(after("aa"), ["bb", "cc"]);
    assert_eq!(after("ab"), ["bb", "cc"]);
    assert_eq!(after("cc"), Vec::<String>::new());
    assert_eq!(world.apis(&account, &here).len(), 3);
}
