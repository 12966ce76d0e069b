//! OpenAPI files: whatever comes is read or refused in time, and what we write is read back as it was.

use crate::{effort, in_time, spell};
use meridian::spec::openapi::{
    Dialect, MOST_FINDINGS, ParseError, ReadOptions, Severity, WriteOptions, parse, read, to_yaml, write,
};
use serde_json::{Value, json};

const SAMPLES: [&str; 2] =
    [include_str!("../control/samples/petstore.json"), include_str!("../control/samples/shop.yaml")];

/// Pieces of files: what they are made of, and what trips readers up.
const PIECES: &[&str] = &[
    "openapi: 3.0.1\n",
    "swagger: '2.0'\n",
    "info: {title: t, version: v}\n",
    "paths:\n",
    "  /a:\n",
    "  /{b+}:\n",
    "    get:\n",
    "    x-amazon-apigateway-any-method:\n",
    "      responses:\n",
    "        200:\n",
    "          description: d\n",
    "      parameters:\n",
    "      - {name: q, in: query}\n",
    "      - $ref: '#/components/parameters/p'\n",
    "components:\n",
    "  parameters: {p: {$ref: '#/components/parameters/p'}}\n",
    "  schemas:\n",
    "    A: {$ref: '#/components/schemas/A'}\n",
    "    B: {type: [string, 'null'], items: [{}]}\n",
    "security: [{k: []}]\n",
    "      x-amazon-apigateway-integration: {type: mock}\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "? ",
    "- ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "#",
    "\n",
    "  ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "!!str ",
    "! ",
    "~",
    "${AWS::Region}",
    "\u{feff}",
    "\u{0}",
    "🐾",
    "1e400",
    "0x",
    ".inf",
    "-",
    "@",
    "`",
];

fn options() -> ReadOptions {
    ReadOptions {
        api_id: "a1b2c3d4e5".into(),
        region: "eu-west-1".into(),
        account: "1".into(),
        ..ReadOptions::default()
    }
}

/// Reads a file; what it says is written in both dialects and both forms, and what we wrote is read back.
fn through(file: &[u8]) {
    let parsed = match parse(file) {
        Ok(parsed) => parsed,
        Err(ParseError::Syntax(_) | ParseError::TooLong { .. }) => return,
        Err(placed) => return assert!(placed.to_string().starts_with('/'), "{placed}"),
    };
    assert_eq!(parse(to_yaml(&parsed).as_bytes()).as_ref(), Ok(&parsed), "our YAML is read back");
    let reading = read(&parsed, &options());
    assert!(reading.findings.len() <= 2 * MOST_FINDINGS);
    for finding in &reading.findings {
        assert!(finding.pointer.is_empty() || finding.pointer.starts_with('/'), "{finding:?}");
        assert!(!finding.text.is_empty(), "{finding:?}");
    }
    if reading.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return;
    }
    for dialect in [Dialect::Swagger, Dialect::Oas30] {
        let options = WriteOptions {
            dialect,
            integrations: true,
            authorizers: true,
            gateway: true,
            postman: Some("r".into()),
            host: "h".into(),
            stage: "s".into(),
            documentation: Some(("v".into(), "2026-01-01T00:00:00Z".into())),
        };
        let file = write(&reading.document, &options);
        assert_eq!(parse(file.to_string().as_bytes()).as_ref(), Ok(&file), "our JSON is read back");
        assert_eq!(parse(to_yaml(&file).as_bytes()).as_ref(), Ok(&file), "our YAML is read back");
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let (inputs, time) = effort(4_000);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        in_time(&String::from_utf8_lossy(bytes), || through(bytes));
    });
}

#[test]
fn any_pieces_of_files_are_read_or_refused() {
    let (inputs, time) = effort(3_000);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        // The first words make it likely that the rest is looked at.
        let file = spell(&[&[0, 2, 3, 4, 6][..], bytes].concat(), PIECES);
        in_time(&file, || through(file.as_bytes()));
        let free = spell(bytes, PIECES);
        in_time(&free, || through(free.as_bytes()));
    });
}

/// Puts another value somewhere into a file: each turn picks a member of where it stands.
fn bend(file: &mut Value, turns: &[u8], by: Value) {
    let Some((turn, rest)) = turns.split_first() else {
        *file = by;
        return;
    };
    let turn = usize::from(*turn);
    match file {
        Value::Object(map) if !map.is_empty() => {
            let at = turn % map.len();
            bend(map.values_mut().nth(at).expect("within"), rest, by);
        }
        Value::Array(items) if !items.is_empty() => {
            let at = turn % items.len();
            bend(&mut items[at], rest, by);
        }
        _ => *file = by,
    }
}

#[test]
fn any_bent_file_is_read_or_refused() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("#/"),
        json!([]),
        json!({}),
        json!([[{}]]),
        json!({"$ref": "#/paths"}),
        json!({"$ref": 5}),
        json!({"$ref": ""}),
        json!({"": {"/": "~"}}),
        json!("~1"),
        json!({"$ref": "#/paths/~1pets/get/responses/200"}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
        json!(18_446_744_073_709_551_615_u64),
        json!("\u{0}\u{2028}\u{feff}"),
        json!({"get": {"responses": {"200": null}}}),
    ];
    let samples = SAMPLES.map(|sample| parse(sample.as_bytes()).expect("a sample"));
    let (inputs, time) = effort(250);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(bool, Vec<(Vec<u8>, u8)>)>().for_each(|(which, bends)| {
        let mut file = samples[usize::from(*which)].clone();
        for (turns, by) in bends.iter().take(4) {
            bend(&mut file, turns, odd[usize::from(*by) % odd.len()].clone());
        }
        let text = file.to_string();
        in_time(&text, || through(text.as_bytes()));
    });
}
