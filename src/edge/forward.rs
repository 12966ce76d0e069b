//! The edge's side of the cut: sends a visit to a node of the nearest region and brings the answer's head back.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::Body;
use tracing::Instrument;

use super::{
    CutBody, CutError, Nodes, Replay,
    body::{FrameReader, Piece, Pump},
    health::NodeState,
    nodes::{Flight, Pick},
    outflow::{Outflow, Sink},
    wire::{self, BodyHint, Fault, Head, Refused, RespHead, WireError, code, frame},
};
use crate::{
    net::peer::{Lane, PeerError, PeerNet, kind},
    observe::edge::{EdgeMetrics, ForwardLabels, RegionLabels},
};

/// Nodes that may be tried because the one before could not be connected.
const CONNECT_RETRIES: u32 = 2;
/// Silence on a connection that should have acknowledged the head, at least.
const SILENCE: Duration = Duration::from_millis(250);

/// What came back.
#[derive(Debug)]
pub enum Forwarded {
    /// An answer; its body streams on.
    Answer(Answer),
    /// A gateway response of the region, to be made into bytes here.
    Refused {
        /// The node that refused.
        node: u64,
        /// Its region.
        region: Arc<str>,
        /// What it said.
        refused: Refused,
    },
}

/// An answer across the cut.
#[derive(Debug)]
pub struct Answer {
    /// The node that serves.
    pub node: u64,
    /// Its region.
    pub region: Arc<str>,
    /// Status and headers.
    pub head: RespHead,
    /// The body; `body.facts()` has the END frame's facts once it has ended. Dropped early, it cancels the integration.
    pub body: CutBody,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// None of the regions' nodes could be connected; nothing was sent. (AWS has no such case: 503.)
    #[error("no node of the regions {regions} can be reached: {last}")]
    NoNode {
        /// The regions that could have served.
        regions: String,
        /// How the last try ended.
        last: String,
    },
    /// Nothing was processed: the region has another revision of the stage. Walk again from route, keep the admission.
    #[error("the region has another revision of the stage: {0}")]
    OtherRevision(String),
    /// Nothing was processed, and no further node may be tried (503).
    #[error("the region turned the visit away: {0}")]
    Rejected(String),
    /// The visit was sent and its fate is unknown (502).
    #[error("the connection to the region was lost: {0}")]
    Lost(String),
    /// The time left ran out (504).
    #[error("the region did not answer in time")]
    Deadline,
    /// The body is over the region's limit (413).
    #[error("the body is too large for the region")]
    TooLarge,
    /// The client's body broke off; `body.error()` says how.
    #[error("the client's body broke off: {0}")]
    ClientBody(String),
    /// The region sent what cannot be read, or the head cannot be written (502).
    #[error("the region's answer cannot be read: {0}")]
    Malformed(String),
}

impl ForwardError {
    /// Whether provably nothing was processed.
    pub fn unprocessed(&self) -> bool {
        matches!(self, ForwardError::NoNode { .. } | ForwardError::OtherRevision(_) | ForwardError::Rejected(_))
    }

    fn label(&self) -> &'static str {
        match self {
            ForwardError::NoNode { .. } => "unreachable",
            ForwardError::OtherRevision(_) => "other_revision",
            ForwardError::Rejected(_) => "rejected",
            ForwardError::Lost(_) => "lost",
            ForwardError::Deadline => "deadline",
            ForwardError::TooLarge => "too_large",
            ForwardError::ClientBody(_) => "client_gone",
            ForwardError::Malformed(_) => "malformed",
        }
    }
}

/// A failed forward: why, and the body, which can be sent again where `body.can_rewind()`.
#[derive(Debug)]
pub struct Failed<B: Body> {
    /// Why.
    pub error: ForwardError,
    /// The request's body.
    pub body: Replay<B>,
}

/// Sends visits to other regions.
pub struct Forwarder {
    net: Arc<PeerNet>,
    nodes: Arc<Nodes>,
    metrics: EdgeMetrics,
}

enum Tried<B: Body> {
    Done(Box<Forwarded>),
    /// Provably not processed: another node may be tried.
    Unsent(String, Replay<B>),
    Turned(Fault, Replay<B>),
    Failed(ForwardError, Replay<B>),
}

impl Forwarder {
    /// Over this endpoint, by this knowledge of the nodes.
    pub fn new(net: Arc<PeerNet>, nodes: Arc<Nodes>, metrics: EdgeMetrics) -> Arc<Self> {
        Arc::new(Self { net, nodes, metrics })
    }

