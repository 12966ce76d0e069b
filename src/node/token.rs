//! Join tokens: what an operator carries from the cluster to a new machine.
//!
//! `mdn1.` and base64url of JSON: cluster id, hash of the CA's key, the secret, region, where to knock. The cluster keeps
//! only the hash of the secret (foundations §8.4).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

const PREFIX: &str = "mdn1.";

/// A join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The cluster.
    #[serde(rename = "c")]
    pub cluster_id: String,
    /// Hex of the SHA-256 of the CA's public key: the new node trusts no other.
    #[serde(rename = "h")]
    pub ca_sha256: String,
    /// What the cluster recognises it by.
    #[serde(rename = "s")]
    pub secret: String,
    /// The only region that it is good for; empty: any.
    #[serde(rename = "r", default)]
    pub region: String,
    /// Where nodes of the cluster are reached.
    #[serde(rename = "a")]
    pub addresses: Vec<SocketAddr>,
}

/// Why a text is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no join token (they begin with `{PREFIX}`): copy the whole line that `meridian token create` printed")]
pub struct TokenError;

impl Token {
    /// As text, one word.
    #[must_use]
    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(json))
    }

    /// From text; blanks around it do not matter.
    ///
    /// # Errors
    /// When it is no whole token.
    pub fn from_text(text: &str) -> Result<Self, TokenError> {
        let body = text.trim().strip_prefix(PREFIX).ok_or(TokenError)?;
        let json = BASE64_URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError)?;
        serde_json::from_slice(&json).map_err(|_| TokenError)
    }

    /// The hash of the CA's key as bytes.
    ///
    /// # Errors
    /// When it is no SHA-256.
    pub fn ca_pin(&self) -> Result<[u8; 32], TokenError> {
        super::hex::decode(&self.ca_sha256).and_then(|hash| hash.try_into().ok()).ok_or(TokenError)
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_survives_being_copied_and_a_cut_one_is_refused() {
        let token = Token {
            cluster_id: "c".into(),
            ca_sha256: "ab".repeat(32),
            secret: "s".into(),
            region: String::new(),
            addresses: vec!["127.0.0.1:4567".parse().unwrap()],
        };
        let text = token.to_text();
        assert_eq!(Token::from_text(&format!(" {text}\n")).as_ref(), Ok(&token));
        assert!(token.ca_pin().is_ok());
        for bad in ["", "mdn1.", &text[..text.len() - 2], &text[1..]] {
            assert!(Token::from_text(bad).is_err(), "{bad}");
        }
    }
}
