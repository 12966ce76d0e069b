//! Callers of the admin listener: each on a connection of its own, every call signed, timed and judged by its status.

use crate::nodes::Cluster;
use crate::nodes::http::{Answer, Client};
use crate::signer::Signer;
use crate::table::middle;
use crate::{Outcome, process};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// One call.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// What a success answers.
    pub(crate) status: u16,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: Vec::new(), status: 200 }
    }

    pub(crate) fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST", path: path.into(), body: body.into(), status: 201 }
    }

    pub(crate) fn patch(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "PATCH", path: path.into(), body: body.into(), status: 200 }
    }
}

/// Somebody with an access key and a connection.
pub(crate) struct Caller {
    client: Client,
    signer: Signer,
}

impl Caller {
    pub(crate) fn of(cluster: &Cluster, node: usize) -> Outcome<Self> {
        let address: SocketAddr = cluster.nodes[node].listen.admin;
        let signer = Signer {
            access_key_id: cluster.access_key_id.clone(),
            secret_access_key: cluster.secret_access_key.clone(),
            region: cluster.nodes[0].region.clone(),
            host: address.to_string(),
        };
        Ok(Self { client: Client::connect(address)?, signer })
    }

    /// Sends a call; its answer and how long it took, ms. Another status than the wanted one is an error.
    pub(crate) fn send(&mut self, request: &Request) -> Outcome<(Answer, f64)> {
        let Request { method, path, body, status } = request;
        let signed = self.signer.headers(method, path, body);
        let headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let asked = Instant::now();
        let answer = self.client.send(method, path, &headers, body)?;
        if answer.status != *status {
            return Err(format!("{method} {path}: {} {}", answer.status, answer.text()).into());
        }
        Ok((answer, asked.elapsed().as_secs_f64() * 1000.0))
    }
}

/// Times of one kind of call, and calls a second.
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    /// Calls for each second of CPU that the asked node spent.
    pub(crate) per_cpu_second: f64,
    /// Sorted, ms.
    pub(crate) times: Vec<f64>,
}

impl Rate {
    pub(crate) fn p50(&self) -> f64 {
        middle(&self.times)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.times.get(self.times.len() * 99 / 100).copied().unwrap_or(0.0)
    }

    pub(crate) fn most(&self) -> f64 {
        self.times.last().copied().unwrap_or(0.0)
    }
}

/// When callers stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Calls(usize),
    Elapsed(Duration),
}

/// `clients` callers of `node`, each on a connection of its own; `next` makes the call of a number, `see` gets its answer.
pub(crate) fn drive(
    cluster: &Cluster,
    node: usize,
    clients: usize,
    until: Until,
    next: impl Fn(usize) -> Request + Sync,
    see: impl Fn(usize, Answer) + Sync,
) -> Outcome<Rate> {
    let (number, began) = (AtomicUsize::new(0), Instant::now());
    let pid = cluster.nodes[node].pid().ok_or("the node does not run")?;
    let cpu = process::cpu_seconds(pid);
    let goes_on = |n: usize| match until {
        Until::Calls(calls) => n < calls,
        Until::Elapsed(time) => began.elapsed() < time,
    };
    let one = || -> Outcome<Vec<f64>> {
        let mut caller = Caller::of(cluster, node)?;
        let mut times = Vec::new();
        loop {
            let n = number.fetch_add(1, Relaxed);
            if !goes_on(n) {
                return Ok(times);
            }
            let (answer, ms) = caller.send(&next(n))?;
            times.push(ms);
            see(n, answer);
        }
    };
    let mut times = Vec::new();
    std::thread::scope(|scope| -> Outcome<()> {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            times.extend(thread.join().map_err(|_| "a caller panicked")??);
        }
        Ok(())
    })?;
    let (took, cpu) = (began.elapsed().as_secs_f64(), process::cpu_seconds(pid) - cpu);
    times.sort_by(f64::total_cmp);
    let count = times.len() as f64;
    Ok(Rate { per_second: count / took, per_cpu_second: count / cpu.max(0.01), times })
}
