//! Files that are damaged, too large, half written or unwanted; peers that lie, hang up or lack what they are asked for.

use super::*;
use crate::net::peer::testing::Cluster;
use crate::net::peer::{Lane, PeerHandler, kind};
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use quinn::{RecvStream, SendStream};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3_600);

fn open(folder: &tempfile::TempDir) -> Arc<Blobs> {
    Arc::new(Blobs::open(folder.path(), 1 << 20, 3 << 20).unwrap())
}

fn digest_of(bytes: &[u8]) -> Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().unwrap()
}

fn files(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_blob_is_there_after_a_restart_and_what_was_half_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&folder);
    let name = blobs.put(b"code").unwrap();
    assert_eq!((blobs.put(b"code").unwrap(), blobs.list().unwrap()), (name, vec![name]));
    let mut half = blobs.begin([9; 32], 10).unwrap();
    half.write(b"half").unwrap();
    std::mem::forget(half);
    assert_eq!(files(&folder).len(), 2);
    let again = open(&folder);
    assert_eq!(files(&folder), [hex(&name)]);
    assert_eq!(again.read(&name).unwrap().unwrap(), &b"code"[..]);
    assert_eq!(again.read(&[9; 32]).unwrap(), None);
    assert_eq!((again.size(&name), again.size(&[9; 32])), (Some(4), None));
}

#[test]
fn only_the_bytes_that_were_announced_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&folder);
    let name = digest_of(b"code");
    for (size, pieces) in
        [(4, &[&b"c0de"[..]][..]), (4, &[b"co"]), (4, &[b"code", b"s"]), (5, &[b"code"]), (3, &[b"cod"]), (0, &[])]
    {
        let mut writing = blobs.begin(name, size).unwrap();
        let written = pieces.iter().try_for_each(|piece| writing.write(piece));
        assert!(matches!(written.and_then(|()| writing.finish()), Err(BlobError::Mismatch)), "{size} {pieces:?}");
        assert_eq!(files(&folder), Vec::<String>::new(), "nothing is left behind");
    }
}

#[test]
fn there_is_room_for_so_much_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&folder);
    let piece = |n: u8| vec![n; 1 << 20];
    assert!(matches!(blobs.put(&vec![0; (1 << 20) + 1]), Err(BlobError::TooLarge { most }) if most == 1 << 20));
    for n in 1..=3 {
        blobs.put(&piece(n)).unwrap();
    }
    assert!(matches!(blobs.put(&piece(4)), Err(BlobError::Full { .. })));
    blobs.put(&piece(3)).unwrap();
    // What is being written has its room already, and gives it back when it breaks off.
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&folder);
    let held: Vec<_> = (0..3).map(|n| blobs.begin([n; 32], 1 << 20).unwrap()).collect();
    assert!(matches!(blobs.begin([7; 32], 1), Err(BlobError::Full { .. })));
    drop(held);
    blobs.put(&piece(1)).unwrap();
}

#[test]
fn a_damaged_file_is_not_here_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&folder);
    let name = blobs.put(b"code").unwrap();
    std::fs::write(folder.path().join(hex(&name)), b"c0de").unwrap();
    assert_eq!(blobs.read(&name).unwrap(), None);
    assert_eq!((files(&folder), blobs.size(&name)), (Vec::<String>::new(), None));
    blobs.put(b"code").unwrap();
    assert_eq!(blobs.read(&name).unwrap().unwrap(), &b"code"[..]);
}

#[test]
fn what_nobody_wants_goes_after_a_while_and_what_was_just_put_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(&folder);
    let [kept, unwanted, again] = [&b"kept"[..], b"unwanted", b"again"].map(|bytes| blobs.put(bytes).unwrap());
    let wanted = HashSet::from([kept]);
    let start = Instant::now();
    assert_eq!(blobs.collect(&wanted, start, HOUR).unwrap().len(), 0, "nothing goes at first sight");
    assert_eq!(blobs.collect(&wanted, start + HOUR / 2, HOUR).unwrap().len(), 0);
    blobs.put(b"again").unwrap();
    assert_eq!(blobs.collect(&wanted, start + HOUR, HOUR).unwrap().len(), 1);
    assert_eq!((blobs.size(&unwanted), blobs.size(&again).is_some()), (None, true));
    // It is wanted for a time, then not: the hour begins anew.
    assert_eq!(blobs.collect(&HashSet::from([kept, again]), start + HOUR, HOUR).unwrap().len(), 0);
    assert_eq!(blobs.collect(&wanted, start + 2 * HOUR, HOUR).unwrap().len(), 0);
    assert_eq!(blobs.collect(&wanted, start + 3 * HOUR, HOUR).unwrap().len(), 1);
    assert_eq!(blobs.list().unwrap(), [kept]);
}

#[test]
fn files_of_other_names_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"mine").unwrap();
    std::fs::write(folder.path().join("A".repeat(64)), b"mine").unwrap();
    let blobs = open(&folder);
    assert_eq!(blobs.list().unwrap(), Vec::<Digest>::new());
    assert_eq!(blobs.collect(&HashSet::new(), Instant::now(), Duration::ZERO).unwrap().len(), 0);
    assert_eq!(files(&folder).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However bytes are cut into pieces, they are kept if they are the blob's, and only then.
    #[test]
    fn pieces_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 0..4_096), cut in 1_usize..512, flip in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(&folder);
        let name = digest_of(&bytes);
        let mut sent = bytes.clone();
        let flipped = flip && !sent.is_empty();
        if flipped {
            sent[cut % bytes.len()] ^= 1;
        }
        let mut writing = blobs.begin(name, bytes.len() as u64).unwrap();
        for piece in sent.chunks(cut) {
            writing.write(piece).unwrap();
        }
        prop_assert_eq!(writing.finish().is_ok(), !flipped);
        prop_assert_eq!(blobs.read(&name).unwrap().is_some(), !flipped);
    }
}

