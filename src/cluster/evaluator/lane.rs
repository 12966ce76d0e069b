//! The lane of one term: one call after another on the tip, proposals in order, answers when they are applied.

use super::slow::{Beside, Ran, TRIES, run_one};
use super::{Ask, Evaluator, Verdict};
use crate::catalog::cluster::Request;
use crate::cluster::types::{Payload, Types, WriteOutcome, WriteResult};
use crate::cluster::world_machine::{Outcome, entries_of};
use crate::cluster::{Evaluated, Stamp};
use crate::state::{Change, MAX_CHANGE_BYTES, Op, Ops, Scope, World};
use bytes::Bytes;
use openraft::{
    ServerState,
    async_runtime::{Select4, WatchReceiver},
    type_config::TypeConfigExt,
    type_config::alias::WatchReceiverOf,
    vote::leader_id_std::CommittedLeaderId,
};
use std::{collections::VecDeque, future::poll_fn, pin::Pin, sync::Arc, task::Poll};
use tokio::sync::mpsc;

/// How long an answered request is remembered, milliseconds of entry time.
const REMEMBER_MS: i64 = 24 * 3_600_000;
/// How many old requests one Change forgets at most: more than it adds.
const FORGET: usize = 16;
/// Calls are not taken while this much is on its way through the log.
const FLIGHTS: usize = 4096;
const FLIGHT_BYTES: usize = 96 << 20;
/// How often a call runs again after refusals that should not happen.
const AGAIN: u32 = 3;

/// Why a lane ended.
pub(super) enum Over {
    /// This node leads that term no longer.
    Term,
    /// Nobody can ask any more, or Raft has stopped.
    Closed,
}

/// A Change on its way through the log.
struct Flight<C: Types> {
    seq: u64,
    ask: Ask,
    verdict: Verdict,
    bytes: usize,
    outcome: WriteOutcome<C>,
    /// Answers that saw this Change but made none: they leave with it.
    looks: Vec<(Ask, Verdict)>,
}

/// One term's lane.
pub(super) struct Lane<C: Types> {
    evaluator: Arc<Evaluator<C>>,
    term: u64,
    tip: World,
    flights: VecDeque<Flight<C>>,
    flight_bytes: usize,
    beside: Beside,
    /// Answered requests by time, oldest first.
    remembered: VecDeque<(i64, Box<str>)>,
}

impl<C: Types> Lane<C> {
    /// The first entry of the term is applied, and nothing of this node's is on its way: applied is the tip.
    pub(super) fn new(evaluator: Arc<Evaluator<C>>, term: u64) -> Self {
        let tip = World::clone(&evaluator.world.load());
        let requests = tip.list::<Request>(&Scope::cluster(), "").unwrap_or_default();
        let mut remembered: Vec<_> = requests.into_iter().map(|(id, row)| (row.time_ms, id.into())).collect();
        remembered.sort();
        Self {
            evaluator,
            term,
            tip,
            flights: VecDeque::new(),
            flight_bytes: 0,
            beside: Beside::new(),
            remembered: remembered.into(),
        }
    }

    fn has_room(&self) -> bool {
        self.flights.len() < FLIGHTS && self.flight_bytes < FLIGHT_BYTES
    }

    fn leads(&self) -> bool {
        let metrics = self.evaluator.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.state == ServerState::Leader && metrics.current_term == self.term
    }

    /// Runs until the term is over for this node. Whoever still waits then is told to try again: with the same id it
    /// finds its reply among the answered requests, if its Change survived.
    pub(super) async fn run(mut self, asks: &mut mpsc::Receiver<Ask>) -> Over {
        let mut server = self.evaluator.raft.server_metrics();
        loop {
            if !self.leads() {
                return self.end("the leader changed");
            }
            let event = self.next(asks, &mut server).await;
            let over = match event {
                Event::Metrics => None,
                Event::Landed(result) => self.landed(result).await,
                Event::Ran(ran) => self.ran(*ran).await,
                Event::Asked(ask) => self.take(*ask).await,
                Event::Closed => Some(Over::Closed),
            };
            if let Some(over) = over {
                self.end("the leader changed");
                return over;
            }
        }
    }

    async fn next(
        &mut self,
        asks: &mut mpsc::Receiver<Ask>,
        server: &mut WatchReceiverOf<C, openraft::metrics::RaftServerMetrics<C>>,
    ) -> Event<C> {
        let room = self.has_room();
        let (flights, beside) = (&mut self.flights, &mut self.beside);
        let landing = poll_fn(|context| match flights.front_mut() {
            Some(flight) => Pin::new(&mut flight.outcome).poll(context),
            None => Poll::Pending,
        });
        let asking = async { if room { asks.recv().await } else { std::future::pending().await } };
        match C::select4(server.changed(), landing, beside.receiver.recv(), asking).await {
            Select4::First(Ok(())) => Event::Metrics,
            Select4::Second(result) => Event::Landed(result.map(Box::new)),
            Select4::Third(Some(ran)) => Event::Ran(Box::new(ran)),
            Select4::Fourth(Some(ask)) => Event::Asked(Box::new(ask)),
            Select4::First(Err(_)) | Select4::Third(None) | Select4::Fourth(None) => Event::Closed,
        }
    }

