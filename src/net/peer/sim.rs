//! A simulated wide-area network in user space: a UDP socket that holds each datagram back by the delay of its remote
//! address. `meridian demo` and tests use it; without it the plain socket is used and nothing here runs.

use std::{
    collections::{BinaryHeap, HashMap},
    fmt, io,
    io::IoSliceMut,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{EcnCodepoint, RecvMeta, Transmit},
};
use tokio::{runtime::Handle, sync::Notify};

/// tokio's timers are up to 1 ms late; sending what is due within half of that keeps the mean delay right.
const SLACK: Duration = Duration::from_micros(500);

/// The way to one remote address, in one direction: the other side's socket has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// How long a datagram travels.
    pub one_way: Duration,
    /// Share of datagrams lost, 0.0 to 100.0 percent.
    pub loss_percent: f64,
    /// Whether all are lost.
    pub cut: bool,
}

/// The links by remote address; an address without one is reached at once. May be changed while running.
pub struct Links {
    table: Mutex<Table>,
}

struct Table {
    links: HashMap<SocketAddr, Link>,
    random: u64,
}

impl Links {
    /// No links yet; `seed` decides which datagrams are lost.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { table: Mutex::new(Table { links: HashMap::new(), random: seed }) })
    }

    /// Reads `127.0.0.1:4001=40,127.0.0.1:4002=75/1.5` (one-way ms, and loss in percent after a slash).
    ///
    /// # Errors
    /// Says which entry cannot be read.
    pub fn parse(text: &str, seed: u64) -> Result<Arc<Self>, String> {
        let links = Self::new(seed);
        for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let bad = || format!("`{entry}` is not ADDRESS=MS or ADDRESS=MS/LOSS%");
            let (addr, rest) = entry.split_once('=').ok_or_else(bad)?;
            let (ms, loss) = rest.split_once('/').unwrap_or((rest, "0"));
            let ms: f64 = ms.parse().map_err(|_| bad())?;
            let loss_percent: f64 = loss.trim_end_matches('%').parse().map_err(|_| bad())?;
            if !(0.0..=60_000.0).contains(&ms) || !(0.0..=100.0).contains(&loss_percent) {
                return Err(bad());
            }
            let one_way = Duration::from_secs_f64(ms / 1000.0);
            links.set(addr.parse().map_err(|_| bad())?, Link { one_way, loss_percent, cut: false });
        }
        Ok(links)
    }

    /// Sets the way to `to`; holds for datagrams sent from now on.
    pub fn set(&self, to: SocketAddr, link: Link) {
        self.locked().links.insert(to, link);
    }

    /// Sets only the delay.
    pub fn delay(&self, to: SocketAddr, one_way: Duration) {
        self.locked().links.entry(to).or_default().one_way = one_way;
    }

    /// Loses everything (`true`) or nothing more (`false`).
    pub fn cut(&self, to: SocketAddr, cut: bool) {
        self.locked().links.entry(to).or_default().cut = cut;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The delay for the next datagrams to `to`.
    fn delay_of(&self, to: SocketAddr) -> Duration {
        self.locked().links.get(&to).map_or(Duration::ZERO, |l| l.one_way)
    }

    fn loses_any(&self, to: SocketAddr) -> bool {
        self.locked().links.get(&to).is_some_and(|l| l.cut || l.loss_percent > 0.0)
    }

    fn loses(&self, to: SocketAddr) -> bool {
        let mut t = self.locked();
        match t.links.get(&to).copied() {
            Some(l) if l.cut => true,
            Some(l) if l.loss_percent > 0.0 => {
                // splitmix64
                t.random = t.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = t.random;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 * 100.0 < l.loss_percent
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.locked().links.iter()).finish()
    }
}

/// A datagram, or a train of them (GSO), under way.
struct Flying {
    due: Instant,
    order: u64,
    to: SocketAddr,
    ecn: Option<EcnCodepoint>,
    segment: Option<usize>,
    from: Option<IpAddr>,
    bytes: Box<[u8]>,
}

impl PartialEq for Flying {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Flying {}
impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Flying {
    // The heap gives the greatest: the earliest due, then the first sent.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

#[derive(Default)]
struct Air {
    flying: BinaryHeap<Flying>,
    // Keeps order to one address when its delay shrinks.
    last_due: HashMap<SocketAddr, Instant>,
    order: u64,
}

/// The socket that delays.
pub(super) struct SimSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    links: Arc<Links>,
    air: Mutex<Air>,
    wake: Notify,
}

impl SimSocket {
    /// Wraps `inner`; a task on `runtime` sends what has become due until the socket is dropped.
    pub(super) fn wrap(inner: Arc<dyn AsyncUdpSocket>, links: Arc<Links>, runtime: &Handle) -> Arc<Self> {
        let socket = Arc::new(Self { inner, links, air: Mutex::default(), wake: Notify::new() });
        let weak = Arc::downgrade(&socket);
        runtime.spawn(async move {
            let mut writable = match weak.upgrade() {
                Some(s) => s.inner.clone().create_io_poller(),
                None => return,
            };
            while let Some(socket) = weak.upgrade() {
                let next = socket.send_due(&mut writable).await;
                // Looks again at least once a second, so that a dropped socket ends the task.
                let until = next.unwrap_or(Duration::from_secs(1)).min(Duration::from_secs(1));
                let woken = socket.wake.notified();
                let _ = tokio::time::timeout(until, woken).await;
            }
        });
        socket
    }

    fn air(&self) -> std::sync::MutexGuard<'_, Air> {
        self.air.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends all that is due; gives the time until the next.
    async fn send_due(&self, writable: &mut Pin<Box<dyn UdpPoller>>) -> Option<Duration> {
        loop {
            let now = tokio::time::Instant::now().into_std();
            let next = {
                let mut air = self.air();
                match air.flying.peek() {
                    None => return None,
                    Some(f) if f.due > now + SLACK => return Some(f.due - now - SLACK),
                    Some(_) => air.flying.pop()?,
                }
            };
            let transmit = Transmit {
                destination: next.to,
                ecn: next.ecn,
                contents: &next.bytes,
                segment_size: next.segment,
                src_ip: next.from,
            };
            // Any other error loses the datagram, as a network does.
            while let Err(e) = self.inner.try_send(&transmit) {
                if e.kind() != io::ErrorKind::WouldBlock {
                    break;
                }
                let _ = std::future::poll_fn(|cx| writable.as_mut().poll_writable(cx)).await;
            }
        }
    }

    fn launch(&self, t: &Transmit<'_>, bytes: &[u8], segment: Option<usize>) {
        let now = tokio::time::Instant::now().into_std();
        let mut due = now + self.links.delay_of(t.destination);
        let mut air = self.air();
        if let Some(last) = air.last_due.get(&t.destination) {
            due = due.max(*last);
        }
        air.last_due.insert(t.destination, due);
        air.order += 1;
        let order = air.order;
        let first = air.flying.peek().is_none_or(|f| due < f.due);
        air.flying.push(Flying {
            due,
            order,
            to: t.destination,
            ecn: t.ecn,
            segment,
            from: t.src_ip,
            bytes: bytes.into(),
        });
        drop(air);
        if first {
            self.wake.notify_one();
        }
    }
}

impl fmt::Debug for SimSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSocket").field("inner", &self.inner).field("links", &self.links).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for SimSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, t: &Transmit<'_>) -> io::Result<()> {
        if self.links.loses_any(t.destination) {
            // Each datagram of a train has its own fate.
            for part in t.contents.chunks(t.segment_size.unwrap_or(t.contents.len()).max(1)) {
                if !self.links.loses(t.destination) {
                    self.launch(t, part, None);
                }
            }
        } else {
            self.launch(t, t.contents, t.segment_size);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_text_and_bad_ones_are_named() {
        let links = Links::parse("127.0.0.1:4001=40, 127.0.0.1:4002=75.5/1.5%", 1).unwrap();
        let b: SocketAddr = "127.0.0.1:4002".parse().unwrap();
        assert_eq!(links.delay_of(b), Duration::from_micros(75_500));
        assert!(links.loses_any(b));
        assert!(!links.loses_any("127.0.0.1:4001".parse().unwrap()));
        for bad in ["x=1", "127.0.0.1:1", "127.0.0.1:1=-4", "127.0.0.1:1=4/200", "127.0.0.1:1=a"] {
            assert!(Links::parse(bad, 1).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn loss_is_decided_by_the_seed() {
        let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let run = |seed| {
            let links = Links::new(seed);
            links.set(to, Link { loss_percent: 10.0, ..Link::default() });
            (0..1000).filter(|_| links.loses(to)).count()
        };
        assert_eq!(run(7), run(7));
        assert!((60..140).contains(&run(7)), "{}", run(7));
    }
}
