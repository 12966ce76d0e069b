//! Input made to be dear: files whose reading could grow by the square, and calls of the largest sizes. Each is answered in
//! time, with an answer that is small, and a refusal changes nothing.

use std::time::{Duration, Instant};

use http::Request;
use serde_json::{Value, json};

use crate::bench::{Bench, Seen};
use crate::import::{PETSTORE, import, put};

/// What a debug build may take on a busy machine: the square of any of these sizes takes minutes.
const LONGEST: Duration = Duration::from_secs(25);

/// The bytes of a large file: about as much as a file may have with `MERIDIAN_TEST_ALL`, a quarter in an ordinary run.
fn large() -> usize {
    if std::env::var_os("MERIDIAN_TEST_ALL").is_some() { 5_900_000 } else { 1_400_000 }
}

/// Sends a call that is answered in time, shortly, and not by a fault of ours; a refusal changes nothing.
#[track_caller]
fn stands(bench: &Bench, request: Request<bytes::Bytes>) -> Seen {
    let before = bench.memory.world.lock().unwrap().clone();
    let (shown, begun) = (request.uri().to_string(), Instant::now());
    let seen = bench.send(request);
    let took = begun.elapsed();
    println!("{} in {took:?}: {}", seen.status, seen.text.chars().take(200).collect::<String>());
    assert!(took < LONGEST, "{shown:.200}: {took:?}");
    assert!(seen.status < 500, "{} {}", seen.status, seen.text);
    if seen.status >= 400 {
        assert!(seen.text.len() < 64 << 10, "the refusal has {} bytes", seen.text.len());
        let (_, name, message) = seen.refusal();
        assert!(!name.is_empty() && !message.is_empty(), "{}", seen.text);
        let after = bench.memory.world.lock().unwrap().clone();
        assert!(after.dump().eq(before.dump()), "refused, and changed rows");
    }
    seen
}

/// A file as a new API.
#[track_caller]
fn file(text: String) -> Seen {
    assert!(text.len() <= 6 << 20, "{} bytes", text.len());
    stands(&Bench::new(), Bench::request("POST", "/restapis?mode=import", text))
}

/// The refusal of such a file.
#[track_caller]
fn refused(text: String) -> String {
    let seen = file(text);
    assert_eq!(seen.status, 400, "{}", seen.text);
    seen.refusal().2
}

/// `piece(0)`, `piece(1)`, … with commas, as many as fit.
fn pieces(bytes: usize, piece: impl Fn(usize) -> String) -> String {
    let mut all = piece(0);
    for n in 1.. {
        let next = piece(n);
        if all.len() + next.len() + 1 > bytes {
            break;
        }
        all.push(',');
        all.push_str(&next);
    }
    all
}

fn swagger(members: &str) -> String {
    format!("{{\"swagger\":\"2.0\",\"info\":{{\"title\":\"t\"}},{members}}}")
}

const OK: &str = "\"responses\":{\"200\":{\"description\":\"\"}}";

#[test]
fn a_long_key_over_many_members_is_not_written_once_for_each() {
    let members = pieces(large() / 2, |n| format!("\"m{n}\":1"));
    let text =
        swagger(&format!("\"paths\":{{\"/a\":{{\"get\":{{\"{}\":1,{members},{OK}}}}}}}", "k".repeat(large() / 2)));
    file(text).ok(201);
    let text = swagger(&format!("\"paths\":{{}},\"definitions\":{{\"{}\":{{{members}}}}}", "K".repeat(large() / 2)));
    file(text).ok(201);
    let wrong = pieces(large() / 2, |n| format!("\"m{n}\":{{\"$ref\":\"#/a\"}}"));
    let text = swagger(&format!(
        "\"paths\":{{}},\"definitions\":{{\"{}\":{{\"properties\":{{{wrong}}}}}}}",
        "K".repeat(large() / 2)
    ));
    let told = refused(text);
    assert!(
        told.starts_with("Errors found during import:\n\t/definitions/KKKK") && told.contains("K…/properties/m0/$ref")
    );
    assert!(told.ends_with(" more"), "{told}");
}

