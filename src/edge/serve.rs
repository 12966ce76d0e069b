//! The region's side of the cut: takes a visit from the stream, hands it to the gateway, writes the answer.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::Body;
use quinn::{RecvStream, SendStream};

use super::{
    CutBody, CutError,
    body::{FrameReader, Piece},
    outflow::{Outflow, Sink},
    wire::{self, End, Fault, Head, MAX_HOPS, Refused, RespHead, code, frame},
};
use crate::net::peer::PeerHandler;

/// A head comes in the stream's first packets, or not at all.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Goes on with a visit where the edge left off; the node fills it in with the gateway.
pub trait Resume: Send + Sync {
    /// Hands the visit to a worker and returns at once: this runs on the peers thread. A visit given back is answered
    /// REJECTED_UNPROCESSED, and the edge tries another node.
    ///
    /// # Errors
    /// The visit, when there is no room for it.
    #[expect(clippy::result_large_err, reason = "the visit itself comes back, and only under overload")]
    fn resume(&self, visit: Visit) -> Result<(), Visit>;
}

/// A visit that came across the cut.
pub struct Visit {
    /// The edge's node id.
    pub from: u64,
    /// What the edge decided, and where to go on.
    pub head: Head,
    /// The request's body.
    pub body: CutBody,
    /// The way back.
    pub reply: Reply,
}

/// What the region's part of the walk came to.
pub enum Served<B> {
    /// An answer: of the integration or a mock. `end` is asked after the body's last byte; node, region and time are
    /// filled in.
    Answer {
        /// Status and headers.
        head: RespHead,
        /// The body.
        body: B,
        /// The facts.
        end: Box<dyn FnOnce() -> End + Send>,
    },
    /// A gateway response; the edge makes its bytes.
    Refused(Refused),
    /// Not processed at all; the code is one of [`code`] for which [`code::unprocessed`] holds.
    Rejected(Fault),
}

/// How a visit ended, for the region's metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer was written to its end.
    Answered,
    /// A refusal was written.
    Refused,
    /// Nothing was processed.
    Rejected,
    /// It broke.
    Broken(CutError),
}

impl Visit {
    /// Runs `walk` and writes what it comes to. When the edge's client goes away or the time left runs out, `walk` and the
    /// answer's body are dropped where they stand, which cancels the integration.
    pub async fn run<F, Fut, B>(self, walk: F) -> Outcome
    where
        F: FnOnce(Head, CutBody) -> Fut,
        Fut: Future<Output = Served<B>>,
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let Visit { head, body, mut reply, .. } = self;
        let left = Duration::from_millis(u64::from(head.time_left_ms)).saturating_sub(reply.arrived.elapsed());
        let gone = reply.gone();
        let served = tokio::select! {
            served = walk(head, body) => served,
            () = gone => return reply.broke(CutError::Gone),
            () = tokio::time::sleep(left) => {
                reply.sink.reset(code::DEADLINE);
                return Outcome::Broken(CutError::Deadline);
            }
        };
        match served {
            Served::Answer { head, body, end } => match reply.answer(head, body, end).await {
                Ok(()) => Outcome::Answered,
                Err(e) => Outcome::Broken(e),
            },
            Served::Refused(refused) => match reply.refuse(refused).await {
                Ok(()) => Outcome::Refused,
                Err(e) => Outcome::Broken(e),
            },
            Served::Rejected(fault) => match reply.reject(fault).await {
                Ok(()) => Outcome::Rejected,
                Err(e) => Outcome::Broken(e),
            },
        }
    }
}

/// The way back to the edge. Dropped unused, it tells the edge that the visit died.
pub struct Reply {
    sink: Sink,
    arrived: Instant,
    node: u64,
    region: Arc<str>,
    _in_flight: InFlight,
}

