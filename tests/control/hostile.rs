//! Random and half-right input to every operation that is built: a clear refusal, nothing changed, never a 500.

use meridian::control::model::{At, Member, Operation, Service, Shape};
use meridian::control::table::{OPERATIONS, SHAPES};
use meridian::control::v1;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::bench::Bench;
use crate::deployment::{deploy, mocked};

const AUTHORIZER: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations";

/// Words that mean something somewhere: names, paths of patches, numbers, and what breaks parsers.
const WORDS: &[&str] = &[
    "Empty",
    "TOKEN",
    "THROTTLED",
    "1",
    "x",
    "(none)",
    "api.example.com",
    "in.example.com",
    "b.example.com",
    "vpce-1",
    "arn:aws:a:b:c:d",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}}}",
    "{\"$ref\":\"#/definitions/x\"}",
    "/schema",
    "/properties",
    "/authorizerResultTtlInSeconds",
    "/identitySource",
    "/statusCode",
    "/responseParameters/gatewayresponse.header.X",
    "/responseTemplates/application~1json",
    "/endpointConfiguration/types",
    "/endpointConfiguration/types/0",
    "/mutualTlsAuthentication/truststoreUri",
    "/basePath",
    "/restapiId",
    "/validateRequestBody",
    AUTHORIZER,
    crate::domain_name::CERTIFICATE,
    "GET",
    "200",
    "prod",
    "true",
    "-1",
    "1e308",
    "NaN",
    "0",
    "99999999999999999999",
    "",
    " ",
    "/",
    "~1",
    "~",
    "%",
    "{proxy+}",
    "{",
    "}",
    "a:b",
    ":",
    "*/*",
    "*",
    "$default",
    "API_KEY",
    "NONE",
    "MOCK",
    "HTTP",
    "HTTP_PROXY",
    "http://example.com/{x}",
    "arn:aws:iam::000000000000:role/x",
    "application/json",
    "application~1json",
    "DAY",
    "apisummary",
    "methods",
    "2023-11-14",
    "2023-11-31",
    "csv",
    "{\"statusCode\":200}",
    "{\"a\":",
    "[1]",
    "ä€🐾",
    "\u{0}",
    "a\nb",
    "method.request.path.x",
    "integration.request.header.y",
    "method.response.header.z",
    "/description",
    "/name",
    "/deploymentId",
    "/canarySettings",
    "/canarySettings/percentTraffic",
    "/variables/x",
    "/*/*/caching/enabled",
    "/~1/GET/throttling/rateLimit",
    "/accessLogSettings/format",
    "/quota/limit",
    "/quota/period",
    "/throttle",
    "/throttle/rateLimit",
    "/apiStages",
    "/apiStages/",
    "/apiStages/:/throttle",
    "/features",
    "/requestParameters/x",
    "/requestTemplates/application~1json",
    "/parentId",
    "/pathPart",
    "/canarySettings/stageVariableOverrides/x",
    "/variables",
    "/deploymentId/",
    "//",
    "/a/b",
    "/remaining",
    "",
];

/// xorshift64*: the same seed makes the same calls.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// Those words, and the ids of what there is.
struct Words(Vec<String>);

impl Words {
    fn new(bench: &Bench) -> Words {
        let api = mocked(bench);
        let root = bench.get(&format!("/restapis/{api}")).json()["rootResourceId"].as_str().unwrap().to_owned();
        let child = bench.post(&format!("/restapis/{api}/resources/{root}"), json!({"pathPart": "pets"})).id();
        let deployment = deploy(bench, &api);
        bench
            .post(&format!("/restapis/{api}/stages"), json!({"stageName": "prod", "deploymentId": deployment}))
            .ok(201);
        let key = bench.post("/apikeys", json!({"name": "k", "enabled": true})).id();
        let stages = json!([{"apiId": api, "stage": "prod"}]);
        let plan = bench.post("/usageplans", json!({"name": "p", "apiStages": stages})).id();
        bench.post(&format!("/usageplans/{plan}/keys"), json!({"keyId": key, "keyType": "API_KEY"})).ok(201);
        let authorizer = json!({"name": "a", "type": "TOKEN", "authorizerUri": AUTHORIZER, "identitySource": "method.request.header.A"});
        let authorizer = bench.post(&format!("/restapis/{api}/authorizers"), authorizer).id();
        let validator = bench.post(&format!("/restapis/{api}/requestvalidators"), json!({"name": "v"})).id();
        let part = json!({"location": {"type": "API"}, "properties": "{}"});
        let part = bench.post(&format!("/restapis/{api}/documentation/parts"), part).id();
        bench.post(&format!("/restapis/{api}/documentation/versions"), json!({"documentationVersion": "1"})).ok(201);
        let certificate = bench.post("/clientcertificates", json!({})).ok(201)["clientCertificateId"].clone();
        let link = bench.post("/vpclinks", json!({"name": "l", "targetArns": ["arn:aws:a:b:c:d"]})).id();
        crate::domain_name::regional(bench, "api.example.com");
        let private = crate::domain_name::private(bench, "in.example.com");
        bench.post("/domainnames/api.example.com/basepathmappings", json!({"restApiId": api, "basePath": "x"})).ok(201);
        let mut words: Vec<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
        words.push("x".repeat(2_000));
        words.push(format!("arn:aws:apigateway:us-east-1::/restapis/{api}"));
        words.push(format!("arn:aws:apigateway:us-east-1::/restapis/{api}/stages/prod"));
        words.push(format!("{api}:prod"));
        words.push(format!("/apiStages/{api}:prod/throttle"));
        words.push(format!("/apiStages/{api}:prod/throttle/~1/GET/rateLimit"));
        words.push(certificate.as_str().unwrap().to_owned());
        words.extend(["domainNameId", "domainNameArn"].map(|name| private[name].as_str().unwrap().to_owned()));
        words.extend([authorizer, validator, part, link]);
        // The API is what most calls need: it is said more often than the rest.
        words.extend(std::iter::repeat_n(api.clone(), 6));
        words.extend([api, root, child, deployment, key, plan]);
        Words(words)
    }