    fn end(&mut self, why: &str) -> Over {
        for flight in self.flights.drain(..) {
            let waiting = std::iter::once(flight.ask).chain(flight.looks.into_iter().map(|(ask, _)| ask));
            for ask in waiting {
                drop(ask.answer.send(Verdict::Again(why.into())));
            }
        }
        Over::Term
    }

    /// Runs one call, or looks up what it was answered.
    async fn take(&mut self, ask: Ask) -> Option<Over> {
        if let Some(verdict) = self.look_up(&ask) {
            return self.look(ask, verdict);
        }
        let evaluate = self.evaluator.evaluate.clone();
        if let Some(scopes) = evaluate.slow_scopes(&ask.call, &self.tip) {
            let (tip, stamp) = (self.tip.clone(), self.stamp());
            self.beside.start(&*self.evaluator.nature, evaluate, tip, ask, scopes, (stamp, 0));
            return None;
        }
        let stamp = self.stamp();
        let evaluated = run_one(&*evaluate, &ask, &self.tip, &stamp);
        self.order(ask, evaluated, stamp).await
    }

    /// An operation that ran beside the lane comes back.
    async fn ran(&mut self, ran: Ran) -> Option<Over> {
        let holds = self.beside.finished(&ran);
        if let Some(verdict) = self.look_up(&ran.ask) {
            return self.look(ran.ask, verdict);
        }
        let evaluate = self.evaluator.evaluate.clone();
        if holds {
            return self.order(ran.ask, ran.evaluated, ran.stamp).await;
        }
        if ran.tries < TRIES {
            let (tip, stamp) = (self.tip.clone(), self.stamp());
            self.beside.start(&*self.evaluator.nature, evaluate, tip, ran.ask, ran.scopes, (stamp, ran.tries));
            return None;
        }
        let stamp = self.stamp();
        let evaluated = run_one(&*evaluate, &ran.ask, &self.tip, &stamp);
        self.order(ran.ask, evaluated, stamp).await
    }

    fn stamp(&self) -> Stamp {
        let stamp = self.evaluator.nature.stamp();
        Stamp { time_ms: stamp.time_ms.max(self.tip.time_ms()), ..stamp }
    }

    fn look_up(&self, ask: &Ask) -> Option<Verdict> {
        #[cfg(test)]
        if self.evaluator.nature.forgetful() {
            return None;
        }
        match self.tip.get::<Request>(&Scope::cluster(), &ask.call.id) {
            Ok(None) => None,
            Ok(Some(row)) if row.payload_sha256 == ask.call.payload_hash => {
                let (reply, index) = (Bytes::from(row.reply), self.tip.seq());
                Some(Verdict::Done { reply, index, touches_serving: true })
            }
            Ok(Some(_)) => Some(Verdict::IdReused),
            Err(cause) => Some(Verdict::Broken(cause.to_string())),
        }
    }

    /// An answer without effects leaves with the last Change that it saw; where none is on its way, once this node is
    /// confirmed to lead still.
    fn look(&mut self, ask: Ask, verdict: Verdict) -> Option<Over> {
        match self.flights.back_mut() {
            Some(last) => last.looks.push((ask, verdict)),
            None => {
                let confirm = self.evaluator.confirm.clone();
                drop(C::spawn(async move {
                    let verdict = confirm().await.map_or_else(Verdict::Again, |()| verdict);
                    drop(ask.answer.send(verdict));
                }));
            }
        }
        None
    }

