//! How many writes per second many writers get through one leader, far from its followers. A report: run with
//! `--run-ignored`.

use super::harness::Cluster;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn writers_at_80_ms_round_trip_share_commits() {
    let cluster = Arc::new(Cluster::of(3, Duration::from_millis(80), true).await);
    for writers in [1_u64, 16, 64] {
        let (count, seconds) = (Arc::new(AtomicU64::new(0)), 5);
        let end = Instant::now() + Duration::from_secs(seconds);
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let (cluster, count) = (cluster.clone(), count.clone());
                tokio::spawn(async move {
                    let mut number = 0;
                    while Instant::now() < end {
                        number += 1;
                        let id = format!("{writers}-{writer}-{number}");
                        cluster.count(1, &id, &format!("c{writer}")).await.unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rate = count.load(Ordering::Relaxed) / seconds;
        println!("{writers} writers, 80 ms round trip, 3 voters, fsync: {rate} writes/s");
        if writers == 64 {
            assert!(rate >= 300, "{rate} writes/s");
        }
    }
}
