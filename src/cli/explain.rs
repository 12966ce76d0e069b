//! `meridian explain REQUEST_ID`: why a request was refused: cause, consequence, next step, and where its walk stopped.

use super::{Ask, CliError, Output, say};
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::process::ExitCode;

/// A refused request.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The answer's x-amzn-RequestId, or its x-amz-apigw-id
    request_id: String,
    #[command(flatten)]
    ask: Ask,
}

impl Explain {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let id = percent_encoding::utf8_percent_encode(self.request_id.trim(), percent_encoding::NON_ALPHANUMERIC);
        let answer = self.ask.send("GET", &format!("/cluster/v1/explain/{id}"), &Value::Null)?;
        match self.ask.output {
            Output::Json => say!("{answer}")?,
            Output::Table => say::text(page(&answer))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A text of the answer as a terminal may show it: what clients sent moves no cursor.
fn text(value: &Value, member: &str) -> String {
    let text = value[member].as_str().unwrap_or_default();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn page(answer: &Value) -> String {
    let mut page = String::new();
    let mut line = |name: &str, words: &str| {
        if !words.is_empty() {
            let _ = writeln!(page, "{name:<14}{words}");
        }
    };
    let of = |member: &str| text(answer, member);
    line("request", &format!("{}  {}", of("request_id"), of("time")));
    line("call", &call(answer));
    line("cause", &format!("{} in step {}", of("cause"), of("step")));
    line("", of("detail").trim());
    line("place", &of("place"));
    line("consequence", &of("consequence"));
    line("told", &of("message"));
    line("do", &of("hint"));
    line("api key", &of("api_key_id"));
    line("usage plan", &of("usage_plan_id"));
    line("integration", &integration(answer));
    line("made by", &made_by(answer));
    page.push('\n');
    for step in list(answer, "walk") {
        let mark = match step["state"].as_str() {
            Some("passed") => '✓',
            Some("stopped") => '✗',
            Some("unknown") => '?',
            _ => '·',
        };
        let row = format!("  {mark} {:<11}{}", text(step, "step"), text(step, "node"));
        let _ = writeln!(page, "{}{}", row.trim_end(), if mark == '✗' { "  ← stopped here" } else { "" });
    }
    for silent in list(answer, "unanswered") {
        let (node, region, why) = (text(silent, "node"), text(silent, "region"), text(silent, "why"));
        let _ = writeln!(page, "\nnode {node} in {region} was not heard: {why}");
    }
    page
}

fn list<'v>(answer: &'v Value, member: &str) -> &'v [Value] {
    answer[member].as_array().map_or(&[], Vec::as_slice)
}

fn call(answer: &Value) -> String {
    let of = |member: &str| text(answer, member);
    let resource =
        if of("resource_path").is_empty() { String::new() } else { format!(" (resource {})", of("resource_path")) };
    let stage =
        if of("api").is_empty() { String::new() } else { format!(" of API {}, stage {}", of("api"), of("stage")) };
    format!("{} {}{resource}{stage}", of("method"), of("path"))
}

fn integration(answer: &Value) -> String {
    let status = answer["integration_status"].as_u64().map(|status| format!("answered {status}"));
    let time = answer["integration_us"].as_u64().map(|us| format!("{}.{:03} ms", us / 1_000, us % 1_000));
    [status, time].into_iter().flatten().collect::<Vec<_>>().join(" after ")
}

fn made_by(answer: &Value) -> String {
    let one =
        |record: &Value| format!("{} in {} ({})", text(record, "node"), text(record, "region"), text(record, "role"));
    list(answer, "records").iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_page_says_cause_consequence_and_next_step_and_marks_where_it_stopped() {
        let answer = json!({
            "request_id": "r", "time": "t", "method": "GET", "path": "/prod/a\u{1b}[2J", "resource_path": "/a", "api": "x",
            "stage": "prod", "cause": "plan_throttle", "step": "admit", "consequence": "429", "hint": "Wait.",
            "integration_status": null, "integration_us": 1_500,
            "walk": [{"step": "place", "state": "passed", "node": "n1"}, {"step": "admit", "state": "stopped", "node": "n1"},
                     {"step": "map", "state": "not_reached", "node": null}],
            "records": [{"node": "n1", "region": "e", "role": "edge"}],
            "unanswered": [{"node": "n3", "region": "w", "why": "it is down"}],
        });
        let wanted = "request       r  t\n\
                      call          GET /prod/a [2J (resource /a) of API x, stage prod\n\
                      cause         plan_throttle in step admit\n\
                      consequence   429\n\
                      do            Wait.\n\
                      integration   1.500 ms\n\
                      made by       n1 in e (edge)\n\
                      \n  ✓ place      n1\n  ✗ admit      n1  ← stopped here\n  · map\n\
                      \nnode n3 in w was not heard: it is down\n";
        assert_eq!(page(&answer), wanted);
    }
}
