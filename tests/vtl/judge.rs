//! Random templates, rendered here and by Velocity 1.7 itself with API Gateway's one rule more.

use super::generate::Generator;
use super::java::Reference;
use super::render;
use meridian::spec::vtl::Limits;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// Debian's packages of Velocity and what it needs.
const JARS: &[&str] = &[
    "velocity",
    "commons-collections3",
    "commons-lang",
    "json-path",
    "json-smart",
    "accessors-smart",
    "asm",
    "slf4j-api",
    "slf4j-nop",
];

fn context() -> Json {
    let first = include_str!("velocity.golden").lines().next().expect("variables");
    serde_json::from_str::<Json>(first).expect("JSON")["context"].clone()
}

#[test]
fn random_templates_render_as_in_velocity() {
    let jars: Vec<PathBuf> = JARS.iter().map(|name| format!("/usr/share/java/{name}.jar").into()).collect();
    let Some(velocity) = Reference::compile("VelocityReference", &jars, &["-Daws=true"]) else { return };
    let seed = std::env::var("MERIDIAN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(17_u64);
    eprintln!("seed {seed} (MERIDIAN_SEED)");
    let context = context();
    let mut generator = Generator::new(seed);
    let templates: Vec<String> = (0..4000).map(|_| generator.template()).collect();
    let questions: Vec<Json> = templates
        .iter()
        .enumerate()
        .map(|(id, template)| json!({"id": id, "template": template, "context": context}))
        .collect();
    let answers = velocity.ask(&questions);
    let mut wrong = Vec::new();
    for (id, template) in templates.iter().enumerate() {
        let answer = &answers[&(id as u64)];
        let ours = render(template, &context, &Limits::default());
        let same = match &ours {
            Ok(text) => answer["ok"] == true && answer["out"] == text.as_str(),
            Err(_) => answer["ok"] == false,
        };
        // Java prints the identity of arrays.
        let identity = answer["out"].as_str().is_some_and(|text| text.contains("[Ljava.lang.String;@"));
        if !same && !identity {
            wrong.push(format!("{template:?}\n  Velocity {answer}\n  ours     {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), templates.len(), wrong.join("\n"));
}
