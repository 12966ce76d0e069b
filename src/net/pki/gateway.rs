//! The self-signed certificate of the gateway's HTTPS listener, until an operator configures one.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{PkiError, ca::Dates};

/// As long as browsers and Apple's clients accept.
const DAYS: i64 = 397;

/// Certificate and key as PEM, for `domain` (default `localhost`), its API hosts and loopback. A wildcard stands for one
/// label only, so each region that is known gets its own name.
///
/// # Errors
/// `domain` or a region is not a host name.
pub fn gateway_certificate(domain: &str, regions: &[&str], now_ms: i64) -> Result<(String, String), PkiError> {
    let mut names = vec!["localhost".to_string(), "*.localhost".into()];
    for name in [domain.to_string(), format!("*.{domain}"), format!("*.execute-api.{domain}")] {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for region in regions {
        names.push(format!("*.execute-api.{region}.{domain}"));
    }
    let mut params = CertificateParams::new(names)?;
    let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    params.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Meridian gateway for {domain}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.good_for(now_ms, DAYS);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((super::certificate_pem(certificate.der()), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, X509Certificate};

    #[test]
    fn the_certificate_names_the_api_hosts_of_each_region() {
        let (cert, _key) = gateway_certificate("example.org", &["eu-west-1"], 1_790_000_000_000).unwrap();
        let der = super::super::certificate_from_pem(&cert).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        let names = format!("{:?}", parsed.subject_alternative_name().unwrap().unwrap().value);
        for name in ["\"localhost\"", "\"*.execute-api.eu-west-1.example.org\"", "\"*.execute-api.example.org\""] {
            assert!(names.contains(name), "{name} in {names}");
        }
    }
}
