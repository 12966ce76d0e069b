//! The certificate by which a stage shows backends who it is.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, RsaKeySize, SerialNumber};

use super::{PkiError, ca::Dates};

/// As long as AWS's are good.
const DAYS: i64 = 365;

/// A self-signed client certificate with its key.
pub struct StageCertificate {
    /// The certificate, PEM.
    pub pem: String,
    /// The private key, PKCS #8 DER.
    pub key_der: Vec<u8>,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
}

/// A new RSA key (2048 bits, which every backend can read) and a certificate over it with this serial number.
///
/// # Errors
/// The system gives no randomness.
pub fn stage_certificate(serial: &[u8], now_ms: i64) -> Result<StageCertificate, PkiError> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ApiGateway");
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.good_for(now_ms, DAYS);
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let certificate = params.self_signed(&key)?;
    // The certificate ends at midnight.
    let expires_ms = (now_ms / 86_400_000 + DAYS) * 86_400_000;
    Ok(StageCertificate { pem: super::certificate_pem(certificate.der()), key_der: key.serialize_der(), expires_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, X509Certificate};

    #[test]
    fn key_and_certificate_belong_together_and_end_when_they_say() {
        let made = stage_certificate(&[1, 2, 3], 1_790_000_000_000).unwrap();
        let der = super::super::certificate_from_pem(&made.pem).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(parsed.subject().to_string(), "CN=ApiGateway");
        assert_eq!(parsed.validity().not_after.timestamp() * 1000, made.expires_ms);
        let key = KeyPair::try_from(made.key_der.as_slice()).unwrap();
        assert_eq!(parsed.subject_pki.subject_public_key.data.as_ref(), key.public_key_raw());
    }
}
