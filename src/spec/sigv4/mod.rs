//! AWS Signature Version 4: verification of the header form and of presigned queries, and a small signer.
//!
//! The clock is an argument. What is signed: method, path, query, the headers that the claim lists, and always the hash
//! of the body as it came (`UNSIGNED-PAYLOAD` is S3's and is not honoured here).
//!
//! Source of behaviour: "Signature Version 4 signing process" of the AWS General Reference; error texts as AWS's
//! services word them.

mod canonical;
mod claim;
mod key;
mod refusal;
mod sign;
mod time;

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

pub use canonical::{PathForm, Request, encode, sha256_hex};
pub use claim::{Claim, Form, Rules};
pub use key::{SigningKey, ToSign};
pub use refusal::Refusal;
pub use sign::{Credentials, Signed, Signer};
pub use time::{amz_date, parse_amz_date};

/// The only algorithm there is here.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A presigned request lives at most a week, seconds.
pub const MAX_EXPIRES_S: i64 = 604_800;
