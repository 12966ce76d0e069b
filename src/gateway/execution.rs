//! The execution log of a visit, in AWS's words (control-plane §11): for TestInvokeMethod, and for stages that log.
//!
//! A visit that nobody logs carries none, and its steps pay one look at an `Option`.

use super::ask::Ask;
use super::payload;
use super::refusal::{Kind, Refusal};
use super::route::Matched;
use super::worker::Worker;
use crate::net::http::Body;
use crate::plan::mapping::decode;
use crate::plan::method::Logging;
use http::{HeaderMap, HeaderName, Response, header};
use std::fmt::Write as _;

/// Bytes of one line; the rest is cut off.
const LINE: usize = 1024;
/// Lines of one visit.
const LINES: usize = 64;

/// Lines with the time of each, ms since 1970.
#[derive(Debug)]
pub(super) struct ExecutionLog {
    lines: Vec<(i64, String)>,
    logging: Logging,
    /// A trial's: nobody waits for an endless answer, and lines are longer.
    trial: bool,
}

impl ExecutionLog {
    /// A log that takes everything, whatever the stage says.
    pub(super) fn of_test() -> ExecutionLog {
        ExecutionLog { lines: Vec::new(), logging: Logging { info: true, data: true }, trial: true }
    }

    fn add(&mut self, time_ms: i64, mut line: String) {
        if self.lines.len() >= LINES {
            return;
        }
        let most = if self.trial { 64 * LINE } else { LINE };
        if line.len() > most {
            const CUT: &str = " [TRUNCATED]";
            let mut end = most - CUT.len();
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
            line.push_str(CUT);
        }
        self.lines.push((time_ms, line));
    }

    /// As TestInvokeMethod shows it: a time before each line but the first.
    pub(super) fn tested(&self, request_id: &str) -> String {
        let mut out = format!("Execution log for request {request_id}\n");
        for (time_ms, line) in &self.lines {
            let time = jiff::Timestamp::from_millisecond(*time_ms).unwrap_or_default();
            let _ = writeln!(out, "{} : {line}", time.strftime("%a %b %d %H:%M:%S UTC %Y"));
        }
        out
    }

    /// As lines of a log file: time, request, text. What would begin a line of its own is escaped.
    pub(super) fn written(&self, request_id: &str) -> String {
        let mut out = String::new();
        for (time_ms, line) in &self.lines {
            let time = jiff::Timestamp::from_millisecond(*time_ms).unwrap_or_default();
            let line = line.replace('\n', "\\n").replace('\r', "\\r");
            let _ = writeln!(out, "{time:.3} ({request_id}) {line}");
        }
        out
    }
}

/// Adds a line about the visit's course.
pub(super) fn note(worker: &Worker, ask: &mut Ask, line: impl FnOnce(&Ask) -> String) {
    if ask.execution.as_ref().is_some_and(|log| log.logging.info) {
        let line = line(ask);
        add(worker, ask, line);
    }
}

/// Adds a line that tells of headers, parameters or bodies.
pub(super) fn data(worker: &Worker, ask: &mut Ask, line: impl FnOnce(&Ask) -> String) {
    if wants_data(ask) {
        let line = line(ask);
        add(worker, ask, line);
    }
}

/// Whether bodies are logged, which must then be here.
pub(super) fn wants_data(ask: &Ask) -> bool {
    ask.execution.as_ref().is_some_and(|log| log.logging.data && log.logging.info)
}

fn add(worker: &Worker, ask: &mut Ask, line: String) {
    let now_ms = worker.shared.clock.now().utc_ms;
    if let Some(log) = &mut ask.execution {
        log.add(now_ms, line);
    }
}

/// Begins the log of a visit, where its method's settings ask for one.
pub(super) fn begin(worker: &Worker, matched: &Matched, ask: &mut Ask) {
    if let (None, Some(logging)) = (&ask.execution, matched.method().logging) {
        ask.execution = Some(Box::new(ExecutionLog { lines: Vec::new(), logging, trial: false }));
    }
    if ask.execution.is_none() {
        return;
    }
    let below = matched.below;
    note(worker, ask, |ask| format!("Starting execution for request: {}", text(ask.facts.request_id.as_bytes())));
    note(worker, ask, |ask| {
        let path = ask.uri.path().get(below..).unwrap_or_default();
        format!("HTTP Method: {}, Resource Path: {}", ask.method, if path.is_empty() { "/" } else { path })
    });
}

