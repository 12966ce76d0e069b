//! Functions: made, shown, changed, listed, tagged, deleted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meridian::catalog::{AccountId, Region, Table};
use meridian::state::Scope;
use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::functions::{ROLE, ZIP, invalid, missing, validation};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pets";
const AT: &str = "/2015-03-31/functions/pets";

fn digest() -> String {
    STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ZIP))
}

/// What a function is shown as when nothing was said that need not be; its revision is in `seen`.
fn plain(seen: &Value) -> Value {
    json!({
        "FunctionName": "pets", "FunctionArn": ARN, "Runtime": "provided.al2023", "Role": ROLE, "Handler": "bootstrap",
        "CodeSize": ZIP.len(), "Description": "", "Timeout": 3, "MemorySize": 128,
        "LastModified": "2023-11-14T22:13:20.123+0000", "CodeSha256": digest(), "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"}, "RevisionId": seen["RevisionId"], "PackageType": "Zip",
        "Architectures": [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        "EphemeralStorage": {"Size": 512}, "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/pets"},
        "State": "Active", "LastUpdateStatus": "Successful",
    })
}

fn without_state(mut shown: Value) -> Value {
    shown.as_object_mut().unwrap().retain(|member, _| member != "State" && member != "LastUpdateStatus");
    shown
}

#[test]
fn a_function_is_shown_as_it_was_made_by_every_form_of_its_name() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({}));
    assert_eq!(made, plain(&made));
    let revision = made["RevisionId"].as_str().unwrap();
    assert!(revision.len() == 36 && revision.as_bytes()[14] == b'4', "{revision}");
    for name in ["pets", "function:pets", "000000000000:function:pets", ARN] {
        let path = format!("/2015-03-31/functions/{}", name.replace(':', "%3A"));
        assert_eq!(bench.get(&format!("{path}/configuration")).ok(200), made, "{name}");
        assert_eq!(bench.get(&path).ok(200)["Configuration"], made, "{name}");
    }
    let latest = bench.get(&format!("{AT}?Qualifier=$LATEST")).ok(200);
    assert_eq!(latest["Configuration"]["FunctionArn"], format!("{ARN}:$LATEST"));
    assert_eq!(bench.get("/2015-03-31/functions/cats").refused(), missing("cats"));
    let elsewhere = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Apets";
    let text = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
    assert_eq!(bench.get(elsewhere).refused().2, text);
    let foreign = bench.get("/2015-03-31/functions/111122223333%3Afunction%3Apets").refused();
    assert_eq!((foreign.0, foreign.1.as_str()), (403, "AccessDeniedException"));
    let both = bench.get("/2015-03-31/functions/pets%3A1?Qualifier=2").refused();
    assert_eq!(both, invalid("The derived qualifier from the function name does not match the specified qualifier."));
    let again = bench.post("/2015-03-31/functions/", Bench::function_body("pets")).refused();
    let text = "Function already exist: pets".to_owned();
    assert_eq!(again, (409, "ResourceConflictException".to_owned(), text, json!("User")));
}

#[test]
fn everything_that_can_be_said_of_a_function_is_shown_again() {
    let bench = Bench::new();
    let all = json!({
        "Description": "all of them", "Timeout": 900, "MemorySize": 10240, "Runtime": "python3.13",
        "Environment": {"Variables": {"TABLE": "pets", "KEY_1": "s3cr3t"}}, "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 1024}, "TracingConfig": {"Mode": "Active"}, "Handler": "pets.handler",
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k", "Tags": {"team": "pets"},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/pets"},
        // What asks for nothing is not refused.
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "Layers": [], "DeadLetterConfig": {"TargetArn": ""},
        "SnapStart": {"ApplyOn": "None"}, "PackageType": "Zip",
    });
    let made = bench.function("pets", all);
    let mut expected = plain(&made);
    for (member, value) in [
        ("Description", json!("all of them")),
        ("Timeout", json!(900)),
        ("MemorySize", json!(10240)),
        ("Runtime", json!("python3.13")),
        ("Handler", json!("pets.handler")),
        ("Environment", json!({"Variables": {"TABLE": "pets", "KEY_1": "s3cr3t"}})),
        ("Architectures", json!(["arm64"])),
        ("EphemeralStorage", json!({"Size": 1024})),
        ("TracingConfig", json!({"Mode": "Active"})),
        ("KMSKeyArn", json!("arn:aws:kms:us-east-1:000000000000:key/k")),
        (
            "LoggingConfig",
            json!({"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO", "LogGroup": "/pets"}),
        ),
    ] {
        expected[member] = value;
    }
    assert_eq!(made, expected);
    let got = bench.get(AT).ok(200);
    assert_eq!((&got["Configuration"], &got["Tags"]), (&expected, &json!({"team": "pets"})));
    assert_eq!(got["Code"]["RepositoryType"], "S3");
}

