//! The skeleton of a mapping template for a model: sample values, and a loop for each array.

use serde_json::{Map, Value};

/// Deeper than this a schema is cut: one that holds itself has no end.
const DEEPEST: usize = 8;
/// A skeleton does not grow beyond this, bytes: schemas that name each other often would make it explode.
const LONGEST: usize = 100_000;

/// The template of a flattened schema. What is no schema has an empty one.
pub(super) fn of(schema: &str) -> String {
    let whole: Value = serde_json::from_str(schema).unwrap_or_default();
    let mut out = String::from("#set($inputRoot = $input.path('$'))\n");
    value(&whole, &whole, 0, &mut out);
    out
}

fn value(schema: &Value, whole: &Value, depth: usize, out: &mut String) {
    let schema = resolved(schema, whole);
    let word = match schema.get("type") {
        Some(Value::String(word)) => word.as_str(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).find(|w| *w != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "object",
    };
    match word {
        "string" => out.push_str("\"foo\""),
        "integer" | "number" => out.push_str("42"),
        "boolean" => out.push_str("true"),
        "null" => out.push_str("null"),
        "array" => array(schema, whole, depth, out),
        _ => object(schema, whole, depth, out),
    }
}

fn array(schema: &Value, whole: &Value, depth: usize, out: &mut String) {
    out.push_str(
        "##TODO: Update this foreach loop to reference array from input json\n#foreach($elem in $inputRoot)\n",
    );
    indent(depth + 1, out);
    match schema.get("items") {
        Some(items) if depth < DEEPEST => value(items, whole, depth + 1, out),
        _ => out.push_str("{ }"),
    }
    out.push_str("#if($foreach.hasNext),#end\n#end");
}

fn object(schema: &Value, whole: &Value, depth: usize, out: &mut String) {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    if properties.is_empty() || depth >= DEEPEST || out.len() > LONGEST {
        return out.push_str("{ }");
    }
    out.push_str("{\n");
    for (index, (name, inner)) in properties.iter().enumerate() {
        if out.len() > LONGEST {
            break;
        }
        out.push_str(if index > 0 { ",\n" } else { "" });
        indent(depth + 1, out);
        out.push_str(&format!("{} : ", Value::from(name.as_str())));
        value(inner, whole, depth + 1, out);
    }
    out.push('\n');
    indent(depth, out);
    out.push('}');
}

fn indent(depth: usize, out: &mut String) {
    (0..depth).for_each(|_| out.push_str("  "));
}

/// What a local reference leads to; a chain of references is followed for a while.
fn resolved<'a>(mut schema: &'a Value, whole: &'a Value) -> &'a Value {
    for _ in 0..DEEPEST {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| whole.pointer(r.strip_prefix('#')?));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}
