//! The least HTTP/1.1 client that a test needs: one connection, one request at a time, deadlines everywhere.

#![allow(dead_code)] // each test binary uses its part

use serde_json::Value;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of a healthy node takes longer, even while a leader is being elected.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, in the order of arrival.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A connection that is kept between requests.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        Self::connect_within(address, DEADLINE)
    }

    pub(crate) fn connect_within(address: SocketAddr, deadline: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, deadline)?;
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_string() })
    }

    /// Sends one request and reads its whole answer. A `host` among the headers replaces the address.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("host: {}\r\n", self.host);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        head += "\r\n";
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.exchange(method, &request)
    }

    /// Sends a request that is written out already and reads its whole answer.
    pub(crate) fn exchange(&mut self, method: &str, request: &[u8]) -> Result<Answer> {
        self.stream.get_mut().write_all(request)?;
        self.read_answer(method)
    }

    fn read_answer(&mut self, method: &str) -> Result<Answer> {
        let start = self.line()?;
        let status = start.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&start))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method == "HEAD" || matches!(status, 204 | 304) {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            answer.body = self.chunks()?;
        } else if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().map_err(|_| bad(length))?];
            self.stream.read_exact(&mut answer.body)?;
        } else {
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
            let size = size.map_err(|_| bad(&line))?;
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the connection was closed"));
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn bad(line: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not HTTP: {line:?}"))
}

/// One GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    Client::connect(address)?.send("GET", path, headers, b"")
}