#[test]
fn long_paths_are_refused_with_their_place() {
    let long = "/abcdefg".repeat(large() / 8);
    let told = refused(swagger(&format!("\"paths\":{{\"{long}\":{{}}}}")));
    assert!(told.ends_with("…: a path has at most 8192 characters"), "{told}");
    let told = refused(swagger(&format!("\"paths\":{{\"{}\":{{}}}}", "/a".repeat(101))));
    assert!(told.ends_with("~1a~1a: a path has at most 100 segments"), "{told}");
    let paths = pieces(2_500_000, |n| format!("\"{}/p{n}\":{{}}", "/a".repeat(99)));
    let told = refused(swagger(&format!("\"paths\":{{{paths}}}")));
    assert!(told.contains("an imported API has at most 10000 resources"), "{told}");
    let text = swagger(&format!("\"basePath\":\"{long}\",\"paths\":{{\"/a\":{{}}}}"));
    let bench = Bench::new();
    let seen = stands(&bench, Bench::request("POST", "/restapis?mode=import&basepath=prepend", text));
    assert_eq!(seen.refusal().2, "Errors found during import:\n\t/basePath: a path has at most 8192 characters");
}

#[test]
fn what_references_and_the_files_own_rules_repeat_is_counted() {
    let headers = pieces(large() / 2, |n| format!("\"h{n}\":{{}}"));
    let paths = pieces(large() / 3, |n| {
        format!("\"/p{n}\":{{\"get\":{{\"responses\":{{\"200\":{{\"$ref\":\"#/responses/r\"}}}}}}}}")
    });
    let told =
        refused(swagger(&format!("\"responses\":{{\"r\":{{\"headers\":{{{headers}}}}}}},\"paths\":{{{paths}}}")));
    let wanted = "with what references and the file's own rules repeat, it has more than 1000000 values";
    assert!(told.contains(&format!("/get/responses/200: {wanted}")), "{told}");
    let callers = pieces(large() / 2, |n| format!("{{\"k{n}\":[]}}"));
    let paths = pieces(large() / 3, |n| format!("\"/p{n}\":{{\"get\":{{{OK}}}}}"));
    let told = refused(swagger(&format!("\"security\":[{callers}],\"paths\":{{{paths}}}")));
    assert!(told.contains(&format!("/security: {wanted}")), "{told}");
    let types = pieces(large() / 2, |n| format!("\"a/b{n}\""));
    let codes =
        pieces(large() / 3, |n| format!("\"{}\":{{\"schema\":{{\"$ref\":\"#/definitions/A\"}}}}", 100 + n % 500));
    let codes = codes.split_inclusive("}},").take(500).collect::<String>();
    let text = swagger(&format!(
        "\"definitions\":{{\"A\":{{}}}},\"paths\":{{\"/a\":{{\"get\":{{\"produces\":[{types}],\"responses\":{{{}}}}}}}}}",
        codes.trim_end_matches(',')
    ));
    let told = refused(text);
    assert!(told.contains(wanted), "{told}");
}

#[test]
fn many_things_with_names_are_found_by_their_names() {
    let validators = pieces(large() / 2, |n| format!("\"v{n}\":{{}}"));
    let paths = pieces(900_000, |n| {
        format!("\"/p{n}\":{{\"get\":{{{OK},\"x-amazon-apigateway-request-validator\":\"v{n}\"}}}}")
    });
    let text = swagger(&format!("\"x-amazon-apigateway-request-validators\":{{{validators}}},\"paths\":{{{paths}}}"));
    file(text).ok(201);
    let schemes = pieces(large(), |n| {
        format!("\"s{n}\":{{\"description\":\"d\",\"x-amazon-apigateway-authorizer\":{{\"type\":\"token\"}}}}")
    });
    let said = file(swagger(&format!("\"securityDefinitions\":{{{schemes}}},\"paths\":{{}}"))).refusal();
    assert_eq!((said.0, said.1.as_str()), (429, "LimitExceededException"), "{said:?}");
}

#[test]
fn many_parts_of_one_operation_are_read_in_time() {
    let parameters = pieces(large(), |n| format!("{{\"name\":\"q{n}\",\"in\":\"query\"}}"));
    file(swagger(&format!("\"paths\":{{\"/a\":{{\"get\":{{\"parameters\":[{parameters}],{OK}}}}}}}"))).ok(201);
    let bodies = pieces(large(), |n| format!("\"a/b{n}\":{{\"schema\":{{\"title\":\"t{n}\"}}}}"));
    let text = format!(
        "{{\"openapi\":\"3.0.1\",\"info\":{{\"title\":\"t\"}},\"paths\":{{\"/a\":{{\"get\":{{{OK},\"requestBody\":{{\"content\":{{{bodies}}}}}}}}}}}}}"
    );
    file(text).ok(201);
}