#[test]
fn the_environment_is_sealed_in_the_row_and_code_is_in_no_proposal() {
    let bench = Bench::new();
    bench.function("pets", json!({"Environment": {"Variables": {"KEY_1": "s3cr3t-value"}}}));
    let scope = Scope::region(&AccountId::from(ACCOUNT), &Region::from("us-east-1"));
    let world = bench.memory.world.lock().unwrap().clone();
    let row = world.row(&scope, Table::FunctionVersion, "pets/$LATEST").unwrap().bytes().to_vec();
    let found = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!found(&row, b"s3cr3t-value"), "the row holds the value in the clear");
    assert!(found(&row, b"eulav-t3rc3s"), "the row holds the sealed value");
    let proposed = bench.memory.proposed.lock().unwrap().last().unwrap().0.payload.clone();
    assert!(!found(&proposed, STANDARD.encode(ZIP).as_bytes()) && !found(&proposed, ZIP));
    assert!(found(&proposed, digest().as_bytes()));
    assert_eq!(bench.functions.files(), 1);
}

#[test]
fn the_code_can_be_had_by_the_address_that_is_shown_and_by_no_other() {
    let bench = Bench::new();
    bench.function("pets", json!({}));
    let location = bench.get(AT).ok(200)["Code"]["Location"].as_str().unwrap().to_owned();
    let path = location.strip_prefix("http://127.0.0.1:4566").unwrap();
    let seen = bench.get(path);
    assert_eq!((seen.status, seen.header("content-type")), (200, Some("application/zip")));
    assert_eq!(seen.bytes, ZIP);
    assert_eq!(bench.post(path, Value::Null).status, 405);
    for wrong in [&path[..path.len() - 2], "/_aws/lambda/code/", "/_aws/lambda/code/AAAA", "/_aws/lambda/code/%2e%2e"] {
        assert_eq!(bench.get(wrong).refused().1, "AccessDeniedException", "{wrong}");
    }
    bench.now_ms.fetch_add(600_001, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(bench.get(path).status, 403, "after ten minutes it is over");
}

#[test]
fn settings_and_code_change_each_for_itself_and_a_stale_revision_changes_nothing() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({"Environment": {"Variables": {"AB": "1"}}, "Timeout": 5}));
    let changed =
        bench.put(&format!("{AT}/configuration"), json!({"MemorySize": 256, "RevisionId": made["RevisionId"]}));
    let changed = changed.ok(200);
    let mut expected = made.clone();
    (expected["MemorySize"], expected["RevisionId"]) = (json!(256), changed["RevisionId"].clone());
    assert_eq!(changed, expected);
    assert_ne!(changed["RevisionId"], made["RevisionId"]);
    let stale = json!({"MemorySize": 512, "RevisionId": made["RevisionId"]});
    let refused = bench.put(&format!("{AT}/configuration"), stale).refused();
    assert_eq!((refused.0, refused.1.as_str()), (412, "PreconditionFailedException"));
    let other = STANDARD.encode(b"PK other");
    let stale = json!({"ZipFile": other, "RevisionId": made["RevisionId"]});
    assert_eq!(bench.put(&format!("{AT}/code"), stale).status, 412);
    let dry = bench.put(&format!("{AT}/code"), json!({"ZipFile": other, "DryRun": true})).ok(200);
    assert_eq!(dry["CodeSize"], 8);
    assert_eq!(bench.get(&format!("{AT}/configuration")).ok(200), changed);
    let coded = bench.put(&format!("{AT}/code"), json!({"ZipFile": other})).ok(200);
    expected["CodeSize"] = json!(8);
    (expected["CodeSha256"], expected["RevisionId"]) = (coded["CodeSha256"].clone(), coded["RevisionId"].clone());
    assert_eq!(coded, expected);
    let emptied = bench.put(&format!("{AT}/configuration"), json!({"Environment": {"Variables": {}}})).ok(200);
    assert_eq!(emptied["Environment"], json!({"Variables": {}}));
    for path in ["code", "configuration"] {
        let cats = format!("/2015-03-31/functions/cats/{path}");
        assert_eq!(bench.put(&cats, json!({"ZipFile": other})).refused(), missing("cats"));
    }
}

