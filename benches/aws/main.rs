//! What a call of an AWS service costs beside its bytes: signing, the event of a proxy integration, reading its result.
//! `cargo bench --bench aws [NAME]`. Each figure is the best of many short batches.

use meridian::plan::context::{Context, Variable};
use meridian::plan::event::{Event, finish};
use meridian::plan::proxy_result::ProxyResult;
use meridian::spec::sigv4::{Credentials, PathForm, SigningKey, ToSign, amz_date, sha256_hex};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn measure(name: &str, mut work: impl FnMut()) {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let batch = 200;
    let mut best = f64::INFINITY;
    for _ in 0..500 {
        let begun = Instant::now();
        (0..batch).for_each(|_| work());
        best = best.min(begun.elapsed().as_secs_f64() * 1e6 / f64::from(batch));
    }
    println!("{name:<44} {best:>8.2} µs");
}

struct Visit;

impl Context for Visit {
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match variable {
            Variable::AccountId => "111122223333",
            Variable::ApiId => "a1b2c3d4e5",
            Variable::RequestId => "3b0a2c55-5a5c-4f0e-8a55-0a0b0c0d0e0f",
            Variable::RequestTimeEpoch => "1583349317135",
            Variable::SourceIp => "192.0.2.1",
            Variable::UserAgent => "curl/8.5.0",
            Variable::Stage => "prod",
            Variable::Path | Variable::ResourcePath => "/prod/pets/7",
            _ => return None,
        }))
    }
}

fn sign(credentials: &Credentials, key: &SigningKey, body: &[u8], date: &str) -> String {
    let body_sha256 = sha256_hex(body);
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("host", "dynamodb.eu-west-1.amazonaws.com"),
        ("x-amz-content-sha256", &*body_sha256),
        ("x-amz-date", date),
        ("x-amz-target", "DynamoDB_20120810.PutItem"),
    ];
    let request = ToSign {
        method: "POST",
        path: "/",
        query: "",
        form: PathForm::Twice,
        headers: &headers,
        body_sha256: &body_sha256,
    };
    key.authorization(credentials, &request, date)
}

fn main() {
    let credentials = Credentials { access_key: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI".into(), token: None };
    let date = amz_date(1_583_349_317_135);
    let key = SigningKey::derive(&credentials.secret, &date, "eu-west-1", "dynamodb");
    let body = vec![b'x'; 1024];
    measure("sign a call with a body of 1 KB", || {
        black_box(sign(&credentials, &key, black_box(&body), &date));
    });
    measure("derive the key of a day", || {
        black_box(SigningKey::derive(black_box(&credentials.secret), &date, "eu-west-1", "dynamodb"));
    });
    let header = |name: &'static str, value: &'static str| (Cow::Borrowed(name), Cow::Borrowed(value));
    let headers: Vec<_> = [
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Content-Type", "application/json"),
        ("Host", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"),
        ("User-Agent", "curl/8.5.0"),
        ("X-Amzn-Trace-Id", "Root=1-5e5ff1c5-0a0b0c0d0e0f101112131415"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]
    .map(|(name, value)| header(name, value))
    .into();
    let variables = BTreeMap::from([("table".to_owned(), "pets".to_owned())]);
    let parameters = [(Box::from("id"), Box::from("7"))];
    let event = Event {
        resource: "/pets/{id}",
        path: "/pets/7",
        http_method: "POST",
        headers: &headers,
        query: "page=2&category=books&category=music",
        path_parameters: &parameters,
        stage_variables: &variables,
        context: &Visit,
        operation_name: None,
        keyed: false,
        authorizer: None,
    };
    let json = format!("{{\"name\": \"{}\"}}", "Rex \\\"the dog\\\" ".repeat(60));
    measure("write an event with a body of 1 KB", || {
        let mut out = Vec::with_capacity(2_048 + json.len());
        event.begin(&mut out);
        finish(&mut out, black_box(json.as_bytes()), false);
        black_box(out);
    });
    let result = serde_json::json!({
        "statusCode": 200, "headers": {"Content-Type": "application/json", "X-A": "b"}, "body": json, "isBase64Encoded": false,
    })
    .to_string();
    measure("read a proxy result with a body of 1 KB", || {
        black_box(ProxyResult::read(black_box(result.as_bytes())).expect("a result"));
    });
}