#[test]
fn many_documentation_parts_are_cut_at_the_most_with_a_warning() {
    let part = |n: usize| {
        let n = n % 3_000;
        format!("{{\"location\":{{\"type\":\"MODEL\",\"name\":\"m{n}\"}},\"properties\":{{\"description\":\"\"}}}}")
    };
    let parts = pieces(large(), part);
    let text =
        swagger(&format!("\"paths\":{{}},\"x-amazon-apigateway-documentation\":{{\"documentationParts\":[{parts}]}}"));
    let made = file(text).ok(201);
    assert_eq!(made["warnings"], json!(["an API has at most 2000 documentation parts: the rest is left out"]));
}

#[test]
fn a_wide_and_deep_schema_is_read_in_time() {
    let (open, close) = ("{\"properties\":{\"x\":".repeat(45), "}}".repeat(45));
    let of = |size| {
        let leaves = pieces(size, |n| format!("\"p{n}\":{{}}"));
        file(swagger(&format!("\"paths\":{{}},\"definitions\":{{\"A\":{open}{{\"properties\":{{{leaves}}}}}{close}}}")))
    };
    // It is kept in many lines, with their indents.
    of(10_000).ok(201);
    let said = of(large()).refusal().2;
    assert!(said.ends_with("Unable to create model for A: Invalid model specified: Validation Result: warnings : [], errors : [Model schema is larger than 409600 bytes]"), "{said}");
}

#[test]
fn yaml_of_every_shape_is_read_or_refused_in_time() {
    let size = large() / 2;
    let head = "swagger: '2.0'\ninfo: {title: t}\npaths: {}\n";
    let lines = |line: &str| format!("{head}x-a:\n{}", line.repeat(size / line.len()));
    let shapes = [
        ("one long text", format!("{head}x-a: {}\n", "x".repeat(size))),
        ("many short texts", lines("- x y\n")),
        ("a flow list", format!("{head}x-a: [{}]\n", "x,".repeat(size / 2))),
        ("dashes in dashes", lines("- - - - a\n")),
        ("question marks", lines("? a\n")),
        ("open brackets", format!("{head}x-a: {}", "[".repeat(size))),
        ("open braces", format!("{head}x-a: {}", "{a: ".repeat(size / 4))),
        ("quotes", format!("{head}x-a: \"{}\"\n", "\\n".repeat(size / 2))),
        ("a folded text", lines("  x\n\n").replace("x-a:", "x-a: >")),
        ("comments", lines("# x\n")),
        ("blanks", format!("{head}x-a: {}\n", " ".repeat(size))),
        ("anchors", lines("- &a x\n")),
        ("aliases", format!("{head}b: &a x\nx-a:\n{}", "- *a\n".repeat(size / 5))),
        ("tags", lines("- !!str x\n")),
        ("keys without an end", format!("{head}{}", "x".repeat(size))),
        ("colons", format!("{head}x-a: {}", "a:".repeat(size / 2))),
    ];
    let bench = Bench::new();
    for (name, text) in shapes {
        println!("{name}");
        let seen = stands(&bench, Bench::request("POST", "/restapis?mode=import", text));
        assert!(matches!(seen.status, 201 | 400), "{name}: {}", seen.text);
    }
    let long = "x".repeat(1 << 20);
    let aliases = vec!["*a"; 400_000].join(",");
    let told = refused(format!("{head}x-b: &a {long}\nx-a: [{aliases}]\n"));
    assert_eq!(told, "Invalid OpenAPI input. /x-a/23: anchors and aliases repeat more than 25165824 bytes of text");
}

