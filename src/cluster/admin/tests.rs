//! Tokens are used once, numbers never come back, and the first three nodes vote.

use super::{AdminCall, AdminFault, AdminReply, NewAdminKey, NewNode, decode_reply, encode_call, evaluate};
use crate::catalog::cluster::{Node, NodeRole};
use crate::cluster::Stamp;
use crate::state::{Scope, World};

const HOUR_MS: i64 = 3_600_000;

fn run(world: &mut World, time_ms: i64, call: &AdminCall) -> AdminReply {
    let evaluated = evaluate(&encode_call(call), world, &Stamp { time_ms, seed: [1; 16] });
    if !evaluated.ops.is_empty() {
        world.advance(time_ms, &evaluated.ops);
    }
    decode_reply(&evaluated.reply)
}

fn node(name: &str, key: u8) -> NewNode {
    NewNode { name: name.into(), region: "eu-west-1".into(), spki_sha256: [key; 32], ..NewNode::default() }
}

fn founded() -> World {
    let mut world = World::default();
    let call = AdminCall::Found {
        cluster_id: "c".into(),
        account: "000000000000".into(),
        node: node("n1", 1),
        root: NewAdminKey::default(),
    };
    assert!(matches!(run(&mut world, 1, &call), AdminReply::Node { id: 1, .. }));
    assert!(matches!(run(&mut world, 1, &call), AdminReply::Fault(AdminFault::Founded(_))));
    world
}

fn invite(world: &mut World, secret: &str) {
    let call = AdminCall::CreateToken { secret_sha256: secret.into(), region: String::new(), ttl_ms: HOUR_MS };
    assert_eq!(run(world, 1, &call), AdminReply::Done);
}

fn join(world: &mut World, time_ms: i64, secret: &str, new: NewNode) -> AdminReply {
    run(world, time_ms, &AdminCall::Join { secret_sha256: secret.into(), node: new })
}

fn roles(world: &World) -> Vec<NodeRole> {
    world.list::<Node>(&Scope::cluster(), "").unwrap().into_iter().map(|(_, node)| node.role).collect()
}

#[test]
fn the_first_three_nodes_vote_and_two_are_one_voter_and_a_learner() {
    use NodeRole::{Learner, Voter};
    let mut world = founded();
    for (name, key, after) in [
        ("n2", 2, vec![Voter, Learner]),
        ("n3", 3, vec![Voter, Voter, Voter]),
        ("n4", 4, vec![Voter, Voter, Voter, Learner]),
    ] {
        invite(&mut world, name);
        assert!(matches!(join(&mut world, 2, name, node(name, key)), AdminReply::Node { .. }));
        assert_eq!(roles(&world), after);
    }
}

#[test]
fn a_token_makes_one_node_and_only_its_key_may_retry() {
    let mut world = founded();
    invite(&mut world, "s");
    let first = join(&mut world, 2, "s", node("n2", 2));
    assert_eq!(join(&mut world, 2 + 2 * HOUR_MS, "s", node("n2", 2)), first, "a retry gets the same node");
    assert!(matches!(join(&mut world, 2, "s", node("n3", 3)), AdminReply::Fault(AdminFault::Token(_))));
    assert!(matches!(join(&mut world, 2, "unknown", node("n3", 3)), AdminReply::Fault(AdminFault::Token(_))));
    invite(&mut world, "old");
    let late = join(&mut world, 2 + HOUR_MS, "old", node("n3", 3));
    assert!(matches!(late, AdminReply::Fault(AdminFault::Token(_))), "{late:?}");
}

#[test]
fn node_numbers_never_come_back() {
    let mut world = founded();
    for (round, number) in [(2, 2), (3, 3)] {
        let secret = format!("s{round}");
        invite(&mut world, &secret);
        let reply = join(&mut world, 2, &secret, node("again", round));
        assert!(matches!(reply, AdminReply::Node { id, .. } if id == number), "{reply:?}");
        assert_eq!(run(&mut world, 3, &AdminCall::Remove { name: "again".into() }), AdminReply::Done);
    }
}

#[test]
fn the_last_voter_stays() {
    let mut world = founded();
    for call in [AdminCall::Remove { name: "n1".into() }, AdminCall::SetRole { name: "n1".into(), voter: false }] {
        assert!(matches!(run(&mut world, 2, &call), AdminReply::Fault(AdminFault::Unsafe(_))));
    }
}

#[test]
fn damaged_calls_are_refused() {
    let bytes = encode_call(&AdminCall::Remove { name: "x".into() });
    for bad in [&[][..], &[9, 1], &bytes[..bytes.len() - 1]] {
        let evaluated = evaluate(bad, &World::default(), &Stamp { time_ms: 0, seed: [0; 16] });
        assert!(evaluated.ops.is_empty());
        assert!(matches!(decode_reply(&evaluated.reply), AdminReply::Fault(AdminFault::Malformed(_))));
    }
}
