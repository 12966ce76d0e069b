//! Signs control-plane calls as an AWS client does (Signature Version 4, header form), so that reads and writes cost what they cost users.

use aws_lc_rs::{digest, hmac};

/// Who calls, and where.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) region: String,
    pub(crate) host: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

impl Signer {
    /// The `x-amz-date` and `authorization` headers of a call whose path and query need no escaping.
    pub(crate) fn headers(&self, method: &str, path: &str, body: &[u8]) -> [(&'static str, String); 2] {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = &now[..8];
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{}\nx-amz-date:{now}\n\nhost;x-amz-date\n{}",
            self.host,
            sha256(body)
        );
        let scope = format!("{day}/{}/apigateway/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let first = mac(format!("AWS4{}", self.secret_access_key).as_bytes(), day);
        let key = [self.region.as_str(), "apigateway", "aws4_request"].iter().fold(first, |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &to_sign));
        let credential = format!("{}/{scope}", self.access_key_id);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={signature}");
        [("x-amz-date", now), ("authorization", authorization)]
    }
}
