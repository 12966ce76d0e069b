//! ReadIndex: one round for all who wait, on the leader and on every other node (foundations §1.9).
//!
//! Rounds overlap: with one at a time a reader that comes just behind a round's start would wait for two.

use super::ClusterError;
use super::host::{Attempt, Host, Place};
use super::peer::{kind, wire::Again, wire::ReadAnswer};
use super::types::Types;
use bytes::Bytes;
use openraft::{ReadPolicy, async_runtime::Instant, type_config::TypeConfigExt};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// How long one round may take; whoever waits longer joins another.
const ROUND: Duration = Duration::from_secs(2);

/// Rounds at a time; while all run, readers gather for the next.
const OVERLAP: u32 = 8;

type Waiter = oneshot::Sender<Result<u64, Again>>;

/// Readers that wait for the next round.
#[derive(Default)]
pub(crate) struct Reads(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: Vec<Waiter>,
    rounds: u32,
}

impl Reads {
    /// Joins the next round; whether the caller has to start another.
    fn join(&self) -> (oneshot::Receiver<Result<u64, Again>>, bool) {
        let (waiter, receiver) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next.push(waiter);
        let start = waiting.rounds < OVERLAP;
        waiting.rounds += u32::from(start);
        (receiver, start)
    }

    /// Those of the round that begins now; without any this one ends.
    fn board(&self) -> Vec<Waiter> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.rounds -= u32::from(waiting.next.is_empty());
        std::mem::take(&mut waiting.next)
    }
}

impl<C: Types> Host<C> {
    /// A log index that holds everything answered before this was called. A round that has begun before does not count:
    /// its leader may have confirmed itself too early.
    async fn read_index(self: &Arc<Self>) -> Result<u64, Again> {
        let (receiver, start) = self.reads.join();
        if start {
            let host = self.clone();
            drop(C::spawn(async move {
                loop {
                    let waiters = host.reads.board();
                    if waiters.is_empty() {
                        return;
                    }
                    let outcome = host.read_round().await;
                    for waiter in waiters {
                        drop(waiter.send(outcome.clone()));
                    }
                }
            }));
        }
        receiver.await.unwrap_or_else(|_| Err(super::host::again("the round was given up")))
    }

    async fn read_round(&self) -> Result<u64, Again> {
        match self.leader() {
            Some(Place::Here) => self.confirm_round().await,
            Some(Place::There(node)) => {
                let asked = self.transport.call(node, kind::READ_INDEX, self.group, Bytes::new(), ROUND);
                let answer = asked.await.map_err(|cause| self.elsewhere(cause))?;
                match ReadAnswer::decode(&answer).map_err(super::host::again)? {
                    ReadAnswer::Index(index) => Ok(index),
                    ReadAnswer::Again(again) => Err(again),
                }
            }
            None => Err(super::host::again("no leader is known")),
        }
    }

    async fn confirm_round(&self) -> Result<u64, Again> {
        match C::timeout(ROUND, self.raft.get_read_log_id(ReadPolicy::ReadIndex)).await {
            Ok(Ok((at, _))) => Ok(at.index()),
            Ok(Err(cause)) => Err(self.elsewhere(cause)),
            Err(_) => Err(self.elsewhere("no quorum confirmed the leader")),
        }
    }

    /// Answers a follower's round.
    pub(crate) async fn answer_read(self: &Arc<Self>) -> ReadAnswer {
        if self.leader() != Some(Place::Here) {
            return ReadAnswer::Again(self.elsewhere("this node does not lead"));
        }
        self.read_index().await.map_or_else(ReadAnswer::Again, ReadAnswer::Index)
    }

    /// That this node leads, as of now.
    pub(crate) async fn confirm(self: &Arc<Self>) -> Result<(), String> {
        if self.leader() != Some(Place::Here) {
            return Err("this node does not lead".into());
        }
        self.read_index().await.map(|_| ()).map_err(|again| again.why)
    }

    /// Waits until this node has applied everything that was answered before this was called.
    pub(crate) async fn read_barrier(self: &Arc<Self>, within: Duration) -> Result<(), ClusterError> {
        let started = C::now();
        let index = self
            .at_leader(within, |_, _| async {
                Ok(match self.read_index().await {
                    Ok(index) => Attempt::Answer(index),
                    Err(again) => Attempt::Again(again),
                })
            })
            .await?;
        let left = within.saturating_sub(started.elapsed());
        let applied = self.raft.wait(Some(left)).applied_index_at_least(Some(index), "read barrier").await;
        applied.map(|_| ()).map_err(|cause| ClusterError::Unavailable {
            waited_ms: super::peer::wire::millis(within),
            last: cause.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_behind_a_rounds_start_gets_a_round_of_its_own_until_all_run() {
        let reads = Reads::default();
        let mut readers = Vec::new();
        for round in 0..OVERLAP {
            let (reader, start) = reads.join();
            assert!(start, "round {round} begins beside the others");
            readers.push(reader);
            assert_eq!(reads.board().len(), 1, "nobody boards a round that began before");
        }
        for _ in 0..2 {
            let (reader, start) = reads.join();
            assert!(!start, "all rounds run");
            readers.push(reader);
        }
        assert_eq!(reads.board().len(), 2, "the first that ends takes all who wait");
        assert_eq!(reads.board().len(), 0, "and ends when nobody does");
        assert!(reads.join().1, "so that another may begin");
    }
}
