//! Whether a connection to a process's Runtime API comes from that process: every process of this machine can reach a
//! loopback port, and find it.

use super::child::family::descendants;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddrV4;

/// What the system says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is the process's own.
    Own,
    /// It is somebody else's.
    Foreign,
    /// The system does not tell.
    Unknown,
}

/// Whose connection `from` → `to` is, seen from the child `root` of the node. Blocks.
pub(super) fn origin(root: u32, from: SocketAddrV4, to: SocketAddrV4) -> Origin {
    let Some(inode) = inode_of(from, to) else { return Origin::Unknown };
    let socket = format!("socket:[{inode}]");
    let family = descendants(root);
    let mut blind = family.is_empty();
    for pid in family {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            // It may just have ended.
            blind |= fs::metadata(format!("/proc/{pid}")).is_ok();
            continue;
        };
        let holds =
            |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket.as_str());
        if files.flatten().any(holds) {
            return Origin::Own;
        }
    }
    if blind { Origin::Unknown } else { Origin::Foreign }
}

/// The inode of the socket at the other end.
fn inode_of(from: SocketAddrV4, to: SocketAddrV4) -> Option<u64> {
    let plain = |at: SocketAddrV4| format!("{:08X}:{:04X}", u32::from(*at.ip()).swap_bytes(), at.port());
    let mapped = |at: SocketAddrV4| format!("0000000000000000FFFF0000{}", plain(at));
    find("/proc/net/tcp", &plain(from), &plain(to)).or_else(|| find("/proc/net/tcp6", &mapped(from), &mapped(to)))
}

fn find(table: &str, from: &str, to: &str) -> Option<u64> {
    let file = BufReader::with_capacity(64 << 10, File::open(table).ok()?);
    for line in file.lines().map_while(Result::ok) {
        let mut words = line.split_ascii_whitespace().skip(1);
        if words.next() == Some(from) && words.next() == Some(to) {
            return words.nth(6)?.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener, TcpStream};

    #[test]
    fn a_connection_of_somebody_else_is_known() {
        let listener = TcpListener::bind("127.83.1.2:0").expect("bound");
        let Ok(SocketAddr::V4(to)) = listener.local_addr() else { panic!("an IPv4 address") };
        let stream = TcpStream::connect(to).expect("connected");
        let Ok(SocketAddr::V4(from)) = stream.local_addr() else { panic!("an IPv4 address") };
        let inode = inode_of(from, to).expect("it is in the table");
        assert!(inode > 0);
        let mut child = std::process::Command::new("sleep").arg("100").spawn().expect("a child");
        // This test holds the connection, its child does not; and the child has no children.
        let mine = std::process::id();
        let told = origin(mine, from, to);
        child.kill().and_then(|()| child.wait()).expect("ended");
        assert_eq!(told, Origin::Foreign);
    }
}
