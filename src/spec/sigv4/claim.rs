//! A claim: what a request says about its own signature, and the check of it.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::canonical::{PathForm, Request};
use super::sign::{signature, string_to_sign};
use super::{ALGORITHM, MAX_EXPIRES_S, Refusal, amz_date, parse_amz_date};

/// Which of the two forms a claim has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `Authorization: AWS4-HMAC-SHA256 …`.
    Header,
    /// `?X-Amz-Signature=…`, good for so many seconds.
    Query {
        /// Life after the date, seconds.
        expires_s: i64,
    },
}

/// What a request claims.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The access key id.
    pub access_key: String,
    /// Region of the credential scope.
    pub region: String,
    /// Service of the credential scope.
    pub service: String,
    /// Session token of temporary credentials.
    pub token: Option<String>,
    /// Its form.
    pub form: Form,
    day: String,
    terminator: String,
    date: String,
    date_ms: i64,
    signed: Vec<String>,
    signature: String,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Claim { access_key, region, service, form, date, .. } = self;
        write!(f, "Claim({access_key}/{region}/{service}, {form:?}, {date})")
    }
}

/// What a verifier asks for.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// Services whose scope is accepted; the first one is named in the refusal.
    pub services: &'a [&'a str],
    /// How far the clocks may be apart, milliseconds (AWS: five minutes).
    pub skew_ms: i64,
    /// How the path is hashed.
    pub path: PathForm,
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Rules { services: &["apigateway"], skew_ms: 300_000, path: PathForm::Twice }
    }
}

impl Claim {
    /// Reads the claim of a request. Nothing is verified yet: its access key tells which secret to fetch.
    pub fn read(request: &Request<'_>) -> Result<Claim, Refusal> {
        let mut headers = request.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("authorization"));
        let presigned = ["X-Amz-Signature", "X-Amz-Algorithm"].iter().any(|k| request.query_value(k).is_some());
        match (headers.next(), headers.next(), presigned) {
            (Some(_), Some(_), _) | (Some(_), None, true) => Err(Refusal::Ambiguous),
            (Some((_, value)), None, false) => from_header(request, value.trim()),
            (None, _, true) => from_query(request),
            (None, _, false) => Err(Refusal::Missing),
        }
    }

    /// Checks the claim against the secret of its access key at `now_ms`.
    pub fn verify(&self, request: &Request<'_>, secret: &str, now_ms: i64, rules: &Rules<'_>) -> Result<(), Refusal> {
        self.check_scope(rules)?;
        self.check_headers(request)?;
        self.check_time(now_ms, rules.skew_ms)?;
        let canonical = request.canonical(rules.path, &self.signed);
        let scope = format!("{}/{}/{}/{}", self.day, self.region, self.service, self.terminator);
        let ours = signature(secret, &self.date, &scope, &canonical);
        verify_slices_are_equal(ours.as_bytes(), self.signature.as_bytes()).map_err(|_| {
            let to_sign = string_to_sign(&self.date, &scope, &canonical);
            Refusal::Mismatch { canonical: canonical.clone(), to_sign }
        })
    }

    fn check_scope(&self, rules: &Rules<'_>) -> Result<(), Refusal> {
        if self.terminator != "aws4_request" {
            return Err(Refusal::ScopeEnd(self.terminator.clone()));
        }
        if !rules.services.contains(&self.service.as_str()) {
            return Err(Refusal::ScopeService(rules.services.first().copied().unwrap_or_default().to_owned()));
        }
        if self.day != self.date[..8] {
            let (scope, day, date) = (self.day.clone(), self.date[..8].to_owned(), self.date.clone());
            return Err(Refusal::ScopeDate { scope, day, date });
        }
        Ok(())
    }

    /// The host and every `x-amz-*` header that is there must be signed, or a thief could turn the request.
    fn check_headers(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if !self.signed.iter().any(|n| n == "host" || n == ":authority") {
            return Err(Refusal::HostUnsigned);
        }
        for (name, _) in request.headers {
            let name = name.to_ascii_lowercase();
            if name.starts_with("x-amz-") && !self.signed.contains(&name) {
                return Err(Refusal::HeaderUnsigned(name));
            }
        }
        Ok(())
    }

    fn check_time(&self, now_ms: i64, skew_ms: i64) -> Result<(), Refusal> {
        let (date, now) = (self.date.clone(), amz_date(now_ms));
        let allowed = format!("{} min", skew_ms / 60_000);
        if self.date_ms > now_ms + skew_ms {
            return Err(Refusal::NotYet { date, limit: amz_date(now_ms + skew_ms), now, allowed });
        }
        match self.form {
            Form::Header if self.date_ms < now_ms - skew_ms => {
                Err(Refusal::Expired { date, limit: amz_date(now_ms - skew_ms), now, allowed })
            }
            Form::Query { expires_s } if self.date_ms + expires_s * 1000 < now_ms => {
                let (limit, allowed) = (amz_date(now_ms - expires_s * 1000), format!("{expires_s} sec"));
                Err(Refusal::Expired { date, limit, now, allowed })
            }
            _ => Ok(()),
        }
    }
}