/// What the client sent, as the rest of the walk sees it.
pub(super) async fn request(worker: &Worker, ask: &mut Ask) -> Result<(), Refusal> {
    if !wants_data(ask) {
        return Ok(());
    }
    data(worker, ask, |ask| {
        format!("Method request path: {}", map(ask.parameters.iter().map(|(n, v)| ((**n).into(), (**v).into()))))
    });
    data(worker, ask, |ask| {
        let pairs = ask.query().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        format!("Method request query string: {}", map(pairs.map(|(n, v)| (decode(n).into(), decode(v).into()))))
    });
    data(worker, ask, |ask| format!("Method request headers: {}", request_headers(ask)));
    let body = payload::whole(worker, ask).await?;
    data(worker, ask, |_| format!("Method request body before transformations: {}", text(&body)));
    Ok(())
}

/// A response whose body is here where the log wants it, when its length is known: an endless one is let through.
pub(super) async fn body(worker: &Worker, ask: &mut Ask, what: &str, answer: Response<Body>) -> Response<Body> {
    if !wants_data(ask) {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let test = ask.execution.as_ref().is_some_and(|log| log.trial);
    let most = worker.shared.limits.body_bytes;
    if !test && body.known_len().is_none_or(|length| length > most) {
        data(worker, ask, |_| format!("{what}: [STREAMED]"));
        return Response::from_parts(head, body);
    }
    match body.collect(most).await {
        Ok(bytes) => {
            data(worker, ask, |_| format!("{what}: {}", text(&bytes)));
            Response::from_parts(head, Body::full(bytes))
        }
        // The client is to see the break, too.
        Err(error) => Response::from_parts(head, Body::Empty.after(vec![Err(error)])),
    }
}

/// The end of a visit that was answered.
pub(super) async fn answered(worker: &Worker, ask: &mut Ask, answer: Response<Body>) -> Response<Body> {
    if ask.execution.is_none() {
        return answer;
    }
    let answer = body(worker, ask, "Method response body after transformations", answer).await;
    data(worker, ask, |_| format!("Method response headers: {}", headers(answer.headers())));
    note(worker, ask, |_| "Successfully completed execution".to_owned());
    note(worker, ask, |_| format!("Method completed with status: {}", answer.status().as_u16()));
    answer
}

/// Hands the log of a live visit over; a trial's stays, for its caller.
pub(super) fn write(worker: &Worker, ask: &mut Ask) {
    if ask.execution.as_ref().is_some_and(|log| log.trial) {
        return;
    }
    // Where only failures are logged, a visit that went well leaves nothing.
    if let (Some(log), Some(stage)) = (ask.execution.take().filter(|log| !log.lines.is_empty()), &ask.facts.stage) {
        worker.log_execution(stage, &log.written(&text(ask.facts.request_id.as_bytes())));
    }
}

/// The end of a visit that was refused.
pub(super) fn refused(worker: &Worker, ask: &mut Ask, refusal: &Refusal, status: u16) {
    if ask.execution.is_none() {
        return;
    }
    let why = failure(refusal, ask);
    add(worker, ask, why);
    add(worker, ask, format!("Method completed with status: {status}"));
}

/// What AWS's log says of a refusal; the detail is for the API's owner.
fn failure(refusal: &Refusal, ask: &Ask) -> String {
    let detail = || if refusal.detail.is_empty() { String::new() } else { format!(": {}", refusal.detail) };
    let wrong = |what: &str| format!("Execution failed due to configuration error: {what}");
    match (&*refusal.cause, refusal.kind) {
        ("endpoint_address" | "endpoint_unresolvable" | "endpoint_refused", _) => {
            format!("{}{}", wrong("Invalid endpoint address"), detail())
        }
        ("no_output_mapping", _) => wrong(&refusal.detail),
        ("undeclared_status", _) => wrong("Output mapping refers to an invalid method response"),
        ("template_failed", _) => format!("{}{}", wrong("Unable to transform the message"), detail()),
        ("mock_status", _) => wrong("statusCode should be an integer which defined in request template"),
        ("invalid_body", _) => {
            let media = crate::plan::media::content_type(ask.header_text(header::CONTENT_TYPE));
            format!("Request body does not match model schema for content type {media}: {}", refusal.detail)
        }
        ("function_permissions", _) => wrong("Invalid permissions on Lambda function"),
        ("malformed_proxy_response", _) => wrong("Malformed Lambda proxy response"),
        ("function_error", _) if !refusal.detail.is_empty() => refusal.detail.clone(),
        ("integration_arn", _) => format!("{}{}", wrong("Invalid endpoint address"), detail()),
        ("function_throttled" | "function_unknown" | "function_refused" | "function_service", _) => {
            format!("Execution failed due to configuration error: {}", refusal.detail)
        }
        (_, Kind::IntegrationTimeout) => "Execution failed due to a timeout error".to_owned(),
        (_, Kind::IntegrationFailure) => {
            format!("Execution failed due to a network error communicating with endpoint{}", detail())
        }
        (cause, Kind::ApiConfigurationError) => format!("{}{}", wrong(&cause.replace('_', " ")), detail()),
        (cause, _) => {
            let words = refusal.message.as_deref().map_or_else(|| cause.replace('_', " "), str::to_owned);
            format!("Execution failed: {words}{}", detail())
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As Java prints a map.
fn map(pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// The client's headers as a map, named as it wrote them, secrets masked.
fn request_headers(ask: &Ask) -> String {
    let names = ask.names();
    listed(&ask.headers, |name| names.as_sent(name).to_owned())
}

/// Headers as a map, secrets masked.
pub(super) fn headers(headers: &HeaderMap) -> String {
    listed(headers, super::headers::canonical)
}

fn listed(headers: &HeaderMap, written: impl Fn(&HeaderName) -> String) -> String {
    let names = headers.keys().map(|name| {
        let values: Vec<String> = headers.get_all(name).iter().map(|value| text(value.as_bytes())).collect();
        let value = values.join(", ");
        (written(name), if is_secret(name) { masked(&value) } else { value })
    });
    map(names)
}

fn is_secret(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || *name == header::SET_COOKIE
        || matches!(name.as_str(), "x-api-key" | "x-amz-security-token")
}

/// The last six letters of a long secret, nothing of a short one.
fn masked(value: &str) -> String {
    let letters = value.chars().count();
    let shown: String = if letters > 18 { value.chars().skip(letters - 6).collect() } else { String::new() };
    format!("{}{shown}", "*".repeat(26))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_escaped_and_secrets_masked() {
        let logging = Logging { info: true, data: true };
        let mut log = ExecutionLog { lines: Vec::new(), logging, trial: false };
        log.add(1_583_349_317_135, "\u{20ac}".repeat(1000));
        log.add(1_583_349_317_135, "one\nForged line\r".to_owned());
        (0..100).for_each(|_| log.add(0, String::new()));
        assert_eq!(log.lines.len(), LINES);
        assert!(log.lines[0].1.len() <= LINE && log.lines[0].1.ends_with("\u{20ac} [TRUNCATED]"));
        let written = log.written("id-1");
        assert_eq!(written.lines().nth(1), Some("2020-03-04T19:15:17.135Z (id-1) one\\nForged line\\r"));
        let tested = log.tested("id-1");
        assert!(
            tested.starts_with("Execution log for request id-1\nWed Mar 04 19:15:17 UTC 2020 : \u{20ac}"),
            "{tested}"
        );
        let mut all = HeaderMap::new();
        all.insert("authorization", "Bearer abcdefghijklmnopqrstuvwxyz".parse().expect("value"));
        all.insert("x-api-key", "short".parse().expect("value"));
        all.insert("accept", "*/*".parse().expect("value"));
        let stars = "*".repeat(26);
        assert_eq!(headers(&all), format!("{{Authorization={stars}uvwxyz, X-Api-Key={stars}, Accept=*/*}}"));
    }
}
