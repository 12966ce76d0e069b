//! The templates that API Gateway itself was asked, where the recordings are at hand.

use super::skip::skip;
use meridian::spec::vtl::{Limits, Overrides, Sample, Template, TemplateError};
use serde_json::Value as Json;

/// Request template of the `MOCK` method behind every recording: it keeps the posted body.
const REQUEST: &str = "#set($context.requestOverride.path.body = $input.body)\n{\"statusCode\": 200,}";

/// What the recordings were made with: each key of the posted body as a variable.
fn response_template(template: &str, context: &Json) -> String {
    let mut source =
        String::from("#set($body = $context.requestOverride.path.body)\n#set($bodyJSON = $util.parseJson($body))\n");
    for key in context.as_object().into_iter().flat_map(|map| map.keys()) {
        source.push_str(&format!("#set(${key} = $bodyJSON.{key})\n"));
    }
    source + template
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn answer(template: &str, context: &Json) -> Result<String, TemplateError> {
    let mut overrides = Overrides::default();
    let limits = Limits::default();
    let request = Sample { body: context.to_string(), ..Sample::default() };
    let status = Template::parse(REQUEST)?.render(&request, &mut overrides, &limits)?;
    assert_eq!(status.trim(), "{\"statusCode\": 200,}");
    Template::parse(&response_template(template, context))?.render(&Sample::default(), &mut overrides, &limits)
}

#[test]
fn every_recording_of_api_gateway_is_answered_alike() {
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/vtl-recorded.jsonl");
    let Ok(lines) = std::fs::read_to_string(place) else {
        let why = "../shared/data/vtl-recorded.jsonl, the recordings of API Gateway, is not there";
        return skip("every_recording_of_api_gateway_is_answered_alike", why);
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let case: Json = serde_json::from_str(line).expect("a recording");
        let (template, wanted) = (case["template"].as_str().expect("text"), case["output"].as_str().expect("text"));
        count += 1;
        match answer(template, &case["context"]) {
            Ok(text) if words(&text) == words(wanted) => {}
            other => wrong.push(format!("{}: {template:?}\n  wanted {wanted:?}\n  got    {other:?}", case["case"])),
        }
    }
    assert!(count >= 99, "{count} recordings");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