#[test]
fn a_file_of_the_largest_size_is_read_and_one_byte_more_is_refused() {
    let bench = Bench::new();
    let api = import(&bench, "", PETSTORE).id();
    let exact = format!("{PETSTORE}{}", " ".repeat((6 << 20) - PETSTORE.len()));
    put(&bench, &api, "mode=overwrite", &exact).ok(200);
    let seen = stands(&bench, Bench::request("PUT", &format!("/restapis/{api}?mode=overwrite"), exact + " "));
    let text = "The file has 6291457 bytes, at most 6291456 are read";
    assert_eq!(seen.refusal(), (413, "RequestEntityTooLargeException".into(), text.into()));
    let most = 10 << 20;
    let seen = stands(&bench, Bench::request("POST", "/restapis", vec![b' '; most + 1]));
    let text = format!("The request body is longer than {most} bytes");
    assert_eq!(seen.refusal(), (413, "RequestEntityTooLargeException".into(), text));
}

#[test]
fn deep_json_is_refused_with_its_place() {
    let bench = Bench::new();
    let api = bench.api();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{{\"name\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
        let seen = stands(&bench, Bench::request("POST", "/restapis", body));
        assert_eq!((seen.status, seen.refusal().1.as_str()), (400, "SerializationException"));
        assert!(seen.refusal().2.starts_with("Unable to parse the request body as JSON at line 1 column "));
    }
    let target = format!("/restapis/{api}/models");
    let deep = |levels: usize| format!("{}{{}}{}", "{\"items\":".repeat(levels), "}".repeat(levels));
    let model = |name: &str, schema: String| json!({"name": name, "contentType": "application/json", "schema": schema});
    bench.post(&target, model("Deep", deep(100))).ok(201);
    let seen = stands(&bench, Bench::request("POST", &target, model("Deeper", deep(10_000)).to_string()));
    assert!(seen.refusal().2.contains("It is nested more than 127 levels deep at column "), "{}", seen.text);
    bench.get(&format!("{target}/Deep/default_template")).ok(200);
    // A file is refused deeper than a hundred levels, whether it says so in JSON or in YAML.
    let yaml = |levels: usize| {
        format!(
            "swagger: '2.0'\ninfo: {{title: t}}\npaths: {{}}\ndefinitions: {{A: {}}}\n",
            deep(levels).replace('"', "")
        )
        .replace("items:", "items: ")
    };
    let json = swagger(&format!("\"paths\":{{}},\"definitions\":{{\"A\":{}}}", deep(10_000)));
    for text in [json, yaml(200), yaml(10_000)] {
        let place = format!("Invalid OpenAPI input. /definitions/A{}", "/items".repeat(99));
        assert_eq!(refused(text), format!("{place}: nested deeper than 100 levels"));
    }
}

#[test]
fn a_schema_that_names_itself_everywhere_is_kept_and_has_a_template_in_time() {
    let bench = Bench::new();
    let api = bench.api();
    let target = format!("/restapis/{api}/models");
    let many = pieces(390_000, |n| format!("\"p{n}\":{{\"$ref\":\"#\"}}"));
    let schema = format!("{{\"type\":\"object\",\"properties\":{{{many}}}}}");
    bench.post(&target, json!({"name": "Self", "contentType": "application/json", "schema": schema})).ok(201);
    let seen = stands(&bench, Bench::request("GET", &format!("{target}/Self/default_template"), ""));
    assert!(seen.ok(200)["value"].as_str().unwrap().len() < 200_000);
    let long = "k".repeat(190_000);
    let under = pieces(190_000, |n| format!("\"x{n}\":1"));
    let schema = format!("{{\"properties\":{{\"{long}\":{{{under}}}}}}}");
    let body = json!({"name": "Long", "contentType": "application/json", "schema": schema}).to_string();
    let seen = stands(&bench, Bench::request("POST", &target, body));
    assert!(seen.refusal().2.contains("Unsupported keyword(s): [\"x0\""), "{}", seen.text);
}

#[test]
fn giant_patches_are_refused_or_done_in_time() {
    let bench = Bench::new();
    let api = bench.api();
    let target = format!("/restapis/{api}");
    let send = |steps: Vec<Value>| {
        stands(&bench, Bench::request("PATCH", &target, json!({"patchOperations": steps}).to_string()))
    };
    let step = |path: String| json!({"op": "add", "path": path});
    let seen = send((0..100_000).map(|n| step(format!("/binaryMediaTypes/a~1b{n}"))).collect());
    assert_eq!(seen.refusal().2, "patchOperations has 100000 members, at most 1000 are applied at once");
    let seen = send((0..1_000).map(|n| step(format!("/binaryMediaTypes/a~1b{}", n % 200))).collect());
    assert_eq!(seen.ok(200)["binaryMediaTypes"].as_array().unwrap().len(), 200);
    let seen = send((0..90_000).map(|_| json!({"op": "leap", "path": "/name"})).collect());
    let text = "90000 validation errors detected: Value 'leap' at 'updateRestApiInput.patchOperations.1.member.op' failed to \
                satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]; Value";
    assert!(seen.refusal().2.starts_with(text), "{}", seen.text);
    assert_eq!(seen.refusal().2.matches("'leap'").count(), 100, "all are counted, the first are told");
}

#[test]
fn broken_pointers_are_refused_in_the_words_for_unknown_paths() {
    let bench = Bench::new();
    let api = bench.api();
    for path in
        ["", "name", "//name", "/name/", "/binaryMediaTypes/a/b", "/~", "/~2name", "/na~0me", "/name\u{0}", "#/name"]
    {
        let seen = bench.patch(&format!("/restapis/{api}"), &[("replace", path, json!("x"))]);
        let message = format!("Invalid patch path {path}");
        assert_eq!(seen.refusal(), (400, "BadRequestException".into(), message), "{path:?}");
    }
}

#[test]
fn queries_of_thousands_of_members_and_broken_escapes_are_answered() {
    let bench = Bench::new();
    let api = bench.api();
    let many: Vec<String> = (0..3_000).map(|n| format!("limit=1&k{n}=&")).collect();
    stands(&bench, Bench::request("GET", &format!("/restapis?{}", many.join("&")), "")).ok(200);
    let arn = format!("arn:aws:apigateway:us-east-1::/restapis/{api}");
    let untag = |count: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("tagKeys=t{n}")).collect();
        stands(&bench, Bench::request("DELETE", &format!("/tags/{arn}?{}", tags.join("&")), ""))
    };
    untag(1_000).ok(204);
    assert_eq!(untag(3_000).refusal().2, "Invalid tagKeys specified: it may have at most 1000 entries");
    for target in ["/restapis?position=%ff", "/restapis/%c3%28", "/restapis?%80=1"] {
        let seen = stands(&bench, Bench::request("GET", target, ""));
        assert_eq!(seen.refusal().2, "The path or the query is not percent-encoded UTF-8", "{target}");
    }
    // A percent sign that escapes nothing is itself, as in AWS's own reader.
    let seen = stands(&bench, Bench::request("GET", "/restapis/%zz%4", ""));
    assert_eq!(seen.refusal().2, "Invalid API identifier specified 000000000000:%zz%4");
    let seen = stands(&bench, Bench::request("POST", "/restapis", vec![b'{', 0xff, b'}']));
    assert_eq!(seen.refusal().2, "Unable to parse the request body as JSON at line 1 column 2");
}

