//! Makes ids out of a seed: the same seed makes the same ids, so that an operation stays a pure function.

use aws_lc_rs::digest::{SHA256, digest};

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A source of ids: SHA-256 over seed and counter. As hard to guess as its seed is.
#[derive(Debug, Clone)]
pub struct Mint {
    seed: [u8; 16],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Mint {
    /// A mint for one call; `seed` must be fresh randomness where what it makes must not be guessed.
    #[must_use]
    pub fn new(seed: [u8; 16]) -> Self {
        Self { seed, counter: 0, block: [0; 32], used: 32 }
    }

    /// The next byte of the stream.
    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            let mut input = [0; 24];
            input[..16].copy_from_slice(&self.seed);
            input[16..].copy_from_slice(&self.counter.to_be_bytes());
            self.block.copy_from_slice(digest(&SHA256, &input).as_ref());
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    fn pick(&mut self, alphabet: &[u8], length: usize) -> String {
        // Bytes beyond the last whole multiple of the alphabet would favour its first letters.
        let fair = 256 - 256 % alphabet.len();
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let byte = usize::from(self.byte());
            if byte < fair {
                text.push(char::from(alphabet[byte % alphabet.len()]));
            }
        }
        text
    }

    /// `length` of `[a-z0-9]`: ids.
    pub fn lower(&mut self, length: usize) -> String {
        self.pick(LOWER, length)
    }

    /// `length` of `[A-Za-z0-9]`: API key values, secrets.
    pub fn mixed(&mut self, length: usize) -> String {
        self.pick(MIXED, length)
    }

    /// Raw bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A random UUID (RFC 9562 version 4), in lower case.
    pub fn uuid(&mut self) -> String {
        let mut b: [u8; 16] = self.bytes();
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let hex: String = b.iter().map(|x| format!("{x:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::Mint;

    #[test]
    fn the_same_seed_makes_the_same_ids_and_another_makes_others() {
        let ids =
            |seed| (Mint::new([seed; 16]).lower(10), Mint::new([seed; 16]).mixed(40), Mint::new([seed; 16]).uuid());
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn ids_have_their_form() {
        let mut mint = Mint::new([7; 16]);
        let (lower, mixed, uuid) = (mint.lower(1000), mint.mixed(1000), mint.uuid());
        assert!(lower.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert!(mixed.bytes().all(|b| b.is_ascii_alphanumeric()) && mixed.bytes().any(|b| b.is_ascii_uppercase()));
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert_ne!(mint.lower(10), mint.lower(10));
    }
}