/// Two nodes with their blobs.
struct Pair {
    cluster: Cluster,
    blobs: Vec<Arc<Blobs>>,
    folders: Vec<tempfile::TempDir>,
}

fn pair() -> Pair {
    let cluster = Cluster::new(&["a", "b"]);
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let blobs: Vec<_> = folders.iter().map(open).collect();
    for (node, blobs) in cluster.nodes.iter().zip(&blobs) {
        let (puts, gets) = BlobPeer::handlers(blobs.clone());
        node.net.register(kind::BLOB_PUT, puts);
        node.net.register(kind::BLOB_GET, gets);
    }
    Pair { cluster, blobs, folders }
}

#[tokio::test]
async fn a_blob_goes_to_a_peer_and_comes_back_from_it() {
    let p = pair();
    for bytes in [vec![], b"code".to_vec(), vec![7; 1 << 20]] {
        let name = p.blobs[0].put(&bytes).unwrap();
        push(&p.cluster.nodes[0].net, 2, &p.blobs[0], name).await.unwrap();
        assert_eq!(p.blobs[1].read(&name).unwrap().unwrap(), bytes);
        push(&p.cluster.nodes[0].net, 2, &p.blobs[0], name).await.unwrap();
        std::fs::remove_file(p.folders[0].path().join(hex(&name))).unwrap();
        fetch(&p.cluster.nodes[0].net, 2, &p.blobs[0], name).await.unwrap();
        assert_eq!(p.blobs[0].read(&name).unwrap().unwrap(), bytes);
    }
    let none = fetch(&p.cluster.nodes[0].net, 2, &p.blobs[0], [9; 32]).await;
    assert!(matches!(none, Err(ExchangeError::None)), "{none:?}");
    let none = push(&p.cluster.nodes[0].net, 2, &p.blobs[0], [9; 32]).await;
    assert!(matches!(none, Err(ExchangeError::None)), "{none:?}");
}

#[tokio::test]
async fn a_peer_without_room_refuses_a_blob() {
    let p = pair();
    for n in 1..=3 {
        p.blobs[1].put(&vec![n; 1 << 20]).unwrap();
    }
    let name = p.blobs[0].put(b"code").unwrap();
    let refused = push(&p.cluster.nodes[0].net, 2, &p.blobs[0], name).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(p.blobs[1].size(&name), None);
}

/// Answers every fetch with these bytes.
struct Liar(Vec<u8>);

impl PeerHandler for Liar {
    fn handle(&self, _: u64, _: u8, mut send: SendStream, mut recv: RecvStream) -> BoxFuture<'static, ()> {
        let bytes = self.0.clone();
        Box::pin(async move {
            let mut name = [0; 32];
            let _ = recv.read_exact(&mut name).await;
            let _ = send.write_all(&bytes).await;
            let _ = send.finish();
            let _ = send.stopped().await;
        })
    }
}

#[tokio::test]
async fn what_a_peer_sends_instead_of_a_blob_is_not_kept() {
    let p = pair();
    let name = digest_of(b"code");
    let found = |size: u64, bytes: &[u8]| [[6].as_slice(), &size.to_be_bytes(), bytes].concat();
    for answer in [
        found(4, b"c0de"),
        found(4, b"cod"),
        found(4, b"codes"),
        found(u64::MAX, b"code"),
        found((1 << 20) + 1, &vec![0; (1 << 20) + 1]),
        vec![6, 0],
        vec![42],
        vec![],
    ] {
        p.cluster.nodes[1].net.register(kind::BLOB_GET, Arc::new(Liar(answer.clone())));
        let got = fetch(&p.cluster.nodes[0].net, 2, &p.blobs[0], name).await;
        assert!(got.is_err(), "{:?}", &answer[..answer.len().min(16)]);
        assert_eq!(files(&p.folders[0]), Vec::<String>::new());
    }
    p.cluster.nodes[1].net.register(kind::BLOB_GET, Arc::new(Liar(found(4, b"code"))));
    fetch(&p.cluster.nodes[0].net, 2, &p.blobs[0], name).await.unwrap();
}

#[tokio::test]
async fn what_a_peer_pushes_under_a_wrong_name_is_not_kept() {
    let p = pair();
    for (size, bytes) in [(4_u64, &b"c0de"[..]), (4, b"co"), (4, b"codes"), (u64::MAX, b"code")] {
        let (mut send, mut recv) = p.cluster.nodes[0].net.open(2, Lane::Snapshot, kind::BLOB_PUT, 0).await.unwrap();
        send.write_all(&[digest_of(b"code").as_slice(), &size.to_be_bytes(), bytes].concat()).await.unwrap();
        let _ = send.finish();
        let mut last = [0];
        while let Ok(Some(1)) = recv.read(&mut last).await {}
        assert_eq!(last, [3], "refused");
        assert_eq!(files(&p.folders[1]), Vec::<String>::new());
    }
}
