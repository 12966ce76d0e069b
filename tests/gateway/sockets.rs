//! A client that speaks bytes, so that tests decide about every one of them.

use meridian::net::http::{HttpLimits, ListenOptions, Listener, Serve, Workers};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as read from the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The first line, without its end.
    pub(crate) line: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A listener on a free loopback port with one worker.
pub(crate) async fn listen<S: Serve + Sync>(service: S, limits: HttpLimits) -> (Listener, Workers) {
    let workers = Workers::start("test", 1).expect("worker");
    let options = ListenOptions { limits, ..ListenOptions::default() };
    let listener = Listener::start(loopback(), options, workers.clone(), service).await.expect("free port");
    (listener, workers)
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A connection that is written to and read from piece by piece.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    seen: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(addr: SocketAddr) -> Raw {
        Raw { stream: TcpStream::connect(addr).await.expect("listening"), seen: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("written");
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.seen)).await.expect("bytes in time");
        read.unwrap_or(0) > 0
    }

    /// The next answer, or `None` when the connection closes cleanly or by reset before one is whole.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    /// The same for a request of this method: HEAD has no body whatever its headers say.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let end = loop {
            if let Some(at) = find(&self.seen, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.seen.drain(..end).collect()).expect("head is text");
        let mut lines = head.split("\r\n");
        let line = lines.next()?.to_string();
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": ").or_else(|| line.split_once(':')))
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect();
        let mut answer = Answer { line, status, headers, body: Vec::new() };
        if method == "HEAD" || status == 204 || status == 304 || status < 200 {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            answer.body = self.chunks().await?;
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().expect("length");
            while self.seen.len() < length {
                if !self.more().await {
                    return None;
                }
            }
            answer.body = self.seen.drain(..length).collect();
        } else {
            while self.more().await {}
            answer.body = std::mem::take(&mut self.seen);
        }
        Some(answer)
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let at = loop {
                match find(&self.seen, b"\r\n") {
                    Some(at) => break at,
                    None if self.more().await => {}
                    None => return None,
                }
            };
            let line: Vec<u8> = self.seen.drain(..at + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line[..at]).ok()?.trim(), 16).ok()?;
            while self.seen.len() < size + 2 {
                if !self.more().await {
                    return None;
                }
            }
            body.extend(self.seen.drain(..size));
            self.seen.drain(..2);
            if size == 0 {
                return Some(body);
            }
        }
    }

    /// Whether the other side closes without sending anything more.
    pub(crate) async fn closes(&mut self) -> bool {
        self.seen.is_empty() && !self.more().await
    }
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

/// Sends bytes on a new connection and reads one answer.
pub(crate) async fn ask(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Answer> {
    let method = String::from_utf8_lossy(bytes.as_ref()).split(' ').next().unwrap_or("GET").to_string();
    let mut raw = Raw::connect(addr).await;
    raw.send(bytes).await;
    raw.answer_to(&method).await
}