fn from_header(request: &Request<'_>, value: &str) -> Result<Claim, Refusal> {
    let (algorithm, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    if algorithm != ALGORITHM {
        // Anything that is no signature of ours: AWS asks for the parts it misses.
        if !algorithm.starts_with("AWS4-") {
            return Err(incomplete(value, &["Credential", "Signature", "SignedHeaders"], request));
        }
        return Err(Refusal::Algorithm(algorithm.to_owned()));
    }
    let (mut credential, mut signed, mut signature) = (None, None, None);
    for part in rest.split([',', ' ']).filter(|p| !p.is_empty()) {
        match part.split_once('=') {
            Some(("Credential", v)) => credential = Some(v),
            Some(("SignedHeaders", v)) => signed = Some(v),
            Some(("Signature", v)) => signature = Some(v),
            _ => {}
        }
    }
    // A `Date` header instead of `X-Amz-Date` is legal but no AWS client sends it; we ask for `X-Amz-Date`.
    let date = request.header("x-amz-date");
    match (credential, signature, signed, date) {
        (Some(credential), Some(signature), Some(signed), Some(date)) => {
            claim(credential, &date, signed, signature, request.header("x-amz-security-token"), Form::Header)
        }
        (credential, signature, signed, _) => {
            let parts = [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed)];
            let missing: Vec<_> = parts.iter().filter(|(_, v)| v.is_none()).map(|(n, _)| *n).collect();
            Err(incomplete(value, &missing, request))
        }
    }
}

fn incomplete(value: &str, missing: &[&'static str], request: &Request<'_>) -> Refusal {
    let mut missing = missing.to_vec();
    if request.header("x-amz-date").is_none() && request.header("date").is_none() {
        missing.push("Date");
    }
    // The scheme alone is echoed: what follows may be somebody's token.
    let scheme = value.split_whitespace().next().unwrap_or("").chars().take(32).collect();
    Refusal::IncompleteHeader { missing, sent: scheme }
}

fn from_query(request: &Request<'_>) -> Result<Claim, Refusal> {
    const PARTS: [&str; 6] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "X-Amz-Date",
        "X-Amz-Expires",
    ];
    let found = PARTS.map(|name| request.query_value(name));
    let [Some(algorithm), Some(credential), Some(signature), Some(signed), Some(date), Some(expires)] = found else {
        let missing = PARTS.iter().zip(&found).filter(|(_, v)| v.is_none()).map(|(n, _)| *n).collect();
        return Err(Refusal::IncompleteQuery { missing });
    };
    if algorithm != ALGORITHM {
        return Err(Refusal::Algorithm(algorithm));
    }
    let expires_s = expires.parse().ok().filter(|s| (1..=MAX_EXPIRES_S).contains(s));
    let form = Form::Query { expires_s: expires_s.ok_or(Refusal::Expires(expires))? };
    claim(&credential, &date, &signed, &signature, request.query_value("X-Amz-Security-Token"), form)
}

fn claim(
    credential: &str,
    date: &str,
    signed: &str,
    signature: &str,
    token: Option<String>,
    form: Form,
) -> Result<Claim, Refusal> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key, day, region, service, terminator] = parts[..] else {
        return Err(Refusal::Credential(credential.to_owned()));
    };
    let date_ms = parse_amz_date(date).ok_or_else(|| Refusal::Date(date.to_owned()))?;
    let mut signed: Vec<String> = signed.split(';').map(str::to_ascii_lowercase).collect();
    signed.sort();
    signed.dedup();
    Ok(Claim {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        token,
        form,
        day: day.to_owned(),
        terminator: terminator.to_owned(),
        date: date.to_owned(),
        date_ms,
        signed,
        signature: signature.to_owned(),
    })
}
