//! The cluster's CA and the node certificates that it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How long a node certificate is good.
const NODE_DAYS: i64 = 90;
/// How long the CA is good.
const CA_DAYS: i64 = 3650;

/// What is wrong with a key or certificate.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A key or certificate could not be made.
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A certificate, key or request cannot be read.
    #[error("cannot be read as {what}: {why}")]
    Read {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        why: String,
    },
    /// The cluster id is not one DNS label.
    #[error("`{0}` is not a cluster id: 1 to 40 lower-case letters, digits or inner hyphens")]
    ClusterId(String),
}

fn unreadable(what: &'static str, why: impl ToString) -> PkiError {
    PkiError::Read { what, why: why.to_string() }
}

/// The name of a node in its certificate: `node-7.<cluster>.meridian`.
pub fn node_name(node_id: u64, cluster_id: &str) -> String {
    format!("node-{node_id}.{cluster_id}.meridian")
}

/// The node id in a certificate of this cluster; `None` where there is none (or more than one).
pub fn node_id_of(certificate: &CertificateDer<'_>, cluster_id: &str) -> Option<u64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let mut ids = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(dns) => {
            let id =
                dns.strip_prefix("node-")?.strip_suffix(".meridian")?.strip_suffix(cluster_id)?.strip_suffix('.')?;
            let number: u64 = id.parse().ok()?;
            // One spelling only: `node-07` is not node 7.
            (number.to_string() == id).then_some(number)
        }
        _ => None,
    });
    let first = ids.next()?;
    ids.next().is_none().then_some(first)
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo.
///
/// # Errors
/// Not a certificate.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Result<[u8; 32], PkiError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| unreadable("a certificate", e))?;
    Ok(sha256(parsed.tbs_certificate.subject_pki.raw))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

/// A certificate as PEM.
pub fn certificate_pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// The first certificate of a PEM text.
///
/// # Errors
/// There is none.
pub fn certificate_from_pem(pem: &str) -> Result<CertificateDer<'static>, PkiError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| unreadable("a PEM certificate", e))
}

/// A node's key pair (ECDSA P-256), made on the node; it never leaves it.
pub struct NodeKey {
    pair: KeyPair,
}

impl NodeKey {
    /// A new key.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<Self, PkiError> {
        Ok(Self { pair: KeyPair::generate()? })
    }

    /// From PEM (PKCS#8).
    ///
    /// # Errors
    /// Not a private key.
    pub fn from_pem(pem: &str) -> Result<Self, PkiError> {
        KeyPair::from_pem(pem).map(|pair| Self { pair }).map_err(|e| unreadable("a private key", e))
    }

    /// As PEM (PKCS#8), for a 0600 file.
    pub fn to_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// For rustls.
    pub fn private_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo), as in the roster.
    pub fn spki_sha256(&self) -> [u8; 32] {
        sha256(&self.pair.subject_public_key_info())
    }

    /// A certificate signing request (DER): the public key with a proof that this side has the private one.
    ///
    /// # Errors
    /// Signing failed.
    pub fn csr(&self) -> Result<Vec<u8>, PkiError> {
        let params = CertificateParams::new(Vec::<String>::new())?;
        Ok(params.serialize_request(&self.pair)?.der().to_vec())
    }
}

/// The cluster's CA.
pub struct ClusterCa {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl ClusterCa {
    /// A new CA; `cluster_id` is one DNS label, `now_ms` the time since 1970.
    ///
    /// # Errors
    /// The id is no label.
    pub fn create(cluster_id: &str, now_ms: i64) -> Result<Self, PkiError> {
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edges = !cluster_id.starts_with('-') && !cluster_id.ends_with('-');
        if !(1..=40).contains(&cluster_id.len()) || !cluster_id.chars().all(label) || !edges {
            return Err(PkiError::ClusterId(cluster_id.into()));
        }
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Meridian cluster {cluster_id}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.good_for(now_ms, CA_DAYS);
        let pair = KeyPair::generate()?;
        let certificate = params.self_signed(&pair)?.der().clone();
        Ok(Self { issuer: Issuer::new(params, pair), certificate })
    }

