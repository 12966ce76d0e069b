//! Policies: statements as AWS writes them, for a function, a version, an alias.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::functions::{invalid, missing};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pets";
const AT: &str = "/2015-03-31/functions/pets";
const GATEWAY: &str = "apigateway.amazonaws.com";

fn permission(id: &str) -> Value {
    json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": GATEWAY})
}

fn document(bench: &Bench, query: &str) -> Value {
    let shown = bench.get(&format!("{AT}/policy{query}")).ok(200);
    serde_json::from_str(shown["Policy"].as_str().unwrap()).unwrap()
}

#[test]
fn a_statement_is_given_back_as_aws_writes_it_and_stands_in_the_document() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({}));
    let mut asked = permission("s1");
    asked["SourceArn"] = json!("arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/GET/pets");
    asked["SourceAccount"] = json!("000000000000");
    let added = bench.post(&format!("{AT}/policy"), asked).ok(201);
    let expected = json!({
        "Sid": "s1", "Effect": "Allow", "Principal": {"Service": GATEWAY}, "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "000000000000"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/GET/pets"},
        },
    });
    assert_eq!(added["Statement"].as_str().unwrap(), expected.to_string());
    assert_eq!(document(&bench, ""), json!({"Version": "2012-10-17", "Id": "default", "Statement": [expected]}));
    let shown = bench.get(&format!("{AT}/policy")).ok(200);
    assert_eq!(shown["RevisionId"], bench.get(&format!("{AT}/configuration")).ok(200)["RevisionId"]);
    assert_ne!(shown["RevisionId"], made["RevisionId"]);
}

#[test]
fn principals_are_written_as_what_they_are() {
    let bench = Bench::new();
    bench.function("pets", json!({}));
    let role = "arn:aws:iam::111122223333:role/r";
    for (n, principal, shown) in [
        (0, "*", json!("*")),
        (1, "111122223333", json!({"AWS": "arn:aws:iam::111122223333:root"})),
        (2, role, json!({"AWS": role})),
        (3, "events.amazonaws.com", json!({"Service": "events.amazonaws.com"})),
    ] {
        let mut asked = permission(&format!("s{n}"));
        asked["Principal"] = json!(principal);
        bench.post(&format!("{AT}/policy"), asked).ok(201);
        assert_eq!(document(&bench, "")["Statement"][n]["Principal"], shown);
    }
    let mut asked = permission("s4");
    (asked["PrincipalOrgID"], asked["Principal"]) = (json!("o-a1b2c3d4e5"), json!("*"));
    (asked["FunctionUrlAuthType"], asked["InvokedViaFunctionUrl"]) = (json!("NONE"), json!(true));
    asked["EventSourceToken"] = json!("token");
    bench.post(&format!("{AT}/policy"), asked).ok(201);
    let equal = json!({
        "lambda:EventSourceToken": "token", "aws:PrincipalOrgID": "o-a1b2c3d4e5", "lambda:FunctionUrlAuthType": "NONE",
    });
    let condition = json!({"StringEquals": equal, "Bool": {"lambda:InvokedViaFunctionUrl": "true"}});
    assert_eq!(document(&bench, "")["Statement"][4]["Condition"], condition);
}

#[test]
fn a_version_and_an_alias_have_policies_of_their_own() {
    let bench = Bench::new();
    bench.function("pets", json!({"Publish": true}));
    bench.post(&format!("{AT}/aliases"), json!({"Name": "live", "FunctionVersion": "1"})).ok(201);
    for qualifier in ["1", "live"] {
        bench.post(&format!("{AT}/policy?Qualifier={qualifier}"), permission("s")).ok(201);
        let query = format!("?Qualifier={qualifier}");
        assert_eq!(document(&bench, &query)["Statement"][0]["Resource"], format!("{ARN}:{qualifier}"));
    }
    let none = "The resource you requested does not exist.";
    assert_eq!(bench.get(&format!("{AT}/policy")).refused().2, none);
    assert_eq!(bench.get(&format!("{AT}/policy?Qualifier=2")).refused(), missing("pets:2"));
    let refused = bench.post(&format!("{AT}/policy?Qualifier=$LATEST"), permission("s")).refused();
    assert_eq!(refused, invalid("We currently do not support adding policies for $LATEST."));
    bench.delete(&format!("{AT}/policy/s?Qualifier=live")).ok(204);
    assert_eq!(bench.get(&format!("{AT}/policy?Qualifier=live")).refused().2, none);
    assert_eq!(document(&bench, "?Qualifier=1")["Statement"].as_array().unwrap().len(), 1);
}

#[test]
fn statements_have_names_of_their_own_and_revisions_guard_them() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({}));
    let at = format!("{AT}/policy");
    let text = "No policy is associated with the given resource.";
    assert_eq!(bench.delete(&format!("{at}/s1")).refused().2, text);
    let mut asked = permission("s1");
    asked["RevisionId"] = made["RevisionId"].clone();
    bench.post(&at, asked.clone()).ok(201);
    asked["StatementId"] = json!("s2");
    let (status, name, message, _) = bench.post(&at, asked).refused();
    assert_eq!((status, name.as_str()), (412, "PreconditionFailedException"));
    assert!(message.contains("Call the GetPolicy API"), "{message}");
    let (status, name, message, _) = bench.post(&at, permission("s1")).refused();
    assert_eq!((status, name.as_str()), (409, "ResourceConflictException"));
    assert!(message.starts_with("The statement id (s1) provided already exists."), "{message}");
    assert_eq!(bench.delete(&format!("{at}/s9")).refused().2, "Statement s9 is not found in resource policy.");
    assert_eq!(bench.delete(&format!("{at}/s1?RevisionId=x")).status, 412);
    bench.delete(&format!("{at}/s1")).ok(204);
    assert_eq!(bench.post("/2015-03-31/functions/cats/policy", permission("s")).refused(), missing("cats"));
}

#[test]
fn a_statement_that_says_nothing_is_refused_and_a_document_has_an_end() {
    let bench = Bench::new();
    bench.function("pets", json!({}));
    let at = format!("{AT}/policy");
    let with = |member: &str, value: Value| {
        let mut asked = permission("s");
        asked[member] = value;
        bench.post(&at, asked).refused()
    };
    assert_eq!(with("Principal", json!("nobody")).1, "InvalidParameterValueException");
    for (member, value) in [
        ("StatementId", json!("a b")),
        ("Action", json!("s3:GetObject")),
        ("SourceArn", json!("here")),
        ("SourceAccount", json!("1")),
        ("Action", Value::Null),
    ] {
        assert_eq!(with(member, value).1, "ValidationException", "{member}");
    }
    assert!(with("StatementId", json!("a".repeat(101))).2.ends_with("equal to 100"));
    let mut there = 0;
    let refused = loop {
        let mut asked = permission(&format!("s{there}"));
        asked["SourceArn"] = json!(format!("arn:aws:execute-api:us-east-1:000000000000:{}/*", "a".repeat(900)));
        let seen = bench.post(&at, asked);
        if seen.status != 201 {
            break seen.refused();
        }
        there += 1;
    };
    assert_eq!((refused.0, refused.1.as_str()), (400, "PolicyLengthExceededException"));
    assert!((15..20).contains(&there), "{there}");
    assert_eq!(document(&bench, "")["Statement"].as_array().unwrap().len(), there);
}
