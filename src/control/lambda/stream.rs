//! A function's answer in pieces: as plain bytes, or as AWS's event stream (`application/vnd.amazon.eventstream`).
//!
//! ```text
//! message = total:u32 headers:u32 crc:u32 | (name length:u8 name, 7, value length:u16 value)* | payload | crc:u32
//! ```
//! Numbers are big-endian; the first checksum covers what is before it, the second all but itself.

use crate::function::call::{Broken, Payload};
use crate::net::http::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http_body::Frame;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// Most bytes of one event's payload: a longer piece makes several.
const PIECE: usize = 1 << 20;

/// One message.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut named = BytesMut::new();
    for (name, value) in headers {
        // Names and values are ours, and short.
        named.put_u8(name.len() as u8);
        named.put_slice(name.as_bytes());
        named.put_u8(7);
        named.put_u16(value.len() as u16);
        named.put_slice(value.as_bytes());
    }
    let total = 16 + named.len() + payload.len();
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(total as u32);
    out.put_u32(named.len() as u32);
    out.put_u32(crc32fast::hash(&out));
    out.put_slice(&named);
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}

fn chunk(payload: &[u8]) -> Bytes {
    let headers =
        [(":message-type", "event"), (":event-type", "PayloadChunk"), (":content-type", "application/octet-stream")];
    message(&headers, payload)
}

/// The last event: how it ended.
fn complete(error: Option<(&str, &str)>, log: Option<&str>) -> Bytes {
    let mut body = Map::new();
    if let Some((code, details)) = error {
        body.insert("ErrorCode".to_owned(), code.into());
        body.insert("ErrorDetails".to_owned(), details.into());
    }
    if let Some(log) = log {
        body.insert("LogResult".to_owned(), log.into());
    }
    let headers =
        [(":message-type", "event"), (":event-type", "InvokeComplete"), (":content-type", "application/json")];
    message(&headers, Value::Object(body).to_string().as_bytes())
}

/// An answer as events. A function that failed before its answer is told of by the last one alone.
pub(super) fn events(payload: Payload, function_error: Option<&str>, log: Option<&str>) -> Body {
    match payload {
        Payload::Whole(bytes) => {
            let mut out = BytesMut::new();
            let text = String::from_utf8_lossy(&bytes);
            match function_error {
                Some(code) => out.extend_from_slice(&complete(Some((code, &text)), log)),
                None => {
                    bytes.chunks(PIECE).for_each(|piece| out.extend_from_slice(&chunk(piece)));
                    out.extend_from_slice(&complete(None, log));
                }
            }
            Body::full(out.freeze())
        }
        Payload::Pieces(pieces) => Body::peer(Pieces {
            pieces: Some(pieces),
            ready: VecDeque::new(),
            as_events: true,
            log: log.map(Into::into),
        }),
    }
}

/// The pieces one after another.
pub(super) fn plain(pieces: Receiver<Result<Bytes, Broken>>) -> Body {
    Body::peer(Pieces { pieces: Some(pieces), ready: VecDeque::new(), as_events: false, log: None })
}

struct Pieces {
    /// Gone once the end was seen.
    pieces: Option<Receiver<Result<Bytes, Broken>>>,
    ready: VecDeque<Bytes>,
    as_events: bool,
    log: Option<Box<str>>,
}

impl Pieces {
    fn take(&mut self, piece: Option<Result<Bytes, Broken>>) -> Result<(), Broken> {
        match piece {
            Some(Ok(bytes)) if self.as_events => self.ready.extend(bytes.chunks(PIECE).map(chunk)),
            Some(Ok(bytes)) => self.ready.push_back(bytes),
            Some(Err(broken)) => {
                self.pieces = None;
                if !self.as_events {
                    return Err(broken);
                }
                let (code, details) = super::invoke::told(&broken);
                self.ready.push_back(complete(Some((&code, &details)), self.log.as_deref()));
            }
            None => {
                self.pieces = None;
                if self.as_events {
                    self.ready.push_back(complete(None, self.log.as_deref()));
                }
            }
        }
        Ok(())
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                if bytes.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(pieces) = self.pieces.as_mut() else { return Poll::Ready(None) };
            let Poll::Ready(piece) = pieces.poll_recv(cx) else { return Poll::Pending };
            if let Err(broken) = self.take(piece) {
                return Poll::Ready(Some(Err(format!("the function failed: {}", broken.error_type))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_message_has_its_lengths_and_checksums() {
        // The empty message of AWS's own tests.
        assert_eq!(hex(&message(&[], b"")), "000000100000000005c248eb7d98c8ff");
        let said = message(&[("a", "b")], b"{}");
        assert_eq!(u32::from_be_bytes(said[..4].try_into().unwrap()) as usize, said.len());
        assert_eq!(u32::from_be_bytes(said[4..8].try_into().unwrap()), 6);
        assert_eq!(hex(&said[12..said.len() - 4]), "01610700016 27b7d".replace(' ', ""));
        let crc = u32::from_be_bytes(said[said.len() - 4..].try_into().unwrap());
        assert_eq!(crc, crc32fast::hash(&said[..said.len() - 4]));
    }

    async fn sent(body: Body) -> Result<Vec<u8>, String> {
        body.collect(64 << 20).await.map(|bytes| bytes.to_vec()).map_err(|cause| cause.to_string())
    }

    #[tokio::test]
    async fn pieces_become_events_and_the_last_says_how_it_ended() {
        let (sender, pieces) = tokio::sync::mpsc::channel(4);
        for piece in [&b"one"[..], b"", b"two"] {
            sender.send(Ok(Bytes::from_static(piece))).await.unwrap();
        }
        drop(sender);
        let body = events(Payload::Pieces(pieces), None, None);
        let expected = [chunk(b"one"), chunk(b"two"), complete(None, None)].concat();
        assert_eq!(sent(body).await.unwrap(), expected);

        let (sender, pieces) = tokio::sync::mpsc::channel(4);
        let broken = || Broken { error_type: "Runtime.ExitError".into(), message: "exit status 1".into() };
        sender.send(Ok(Bytes::from_static(b"one"))).await.unwrap();
        sender.send(Err(broken())).await.unwrap();
        let expected = [chunk(b"one"), complete(Some(("Runtime.ExitError", "exit status 1")), None)].concat();
        assert_eq!(sent(events(Payload::Pieces(pieces), None, None)).await.unwrap(), expected);

        let (sender, pieces) = tokio::sync::mpsc::channel(4);
        sender.send(Err(broken())).await.unwrap();
        assert!(sent(plain(pieces)).await.is_err(), "plain bytes are cut off");
    }

    #[tokio::test]
    async fn a_whole_answer_is_cut_into_events_and_an_error_is_the_last_one() {
        let whole = Payload::Whole(vec![7; PIECE + 1].into());
        let expected = [chunk(&vec![7; PIECE]), chunk(&[7]), complete(None, Some("bG9n"))].concat();
        assert_eq!(sent(events(whole, None, Some("bG9n"))).await.unwrap(), expected);
        let failed = Payload::Whole(Bytes::from_static(b"{\"errorMessage\":\"no\"}"));
        let expected = complete(Some(("Unhandled", "{\"errorMessage\":\"no\"}")), None);
        assert_eq!(sent(events(failed, Some("Unhandled"), None)).await.unwrap(), expected);
    }
}
