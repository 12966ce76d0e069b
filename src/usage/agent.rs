//! The node's task: looks at the quotas in use, feeds the journal, reports to the usage group, applies grants, charges
//! other holders when nothing is free, and gives everything back at a clean stop.

use super::admission::Admission;
use super::books::Books;
use super::holder::Marking;
use super::journal::Marked;
use super::journal_file::Journal;
use super::links::Links;
use super::policy;
use super::request::{Now, Verdict};
use super::slot::{Look, Slot};
use super::wire::{
    Charge, Charged, Command, Hello, Item, ItemReply, MOST_ITEMS, Probe, Probed, Reply, Report, decode, encode,
};
use crate::net::peer::kind;
use crate::observe::usage::UsageMetrics;
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// All quotas in use are looked at this often.
const TICK: Duration = Duration::from_millis(50);
/// Looks that requests ask for keep this distance.
const BREATH: Duration = Duration::from_millis(2);
/// A report is given up after this; the next one says the same and more.
const REPORT_WITHIN: Duration = Duration::from_secs(2);
/// A charge is given up after this.
const CHARGE_WITHIN: Duration = Duration::from_millis(350);
/// A charge waits this long for its holder's journal.
const CHARGE_PATIENCE: Duration = Duration::from_millis(150);
/// A clean stop takes no longer.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Reports under way at most.
const MOST_REPORTS: u32 = 8;
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// Where requests leave slots for the agent.
#[derive(Debug, Default)]
pub(super) struct Desk {
    slots: Mutex<Vec<Arc<Slot>>>,
    bell: Notify,
}