    /// The nodes, as this one sees them.
    pub fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    /// Sends a visit to a node of one of `regions` (which have the API; this node's own is not among them) and waits for
    /// the answer's head, no longer than `head.time_left_ms`. Dropping the future or the answer's body cancels the visit
    /// there. Another node is tried only where the first provably did not process it (once; twice where it could not even
    /// be connected), or where `head.retry_lost` says that the API's owner accepts it.
    ///
    /// # Errors
    /// Why there is no answer, with the body.
    pub async fn forward<B>(&self, regions: &[&str], mut head: Head, body: Replay<B>) -> Result<Forwarded, Failed<B>>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        let deadline = Instant::now() + Duration::from_millis(u64::from(head.time_left_ms));
        let (mut connects, mut retried, mut tried) = (0, None, Vec::new());
        let mut last = "none is known to be up".to_string();
        let mut body = body;
        for region in self.nodes.order(regions) {
            while let Some(pick) = self.nodes.pick(&region, &tried) {
                let (node, load) = (pick.node, pick.load.clone());
                tried.push(node);
                let left = deadline.saturating_duration_since(Instant::now());
                // Half a round trip of it is gone when the region reads it.
                head.time_left_ms = left.saturating_sub(pick.rtt / 2).as_millis() as u32;
                let span = tracing::debug_span!("forward", request_id = head.request_id, region = &*region, node);
                match self.attempt(&region, pick, &head, body, deadline).instrument(span).await {
                    Tried::Done(done) => return Ok(self.done(&region, *done)),
                    Tried::Unsent(why, again) => {
                        self.nodes.down(node);
                        (connects, last, body) = (connects + 1, why, again);
                        if connects > CONNECT_RETRIES || !body.rewind() {
                            return Err(self.failed(&region, no_node(regions, last), body));
                        }
                    }
                    Tried::Turned(fault, again) => {
                        self.note(node, &fault);
                        body = again;
                        if fault.code == code::OTHER_REVISION {
                            return Err(self.failed(&region, ForwardError::OtherRevision(fault.text), body));
                        }
                        let permit = if retried.is_none() && body.rewind() { load.may_retry() } else { None };
                        if permit.is_none() {
                            return Err(self.failed(&region, ForwardError::Rejected(fault.text), body));
                        }
                        (retried, last) = (permit, fault.text);
                        self.count_retry(&region);
                    }
                    Tried::Failed(error @ ForwardError::Lost(_), again) => {
                        self.nodes.suspect(node);
                        body = again;
                        let permit =
                            if head.retry_lost && retried.is_none() && body.rewind() { load.may_retry() } else { None };
                        if permit.is_none() {
                            return Err(self.failed(&region, error, body));
                        }
                        (retried, last) = (permit, error.to_string());
                        self.count_retry(&region);
                    }
                    Tried::Failed(error, body) => return Err(self.failed(&region, error, body)),
                }
            }
        }
        let error = if retried.is_some() { ForwardError::Rejected(last) } else { no_node(regions, last) };
        Err(self.failed("", error, body))
    }

    fn note(&self, node: u64, fault: &Fault) {
        match fault.code {
            code::DRAINING => self.nodes.drains(node),
            code::REJECTED_UNPROCESSED => self.nodes.went(node, false),
            _ => {}
        }
    }

    fn count(&self, region: &str, outcome: &'static str) {
        self.metrics.forwards.get_or_create(&ForwardLabels { region: region.into(), outcome }).inc();
    }

    fn count_retry(&self, region: &str) {
        self.metrics.retries.get_or_create(&RegionLabels { region: region.into() }).inc();
    }

    fn done(&self, region: &str, done: Forwarded) -> Forwarded {
        self.count(region, if matches!(done, Forwarded::Answer(_)) { "answered" } else { "refused" });
        done
    }

    fn failed<B: Body>(&self, region: &str, error: ForwardError, body: Replay<B>) -> Failed<B> {
        self.count(region, error.label());
        Failed { error, body }
    }

    async fn attempt<B>(
        &self,
        region: &Arc<str>,
        pick: Pick,
        head: &Head,
        body: Replay<B>,
        deadline: Instant,
    ) -> Tried<B>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        let begun = Instant::now();
        let Pick { node, flight, rtt, .. } = pick;
        let first = match wire::frame_of(frame::HEAD, head) {
            Ok(first) => first,
            Err(e) => return Tried::Failed(ForwardError::Malformed(e.to_string()), body),
        };
        let until = tokio::time::Instant::from_std(deadline);
        let opened = tokio::time::timeout_at(until, self.net.open_bare(node, Lane::Forward, kind::FORWARD)).await;
        let (send, recv) = match opened {
            Ok(Ok(streams)) => streams,
            Ok(Err(e)) => return Tried::Unsent(e.to_string(), body),
            Err(_) => return Tried::Failed(ForwardError::Deadline, body),
        };
        let mut exchange = Exchange {
            out: Outflow::new(body, Sink::new(send, code::CLIENT_GONE)),
            uploaded: false,
            reader: FrameReader::new(recv),
        };
        exchange.out.sink.push(Bytes::copy_from_slice(&PeerNet::preamble(kind::FORWARD, 0)));
        exchange.out.sink.push(first);
        let reply = tokio::select! {
            reply = poll_fn(|cx| exchange.poll_reply(cx)) => reply,
            () = self.watch(node, rtt) => Err(ForwardError::Lost("the node is down".into()).into()),
            () = tokio::time::sleep_until(until) => Err(ForwardError::Deadline.into()),
        };
        match reply {
            Ok(Reply::Answer(resp)) => {
                let labels = RegionLabels { region: region.to_string() };
                self.metrics.head_seconds.get_or_create(&labels).observe(begun.elapsed().as_secs_f64());
                self.nodes.went(node, true);
                let body = exchange.into_body(&resp, flight).await;
                Tried::Done(Box::new(Forwarded::Answer(Answer { node, region: region.clone(), head: resp, body })))
            }
            Ok(Reply::Refused(refused)) => {
                self.nodes.went(node, true);
                Tried::Done(Box::new(Forwarded::Refused { node, region: region.clone(), refused }))
            }
            Err(Broken::Turned(fault)) => Tried::Turned(fault, exchange.give_up()),
            Err(Broken::Error(error)) => Tried::Failed(error, exchange.give_up()),
        }
    }

    /// Ends when the node is known to be down. A head that is not even acknowledged within three round trips makes the
    /// node suspect, so that other visits go elsewhere long before the third probe is missed.
    async fn watch(&self, node: u64, rtt: Duration) {
        let mut changes = self.nodes.changes();
        let before = self.net.heard(node, Lane::Forward);
        let patience = SILENCE.max(rtt * 3 + Duration::from_millis(50));
        tokio::time::sleep(patience).await;
        if self.net.heard(node, Lane::Forward) == before {
            self.nodes.suspect(node);
        }
        while !matches!(self.nodes.state(node), None | Some(NodeState::Down)) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

fn no_node(regions: &[&str], last: String) -> ForwardError {
    ForwardError::NoNode { regions: regions.join(", "), last }
}

enum Reply {
    Answer(RespHead),
    Refused(Refused),
}

enum Broken {
    Turned(Fault),
    Error(ForwardError),
}

impl From<ForwardError> for Broken {
    fn from(e: ForwardError) -> Self {
        Broken::Error(e)
    }
}

impl From<WireError> for Broken {
    fn from(e: WireError) -> Self {
        Broken::Error(ForwardError::Malformed(e.to_string()))
    }
}

/// One stream: the request on its way out, the answer's head on its way in.
struct Exchange<B: Body> {
    out: Outflow<Replay<B>>,
    uploaded: bool,
    reader: FrameReader,
}

impl<B> Exchange<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display + Send,
{
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, Broken>> {
        if !self.uploaded {
            match self.out.poll_pump(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.uploaded = true,
                Poll::Ready(Err(CutError::Body(words))) => {
                    return Poll::Ready(Err(ForwardError::ClientBody(words).into()));
                }
                // The region wants no more of it; its answer says why.
                Poll::Ready(Err(_)) => self.uploaded = true,
            }
        }
        loop {
            let piece = match self.reader.poll_piece(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(piece)) => piece,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(broken(e))),
            };
            return Poll::Ready(match piece {
                Piece::Frame(frame::INFO, _) => continue,
                Piece::Frame(frame::RESP_HEAD, payload) => Ok(Reply::Answer(wire::read(&payload)?)),
                Piece::Frame(frame::REFUSED, payload) => Ok(Reply::Refused(wire::read(&payload)?)),
                Piece::Frame(frame::ERR, payload) => Err(Broken::Turned(wire::read(&payload)?)),
                Piece::Frame(kind, _) => Err(WireError::Unexpected(kind).into()),
                Piece::Data(_) => Err(WireError::Unexpected(frame::DATA).into()),
                Piece::Fin => Err(ForwardError::Lost("the region closed the stream without an answer".into()).into()),
            });
        }
    }

    async fn into_body(mut self, head: &RespHead, flight: Flight) -> CutBody {
        let pump: Option<Box<dyn Pump>> = if self.uploaded {
            None
        } else {
            self.out.source.forget();
            Some(Box::new(self.out))
        };
        let mut body =
            CutBody::new(self.reader, head.body, code::CLIENT_GONE).with_pump(pump).with_guard(Box::new(flight));
        if head.body == BodyHint::Empty {
            // Its END comes with the head; nobody polls an empty body for it.
            poll_fn(|cx| body.poll_settled(cx)).await;
        }
        body
    }

    fn give_up(mut self) -> Replay<B> {
        self.reader.stop(code::CLIENT_GONE);
        let Outflow { source, .. } = self.out;
        source
    }
}

/// What a broken stream means before the answer's head.
fn broken(e: CutError) -> Broken {
    match e {
        CutError::Reset(c) if code::unprocessed(c) => Broken::Turned(Fault { code: c, text: e.to_string() }),
        CutError::Reset(code::DEADLINE) => ForwardError::Deadline.into(),
        CutError::Reset(code::BODY_TOO_LARGE) => ForwardError::TooLarge.into(),
        // The multiplexer there knows no visits (yet): nothing was read.
        CutError::Reset(c) if PeerError::unread(c) => {
            Broken::Turned(Fault { code: code::REJECTED_UNPROCESSED, text: "the node does not take visits".into() })
        }
        CutError::Wire(e) => e.into(),
        e => ForwardError::Lost(e.to_string()).into(),
    }
}
