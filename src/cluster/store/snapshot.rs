//! A snapshot as a stream: a head, then compressed chunks with checksums, then a tail that says how many keys there were.
//!
//! ```text
//! "MRDSNP" format:u16 | head length:u32 crc:u32 bytes | (raw:u32 packed:u32 crc:u32 bytes)* | 0:u32 keys:u64 crc:u32
//! chunk, unpacked: (key length:u32 key, value length:u32 value)*          all numbers big-endian
//! ```

use super::wire;
use crate::cluster::types::SnapshotMeta;
use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::PathBuf,
    sync::Arc,
};

const MAGIC: &[u8; 8] = b"MRDSNP\0\x01";
/// A chunk is closed once it holds this many bytes.
const CHUNK_BYTES: usize = 1 << 20;
/// The most that one chunk may hold: one value larger than a chunk goes alone.
const MOST_BYTES: u32 = 96 << 20;
const MOST_HEAD_BYTES: u32 = 1 << 20;
const LEVEL: i32 = 1;

/// Where a snapshot's bytes are. A clone is the same snapshot.
#[derive(Debug, Clone)]
pub(crate) enum SnapshotBody {
    /// In a file.
    File(Arc<SnapshotFile>),
    /// In memory (simulation).
    #[cfg_attr(not(test), allow(dead_code))]
    Memory(Arc<Vec<u8>>),
}

/// A snapshot in a file.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    pub(crate) path: PathBuf,
    /// Received and not adopted: it goes when nobody holds it.
    pub(crate) passing: bool,
}

impl Drop for SnapshotFile {
    fn drop(&mut self) {
        if self.passing {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

impl SnapshotBody {
    /// The bytes from the start.
    pub(crate) fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(file) => Box::new(BufReader::with_capacity(256 << 10, File::open(&file.path)?)),
            Self::Memory(bytes) => Box::new(io::Cursor::new(Shared(bytes.clone()))),
        })
    }
}

struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("snapshot is damaged: {what}"))
}

/// Writes a whole snapshot; how many keys it holds.
pub(super) fn write_snapshot(
    out: &mut dyn Write,
    meta: &SnapshotMeta,
    pairs: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
) -> io::Result<u64> {
    let head = wire::encode_meta(meta)?;
    out.write_all(MAGIC)?;
    out.write_all(&length(head.len())?.to_be_bytes())?;
    out.write_all(&crc32fast::hash(&head).to_be_bytes())?;
    out.write_all(&head)?;
    let (mut chunk, mut keys) = (Vec::new(), 0_u64);
    for (key, value) in pairs {
        for part in [key, value] {
            chunk.extend_from_slice(&length(part.len())?.to_be_bytes());
            chunk.extend_from_slice(&part);
        }
        keys += 1;
        if chunk.len() >= CHUNK_BYTES {
            write_chunk(out, &chunk)?;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        write_chunk(out, &chunk)?;
    }
    out.write_all(&0_u32.to_be_bytes())?;
    out.write_all(&keys.to_be_bytes())?;
    out.write_all(&crc32fast::hash(&keys.to_be_bytes()).to_be_bytes())?;
    Ok(keys)
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).ok().filter(|bytes| *bytes <= MOST_BYTES).ok_or_else(|| io::Error::other("value is too large"))
}

fn write_chunk(out: &mut dyn Write, chunk: &[u8]) -> io::Result<()> {
    let packed = zstd::bulk::compress(chunk, LEVEL)?;
    out.write_all(&length(chunk.len())?.to_be_bytes())?;
    out.write_all(&length(packed.len())?.to_be_bytes())?;
    out.write_all(&crc32fast::hash(&packed).to_be_bytes())?;
    out.write_all(&packed)
}

/// Reads a snapshot, checking as it goes. As an iterator it gives keys and values; a damaged or cut one ends in an error.
pub(crate) struct SnapshotReader {
    source: Box<dyn Read + Send>,
    meta: SnapshotMeta,
    chunk: Vec<u8>,
    at: usize,
    keys: u64,
    over: bool,
}

