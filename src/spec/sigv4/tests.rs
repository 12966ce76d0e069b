//! Refusals: any changed byte, the clock, and claims that are not whole.

use super::suite::signer;
use super::*;

const NOW_MS: i64 = 1_440_938_160_000;
const RULES: Rules<'static> = Rules { services: &["service"], skew_ms: 300_000, path: PathForm::Twice };

struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn signed() -> Sent {
        let headers = vec![("Host".to_owned(), "localhost:4566".to_owned()), ("X-Amz-Meta".to_owned(), "a".to_owned())];
        let mut sent = Sent {
            method: "POST".into(),
            path: "/restapis".into(),
            query: "a=b".into(),
            headers,
            body: b"{\"name\":\"pets\"}".to_vec(),
        };
        let added = signer(PathForm::Twice).sign(&sent.request(), NOW_MS);
        sent.headers.extend(added);
        sent
    }

    fn presigned() -> Sent {
        let mut sent = Sent { headers: vec![("Host".to_owned(), "localhost".to_owned())], ..Sent::signed() };
        sent.query = signer(PathForm::Twice).presign(&sent.request(), NOW_MS, 60);
        sent
    }

    fn request(&self) -> Request<'_> {
        let Sent { method, path, query, headers, body } = self;
        Request { method, path, query, headers, body }
    }

    fn check(&self, now_ms: i64) -> Result<(), Refusal> {
        let secret = signer(PathForm::Twice).credentials.secret;
        Claim::read(&self.request())?.verify(&self.request(), &secret, now_ms, &RULES)
    }

    fn with(mut self, change: impl FnOnce(&mut Sent)) -> Result<(), Refusal> {
        change(&mut self);
        self.check(NOW_MS)
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.iter_mut().filter(|(n, _)| n.eq_ignore_ascii_case(name)).for_each(|(_, v)| *v = value.to_owned());
    }

    fn authorization(&mut self, from: &str, to: &str) {
        let old = self.request().header("authorization").unwrap();
        self.set("authorization", &old.replace(from, to));
    }
}

#[test]
fn any_changed_signed_byte_is_refused() {
    Sent::signed().check(NOW_MS).unwrap();
    Sent::presigned().check(NOW_MS).unwrap();
    let mismatch = |r: Result<(), Refusal>| assert_eq!(r.unwrap_err().name(), "InvalidSignatureException");
    mismatch(Sent::signed().with(|s| s.method = "PUT".into()));
    mismatch(Sent::signed().with(|s| s.path = "/restapis/x".into()));
    mismatch(Sent::signed().with(|s| s.query = "a=c".into()));
    mismatch(Sent::signed().with(|s| s.body.push(b' ')));
    mismatch(Sent::signed().with(|s| s.set("host", "example.com")));
    mismatch(Sent::signed().with(|s| s.set("x-amz-meta", "b")));
    mismatch(Sent::signed().with(|s| s.headers.retain(|(n, _)| n != "X-Amz-Meta")));
    mismatch(Sent::signed().with(|s| s.headers.push(("x-amz-added".into(), "1".into()))));
    mismatch(Sent::signed().with(|s| s.authorization("us-east-1", "eu-west-1")));
    mismatch(Sent::signed().with(|s| s.authorization("Signature=", "Signature=0")));
    mismatch(Sent::signed().with(|s| s.authorization("host;", "")));
    mismatch(Sent::presigned().with(|s| s.query = s.query.replace("a=b", "a=c")));
    mismatch(Sent::presigned().with(|s| s.query = s.query.replace("Expires=60", "Expires=61")));
    let secret = "another";
    let sent = Sent::signed();
    let refusal = Claim::read(&sent.request()).unwrap().verify(&sent.request(), secret, NOW_MS, &RULES).unwrap_err();
    let text = refusal.to_string();
    assert!(
        text.starts_with("The request signature we calculated does not match the signature you provided."),
        "{text}"
    );
    assert!(text.contains("The Canonical String for this request should have been\n'POST\n/restapis\na=b\n"), "{text}");
}

#[test]
fn clocks_may_be_five_minutes_apart_and_no_more() {
    let sent = Sent::signed();
    sent.check(NOW_MS + 300_000).unwrap();
    sent.check(NOW_MS - 300_000).unwrap();
    assert_eq!(
        sent.check(NOW_MS + 301_000).unwrap_err().to_string(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
    assert_eq!(
        sent.check(NOW_MS - 301_000).unwrap_err().to_string(),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn a_presigned_request_lives_as_long_as_it_says() {
    Sent::presigned().check(NOW_MS + 60_000).unwrap();
    assert_eq!(Sent::presigned().check(NOW_MS + 61_000).unwrap_err().name(), "InvalidSignatureException");
    let week = Sent::presigned().with(|s| s.query = s.query.replace("Expires=60", "Expires=604801"));
    assert_eq!(week, Err(Refusal::Expires("604801".into())));
}

#[test]
fn claims_that_are_not_whole_say_what_they_miss() {
    let none = Sent::signed().with(|s| s.headers.retain(|(n, _)| n != "authorization"));
    assert_eq!(none, Err(Refusal::Missing));
    let bearer = Sent::signed().with(|s| s.set("authorization", "Basic c2VjcmV0")).unwrap_err();
    assert_eq!(bearer.name(), "IncompleteSignatureException");
    assert_eq!(
        bearer.to_string(),
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=Basic"
    );
    let date = Sent::signed().with(|s| s.headers.retain(|(n, _)| n != "x-amz-date")).unwrap_err();
    assert!(date.to_string().contains("either a 'X-Amz-Date' or a 'Date' header"), "{date}");
    let algorithm = Sent::signed().with(|s| s.authorization("SHA256", "SHA1"));
    assert_eq!(algorithm, Err(Refusal::Algorithm("AWS4-HMAC-SHA1".into())));
    let credential = Sent::signed().with(|s| s.authorization("/us-east-1", ""));
    assert!(matches!(credential, Err(Refusal::Credential(_))), "{credential:?}");
    let service = Sent::signed().with(|s| s.authorization("/service", "/s3"));
    assert_eq!(service.unwrap_err().to_string(), "Credential should be scoped to correct service: 'service'. ");
    let day = Sent::signed().with(|s| s.authorization("20150830", "20150829")).unwrap_err();
    assert!(day.to_string().contains("'20150829' != '20150830', from '20150830T123600Z'."), "{day}");
    let both = Sent::presigned().with(|s| s.headers.push(("Authorization".into(), "AWS4-HMAC-SHA256 x".into())));
    assert_eq!(both, Err(Refusal::Ambiguous));
    let part = Sent::presigned().with(|s| s.query = s.query.replace("X-Amz-Date", "X-Amz-Data"));
    assert_eq!(part, Err(Refusal::IncompleteQuery { missing: vec!["X-Amz-Date"] }));
}

#[test]
fn hostile_claims_are_refused_without_a_panic() {
    for value in [
        "",
        " ",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;, Signature=é",
        "AWS4-HMAC-SHA256 =,=,=",
    ] {
        assert!(Sent::signed().with(|s| s.set("authorization", value)).is_err());
    }
    for date in ["", "2015", "20151330T123600Z", "é0150830T123600Z", "99990830T123600Z", "20150830T123600+"] {
        assert!(Sent::signed().with(|s| s.set("x-amz-date", date)).is_err(), "{date}");
    }
    assert!(Sent::signed().with(|s| s.query = "X-Amz-Algorithm=%ff&&=&%".into()).is_err());
}
