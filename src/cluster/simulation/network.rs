//! A network that loses, delays and parts. Frames of one stream keep their order; a stream that met a partition breaks.

use super::{Dice, Sim};
use crate::cluster::BoxFuture;
use crate::cluster::peer::{Incoming, Local, Outgoing, Receive, SendError, Stream, Transport};
use crate::net::peer::Lane;
use bytes::Bytes;
use openraft::{type_config::TypeConfigExt, type_config::alias::InstantOf};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// After this a stream that met a partition is given up by its reader.
const IDLE: Duration = Duration::from_secs(1);

/// The network between all nodes.
#[derive(Clone)]
pub(super) struct Net(Arc<Mutex<State>>);

struct State {
    dice: Dice,
    up: BTreeMap<(u64, u8), (u64, Arc<dyn Receive>)>,
    cut: BTreeSet<(u64, u64)>,
    /// Of a hundred calls, how many lose their question or their answer.
    loss_percent: u64,
    delay_ms: u64,
}

impl Net {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            dice: Dice::new(seed ^ 0x6e65_7477_6f72_6b21),
            up: BTreeMap::new(),
            cut: BTreeSet::new(),
            loss_percent: 0,
            delay_ms: 10,
        })))
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// A node's life: what it sent in a former one reaches nobody.
    pub(super) fn plug_in(&self, node: u64, life: u64, group: u8, receiver: Arc<dyn Receive>) {
        self.with(|net| net.up.insert((node, group), (life, receiver)));
    }

    pub(super) fn pull_out(&self, node: u64) {
        self.with(|net| net.up.retain(|(at, _), _| *at != node));
    }

    /// Cuts or mends the way between two nodes, in one direction.
    pub(super) fn cut(&self, from: u64, to: u64, cut: bool) {
        self.with(|net| if cut { net.cut.insert((from, to)) } else { net.cut.remove(&(from, to)) });
    }

    pub(super) fn mend(&self) {
        self.with(|net| {
            net.cut.clear();
            net.loss_percent = 0;
            net.delay_ms = 10;
        });
    }

    pub(super) fn weather(&self, loss_percent: u64, delay_ms: u64) {
        self.with(|net| (net.loss_percent, net.delay_ms) = (loss_percent, delay_ms));
    }

    fn delay(&self) -> Duration {
        self.with(|net| {
            let base = net.delay_ms;
            Duration::from_micros(base * 500 + net.dice.below(base * 1000 + 1))
        })
    }

    fn lost(&self) -> bool {
        self.with(|net| {
            let percent = net.loss_percent;
            net.dice.chance(percent)
        })
    }

    fn open_way(&self, from: u64, to: u64) -> bool {
        self.with(|net| !net.cut.contains(&(from, to)))
    }

    fn receiver(&self, node: u64, group: u8) -> Option<Arc<dyn Receive>> {
        self.with(|net| net.up.get(&(node, group)).map(|(_, receiver)| receiver.clone()))
    }

    fn alive(&self, node: u64, life: u64) -> bool {
        self.with(|net| net.up.iter().any(|((at, _), (lives, _))| *at == node && *lives == life))
    }

    pub(super) fn of(&self, node: u64, life: u64) -> Arc<Socket> {
        Arc::new(Socket { net: self.clone(), node, life })
    }
}

/// One life of one node on the network.
pub(super) struct Socket {
    net: Net,
    node: u64,
    life: u64,
}

fn failed(unsent: bool, cause: &str) -> SendError {
    SendError { unsent, cause: cause.into() }
}