impl SnapshotReader {
    /// Reads the head.
    pub(crate) fn open(mut source: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut magic = [0; 8];
        source.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(damaged("it does not begin as one, or a newer version wrote it"));
        }
        let (bytes, crc) = (number(&mut source)?, number(&mut source)?);
        if bytes > MOST_HEAD_BYTES {
            return Err(damaged("head is too long"));
        }
        let mut head = vec![0; bytes as usize];
        source.read_exact(&mut head)?;
        if crc32fast::hash(&head) != crc {
            return Err(damaged("checksum of the head"));
        }
        let meta = wire::decode_meta(&head)?;
        Ok(Self { source, meta, chunk: Vec::new(), at: 0, keys: 0, over: false })
    }

    /// What the snapshot covers.
    pub(crate) fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Reads the rest only to check it.
    pub(crate) fn check(self) -> io::Result<SnapshotMeta> {
        let meta = self.meta.clone();
        for pair in self {
            pair?;
        }
        Ok(meta)
    }

    fn next_chunk(&mut self) -> io::Result<bool> {
        let raw = number(&mut self.source)?;
        if raw == 0 {
            let mut keys = [0; 8];
            self.source.read_exact(&mut keys)?;
            let crc = number(&mut self.source)?;
            if crc32fast::hash(&keys) != crc || u64::from_be_bytes(keys) != self.keys {
                return Err(damaged("it does not hold as many keys as it says"));
            }
            return Ok(false);
        }
        let (packed, crc) = (number(&mut self.source)?, number(&mut self.source)?);
        if raw > MOST_BYTES * 2 || packed > MOST_BYTES * 2 {
            return Err(damaged("chunk is too long"));
        }
        let mut bytes = vec![0; packed as usize];
        self.source.read_exact(&mut bytes)?;
        if crc32fast::hash(&bytes) != crc {
            return Err(damaged("checksum of a chunk"));
        }
        self.chunk = zstd::bulk::decompress(&bytes, raw as usize)?;
        self.at = 0;
        if self.chunk.len() != raw as usize {
            return Err(damaged("length of a chunk"));
        }
        Ok(true)
    }

    fn part(&mut self) -> io::Result<Vec<u8>> {
        let rest = &self.chunk[self.at..];
        let (length, rest) = rest.split_at_checked(4).ok_or_else(|| damaged("a chunk ends within a key"))?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let part = rest.get(..length).ok_or_else(|| damaged("a chunk ends within a value"))?.to_vec();
        self.at += 4 + length;
        Ok(part)
    }

    fn pair(&mut self) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        if self.at >= self.chunk.len() && !self.next_chunk()? {
            return Ok(None);
        }
        let pair = (self.part()?, self.part()?);
        self.keys += 1;
        Ok(Some(pair))
    }
}

impl Iterator for SnapshotReader {
    type Item = io::Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let pair = self.pair();
        self.over = !matches!(pair, Ok(Some(_)));
        pair.transpose()
    }
}

fn number(source: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    source.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn written(pairs: &Pairs) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_snapshot(&mut bytes, &SnapshotMeta::default(), pairs.iter().cloned()).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> io::Result<Pairs> {
        SnapshotReader::open(Box::new(io::Cursor::new(bytes.to_vec())))?.collect()
    }

    fn many() -> Pairs {
        (0..40_u8).map(|i| (vec![i; 3], vec![i.wrapping_mul(37); 70_000])).collect()
    }

    #[test]
    fn a_snapshot_of_several_chunks_comes_back() {
        assert_eq!(read(&written(&many())).unwrap(), many());
        assert_eq!(read(&written(&Vec::new())).unwrap(), Pairs::new());
    }

    #[test]
    fn an_empty_snapshot_keeps_its_golden_bytes() {
        let hex: String = written(&Vec::new()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "4d5244534e50000100000005fb42dead01000000000000000000000000000000006522df69");
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed() {
        let whole = written(&vec![(b"key".to_vec(), b"value, value, value".to_vec())]);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(read(&bytes).is_err(), "flipped at {at}");
        }
    }
}