#[test]
fn a_function_out_of_bounds_is_refused_and_none_is_made() {
    let bench = Bench::new();
    let refused = |more: Value| {
        let mut body = Bench::function_body("pets");
        for (member, value) in more.as_object().unwrap() {
            body[member] = value.clone();
        }
        bench.post("/2015-03-31/functions", body).refused()
    };
    let at_least = |member: &str, value: i64, least: i64| {
        let constraint = format!("Member must have value greater than or equal to {least}");
        validation(&format!("Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"))
    };
    assert_eq!(refused(json!({"MemorySize": 127})), at_least("memorySize", 127, 128));
    assert_eq!(refused(json!({"Timeout": 0})), at_least("timeout", 0, 1));
    assert!(refused(json!({"MemorySize": 10_241})).2.contains("less than or equal to 10240"));
    assert!(refused(json!({"Timeout": 901})).2.contains("less than or equal to 900"));
    assert!(refused(json!({"EphemeralStorage": {"Size": 511}})).2.contains("'ephemeralStorage.size'"));
    assert!(refused(json!({"Runtime": "cobol"})).2.contains("enum value set: [nodejs, "));
    assert!(refused(json!({"Runtime": "java21"})).2.starts_with("Meridian does not run java21"));
    let text = "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
    assert_eq!(refused(json!({"Runtime": null})), invalid(text));
    assert!(refused(json!({"FunctionName": "a b"})).2.contains("'functionName' failed to satisfy"));
    assert!(refused(json!({"FunctionName": "x".repeat(65)})).2.contains("length less than or equal to 64"));
    assert_eq!(refused(json!({"FunctionName": "pets:1"})).1, "ValidationException");
    assert!(refused(json!({"Role": "me"})).2.contains("'role' failed"));
    assert!(refused(json!({"Description": "x".repeat(257)})).2.contains("equal to 256"));
    for member in ["Layers", "VpcConfig", "FileSystemConfigs", "DeadLetterConfig", "ImageConfig"] {
        let asked = json!({
            "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:a:1"],
            "VpcConfig": {"SubnetIds": ["subnet-1"]},
            "FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0", "LocalMountPath": "/mnt/a"}],
            "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"},
            "ImageConfig": {"Command": ["x"]},
        });
        let text = format!("Functions that run on Meridian's nodes have no {member}: leave it out");
        assert_eq!(refused(json!({member: asked[member]})), invalid(&text));
    }
    assert_eq!(refused(json!({"Tags": {"aws:x": "y"}})).1, "InvalidParameterValueException");
    assert_eq!(refused(json!({"LoggingConfig": {"SystemLogLevel": "WARN"}})).1, "InvalidParameterValueException");
    assert_eq!(bench.get("/2015-03-31/functions").ok(200), json!({"Functions": []}));
}

#[test]
fn an_environment_out_of_bounds_is_refused_without_a_word_of_its_values() {
    let bench = Bench::new();
    let refused = |variables: Value| {
        let mut body = Bench::function_body("pets");
        body["Environment"] = json!({"Variables": variables});
        let seen = bench.post("/2015-03-31/functions", body);
        assert!(!seen.text.contains("s3cr3t"), "{}", seen.text);
        seen.refused()
    };
    assert!(refused(json!({"AWS_REGION": "s3cr3t", "_HANDLER": "s3cr3t"})).2.ends_with("AWS_REGION, _HANDLER"));
    for name in ["1A", "A", "A-B", "", "Ä1"] {
        assert!(refused(json!({name: "s3cr3t"})).2.contains("[a-zA-Z]([a-zA-Z0-9_])+"), "{name}");
    }
    assert!(refused(json!({"BIG": "s3cr3t".repeat(700)})).2.ends_with("exceeded the 4KB limit."));
    assert_eq!(refused(json!({"AB": {"s3cr3t": 1}})).1, "SerializationException");
    let fits = "x".repeat(4_096 - r#"{"BIG":""}"#.len());
    bench.function("pets", json!({"Environment": {"Variables": {"BIG": fits}}}));
}

#[test]
fn functions_are_listed_in_pages_without_their_state() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({}));
    for n in 0..60 {
        bench.function(&format!("f{n:02}"), json!({}));
    }
    let list = |query: &str| bench.get(&format!("/2015-03-31/functions?{query}")).ok(200);
    let all = list("");
    assert_eq!(all["Functions"].as_array().unwrap().len(), 50, "never more on a page");
    let rest = list(&format!("MaxItems=10000&Marker={}", all["NextMarker"].as_str().unwrap()));
    let rest_of = rest["Functions"].as_array().unwrap();
    assert_eq!((rest_of.len(), rest.get("NextMarker")), (11, None));
    assert_eq!(rest_of.last().unwrap(), &without_state(made));
    assert_eq!(list("MaxItems=2")["Functions"].as_array().unwrap().len(), 2);
    let constraint =
        "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1";
    assert_eq!(bench.get("/2015-03-31/functions?MaxItems=0").refused(), validation(constraint));
    assert_eq!(bench.get("/2015-03-31/functions?Marker=%25").refused(), invalid("Invalid Marker"));
}