impl Reply {
    /// Resolves when the edge no longer wants the answer.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        self.sink.gone()
    }

    fn broke(mut self, why: CutError) -> Outcome {
        self.sink.reset(code::CLIENT_GONE);
        Outcome::Broken(why)
    }

    /// Writes an answer, with the back-pressure of the stream.
    ///
    /// # Errors
    /// The edge went away or the body broke; the edge sees a truncated answer, never a clean end.
    pub async fn answer<B>(mut self, head: RespHead, body: B, end: impl FnOnce() -> End) -> Result<(), CutError>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        self.sink.push(wire::frame_of(frame::RESP_HEAD, &head)?);
        let gone = self.sink.gone();
        let (arrived, node, region) = (self.arrived, self.node, self.region.clone());
        let mut end = Some(end);
        let mut facts = move || {
            let mut facts = end.take().map(|end| end()).unwrap_or_default();
            (facts.node, facts.region) = (node, region.to_string());
            facts.region_us = arrived.elapsed().as_micros() as u64;
            Ok(wire::frame_of(frame::END, &facts)?)
        };
        let mut out = Outflow::new(body, self.sink);
        let done = tokio::select! {
            done = poll_fn(|cx| out.poll_out(cx, &mut facts)) => done,
            () = gone => Err(CutError::Gone),
        };
        if let Err(CutError::Gone | CutError::Reset(_)) = done {
            out.sink.reset(code::CLIENT_GONE);
        }
        done
    }

    /// Writes a refusal.
    ///
    /// # Errors
    /// The edge went away.
    pub async fn refuse(mut self, mut refused: Refused) -> Result<(), CutError> {
        (refused.end.node, refused.end.region) = (self.node, self.region.to_string());
        refused.end.region_us = self.arrived.elapsed().as_micros() as u64;
        self.sink.push(wire::frame_of(frame::REFUSED, &refused)?);
        self.sink.flush().await?;
        self.sink.finish();
        Ok(())
    }

    /// Says that nothing was processed, and why.
    ///
    /// # Errors
    /// The edge went away.
    pub async fn reject(mut self, fault: Fault) -> Result<(), CutError> {
        self.sink.push(wire::frame_of(frame::ERR, &fault)?);
        self.sink.flush().await?;
        self.sink.finish();
        Ok(())
    }
}

struct InFlight(Arc<AtomicU32>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The handler of kind FORWARD.
pub struct Receiver {
    resume: Arc<dyn Resume>,
    node: u64,
    region: Arc<str>,
    draining: AtomicBool,
    in_flight: Arc<AtomicU32>,
}

impl Receiver {
    /// For `PeerNet::register(kind::FORWARD, …)`.
    pub fn new(resume: Arc<dyn Resume>, node: u64, region: &str) -> Arc<Self> {
        let in_flight = Arc::new(AtomicU32::new(0));
        Arc::new(Self { resume, node, region: region.into(), draining: AtomicBool::new(false), in_flight })
    }

    /// From now on visits are turned away with DRAINING (those under way go on), or taken again.
    pub fn drain(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
    }

    /// Whether visits are turned away.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Visits from other nodes that are under way here.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl PeerHandler for Receiver {
    fn handle(&self, from: u64, _group: u8, send: SendStream, recv: RecvStream) -> BoxFuture<'static, ()> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let mut reply = Reply {
            sink: Sink::new(send, code::DIED),
            arrived: Instant::now(),
            node: self.node,
            region: self.region.clone(),
            _in_flight: InFlight(self.in_flight.clone()),
        };
        let (resume, draining) = (self.resume.clone(), self.is_draining());
        Box::pin(async move {
            let mut reader = FrameReader::new(recv);
            let head = match tokio::time::timeout(HEAD_TIME, read_head(&mut reader)).await {
                Ok(Ok(head)) => head,
                Ok(Err(CutError::Reset(_) | CutError::Lost(_))) => return,
                Ok(Err(e)) => return turn_away(reply, reader, code::BAD_HEAD, e.to_string()).await,
                Err(_) => return turn_away(reply, reader, code::BAD_HEAD, "no head came".into()).await,
            };
            if draining {
                return turn_away(reply, reader, code::DRAINING, "the node is leaving".into()).await;
            }
            let mut body = CutBody::new(reader, head.body, code::ANSWERED_EARLY);
            poll_fn(|cx| {
                let _ = body.poll_settled(cx);
                Poll::Ready(())
            })
            .await;
            reply.arrived = Instant::now();
            if let Err(visit) = resume.resume(Visit { from, head, body, reply }) {
                let text = "no room for more visits".to_string();
                let _ = visit.reply.reject(Fault { code: code::REJECTED_UNPROCESSED, text }).await;
            }
        })
    }
}

async fn turn_away(reply: Reply, mut reader: FrameReader, code: u32, text: String) {
    reader.stop(code);
    let _ = reply.reject(Fault { code, text }).await;
}

async fn read_head(reader: &mut FrameReader) -> Result<Head, CutError> {
    let head: Head = match reader.piece().await? {
        Piece::Frame(frame::HEAD, payload) => wire::read(&payload)?,
        Piece::Frame(kind, _) => return Err(wire::WireError::Unexpected(kind).into()),
        Piece::Data(_) => return Err(wire::WireError::Unexpected(frame::DATA).into()),
        Piece::Fin => return Err(CutError::Truncated),
    };
    if head.hops > MAX_HOPS {
        let words = format!("the visit would cross {} cuts, at most {MAX_HOPS} are allowed", head.hops);
        return Err(wire::WireError::Decode(words).into());
    }
    Ok(head)
}
