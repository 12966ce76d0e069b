//! Templates with the output that Velocity 1.7 gave, kept in `velocity.golden`: first the variables, then a case a line.

use super::render;
use meridian::spec::vtl::Limits;
use serde_json::Value as Json;

#[test]
fn templates_render_as_velocity_rendered_them() {
    let mut lines = include_str!("velocity.golden").lines();
    let first: Json = serde_json::from_str(lines.next().expect("variables")).expect("JSON");
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in lines {
        let case: Json = serde_json::from_str(line).expect("a case");
        let template = case["template"].as_str().expect("a template");
        count += 1;
        match (render(template, &first["context"], &Limits::default()), case["output"].as_str()) {
            (Ok(text), Some(wanted)) if text == wanted => {}
            (Err(_), None) if case["fails"] == true => {}
            (got, wanted) => wrong.push(format!("{template:?}\n  wanted {wanted:?}\n  got    {got:?}")),
        }
    }
    assert!(count > 500, "{count} cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