    fn text(&self, dice: &mut Dice) -> String {
        dice.pick(&self.0).clone()
    }

    /// A value of a shape, now and then of another.
    fn value(&self, shape: &Shape, dice: &mut Dice, depth: usize) -> Value {
        if depth > 4 || dice.roll(12) == 0 {
            let odd =
                [json!(null), json!(1.5), json!(-7), json!(true), json!([]), json!({}), json!([[null]]), json!("")];
            return dice.pick(&odd).clone();
        }
        match shape {
            Shape::Structure(_, members) => Value::Object(self.object(members, dice, depth)),
            Shape::List(item) => {
                (0..dice.roll(4)).map(|_| self.value(&SHAPES[*item as usize], dice, depth + 1)).collect()
            }
            Shape::Map(item) => {
                let entry = |dice: &mut Dice| (self.text(dice), self.value(&SHAPES[*item as usize], dice, depth + 1));
                Value::Object((0..dice.roll(3)).map(|_| entry(dice)).collect())
            }
            Shape::Enum(words) => json!(dice.pick(words)),
            Shape::Boolean => json!(dice.roll(2) == 0),
            Shape::Integer | Shape::Long | Shape::Range(..) => {
                json!(*dice.pick(&[0, 1, -1, 50, 29_000, i64::from(i32::MAX)]))
            }
            Shape::Double | Shape::Epoch => json!(*dice.pick(&[0.0, 1.5, -1.0, 50.0, 1e300])),
            _ => json!(self.text(dice)),
        }
    }

    fn object(&self, members: &[Member], dice: &mut Dice, depth: usize) -> Map<String, Value> {
        let wanted = members.iter().filter(|m| m.at == At::Body);
        let mut map = Map::new();
        for member in wanted {
            if member.required && dice.roll(10) > 0 || dice.roll(2) == 0 {
                map.insert(member.wire.to_owned(), self.value(member.shape(), dice, depth + 1));
            }
        }
        map
    }

    /// Method, target and body of a call.
    fn call(&self, operation: &Operation, dice: &mut Dice) -> (String, Vec<u8>) {
        let (path, literal) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut target = String::new();
        for segment in path.split('/').skip(1) {
            let part = if segment.starts_with('{') { encoded(&self.text(dice)) } else { segment.to_owned() };
            target.push_str(&format!("/{part}"));
        }
        let mut query: Vec<String> = literal.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
        for member in operation.members().iter().filter(|m| m.at == At::Query) {
            if member.required || dice.roll(3) == 0 {
                query.push(format!("{}={}", member.wire, encoded(&self.text(dice))));
            }
        }
        if !query.is_empty() {
            target.push_str(&format!("?{}", query.join("&")));
        }
        let body = match dice.roll(20) {
            0 => self.text(dice).into_bytes(),
            1 => vec![0xff, 0xfe],
            _ if operation.members().iter().any(|m| m.at == At::Payload) => {
                let lines: Vec<String> =
                    (0..dice.roll(5)).map(|_| format!("{},{}", self.text(dice), self.text(dice))).collect();
                format!("Key,Name,UsagePlanIds\n{}", lines.join("\n")).into_bytes()
            }
            _ => Value::Object(self.object(operation.members(), dice, 0)).to_string().into_bytes(),
        };
        (target, body)
    }
}

#[test]
fn no_input_is_answered_with_500_and_a_refusal_changes_nothing() {
    let built: Vec<&Operation> =
        OPERATIONS.iter().filter(|o| o.service == Service::V1 && v1::verb(o).is_some()).collect();
    let (mut answered, mut refused) = (0, 0);
    for seed in 1..=13_u64 {
        println!("seed {seed}");
        let bench = Bench::new();
        let words = Words::new(&bench);
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..600 {
            let operation = *dice.pick(&built);
            let (target, body) = words.call(operation, &mut dice);
            let before = bench.memory.world.lock().unwrap().clone();
            let seen = bench.send(Bench::request(operation.method, &target, body.clone()));
            let shown = String::from_utf8_lossy(&body);
            assert!(seen.status < 500, "seed {seed}: {} {target} {shown}\n{seen:?}", operation.name);
            if seen.status < 400 {
                answered += 1;
                continue;
            }
            refused += 1;
            let (_, name, message) = seen.refusal();
            assert!(
                !name.is_empty() && !message.is_empty(),
                "seed {seed}: {} {target} {shown}\n{seen:?}",
                operation.name
            );
            let after = bench.memory.world.lock().unwrap().clone();
            assert!(after.dump().eq(before.dump()), "seed {seed}: {} refused, and changed rows", operation.name);
        }
    }
    // Both kinds must be there, else the dice are loaded.
    assert!(answered > 500 && refused > 500, "{answered} answered, {refused} refused");
}
