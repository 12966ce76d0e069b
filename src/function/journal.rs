//! What a process prints: whole lines into its function's log, between Lambda's START, END and REPORT.
//!
//! A line reads `TIME STREAM REQUEST_ID TEXT`. A process that prints more than its share loses lines, which are counted; it
//! never waits for a disk, and never fills memory.

use crate::observe::function::FunctionMetrics;
use crate::observe::log_files::{LogName, LogShelf};
use base64::Engine;
use std::collections::VecDeque;
use std::io;
use std::time::Instant;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// A longer line is cut, bytes; CloudWatch: 256 KiB.
const LONGEST_LINE: usize = 256 << 10;
/// What is read at once, bytes.
const CHUNK: usize = 64 << 10;
/// `X-Amz-Log-Result`: the last bytes of an invocation's log.
const TAIL_BYTES: usize = 4 << 10;
/// Most that is read when an invocation ends: what it printed may lie in the pipe, which holds less.
const DRAIN_BYTES: usize = 2 << 20;

/// What a process's log is told.
#[derive(Debug)]
pub(super) enum Note {
    /// An invocation begins.
    Begin {
        /// Its id.
        request_id: Box<str>,
    },
    /// A line of ours.
    Line(String),
    /// The invocation ended: all that it printed until now is its own.
    End {
        /// The lines that close it.
        lines: Vec<String>,
        /// The last 4 KiB, base64.
        done: oneshot::Sender<Box<str>>,
    },
}

/// The writing end.
#[derive(Debug, Clone)]
pub(super) struct Journal(mpsc::UnboundedSender<Note>);

impl Journal {
    /// Tells the log something. Notes are few: a handful for each invocation, one at a time.
    pub(super) fn tell(&self, note: Note) {
        // After the process's end nobody reads it.
        let _ = self.0.send(note);
    }

    /// Closes an invocation's log, and gives its tail.
    pub(super) async fn end(&self, lines: Vec<String>) -> Box<str> {
        let (done, tail) = oneshot::channel();
        self.tell(Note::End { lines, done });
        tail.await.unwrap_or_default()
    }
}

/// Where a process's lines go.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) shelf: LogShelf,
    pub(super) name: LogName,
    pub(super) stream: Box<str>,
    pub(super) metrics: FunctionMetrics,
    /// Bytes a second; four times as much in a burst.
    pub(super) bytes_per_s: u64,
}

/// Starts to read a process's output, on the runtime that this is called on. It ends when the pipe and the notes did.
pub(super) fn start(output: pipe::Receiver, sink: Sink) -> Journal {
    let (notes, read) = mpsc::unbounded_channel();
    tokio::spawn(Reader::new(sink).run(output, read));
    Journal(notes)
}

struct Reader {
    sink: Sink,
    request_id: Box<str>,
    /// The beginning of a line that has no end yet.
    partial: Vec<u8>,
    /// The rest of a line that was cut.
    cutting: bool,
    tail: VecDeque<u8>,
    /// Bytes that may still be written.
    share: u64,
    refilled: Instant,
    dropped: u64,
}

impl Reader {
    fn new(sink: Sink) -> Reader {
        let share = sink.bytes_per_s * 4;
        Reader {
            sink,
            request_id: "-".into(),
            partial: Vec::new(),
            cutting: false,
            tail: VecDeque::new(),
            share,
            refilled: Instant::now(),
            dropped: 0,
        }
    }

    async fn run(mut self, output: pipe::Receiver, mut notes: mpsc::UnboundedReceiver<Note>) {
        let mut open = true;
        let mut chunk = vec![0; CHUNK];
        loop {
            tokio::select! {
                biased;
                note = notes.recv() => match note {
                    Some(note) => open &= self.note(note, &output, &mut chunk),
                    None if open => {
                        // The last owner is gone; what the process still says is read until its end.
                        while output.readable().await.is_ok() && self.take(&output, &mut chunk, usize::MAX) {}
                        break;
                    }
                    None => break,
                },
                ready = output.readable(), if open => {
                    open = ready.is_ok() && self.take(&output, &mut chunk, CHUNK);
                }
            }
        }
        self.cut();
        self.say_dropped();
    }

    /// Reads what is there; whether the pipe is still open.
    fn take(&mut self, output: &pipe::Receiver, chunk: &mut [u8], most: usize) -> bool {
        let mut taken = 0;
        while taken < most {
            match output.try_read(chunk) {
                Ok(0) => return false,
                Ok(read) => {
                    taken += read;
                    self.split(&chunk[..read]);
                }
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn note(&mut self, note: Note, output: &pipe::Receiver, chunk: &mut [u8]) -> bool {
        let open = self.take(output, chunk, DRAIN_BYTES);
        match note {
            Note::Begin { request_id } => {
                self.cut();
                self.tail.clear();
                self.request_id = request_id;
            }
            Note::Line(line) => {
                self.cut();
                self.own(&line);
            }
            Note::End { lines, done } => {
                self.cut();
                self.say_dropped();
                for line in lines {
                    self.own(&line);
                }
                self.request_id = "-".into();
                let tail: Vec<u8> = self.tail.drain(..).collect();
                // Nobody may want it.
                let _ = done.send(base64::engine::general_purpose::STANDARD.encode(tail).into());
            }
        }
        open
    }

    fn split(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.gather(&bytes[..end]);
            if !std::mem::take(&mut self.cutting) {
                self.flush();
            }
            bytes = &bytes[end + 1..];
        }
        self.gather(bytes);
    }

    /// Adds to the line that has no end yet; one that is too long goes as it is, and its rest is dropped.
    fn gather(&mut self, bytes: &[u8]) {
        if self.cutting {
            return;
        }
        let room = LONGEST_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.flush();
            self.cutting = true;
        }
    }

    /// Ends a line that the process left open.
    fn cut(&mut self) {
        if !self.partial.is_empty() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&line);
        self.refill();
        if let Some(left) = self.share.checked_sub(text.len() as u64 + 1) {
            self.share = left;
            self.write(&text);
        } else {
            self.dropped += 1;
        }
        self.partial = line;
        self.partial.clear();
        self.partial.shrink_to(CHUNK);
    }

    fn refill(&mut self) {
        let gained = self.refilled.elapsed().as_millis() * u128::from(self.sink.bytes_per_s) / 1_000;
        if gained > 0 {
            let gained = u64::try_from(gained).unwrap_or(u64::MAX);
            self.share = self.share.saturating_add(gained).min(self.sink.bytes_per_s * 4);
            self.refilled = Instant::now();
        }
    }

    fn say_dropped(&mut self) {
        if self.dropped > 0 {
            self.sink.metrics.log_lines_dropped.inc_by(self.dropped);
            let line = format!("{} lines were dropped: the function prints more than its log takes", self.dropped);
            self.dropped = 0;
            self.own(&line);
        }
    }

    /// A line that does not count against the process's share.
    fn own(&mut self, line: &str) {
        self.write(line);
    }

    fn write(&mut self, text: &str) {
        self.tail.extend(text.bytes().chain([b'\n']));
        let over = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..over);
        let time = jiff::Timestamp::now();
        let text = text.replace('\r', " ");
        let line = format!("{time:.3} {} {} {text}", self.sink.stream, self.request_id);
        self.sink.shelf.push(&self.sink.name, &line);
    }
}