#[test]
fn numbers_out_of_range_are_refused_by_their_class() {
    let bench = Bench::new();
    for number in ["2147483648", "-2147483649", "1e300", "99999999999999999999", "9223372036854775808"] {
        let body = format!("{{\"name\":\"a\",\"minimumCompressionSize\":{number}}}");
        let seen = stands(&bench, Bench::request("POST", "/restapis", body));
        let text = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an Integer";
        assert_eq!(seen.refusal(), (400, "SerializationException".into(), text.into()), "{number}");
    }
    for number in ["1e400", "-1e400", "0x10", "NaN", "01"] {
        let body = format!("{{\"name\":\"a\",\"minimumCompressionSize\":{number}}}");
        let seen = stands(&bench, Bench::request("POST", "/restapis", body));
        assert!(
            seen.refusal().2.starts_with("Unable to parse the request body as JSON at line 1 column "),
            "{}",
            seen.text
        );
    }
    for limit in ["-1", "0", "9223372036854775808", "1e3", "x"] {
        bench.get(&format!("/restapis?limit={limit}")).ok(200);
    }
}

#[test]
fn a_description_of_megabytes_costs_no_more_than_its_length() {
    let bench = Bench::new();
    let text = "x".repeat(2_000_000);
    let begun = Instant::now();
    let seen =
        stands(&bench, Bench::request("POST", "/restapis", json!({"name": "a", "description": text}).to_string()));
    println!("{} after {:?}", seen.status, begun.elapsed());
}
