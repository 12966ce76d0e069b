//! The least that a Runtime API and a runtime can be: blocking sockets and no more HTTP than they need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A connection that reads heads and bodies.
struct Link {
    read: BufReader<TcpStream>,
    write: TcpStream,
}

impl Link {
    fn new(stream: TcpStream) -> Link {
        stream.set_nodelay(true).expect("nodelay");
        let write = stream.try_clone().expect("a clone");
        Link { read: BufReader::new(stream), write }
    }

    /// First line, the named header, body. `None` at the end.
    fn receive(&mut self, header: &str) -> Option<(String, String, Vec<u8>)> {
        let (mut first, mut wanted, mut length, mut chunked) = (String::new(), String::new(), 0, false);
        if self.read.read_line(&mut first).ok()? == 0 {
            return None;
        }
        loop {
            let mut line = String::new();
            self.read.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase() {
                name if name == "content-length" => length = value.trim().parse().ok()?,
                name if name == "transfer-encoding" => chunked = true,
                name if name == header => wanted = value.trim().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.read.read_exact(&mut body).ok()?;
        while chunked {
            let mut line = String::new();
            self.read.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut piece = vec![0; size + 2];
            self.read.read_exact(&mut piece).ok()?;
            body.extend_from_slice(&piece[..size]);
            chunked = size > 0;
        }
        Some((first, wanted, body))
    }

    fn send(&mut self, head: &str, body: &[u8]) {
        let mut all = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        all.extend_from_slice(body);
        self.write.write_all(&all).expect("sent");
    }
}

/// As `bootstrap`: answers each event with itself.
pub(super) fn runtime() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("a Runtime API");
    let mut link = Link::new(TcpStream::connect(&api).expect("connected"));
    loop {
        link.send(&format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {api}"), b"");
        let Some((_, id, event)) = link.receive("lambda-runtime-aws-request-id") else { return };
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        link.send(&format!("POST {path} HTTP/1.1\r\nHost: {api}"), &event);
        if link.receive("").is_none() {
            return;
        }
    }
}

/// A runtime under a bare Runtime API.
struct Bare {
    child: Child,
    link: Link,
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bare {
    /// Starts it and waits for its first question.
    fn new(command: &[String], code: &Path) -> Bare {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let child = Command::new(&command[0])
            .args(&command[1..])
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().expect("an address").to_string())
            .env("_HANDLER", "app.handler")
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("LAMBDA_TASK_ROOT", code)
            .current_dir(code)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut link = Link::new(listener.accept().expect("a connection").0);
        link.receive("").expect("a first question");
        Bare { child, link }
    }

    /// One event and its answer, until the next question.
    fn turn(&mut self) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n\
                    Lambda-Runtime-Deadline-Ms: 99999999999999\r\nLambda-Runtime-Invoked-Function-Arn: arn";
        self.link.send(head, b"{\"a\":1}");
        self.link.receive("").expect("an answer");
        self.link.send("HTTP/1.1 202 Accepted", b"{}");
        self.link.receive("").expect("the next question");
    }
}

/// From nothing to the first answer.
pub(super) fn start(command: &[String], code: &Path) -> Duration {
    let begun = Instant::now();
    let mut bare = Bare::new(command, code);
    bare.turn();
    begun.elapsed()
}

/// Times of turns, one after the other.
pub(super) fn loops(command: &[String], code: &Path, turns: usize) -> Vec<Duration> {
    let mut bare = Bare::new(command, code);
    bare.turn();
    (0..turns)
        .map(|_| {
            let begun = Instant::now();
            bare.turn();
            begun.elapsed()
        })
        .collect()
}