impl Transport for Socket {
    fn call(&self, to: u64, kind: u8, group: u8, body: Bytes, within: Duration) -> BoxFuture<Result<Bytes, SendError>> {
        let (net, from, life) = (self.net.clone(), self.node, self.life);
        let work = async move {
            Sim::sleep(net.delay()).await;
            if net.lost() || !net.open_way(from, to) || !net.alive(from, life) {
                Sim::sleep(Duration::from_secs(3600)).await;
            }
            let Some(receiver) = net.receiver(to, group) else { return Err(failed(true, "nobody is there")) };
            let answer = receiver.call(from, kind, body).await;
            Sim::sleep(net.delay()).await;
            if net.lost() || !net.open_way(to, from) {
                Sim::sleep(Duration::from_secs(3600)).await;
            }
            answer.map_err(|words| failed(false, &words))
        };
        Box::pin(
            async move { Sim::timeout(within, work).await.unwrap_or_else(|_| Err(failed(false, "no answer in time"))) },
        )
    }

    fn open(&self, to: u64, _: Lane, kind: u8, group: u8) -> BoxFuture<Result<Stream, SendError>> {
        let (net, from, life) = (self.net.clone(), self.node, self.life);
        Box::pin(async move {
            if !net.alive(from, life) {
                return Err(failed(true, "this node is dead"));
            }
            let Some(receiver) = net.receiver(to, group) else { return Err(failed(true, "nobody is there")) };
            let (here_out, there_in) = pipe(&net, from, to, Some(life));
            let (there_out, here_in) = pipe(&net, to, from, None);
            drop(Sim::spawn(receiver.stream(from, kind, there_out, there_in)));
            Ok((here_out, here_in))
        })
    }

    fn suspect(&self, _: u64) {}
}

type Item = (InstantOf<Sim>, Option<Bytes>);

/// One direction of a stream: a courier carries its frames in order.
fn pipe(net: &Net, from: u64, to: u64, life: Option<u64>) -> (Box<dyn Outgoing>, Box<dyn Incoming>) {
    let (sender, mut queue) = mpsc::unbounded_channel::<Item>();
    let (deliver, receiver) = mpsc::unbounded_channel();
    let (net_there, broken_at) = (net.clone(), net.clone());
    let (gone, wanted) = oneshot::channel::<()>();
    drop(Sim::spawn(async move {
        let _gone = gone;
        while let Some((at, frame)) = queue.recv().await {
            Sim::sleep_until(at).await;
            let dead = life.is_some_and(|life| !net_there.alive(from, life));
            if dead || !net_there.open_way(from, to) || net_there.lost() {
                Sim::sleep(IDLE).await;
                drop(deliver.send(Err(failed(false, "the stream broke"))));
                return;
            }
            if deliver.send(Ok(frame)).is_err() {
                return;
            }
        }
        // The sender was dropped without saying that it ends: as good as the end.
        drop(deliver.send(Ok(None)));
    }));
    let last = Sim::now();
    (Box::new(Out { net: broken_at, sender, last, wanted }), Box::new(In { receiver, over: false }))
}

struct Out {
    net: Net,
    sender: mpsc::UnboundedSender<Item>,
    last: InstantOf<Sim>,
    wanted: oneshot::Receiver<()>,
}

impl Outgoing for Out {
    fn send(&mut self, frame: Bytes) -> Local<'_, Result<(), SendError>> {
        Box::pin(async move {
            self.last = (Sim::now() + self.net.delay()).max(self.last);
            let closed = self.wanted.try_recv() == Err(oneshot::error::TryRecvError::Closed);
            if closed || self.sender.send((self.last, Some(frame))).is_err() {
                return Err(failed(false, "the stream broke"));
            }
            Ok(())
        })
    }

    fn finish(&mut self) {
        self.last = (Sim::now() + self.net.delay()).max(self.last);
        drop(self.sender.send((self.last, None)));
    }
}

struct In {
    receiver: mpsc::UnboundedReceiver<Result<Option<Bytes>, SendError>>,
    over: bool,
}

impl Incoming for In {
    fn next(&mut self) -> Local<'_, Result<Option<Bytes>, SendError>> {
        Box::pin(async move {
            if self.over {
                return Ok(None);
            }
            let item = self.receiver.recv().await.unwrap_or(Ok(None));
            self.over = !matches!(item, Ok(Some(_)));
            item
        })
    }
}
