//! Scheduler, network, disk and checker of the model.

use super::super::holder::Marking;
use super::super::ledger::Ledger;
use super::super::period::{Period, PeriodKind};
use super::super::policy::{Outlook, allot};
use super::super::row_key::RowKey;
use super::super::wire::{Command, Hello, Item, ItemReply, PlanKey, Reply, Report, SlotId};
use super::LIMITS;
use super::node::{Node, Stored};
use super::outcome::{Faults, Flaw, Outcome};
use crate::cluster::Machine;
use std::collections::BinaryHeap;

enum Event {
    Arrive(usize),
    Tick(usize),
    Written(usize, u64, usize),
    Synced(usize, u64, usize),
    Commit(usize, u64, Command),
    Answer(usize, u64, Reply, u64),
    Hello(usize, u64),
    ChargeAt { from: usize, life: u64, to: u64, n: u64 },
    ChargeBack { from: usize, life: u64, to: u64, got: u64 },
    Crash(usize),
    Restart(usize),
    Cut(usize),
    Heal(usize),
    NewLeader,
    Leads,
}

/// An event at its time in microseconds; equal times keep the order of making. The earliest is the greatest.
struct Timed(u64, u64, Event);

impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timed {}

pub(super) struct World {
    rng: u64,
    faults: Faults,
    flaw: Option<Flaw>,
    now: f64,
    until: f64,
    queue: BinaryHeap<Timed>,
    made: u64,
    ledger: Ledger,
    leaderless: bool,
    nodes: Vec<Node>,
    arrivals: Vec<f64>,
    loss: f64,
    dup: f64,
    slot: SlotId,
    out: Outcome,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, flaw: Option<Flaw>) -> Self {
        let period = Period { start_day: 0, kind: PeriodKind::Day };
        let slot = SlotId { who: PlanKey { plan: "plan".into(), key: "key".into() }, period };
        let mut world = Self {
            rng: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d,
            faults,
            flaw,
            now: 0.0,
            until: 45.0,
            queue: BinaryHeap::new(),
            made: 0,
            ledger: Ledger::new(),
            leaderless: false,
            nodes: Vec::new(),
            arrivals: Vec::new(),
            loss: 0.0,
            dup: 0.0,
            slot,
            out: Outcome::default(),
        };
        world.out.nodes = 2 + world.below(9) as usize;
        world.out.limit = LIMITS[world.below(LIMITS.len() as u64) as usize];
        if faults.loss {
            world.loss = [0.0, 0.02, 0.15][world.below(3) as usize];
            world.dup = [0.0, 0.05, 0.2][world.below(3) as usize];
        }
        let demand = world.out.limit.max(10) as f64 * (1.2 + 1.8 * world.unit()) / 35.0;
        let weights: Vec<f64> = (0..world.out.nodes).map(|_| world.unit().powi(3) + 0.01).collect();
        let sum: f64 = weights.iter().sum();
        world.arrivals = weights.iter().map(|w| demand * w / sum).collect();
        for i in 0..world.out.nodes {
            world.nodes.push(Node::default());
            world.at(0.0, Event::Restart(i));
            let first = world.unit() * 0.1;
            world.at(first, Event::Tick(i));
            world.next_arrival(i);
            if faults.crash {
                let dt = world.exponential(15.0);
                world.at(dt, Event::Crash(i));
            }
            if faults.cut {
                let dt = world.exponential(20.0);
                world.at(dt, Event::Cut(i));
            }
        }
        if faults.leaders {
            let dt = world.exponential(15.0);
            world.at(dt, Event::NewLeader);
        }
        world
    }

    fn next(&mut self) -> u64 {
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    fn at(&mut self, dt: f64, event: Event) {
        self.made += 1;
        let key = ((self.now + dt) * 1e6) as u64;
        self.queue.push(Timed(key, self.made, event));
    }

    fn next_arrival(&mut self, i: usize) {
        let dt = self.exponential(1.0 / self.arrivals[i]);
        self.at(dt, Event::Arrive(i));
    }

    fn delay(&mut self) -> f64 {
        [0.005, 0.04, 0.1][self.below(3) as usize] * (0.6 + 0.6 * self.unit())
    }

    /// Sends a message once, twice or not at all; delays differ, so order does not hold.
    fn send(&mut self, make: impl Fn() -> Event) {
        let copies = 1 + u8::from(self.unit() < self.dup);
        for _ in 0..copies {
            if self.unit() >= self.loss {
                let dt = self.delay();
                self.at(dt, make());
            }
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        while let Some(Timed(key, _, event)) = self.queue.pop() {
            self.now = key as f64 / 1e6;
            if self.now > self.until {
                break;
            }
            self.step(event);
        }
        let books = self.ledger.books();
        self.out.ledger_overshoot = books.overshoot;
        self.out.in_hand = self.nodes.iter().map(|node| node.credit).sum();
        if self.flaw.is_none()
            && let Some(row) = books.escrow(&self.slot)
        {
            assert!(row.outstanding() <= u128::from(row.limit()), "INV-1");
            assert!(row.used() <= row.limit());
        }
        self.out
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrive(i) => self.arrive(i),
            Event::Tick(i) => self.tick(i),
            Event::Written(i, life, at) => self.written(i, life, at, false),
            Event::Synced(i, life, at) => self.written(i, life, at, true),
            Event::Commit(i, life, command) => self.commit(i, life, command),
            Event::Answer(i, life, reply, delta) => self.answer(i, life, reply, delta),
            Event::Hello(i, life) => self.hello(i, life),
            Event::ChargeAt { from, life, to, n } => self.charge_at(from, life, to, n),
            Event::ChargeBack { from, life, to, got } => self.charge_back(from, life, to, got),
            Event::Crash(i) => self.crash(i),
            Event::Restart(i) => self.restart(i),
            Event::Cut(i) => {
                self.nodes[i].cut = self.now < self.until * 0.6;
                let (heal, next) = (1.0 + 11.0 * self.unit(), self.exponential(20.0));
                self.at(heal, Event::Heal(i));
                self.at(next, Event::Cut(i));
            }
            Event::Heal(i) => self.nodes[i].cut = false,
            Event::NewLeader => {
                self.leaderless = self.now < self.until * 0.6;
                // A replica that takes over has its rows from the log and from snapshots.
                let mut successor = Ledger::new();
                for (key, value) in self.ledger.pin() {
                    successor.load(&key, &value).unwrap();
                }
                let kept: Vec<_> = successor.pin().collect();
                assert_eq!(kept, self.ledger.pin().collect::<Vec<_>>());
                assert!(kept.is_sorted());
                let (dt, next) = (0.3 + 2.0 * self.unit(), self.exponential(15.0));
                self.at(dt, Event::Leads);
                self.at(next, Event::NewLeader);
            }
            Event::Leads => self.leaderless = false,
        }
    }

    fn admit(&mut self) {
        self.out.admitted += 1;
        self.out.over += u64::from(self.out.admitted > self.out.limit);
    }

    fn deny(&mut self) {
        let spent: u64 = self.nodes.iter().map(|node| node.truly_used).sum();
        self.out.early_denials += u64::from(spent < self.out.limit);
    }

    fn arrive(&mut self, i: usize) {
        self.next_arrival(i);
        if !self.nodes[i].up {
            return;
        }
        self.out.demand += 1;
        self.nodes[i].last_demand = self.now;
        if self.nodes[i].take() {
            self.admit();
        } else if self.nodes[i].denied {
            self.deny();
        } else {
            let deadline = self.now + 0.7;
            self.nodes[i].waiting.push_back(deadline);
            self.work(i, true);
        }
    }

    fn serve_waiting(&mut self, i: usize) {
        while !self.nodes[i].waiting.is_empty() && self.nodes[i].take() {
            self.nodes[i].waiting.pop_front();
            self.admit();
        }
    }

    fn drop_waiting(&mut self, i: usize) {
        for _ in 0..std::mem::take(&mut self.nodes[i].waiting).len() {
            self.deny();
        }
    }

    fn tick(&mut self, i: usize) {
        let dt = 0.05 * (0.9 + 0.2 * self.unit());
        self.at(dt, Event::Tick(i));
        let node = &mut self.nodes[i];
        if !node.up {
            return;
        }
        let spent = std::mem::take(&mut node.spent_since_tick) as f64 / 0.05;
        node.rate = 0.95 * node.rate + 0.05 * spent;
        if node.rate < 0.01 {
            node.rate = 0.0;
        }
        let late = if self.nodes[i].charging > 0 { self.now - 0.35 } else { self.now };
        while self.nodes[i].waiting.front().is_some_and(|deadline| *deadline < late) {
            self.nodes[i].waiting.pop_front();
            self.nodes[i].denied = true;
            self.deny();
        }
        // Now and then a node gives everything back, so that returns are met by every fault.
        let often = if self.flaw == Some(Flaw::EarlyReturn) { 0.02 } else { 0.002 };
        if self.unit() < often {
            let node = &mut self.nodes[i];
            let taken = std::mem::take(&mut node.left);
            let marking = node.holder.settle(taken, true);
            self.store(i, marking);
        }
        self.work(i, false);
    }

    /// What the agent does for a slot: journal, report.
    fn work(&mut self, i: usize, pressed: bool) {
        let node = &mut self.nodes[i];
        let waiting = node.waiting.len() as u64;
        if let Some(marking) = node.holder.mark(node.left, node.rate, waiting) {
            self.store(i, marking);
        }
        let node = &mut self.nodes[i];
        let low = node.holder.is_low(node.left, node.rate, waiting);
        let asks = node.denied && self.now - node.last_demand < 1.0;
        let age = self.now - node.reported_at;
        let due = (pressed && waiting > 0 && age > 0.01)
            || (low || waiting > 0) && age > 0.1
            || (node.holder.is_unreported(node.left) || asks) && age > 1.0;
        if due {
            self.report(i);
        }
    }

    fn report(&mut self, i: usize) {
        let now_ms = (self.now * 1e3) as i64;
        let (slot, limit) = (self.slot.clone(), self.out.limit);
        let node = &mut self.nodes[i];
        let Some(inc) = node.inc else { return };
        node.reported_at = self.now;
        let asks = u64::from(node.denied && self.now - node.last_demand < 1.0);
        let (u, x, want) = node.holder.report(node.left, node.rate, node.waiting.len() as u64 + asks);
        let fresh = node.holder.is_fresh();
        let item = Item { slot, days: vec![(0, u)], fresh, x, want, limit, seq: 1 };
        let report = Report { node: i as u64, inc, time_ms: now_ms, items: vec![item] };
        let life = node.life;
        if self.faults.leaders && self.unit() < 0.03 {
            return;
        }
        self.send(|| Event::Commit(i, life, Command::Tick(vec![report.clone()])));
    }

    fn commit(&mut self, i: usize, life: u64, command: Command) {
        if self.leaderless || self.nodes[i].cut {
            return;
        }
        self.out.entries += 1;
        if self.flaw == Some(Flaw::ReclaimByTime) {
            self.reclaim_by_time();
        }
        let before = self.ledger.books().granted;
        let reply = self.ledger.run(command, &mut Vec::new());
        let delta = self.ledger.books().granted - before;
        self.send(|| Event::Answer(i, life, reply.clone(), delta));
    }

    /// The flaw: what was not reported for six seconds is taken back.
    fn reclaim_by_time(&mut self) {
        let Some(mut row) = self.ledger.books().escrow(&self.slot).cloned() else { return };
        for (_, h) in &mut row.holders {
            if (self.now * 1e3) as i64 - h.seen_ms > 6_000 {
                h.x = h.g - h.u;
            }
        }
        let key = RowKey::Escrow(self.slot.clone()).to_bytes();
        self.ledger.load(&key, &super::super::wire::encode(&row)).unwrap();
    }

    fn answer(&mut self, i: usize, life: u64, reply: Reply, delta: u64) {
        let node = &mut self.nodes[i];
        if !node.up || node.life != life || node.cut {
            return;
        }
        match reply {
            Reply::Hello { inc, .. } => node.inc = Some(inc),
            Reply::Tick(replies) => {
                let Some(item) = replies.into_iter().next().and_then(|reply| reply.items.into_iter().next()) else {
                    return;
                };
                self.heard(i, item, delta);
            }
            other => panic!("{other:?}"),
        }
    }

    fn heard(&mut self, i: usize, mut item: ItemReply, delta: u64) {
        let node = &mut self.nodes[i];
        if self.flaw == Some(Flaw::DeltaGrants) && node.holder.is_known() {
            let (u, x, _) = node.holder.report(node.left, 0.0, 0);
            item.g = u + x + node.holder.rights(node.left) + delta;
        }
        match node.heard(&item) {
            Outlook::Open => {
                node.denied &= node.left + node.credit == 0;
                self.serve_waiting(i);
            }
            Outlook::Exhausted if node.charging > 0 => {}
            Outlook::Exhausted => {
                self.nodes[i].denied = true;
                self.drop_waiting(i);
            }
            Outlook::Charge(others) => {
                let n = node.waiting.len() as u64;
                if n == 0 {
                    node.denied = false;
                } else if node.charging == 0 {
                    node.others = others;
                    self.charge(i, n);
                }
            }
        }
    }

    fn charge(&mut self, from: usize, n: u64) {
        let life = self.nodes[from].life;
        for (to, n) in allot(&self.nodes[from].others, n) {
            self.nodes[from].charging += 1;
            if self.unit() < self.loss || self.nodes[from].cut {
                self.at(0.35, Event::ChargeBack { from, life, to, got: 0 });
            } else {
                let dt = self.delay();
                self.at(dt, Event::ChargeAt { from, life, to, n });
            }
        }
    }

    fn charge_at(&mut self, from: usize, life: u64, to: u64, n: u64) {
        let at = to as usize;
        let node = &mut self.nodes[at];
        let reached = node.up && !node.cut;
        if reached && node.left == 0 && node.holder.rights(0) > 0 {
            // Rights that wait for the journal: the charge waits with them.
            if let Some(marking) = node.holder.mark(0, node.rate, n) {
                self.store(at, marking);
            }
            self.at(0.01, Event::ChargeAt { from, life, to, n });
            return;
        }
        let got = if reached { node.charge(n) } else { 0 };
        let lost = !reached || self.unit() < self.loss;
        if lost {
            self.out.burnt += got;
            self.at(0.35, Event::ChargeBack { from, life, to, got: 0 });
        } else {
            let dt = self.delay();
            self.at(dt, Event::ChargeBack { from, life, to, got });
        }
    }

    fn charge_back(&mut self, from: usize, life: u64, to: u64, got: u64) {
        let node = &mut self.nodes[from];
        if node.life != life || !node.up {
            self.out.burnt += got;
            return;
        }
        node.charging -= 1;
        node.credit += got;
        node.denied &= got == 0;
        for (id, rights) in &mut node.others {
            if *id == to {
                *rights = if got == 0 { 0 } else { rights.saturating_sub(got) };
            }
        }
        let dry = got == 0;
        node.others.retain(|(_, rights)| *rights > 0);
        self.serve_waiting(from);
        let node = &mut self.nodes[from];
        let n = node.waiting.len() as u64;
        if node.charging > 0 || n == 0 {
            return;
        }
        if !node.others.is_empty() {
            self.charge(from, n);
        } else if dry {
            node.denied = true;
            self.drop_waiting(from);
        }
    }

    fn store(&mut self, i: usize, marking: Marking) {
        let node = &mut self.nodes[i];
        if self.flaw == Some(Flaw::LateWatermark) || (self.flaw == Some(Flaw::EarlyReturn) && marking.mark.x > 0) {
            // The flaw: acknowledged before it is stored (a watermark, or a return).
            node.holder.written(marking);
            node.holder.synced(marking);
            node.left += node.holder.refill();
        }
        node.journal.push(Stored { marking, written: false, synced: false });
        let (at, life) = (node.journal.len() - 1, node.life);
        let write = if self.flaw.is_some() { 1.0 } else { 0.001 + 0.004 * self.unit() };
        let sync = write + 0.002 + [0.01, 0.8][self.below(2) as usize] * self.unit();
        let urgent = write + 0.002 + 0.02 * self.unit();
        let pressed = !self.nodes[i].waiting.is_empty() || !self.faults.crash;
        self.at(write, Event::Written(i, life, at));
        self.at(if pressed { urgent } else { sync }, Event::Synced(i, life, at));
    }

    fn written(&mut self, i: usize, life: u64, at: usize, synced: bool) {
        let node = &mut self.nodes[i];
        if !node.up || node.life != life {
            return;
        }
        // One file: what is synced covers all that was written before.
        for stored in &mut node.journal[..=at] {
            if synced && !stored.synced {
                (stored.written, stored.synced) = (true, true);
                node.holder.written(stored.marking);
                node.holder.synced(stored.marking);
            } else if !stored.written {
                stored.written = true;
                node.holder.written(stored.marking);
            }
        }
        node.left += node.holder.refill();
        self.serve_waiting(i);
    }

    fn crash(&mut self, i: usize) {
        let next = self.exponential(15.0);
        self.at(next, Event::Crash(i));
        if !self.nodes[i].up || self.now > self.until * 0.6 {
            return;
        }
        self.drop_waiting(i);
        let stayed_up = self.unit() < 0.5;
        let torn = self.unit();
        let node = &mut self.nodes[i];
        node.up = false;
        node.life += 1;
        self.out.burnt += node.credit;
        let synced = node.journal.iter().take_while(|stored| stored.synced).count();
        let unsynced = node.journal.iter().take_while(|stored| stored.written).count() - synced;
        let survive = synced + (torn * (unsynced + 1) as f64) as usize;
        let keeps = |at: usize, stored: &Stored| if stayed_up { stored.written } else { at < survive };
        node.recover(keeps, stayed_up);
        self.out.forfeited += node.holder.used(0).saturating_sub(node.truly_used);
        let dt = 0.5 + 5.5 * self.unit();
        self.at(dt, Event::Restart(i));
    }

    fn restart(&mut self, i: usize) {
        let nonce = self.next();
        let node = &mut self.nodes[i];
        (node.up, node.nonce, node.inc) = (true, nonce, None);
        node.boot += 1;
        (node.left, node.credit, node.rate, node.denied, node.charging) = (0, 0, 0.0, false, 0);
        node.reported_at = -9.0;
        let life = node.life;
        self.hello(i, life);
    }

    fn hello(&mut self, i: usize, life: u64) {
        let node = &self.nodes[i];
        if !node.up || node.life != life || node.inc.is_some() {
            return;
        }
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&node.nonce.to_le_bytes());
        let hello = Hello { node: i as u64, boot: node.boot, nonce, forfeit: false };
        self.send(|| Event::Commit(i, life, Command::Hello(hello.clone())));
        self.at(0.3, Event::Hello(i, life));
    }
}