#[test]
fn tags_are_the_functions_and_are_found_by_its_arn() {
    let bench = Bench::new();
    bench.function("pets", json!({"Tags": {"team": "pets"}}));
    let at = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    assert_eq!(bench.post(&at, json!({"Tags": {"tier": "1"}})).ok(204), Value::Null);
    assert_eq!(bench.get(&at).ok(200), json!({"Tags": {"team": "pets", "tier": "1"}}));
    bench.delete(&format!("{at}?tagKeys=team&tagKeys=none")).ok(204);
    assert_eq!(bench.get(AT).ok(200)["Tags"], json!({"tier": "1"}));
    let many: serde_json::Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(bench.post(&at, json!({"Tags": many})).refused().1, "InvalidParameterValueException");
    assert_eq!(bench.get(&at.replace("pets", "cats")).refused(), missing("cats"));
    assert_eq!(bench.get(&format!("{at}%3A1")).refused().1, "InvalidParameterValueException");
    assert_eq!(bench.get("/2017-03-31/tags/pets").refused().1, "ValidationException");
}

#[test]
fn reserved_concurrency_is_put_shown_and_taken_away() {
    let bench = Bench::new();
    bench.function("pets", json!({}));
    let (put, get) = ("/2017-10-31/functions/pets/concurrency", "/2019-09-30/functions/pets/concurrency");
    assert_eq!(bench.get(get).ok(200), json!({}));
    assert_eq!(
        bench.put(put, json!({"ReservedConcurrentExecutions": 7})).ok(200),
        json!({"ReservedConcurrentExecutions": 7})
    );
    assert_eq!(bench.get(get).ok(200), json!({"ReservedConcurrentExecutions": 7}));
    assert_eq!(bench.get(AT).ok(200)["Concurrency"], json!({"ReservedConcurrentExecutions": 7}));
    assert_eq!(bench.put(put, json!({"ReservedConcurrentExecutions": -1})).refused().1, "ValidationException");
    assert_eq!(bench.put(put, json!({})).refused().1, "ValidationException");
    bench.delete(put).ok(204);
    assert_eq!(bench.get(get).ok(200), json!({}));
    assert_eq!(bench.get(&get.replace("pets", "cats")).refused(), missing("cats"));
}

#[test]
fn a_deleted_function_is_gone_with_all_that_was_its() {
    let bench = Bench::new();
    bench.function("pets", json!({"Publish": true}));
    bench.function("pets2", json!({"Publish": true}));
    bench.post(&format!("{AT}/aliases"), json!({"Name": "live", "FunctionVersion": "1"})).ok(201);
    assert_eq!(bench.delete(AT).ok(204), Value::Null);
    for path in [AT.to_owned(), format!("{AT}/versions"), format!("{AT}/aliases"), format!("{AT}/policy")] {
        assert_eq!(bench.get(&path).refused(), missing("pets"), "{path}");
    }
    assert_eq!(bench.delete(AT).refused(), missing("pets"));
    let rows = bench.get("/2015-03-31/functions?FunctionVersion=ALL").ok(200);
    assert_eq!(rows["Functions"].as_array().unwrap().len(), 2, "the other's are there");
    // A number is never given twice.
    assert_eq!(bench.function("pets", json!({"Publish": true}))["Version"], "2");
}

#[test]
fn a_node_without_functions_names_the_setting_and_an_operation_that_is_not_built_itself() {
    let off = Bench::without_functions();
    for seen in [
        off.get("/2015-03-31/functions"),
        off.post("/2015-03-31/functions", Bench::function_body("pets")),
        off.post(&format!("{AT}/invocations"), json!({})),
        off.delete(AT),
    ] {
        let (status, name, message, _) = seen.refused();
        assert_eq!((status, name.as_str()), (403, "AccessDeniedException"));
        assert!(message.contains("[functions]") && message.contains("enabled = true"), "{message}");
    }
    let on = Bench::new();
    for (method, path, name) in [
        ("GET", "/2018-10-31/layers", "ListLayers"),
        ("POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping"),
        ("POST", "/2021-10-31/functions/pets/url", "CreateFunctionUrlConfig"),
        ("GET", "/2016-08-19/account-settings", "GetAccountSettings"),
    ] {
        for bench in [&on, &off] {
            let seen = bench.call(method, path, Value::Null);
            let text = format!("Meridian does not implement {name} yet");
            assert_eq!(seen.refused(), (501, "NotImplementedException".to_owned(), text, Value::Null));
        }
    }
}
