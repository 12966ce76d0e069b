//! SIGKILL at any moment: a child process writes and says what was answered; whatever it said must be there after.

use super::harness::{Cluster, LONG};
use meridian::catalog::cluster::Request;
use meridian::cluster::Opening;
use meridian::state::Scope;
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

const FOLDER: &str = "MERIDIAN_TEST_CHILD_FOLDER";

/// The child: founds or reopens the node in the folder and counts until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test below"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let cluster = Cluster::in_folder(PathBuf::from(folder)).await;
    let began = cluster.group(1).read_barrier(LONG).await.unwrap();
    // Several at once, so that commits are shared and cut at different places.
    let (cluster, mut writers) = (std::sync::Arc::new(cluster), Vec::new());
    for writer in 0..8 {
        let cluster = cluster.clone();
        writers.push(tokio::spawn(async move {
            for number in 0.. {
                let id = format!("{began}-{writer}-{number}");
                cluster.count(1, &id, "visits").await.unwrap();
                println!("answered {id}");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_a_node_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for round in 0..4_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::child", "--ignored", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = usize::try_from(20 + round * 37).unwrap();
        let mut killed = false;
        let mut heard = 0;
        // What it said before it died counts, also what is still in the pipe.
        for line in lines.map_while(Result::ok) {
            let Some((_, id)) = line.split_once("answered ") else { continue };
            answered.push(id.to_owned());
            heard += 1;
            if heard >= enough && !killed {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the child ended by itself after {heard} answers");
    }
    let mut cluster = Cluster::in_folder(folder.path().to_owned()).await;
    let index = cluster.group(1).read_barrier(LONG).await.unwrap();
    let world = cluster.group(1).world();
    let requests = world.list::<Request>(&Scope::cluster(), "").unwrap();
    assert_eq!(requests.len() as u64, index, "each was applied once");
    for id in &answered {
        assert!(
            requests.binary_search_by(|(known, _)| known.as_str().cmp(id)).is_ok(),
            "{id} was answered and is lost"
        );
    }
    // Once more without a kill: the state file alone must hold it too.
    cluster.stop(1).await;
    cluster.start(1, Opening::Reopen).await.unwrap();
    assert_eq!(cluster.group(1).read_barrier(LONG).await.unwrap(), index);
}