    /// Makes a Change of an outcome, advances the tip and proposes it.
    async fn order(&mut self, ask: Ask, evaluated: Option<Evaluated>, stamp: Stamp) -> Option<Over> {
        let Some(evaluated) = evaluated else {
            return self.look(ask, Verdict::Broken("the operation panicked".into()));
        };
        if evaluated.ops.is_empty() {
            let Evaluated { reply, touches_serving, .. } = evaluated;
            return self.look(ask, Verdict::Done { reply, index: self.tip.seq(), touches_serving });
        }
        let time_ms = stamp.time_ms.max(self.tip.time_ms());
        let change = self.change_of(&ask, &evaluated, time_ms);
        let entries = match entries_of(&change) {
            Ok(entries) => entries,
            Err(bytes) => return self.look(ask, Verdict::TooLarge { bytes, limit: MAX_CHANGE_BYTES }),
        };
        self.tip.advance(time_ms, &change.ops);
        let forgotten =
            change.ops.iter().filter(|op| matches!(op, Op::Drop { table, .. } if is_request(*table))).count();
        self.remembered.drain(..forgotten.min(self.remembered.len()));
        self.remembered.push_back((time_ms, ask.call.id.as_str().into()));
        let seq = self.tip.seq();
        self.beside.moved(seq, &change.ops);
        let verdict = Verdict::Done { reply: evaluated.reply, index: seq, touches_serving: evaluated.touches_serving };
        let bytes = entries.iter().map(Bytes::len).sum();
        let (responder, outcome) = C::responder();
        let mut responder = Some(responder);
        let last = entries.len() - 1;
        for (number, entry) in entries.into_iter().enumerate() {
            let write = self.evaluator.raft.write(Payload(entry)).with_leader(CommittedLeaderId::new(self.term));
            // Parts need no answer: where one is refused, so is the commit.
            let write = match responder.take_if(|_| number == last) {
                Some(responder) => write.responder(responder),
                None => write,
            };
            if write.await.is_err() {
                drop(ask.answer.send(Verdict::Again("raft has stopped".into())));
                return Some(Over::Closed);
            }
        }
        self.flight_bytes += bytes;
        self.flights.push_back(Flight { seq, ask, verdict, bytes, outcome, looks: Vec::new() });
        None
    }

    /// The effects, the row that remembers the answer, and the rows that have grown old.
    fn change_of(&self, ask: &Ask, evaluated: &Evaluated, time_ms: i64) -> Change {
        let mut ops = Ops(evaluated.ops.clone());
        let row = Request {
            payload_sha256: ask.call.payload_hash.to_vec(),
            reply: evaluated.reply.to_vec(),
            time_ms,
            ..Request::default()
        };
        for (_, id) in self.remembered.iter().take(FORGET).take_while(|(at, _)| *at < time_ms - REMEMBER_MS) {
            ops.drop::<Request>(&Scope::cluster(), id);
        }
        ops.put(&Scope::cluster(), &ask.call.id, &row);
        Change { prev: self.tip.seq(), time_ms, ops: ops.0 }
    }

    /// The oldest Change came through the log, or did not.
    async fn landed(&mut self, result: Option<Box<WriteResult<C>>>) -> Option<Over> {
        match result.map(|result| *result) {
            None => Some(Over::Closed),
            Some(Err(_)) => Some(Over::Term),
            Some(Ok(response)) => match Outcome::decode(&response.data.0) {
                Outcome::Applied(seq) if self.flights.front().is_some_and(|flight| flight.seq == seq) => {
                    self.deliver();
                    None
                }
                _ => self.start_over().await,
            },
        }
    }

    fn deliver(&mut self) {
        let Some(flight) = self.flights.pop_front() else { return };
        self.flight_bytes -= flight.bytes;
        for (ask, verdict) in std::iter::once((flight.ask, flight.verdict)).chain(flight.looks) {
            drop(ask.answer.send(verdict));
        }
        if self.flights.is_empty() {
            self.share();
        }
    }

    /// With nothing on its way the tip is what is applied. Both were made by themselves: from here on they are one in
    /// memory, too.
    fn share(&mut self) {
        let applied = self.evaluator.world.load();
        if applied.seq() == self.tip.seq() {
            self.tip = World::clone(&applied);
        }
    }

    /// A Change was refused, which only a mistake of ours can cause: everything on its way is waited for, applied becomes
    /// the tip again, and the calls run again after a look at the answered requests.
    async fn start_over(&mut self) -> Option<Over> {
        tracing::error!(term = self.term, "a change was refused: the evaluator starts over from the applied state");
        let mut waiting = Vec::new();
        let mut first = true;
        while let Some(flight) = self.flights.pop_front() {
            self.flight_bytes -= flight.bytes;
            if !std::mem::take(&mut first) && !matches!(flight.outcome.await, Some(Ok(_))) {
                drop(flight.ask.answer.send(Verdict::Again("the leader changed".into())));
                return Some(Over::Term);
            }
            waiting.push(flight.ask);
            waiting.extend(flight.looks.into_iter().map(|(ask, _)| ask));
        }
        self.tip = World::clone(&self.evaluator.world.load());
        for mut ask in waiting {
            ask.again += 1;
            if ask.again > AGAIN {
                drop(ask.answer.send(Verdict::Broken("its change was refused again and again".into())));
                continue;
            }
            if let Some(over) = Box::pin(self.take(ask)).await {
                return Some(over);
            }
        }
        None
    }
}

enum Event<C: Types> {
    Metrics,
    Landed(Option<Box<WriteResult<C>>>),
    Ran(Box<Ran>),
    Asked(Box<Ask>),
    Closed,
}

fn is_request(table: u8) -> bool {
    table == crate::catalog::Table::Request.number()
}
