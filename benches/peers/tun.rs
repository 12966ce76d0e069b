//! A network with distance, for kernels without one: packets between namespaces, each held back and some lost.
//!
//! Each host is a namespace with a `tun` device; host number N has 10.77.N.1. A thread per host reads its packets, a
//! queue ordered by time holds them, and one thread hands them out when they are due.
#![allow(unsafe_code)] // entering a namespace and attaching to a tun device have no safe call; both are in `attach`

use crate::{Flags, Outcome};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Result, Write};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The device in every namespace.
const DEVICE: &str = "wan";
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const IFF_TUN_WITHOUT_HEADER: u16 = 0x1001;

/// Namespaces that exist as long as this does. Needs root.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Makes one namespace per name and gives host N the address 10.77.N.1.
    pub(crate) fn new(names: &[&str]) -> Outcome<Self> {
        let hosts = Self(names.iter().map(|name| format!("meridian-bench-{name}")).collect());
        for (number, host) in hosts.0.iter().enumerate() {
            ip(&["netns", "add", host])?;
            let inside = ["netns", "exec", host, "ip"];
            ip(&[&inside[..], &["link", "set", "lo", "up"]].concat())?;
            ip(&[&inside[..], &["tuntap", "add", "dev", DEVICE, "mode", "tun"]].concat())?;
            let address = format!("10.77.{}.1/16", number + 1);
            ip(&[&inside[..], &["addr", "add", &address, "dev", DEVICE]].concat())?;
            ip(&[&inside[..], &["link", "set", DEVICE, "up", "mtu", "1500"]].concat())?;
        }
        Ok(hosts)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// The program and arguments that put a command into host `number` (from 1).
    pub(crate) fn inside(&self, number: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.0[number - 1]].map(str::to_owned).to_vec()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in &self.0 {
            let _ = ip(&["netns", "del", host]);
        }
    }
}

fn ip(arguments: &[&str]) -> Outcome<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
}

/// Opens the device of a namespace; the thread stays there, so each host has its own.
fn attach(host: &str) -> Result<File> {
    let namespace = File::open(format!("/var/run/netns/{host}"))?;
    // SAFETY: a plain system call on a descriptor that lives until after it.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
        return Err(Error::last_os_error());
    }
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    let mut request = [0_u8; 40]; // struct ifreq: 16 bytes of name, then the flags
    request[..DEVICE.len()].copy_from_slice(DEVICE.as_bytes());
    request[16..18].copy_from_slice(&IFF_TUN_WITHOUT_HEADER.to_ne_bytes());
    // SAFETY: the kernel reads and writes within the 40 bytes of `struct ifreq`.
    if unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, request.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(device)
}

#[derive(Clone, Copy)]
struct Link {
    one_way: Duration,
    loss: f64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    due: Instant,
    order: u64,
    to: usize,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Held {
    packets: BinaryHeap<Reverse<Packet>>,
    count: u64,
    random: u64,
}

/// Who waits for the next packet to be due, and what is due when.
type Queue = Arc<(Mutex<Held>, Condvar)>;

/// A number in 0.0–100.0 (xorshift).
fn percent(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
}

/// Reads one host's packets and queues each for the host that its destination names.
fn read(mut device: File, from: usize, links: &HashMap<(usize, usize), Link>, queue: &Queue) {
    let mut buffer = vec![0_u8; 2048];
    while let Ok(length) = device.read(&mut buffer) {
        // IPv4 only: byte 18 is the third of the destination's four.
        let to = usize::from(buffer[18]);
        let known = length >= 20 && buffer[0] >> 4 == 4;
        let Some(link) = links.get(&(from, to)).filter(|_| known) else { continue };
        let mut held = queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        if link.loss > 0.0 && percent(&mut held.random) < link.loss {
            continue;
        }
        held.count += 1;
        let packet =
            Packet { due: Instant::now() + link.one_way, order: held.count, to, bytes: buffer[..length].to_vec() };
        held.packets.push(Reverse(packet));
        queue.1.notify_one();
    }
}

fn deliver(devices: &mut HashMap<usize, File>, queue: &Queue) -> ! {
    let mut held = queue.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = Instant::now();
        match held.packets.peek() {
            Some(Reverse(packet)) if packet.due <= now => {
                let Some(Reverse(packet)) = held.packets.pop() else { continue };
                drop(held);
                if let Some(device) = devices.get_mut(&packet.to) {
                    // A full device drops, as a router would.
                    let _ = device.write(&packet.bytes);
                }
                held = queue.0.lock().unwrap_or_else(PoisonError::into_inner);
            }
            Some(Reverse(packet)) => {
                let wait = packet.due - now;
                held = queue.1.wait_timeout(held, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
            None => held = queue.1.wait(held).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// `carry --hosts A,B,C --links 1:2:40:1,… [--seed N]`: host by number, one-way ms, loss in percent. Runs until killed.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let mut links = HashMap::new();
    for entry in flags.text("links").ok_or("--links is missing")?.split(',') {
        let parts: Vec<f64> = entry.split(':').map(str::parse).collect::<std::result::Result<_, _>>()?;
        let [from, to, ms, loss] = parts[..] else { return Err(format!("not A:B:MS:LOSS: {entry}").into()) };
        let link = Link { one_way: Duration::from_secs_f64(ms / 1000.0), loss };
        links.insert((from as usize, to as usize), link);
        links.insert((to as usize, from as usize), link);
    }
    let links = Arc::new(links);
    let held = Held { random: flags.number("seed", 0x9e37_79b9_7f4a_7c15_u64), ..Held::default() };
    let queue: Queue = Arc::new((Mutex::new(held), Condvar::new()));
    let mut devices = HashMap::new();
    for (number, host) in flags.text("hosts").ok_or("--hosts is missing")?.split(',').enumerate() {
        let (host, number) = (host.to_owned(), number + 1);
        let device = std::thread::spawn(move || attach(&host)).join().map_err(|_| "attach panicked")??;
        let (reader, links, queue) = (device.try_clone()?, links.clone(), queue.clone());
        std::thread::spawn(move || read(reader, number, &links, &queue));
        devices.insert(number, device);
    }
    println!("carrying");
    deliver(&mut devices, &queue)
}