impl Desk {
    /// Leaves a slot to be looked at soon.
    pub(super) fn tell(&self, slot: Arc<Slot>) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        self.bell.notify_one();
    }

    fn drain(&self) -> Vec<Arc<Slot>> {
        std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What opening needs.
pub struct UsageOptions {
    /// This node.
    pub node: u64,
    /// Directory of the journal; made when absent.
    pub directory: PathBuf,
    /// Boot id of the operating system, zero where it is not known (then a killed process costs what a power loss does).
    pub machine: [u8; 16],
    /// Drawn for this start.
    pub nonce: [u8; 16],
    /// The clocks.
    pub clock: Arc<dyn Fn() -> Now + Send + Sync>,
    /// The ledger's books on this node ([`super::Ledger::reader`]), where it has a replica: for metrics.
    pub books: Option<Arc<ArcSwap<Books>>>,
}

/// The parts of a node that hold rights; shared by agent and peer handlers.
pub struct Holding {
    node: u64,
    admission: Arc<Admission>,
    journal: Journal,
    clock: Arc<dyn Fn() -> Now + Send + Sync>,
    /// Incarnation; 0 until the ledger gave one.
    inc: AtomicU64,
    reports: AtomicU32,
}

/// The task; see [`Agent::run`].
pub struct Agent {
    holding: Arc<Holding>,
    links: Arc<dyn Links>,
    hello: Hello,
    books: Option<Arc<ArcSwap<Books>>>,
    busy: HashMap<usize, Arc<Slot>>,
}

/// The value in the map keeps the address from being used again.
fn identity(slot: &Arc<Slot>) -> usize {
    Arc::as_ptr(slot) as usize
}

impl Agent {
    /// Opens the journal and makes a node's admission and its agent. Errors: the journal cannot be read or written.
    pub fn open(options: UsageOptions, links: Arc<dyn Links>, metrics: UsageMetrics) -> std::io::Result<Self> {
        let now = (options.clock)();
        let today = super::period::day_of(now.utc_ms);
        let (journal, restored) = Journal::open(&options.directory, options.machine, today)?;
        if restored.damaged {
            tracing::error!("the usage journal is damaged: quota rights that this node held count as spent");
        }
        let desk = Arc::new(Desk::default());
        let admission = Arc::new(Admission::new(desk.clone(), metrics));
        for (id, mark) in restored.marks {
            let slot = Arc::new(Slot::restored(id, mark));
            slot.hold();
            admission.restore(slot.clone());
            desk.tell(slot);
        }
        let (node, nonce) = (options.node, options.nonce);
        let hello = Hello { node, boot: restored.boot, nonce, forfeit: restored.damaged };
        let (inc, reports) = (AtomicU64::new(0), AtomicU32::new(0));
        let holding = Holding { node, admission, journal, clock: options.clock, inc, reports };
        Ok(Self { holding: Arc::new(holding), links, hello, books: options.books, busy: HashMap::new() })
    }

    /// What the gateway asks.
    pub fn admission(&self) -> Arc<Admission> {
        self.holding.admission.clone()
    }

    /// What the peer handlers ask.
    pub fn holding(&self) -> Arc<Holding> {
        self.holding.clone()
    }

    /// Runs until `stop` is true, then gives all unused rights back. Needs a runtime with a timer; not a worker's.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let greeting = tokio::spawn(self.holding.clone().greet(self.links.clone(), self.hello.clone()));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tidied = tokio::time::Instant::now();
        let desk = self.holding.admission.desk.clone();
        loop {
            let all = tokio::select! {
                _ = tick.tick() => true,
                () = desk.bell.notified() => false,
                // A sender that is gone stops us too.
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let told = desk.drain();
            if all {
                for slot in told {
                    self.busy.insert(identity(&slot), slot);
                }
                let slots: Vec<_> = self.busy.values().cloned().collect();
                self.round(slots, true);
                if tidied.elapsed() > TIDY_EVERY {
                    tidied = tokio::time::Instant::now();
                    self.tidy();
                }
            } else {
                let mut fresh = HashMap::new();
                for slot in told {
                    fresh.insert(identity(&slot), slot.clone());
                    self.busy.insert(identity(&slot), slot);
                }
                self.round(fresh.into_values().collect(), false);
                tokio::time::sleep(BREATH).await;
            }
        }
        greeting.abort();
        self.give_back().await;
    }

    /// One look at some quotas.
    fn round(&mut self, slots: Vec<Arc<Slot>>, all: bool) {
        let now = (self.holding.clock)();
        let inc = self.holding.inc.load(Ordering::Acquire);
        let tell = inc != 0 && self.holding.reports.load(Ordering::Acquire) < MOST_REPORTS;
        let (mut marks, mut urgent, mut items, mut held) =
            (Vec::<(Arc<dyn Marked>, Marking)>::new(), false, Vec::new(), 0u64);
        for slot in slots {
            let Look { marking, urgent: hurry, item, idle } = slot.look(now, tell && items.len() < MOST_ITEMS);
            urgent |= hurry;
            if all {
                held = held.saturating_add(slot.rights());
            }
            if let Some(marking) = marking {
                marks.push((slot.clone(), marking));
            }
            if let Some(item) = item {
                items.push((slot.clone(), item));
            }
            if idle && slot.release() {
                self.busy.remove(&identity(&slot));
            }
        }
        self.holding.journal.store(marks, urgent);
        if all {
            self.holding.admission.metrics.held.set(i64::try_from(held).unwrap_or(i64::MAX));
        }
        if !items.is_empty() {
            self.holding.reports.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(self.holding.clone().report(self.links.clone(), inc, items));
        }
    }

    fn tidy(&self) {
        let now = (self.holding.clock)();
        self.holding.journal.today(super::period::day_of(now.utc_ms));
        self.holding.admission.tidy(now);
        if let Some(books) = &self.books {
            let overshoot = &self.holding.admission.metrics.overshoot;
            overshoot.inc_by(books.load().overshoot.saturating_sub(overshoot.get()));
        }
    }

    /// A clean stop loses nothing: watermarks fall to what was used, the rest is returned and reported.
    async fn give_back(mut self) {
        for slot in self.holding.admission.desk.drain() {
            self.busy.insert(identity(&slot), slot);
        }
        let slots: Vec<Arc<Slot>> = std::mem::take(&mut self.busy).into_values().collect();
        let until = tokio::time::Instant::now() + STOP_WITHIN;
        // Grants of reports under way would come after the last word.
        while self.holding.reports.load(Ordering::Acquire) > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let marks = slots.iter().map(|slot| (slot.clone() as Arc<dyn Marked>, slot.give_back())).collect();
        self.holding.journal.store(marks, true);
        let inc = self.holding.inc.load(Ordering::Acquire);
        if !self.holding.journal.flush().await || inc == 0 {
            return;
        }
        let now = (self.holding.clock)();
        for chunk in slots.chunks(MOST_ITEMS) {
            let items = chunk.iter().filter_map(|slot| Some((slot.clone(), slot.last_word(now)?))).collect();
            let last = self.holding.clone().order_report(self.links.clone(), inc, items);
            let _ = tokio::time::timeout_at(until, last).await;
        }
    }
}

impl Holding {
    /// Asks for an incarnation until there is one.
    async fn greet(self: Arc<Self>, links: Arc<dyn Links>, hello: Hello) {
        let command = Bytes::from(encode(&Command::Hello(hello)));
        let mut pause = Duration::from_millis(50);
        loop {
            let answer = links.order(command.clone(), REPORT_WITHIN).await;
            if let Some(Ok(Reply::Hello { inc, forfeit })) = answer.map(|bytes| decode(&bytes)) {
                if forfeit {
                    tracing::warn!(
                        inc,
                        "the usage journal is older than the ledger: rights held before count as spent"
                    );
                }
                // On disk before it is used: the next start must count from it.
                if self.journal.incarnation(inc).await {
                    self.inc.store(inc, Ordering::Release);
                    self.admission.desk.bell.notify_one();
                    return;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn report(self: Arc<Self>, links: Arc<dyn Links>, inc: u64, items: Vec<(Arc<Slot>, Item)>) {
        let metrics = &self.admission.metrics;
        let answer = self.clone().order_report(links.clone(), inc, items).await;
        let fenced = matches!(answer, Some(None));
        match answer {
            None => metrics.reported("failed"),
            Some(None) => metrics.reported("fenced"),
            Some(Some(answered)) => {
                metrics.reported("ok");
                let now = (self.clock)();
                metrics.answered_time.set(now.utc_ms as f64 / 1e3);
                for (slot, reply) in answered {
                    self.heard(&links, slot, &reply);
                }
            }
        }
        // Only now: a stop gives back what this report brought, too.
        self.reports.fetch_sub(1, Ordering::AcqRel);
        if fenced {
            self.fenced(links, inc).await;
        }
    }

    /// Sends a report. `None`: no answer; `Some(None)`: fenced.
    async fn order_report(
        self: Arc<Self>,
        links: Arc<dyn Links>,
        inc: u64,
        items: Vec<(Arc<Slot>, Item)>,
    ) -> Option<Option<Vec<(Arc<Slot>, ItemReply)>>> {
        let (slots, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let report = Report { node: self.node, inc, time_ms: (self.clock)().utc_ms, items };
        let command = Bytes::from(encode(&Command::Tick(vec![report])));
        let answer = links.order(command, REPORT_WITHIN).await?;
        let Ok(Reply::Tick(mut replies)) = decode::<Reply>(&answer) else { return None };
        let reply = replies.pop()?;
        if reply.fenced {
            return Some(None);
        }
        // An answer to an earlier incarnation must not revive what was fenced.
        if self.inc.load(Ordering::Acquire) != inc || reply.items.len() != slots.len() {
            return None;
        }
        Some(Some(slots.into_iter().zip(reply.items).collect()))
    }

    fn heard(self: &Arc<Self>, links: &Arc<dyn Links>, slot: Arc<Slot>, reply: &ItemReply) {
        let before = slot.rights();
        let (others, forfeited) = slot.heard(reply);
        self.admission.metrics.granted.inc_by(slot.rights().saturating_sub(before));
        if forfeited {
            self.admission.metrics.forfeits.inc();
            tracing::warn!(key = %slot.id.who.key, "a quota's journal is older than the ledger: what was held is forfeited");
        }
        if !others.is_empty() {
            tokio::spawn(self.clone().charge(links.clone(), slot, others));
        } else if slot.rights() > 0 {
            // Granted, perhaps ahead of the journal.
            self.admission.desk.tell(slot);
        }
    }

    /// Charges other holders for those who wait here, round by round, until nobody waits or nobody has any.
    async fn charge(self: Arc<Self>, links: Arc<dyn Links>, slot: Arc<Slot>, mut others: Vec<(u64, u64)>) {
        let (limit, seq) = slot.limit();
        let mut reached_all = true;
        let dry = loop {
            let asks = policy::allot(&others, slot.waiting());
            if asks.is_empty() {
                break others.is_empty();
            }
            let answers = join_all(asks.into_iter().map(|(node, n)| {
                let charge = Bytes::from(encode(&Charge { slot: slot.id.clone(), n, limit, seq }));
                let asked = links.ask(node, kind::USAGE_CHARGE, charge, CHARGE_WITHIN);
                async move { (node, asked.await.and_then(|bytes| decode::<Charged>(&bytes).ok())) }
            }))
            .await;
            let mut last_got = 0;
            for (node, answer) in answers {
                let got = answer.as_ref().map_or(0, |charged| charged.n);
                reached_all &= answer.is_some();
                let outcome = if answer.is_none() {
                    "unreachable"
                } else if got == 0 {
                    "dry"
                } else {
                    "ok"
                };
                self.admission.metrics.charged(outcome);
                slot.credit(got);
                last_got += got;
                for (_, rights) in others.iter_mut().filter(|(id, _)| *id == node) {
                    *rights = if got == 0 { 0 } else { rights.saturating_sub(got) };
                }
            }
            others.retain(|(_, rights)| *rights > 0);
            if others.is_empty() {
                break last_got == 0;
            }
        };
        let verdict = if reached_all { Verdict::QuotaExceeded } else { Verdict::Unavailable };
        slot.charged(dry.then_some(verdict));
        self.admission.desk.tell(slot);
    }

    /// Somebody else has our incarnation: hold nothing, and ask for a new one, with everything forfeited.
    async fn fenced(self: Arc<Self>, links: Arc<dyn Links>, inc: u64) {
        if self.inc.compare_exchange(inc, 0, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        tracing::error!(
            inc,
            "another process runs as this node (a copied data directory?): its quota rights are forfeited"
        );
        self.admission.quotas.retain(|slots| {
            for slot in slots.iter() {
                slot.fence();
            }
            true
        });
        let mut nonce = [0; 16];
        // Without randomness the old nonce would be taken for a retry: stay silent instead.
        if aws_lc_rs::rand::fill(&mut nonce).is_ok() {
            let hello = Hello { node: self.node, boot: inc.saturating_add(1), nonce, forfeit: true };
            self.greet(links, hello).await;
        }
    }

    /// Answers a peer: `None` for bytes that are no message of ours.
    pub(super) async fn answer(&self, kind: u8, message: &[u8]) -> Option<Bytes> {
        match kind {
            kind::USAGE_CHARGE => Some(encode(&self.serve_charge(&decode(message).ok()?).await).into()),
            kind::USAGE_PROBE => Some(encode(&self.serve_probe(&decode(message).ok()?)).into()),
            _ => None,
        }
    }

    async fn serve_charge(&self, charge: &Charge) -> Charged {
        let Some(slot) = self.admission.known(&charge.slot) else { return Charged { n: 0 } };
        let (before, _) = slot.limit();
        if !slot.knows(charge.seq) && slot.learn(charge.limit, charge.seq) && charge.limit < before {
            // The limit was lowered: our rights are from before and go back first.
            slot.hold();
            self.admission.desk.tell(slot);
            return Charged { n: 0 };
        }
        let until = tokio::time::Instant::now() + CHARGE_PATIENCE;
        loop {
            let changed = slot.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let n = slot.charge(charge.n);
            if n > 0 || !slot.await_rights(charge.n) {
                self.admission.metrics.charged_here.inc_by(n);
                slot.hold();
                self.admission.desk.tell(slot.clone());
                return Charged { n };
            }
            // Rights that wait for the journal.
            slot.hold();
            self.admission.desk.tell(slot.clone());
            if tokio::time::timeout_at(until, changed).await.is_err() {
                return Charged { n: 0 };
            }
        }
    }

    fn serve_probe(&self, probe: &Probe) -> Probed {
        let mut marks = Vec::<(Arc<dyn Marked>, Marking)>::new();
        let mut used = Vec::new();
        for id in &probe.slots {
            let slot = self.admission.known(id);
            used.push(slot.as_ref().map(|slot| slot.used()));
            if let Some(slot) = slot.filter(|_| probe.recall) {
                marks.push((slot.clone(), slot.give_back()));
                slot.hold();
                self.admission.desk.tell(slot);
            }
        }
        self.journal.store(marks, true);
        Probed { used }
    }
}