    /// From the PEM of certificate and key.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, PkiError> {
        let pair = KeyPair::from_pem(key).map_err(|e| unreadable("the CA's private key", e))?;
        let certificate = certificate_from_pem(certificate)?;
        if spki_sha256(&certificate)? != sha256(&pair.subject_public_key_info()) {
            return Err(unreadable("the CA", "its certificate and its key do not belong together"));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, pair)?;
        Ok(Self { issuer, certificate })
    }

    /// The CA's certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The CA's key as PEM, for a 0600 file.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// SHA-256 of the CA's key, as join tokens carry it.
    ///
    /// # Errors
    /// Never for a CA made here.
    pub fn spki_sha256(&self) -> Result<[u8; 32], PkiError> {
        spki_sha256(&self.certificate)
    }

    /// Signs the key of a request for node `node_id`; nothing else of the request is used. Good for 90 days.
    ///
    /// # Errors
    /// The request is malformed or its proof of possession is wrong.
    pub fn sign(
        &self,
        csr: &[u8],
        node_id: u64,
        cluster_id: &str,
        now_ms: i64,
    ) -> Result<CertificateDer<'static>, PkiError> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr))
            .map_err(|e| unreadable("a certificate signing request", e))?;
        let name = node_name(node_id, cluster_id);
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name.clone());
        let dns = name.try_into()?;
        params.subject_alt_names = vec![SanType::DnsName(dns)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.good_for(now_ms, NODE_DAYS);
        Ok(params.signed_by(&request.public_key, &self.issuer)?.der().clone())
    }
}

/// `not_before` and `not_after` of rcgen, whose date type is not a dependency of ours by name.
pub(super) trait Dates {
    /// Good from yesterday (clocks differ) for so many days.
    fn good_for(&mut self, now_ms: i64, days: i64);
}

impl Dates for CertificateParams {
    fn good_for(&mut self, now_ms: i64, days: i64) {
        let (y, m, d) = date(now_ms / 1000 - 86_400);
        self.not_before = rcgen::date_time_ymd(y, m, d);
        let (y, m, d) = date(now_ms / 1000 + days * 86_400);
        self.not_after = rcgen::date_time_ymd(y, m, d);
    }
}

fn date(epoch_s: i64) -> (i32, u8, u8) {
    let at = jiff::Timestamp::from_second(epoch_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn a_signed_certificate_carries_id_and_key_and_survives_pem() {
        let ca = ClusterCa::create("c-1a2b", NOW).unwrap();
        let again = ClusterCa::from_pem(&certificate_pem(ca.certificate()), &ca.key_pem()).unwrap();
        let key = NodeKey::generate().unwrap();
        let cert = again.sign(&key.csr().unwrap(), 7, "c-1a2b", NOW).unwrap();
        assert_eq!(node_id_of(&cert, "c-1a2b"), Some(7));
        assert_eq!(node_id_of(&cert, "other"), None);
        assert_eq!(spki_sha256(&cert).unwrap(), key.spki_sha256());
        assert_eq!(NodeKey::from_pem(&key.to_pem()).unwrap().spki_sha256(), key.spki_sha256());
        assert_eq!(certificate_from_pem(&certificate_pem(&cert)).unwrap(), cert);
    }

    #[test]
    fn a_forged_request_and_a_foreign_key_are_refused() {
        let ca = ClusterCa::create("c1", NOW).unwrap();
        let mut csr = NodeKey::generate().unwrap().csr().unwrap();
        let last = csr.len() - 1;
        csr[last] ^= 1;
        assert!(ca.sign(&csr, 1, "c1", NOW).is_err());
        assert!(ca.sign(b"nonsense", 1, "c1", NOW).is_err());
        let other = ClusterCa::create("c1", NOW).unwrap();
        assert!(ClusterCa::from_pem(&certificate_pem(ca.certificate()), &other.key_pem()).is_err());
    }

    #[test]
    fn a_cluster_id_is_one_dns_label() {
        for bad in ["", "A", "a.b", "-a", "a-", &"x".repeat(41)] {
            assert!(ClusterCa::create(bad, NOW).is_err(), "{bad}");
        }
    }
}
