//! Secrets of rows, hidden under the cluster's key (foundations §8.3).
//!
//! A sealed secret is: key version (1 byte), nonce (12), AES-256-GCM of the secret with its tag. The index of a secret is
//! an HMAC-SHA-256 under a key derived from the same one, so that a look-up needs no opening.

use crate::control::Seal;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;

/// The version of the only key there is yet; rotation (issue F) adds others.
const KEY_VERSION: u8 = 1;

/// The cluster's sealing key, ready for use.
pub(super) struct SealKey {
    aead: LessSafeKey,
    index: hmac::Key,
    nonce: hmac::Key,
}

impl SealKey {
    /// From its 32 bytes; `None` for another length.
    #[must_use]
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derive = |label: &[u8]| hmac::sign(&root, label);
        let aead = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derive(b"meridian seal 1").as_ref()).ok()?);
        let part = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, derive(label).as_ref());
        (key.len() == 32).then(|| Self { aead, index: part(b"meridian index 1"), nonce: part(b"meridian nonce 1") })
    }
}

impl Seal for SealKey {
    fn seal(&self, secret: &[u8], seed: [u8; 16]) -> Vec<u8> {
        // The nonce is made of seed and secret: one seed may seal several secrets, and evaluation stays a pure function.
        let mut context = hmac::Context::with_key(&self.nonce);
        context.update(&seed);
        context.update(secret);
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&context.sign().as_ref()[..12]);
        let mut body = secret.to_vec();
        let sealed = self.aead.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from([KEY_VERSION]),
            &mut body,
        );
        if sealed.is_err() {
            // AES-GCM refuses only what is longer than 64 GiB.
            return Vec::new();
        }
        [&[KEY_VERSION], nonce.as_slice(), &body].concat()
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, body) = rest.split_at_checked(12)?;
        if *version != KEY_VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let length = self.aead.open_in_place(nonce, Aad::from([KEY_VERSION]), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }

    fn index(&self, secret: &[u8]) -> [u8; 32] {
        let mut index = [0; 32];
        index.copy_from_slice(hmac::sign(&self.index, secret).as_ref());
        index
    }
}

#[cfg(test)]
mod tests {
    use super::{Seal, SealKey};

    #[test]
    fn what_was_sealed_opens_under_the_same_key_only() {
        let (ours, theirs) = (SealKey::new(&[1; 32]).unwrap(), SealKey::new(&[2; 32]).unwrap());
        let sealed = ours.seal(b"secret", [3; 16]);
        assert_eq!(ours.open(&sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(theirs.open(&sealed), None);
        assert_ne!(ours.index(b"secret"), theirs.index(b"secret"));
        assert_ne!(ours.seal(b"secreT", [3; 16])[1..13], sealed[1..13], "a nonce must not seal two secrets");
        for cut in 0..sealed.len() {
            assert_eq!(ours.open(&sealed[..cut]), None);
        }
        assert!(SealKey::new(&[1; 31]).is_none());
    }
}
