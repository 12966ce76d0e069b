//! Sequences of calls, each of AWS's shape: after a refusal nothing has changed, after a success GET and the list say the same
//! as the answer, the pages put together are the list, and what was deleted is gone.

use meridian::state::World;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, Seen};
use crate::deployment::mocked;

/// A noun whose things are listed under one target, each with a target of its own below it.
struct Kind {
    /// The list; `{api}` is one of the APIs.
    list: &'static str,
    /// What of a thing stands in its target.
    key: &'static str,
    /// A new thing; the numbers choose.
    make: fn(&mut Dice) -> Value,
    /// Paths of patches, some of them wrong.
    paths: &'static [&'static str],
    /// What GET must be asked to show all.
    whole: &'static str,
}

/// Numbers that a sequence chose, one after the other; zero when they run out.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        self.0.next().map_or(0, |roll| usize::from(*roll)) % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }

    /// An object of some of these members.
    fn some(&mut self, required: Value, optional: &[(&str, &[Value])]) -> Value {
        let mut made = required;
        for (name, values) in optional {
            if self.roll(5) == 1 {
                made[*name] = self.pick(values);
            }
        }
        made
    }
}

const ARN: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations";

fn words() -> Vec<Value> {
    ["a", "", "b", "true", "1", "-1", "ä/~", "HEADER", "{\"type\":\"object\"}", "300"].map(Value::from).to_vec()
}

const KINDS: &[Kind] = &[
    Kind {
        list: "/restapis",
        key: "id",
        make: |dice| {
            let name = dice.pick(&["a", "b", "", "  "]);
            dice.some(
                json!({"name": name}),
                &[
                    ("description", &words()),
                    ("binaryMediaTypes", &[json!([]), json!(["a/b"]), json!("a")]),
                    ("minimumCompressionSize", &[json!(0), json!(10_485_761), json!(-1)]),
                    ("tags", &[json!({}), json!({"k": "v"}), json!({"aws:x": "v"}), json!({"k": 1})]),
                    (
                        "endpointConfiguration",
                        &[json!({"types": ["PRIVATE"]}), json!({"types": []}), json!({"types": ["X"]})],
                    ),
                    ("policy", &[json!("{\"Version\":\"2012-10-17\",\"Statement\":[]}"), json!("{"), json!("")]),
                ],
            )
        },
        paths: &[
            "/name",
            "/description",
            "/minimumCompressionSize",
            "/binaryMediaTypes/a~1b",
            "/apiKeySource",
            "/endpointConfiguration/types/0",
        ],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/models",
        key: "name",
        make: |dice| {
            let (name, kind) = (dice.pick(&["A", "B", "a-b", ""]), dice.pick(&["application/json", "text/xml"]));
            let schema = [
                "{}",
                "{\"type\":\"object\"}",
                "{\"properties\":{\"a\":{\"$ref\":\"#\"}}}",
                "{",
                "",
                "{\"type\":\"x\"}",
            ];
            dice.some(
                json!({"name": name, "contentType": kind}),
                &[
                    ("schema", &schema.map(Value::from)),
                    ("schema", &schema.map(Value::from)),
                    ("description", &words()),
                ],
            )
        },
        paths: &["/schema", "/description", "/name"],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/authorizers",
        key: "id",
        make: |dice| {
            let (name, kind) =
                (dice.pick(&["a", "b", ""]), dice.pick(&["TOKEN", "REQUEST", "COGNITO_USER_POOLS", "X"]));
            dice.some(
                json!({"name": name, "type": kind, "authorizerUri": ARN, "identitySource": "method.request.header.A"}),
                &[
                    ("authorizerResultTtlInSeconds", &[json!(0), json!(3601), json!("1")]),
                    ("providerARNs", &[json!(["arn:aws:cognito-idp:us-east-1:1:userpool/x"]), json!([])]),
                    ("identitySource", &[json!(""), json!("context.x")]),
                ],
            )
        },
        paths: &["/name", "/type", "/authorizerResultTtlInSeconds", "/providerARNs", "/identitySource", "/id"],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/requestvalidators",
        key: "id",
        make: |dice| dice.some(json!({}), &[("name", &words()), ("validateRequestBody", &[json!(true), json!("x")])]),
        paths: &["/name", "/validateRequestBody", "/validateRequestParameters", "/x"],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/documentation/parts",
        key: "id",
        make: |dice| {
            let kind = dice.pick(&["API", "METHOD", "MODEL", "RESPONSE", "SOUP"]);
            let properties = dice.pick(&["{\"description\":\"d\"}", "{}", "[", ""]);
            let mut location = dice.some(
                json!({"type": kind}),
                &[("path", &[json!("/"), json!("/a")]), ("method", &[json!("GET"), json!("get")]), ("name", &words())],
            );
            json!({"location": location.take(), "properties": properties})
        },
        paths: &["/properties", "/location"],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/documentation/versions",
        key: "version",
        make: |dice| {
            let version = dice.pick(&["1", "2", ""]);
            dice.some(json!({"documentationVersion": version}), &[("stageName", &[json!("s"), json!("none")])])
        },
        paths: &["/description", "/version"],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/deployments",
        key: "id",
        make: |dice| {
            dice.some(
                json!({}),
                &[("stageName", &[json!("s"), json!("t"), json!("bad name")]), ("description", &words())],
            )
        },
        paths: &["/description", "/id"],
        whole: "",
    },
    Kind {
        list: "/apikeys",
        key: "id",
        make: |dice| {
            let values = [json!("short"), json!("value-of-twenty-letters-1"), json!("value-of-twenty-letters-2")];
            dice.some(json!({}), &[("name", &words()), ("value", &values), ("enabled", &[json!(true), json!(null)])])
        },
        paths: &["/name", "/description", "/enabled", "/customerId", "/labels", "/value"],
        whole: "?includeValue=true&includeValues=true",
    },
    Kind {
        list: "/usageplans",
        key: "id",
        make: |dice| {
            let quota =
                [json!({"limit": 1, "period": "DAY"}), json!({"limit": -1, "period": "DAY"}), json!({"limit": 1})];
            let throttle = [json!({"rateLimit": 1.5, "burstLimit": 2}), json!({"rateLimit": -1.0})];
            let name = dice.pick(&["a", "b", ""]);
            dice.some(json!({"name": name}), &[("quota", &quota), ("throttle", &throttle), ("description", &words())])
        },
        paths: &[
            "/name",
            "/description",
            "/quota/limit",
            "/quota/period",
            "/throttle/rateLimit",
            "/throttle",
            "/quota",
            "/x",
        ],
        whole: "",
    },
    Kind {
        list: "/vpclinks",
        key: "id",
        make: |dice| {
            let (name, arn) = (dice.pick(&["a", ""]), dice.pick(&["arn:aws:a:b:c:d", "x"]));
            json!({"name": name, "targetArns": [arn]})
        },
        paths: &["/name", "/description", "/targetArns"],
        whole: "",
    },
    Kind {
        list: "/restapis/{api}/gatewayresponses",
        key: "responseType",
        make: |dice| {
            let parameters = [json!({"gatewayresponse.header.X": "'x'"}), json!({"x": "'x'"}), json!({})];
            dice.some(json!({}), &[("statusCode", &[json!("401"), json!("999")]), ("responseParameters", &parameters)])
        },
        paths: &["/statusCode", "/responseParameters/gatewayresponse.header.X", "/responseTemplates/a~1b", "/x"],
        whole: "",
    },
];

/// A call of a sequence: which noun, what to do, and what that chooses.
type Act = (u8, u8, Vec<u8>);

struct Play {
    bench: Bench,
    /// An API with a method, which stays.
    api: String,
}

impl Play {
    fn new() -> Play {
        let bench = Bench::new();
        let api = mocked(&bench);
        Play { bench, api }
    }

    fn world(&self) -> World {
        self.bench.memory.world.lock().unwrap().clone()
    }

    fn ids(&self, list: &str, key: &str) -> Vec<String> {
        let seen = self.bench.get(&format!("{list}?limit=500")).ok(200);
        let items = seen["item"].as_array().unwrap_or_else(|| panic!("{list}: {seen}")).clone();
        items.iter().map(|item| item[key].as_str().expect("a key").to_owned()).collect()
    }

    fn act(&self, (kind, what, rolls): &Act) -> Result<bool, TestCaseError> {
        let kind = &KINDS[usize::from(*kind) % KINDS.len()];
        let mut dice = Dice(rolls.iter());
        let mut list = kind.list.to_owned();
        if list.contains("{api}") {
            let mut apis = self.ids("/restapis", "id");
            apis.extend(vec![self.api.clone(); apis.len()]);
            apis.reverse();
            list = list.replace("{api}", &dice.pick(&apis));
        }
        let there = self.ids(&list, kind.key);
        let any = if there.is_empty() { "none".to_owned() } else { dice.pick(&there) };
        let one = format!("{list}/{any}");
        let before = self.world();
        let response = kind.key == "responseType";
        let (shown, seen, target) = match what % 5 {
            0 | 1 if response => {
                let body = (kind.make)(&mut dice);
                (format!("PUT {one} {body}"), self.bench.put(&one, body), Some(one.clone()))
            }
            0 | 1 => {
                let body = (kind.make)(&mut dice);
                let seen = self.bench.post(&list, body.clone());
                let made = seen.json()[kind.key].as_str().map(|id| format!("{list}/{id}"));
                (format!("POST {list} {body}"), seen, made)
            }
            2 | 3 => {
                let steps: Vec<Value> = (0..=dice.roll(4) / 3)
                    .map(|_| {
                        let op = dice.pick(&["replace", "replace", "replace", "add", "remove", "leap"]);
                        json!({"op": op, "path": dice.pick(kind.paths), "value": dice.pick(&words())})
                    })
                    .collect();
                let body = json!({"patchOperations": steps});
                (format!("PATCH {one} {body}"), self.bench.call("PATCH", &one, body), Some(one.clone()))
            }
            _ if any == self.api => return Ok(false),
            _ => (format!("DELETE {one}"), self.bench.delete(&one), None),
        };
        prop_assert!(seen.status < 500, "{}\n{}", shown, seen.text);
        if seen.status >= 400 {
            prop_assert!(self.world().dump().eq(before.dump()), "refused, and changed rows: {}\n{}", shown, seen.text);
            return Ok(false);
        }
        match target {
            Some(target) => self.agree(kind, &list, &target, &seen, &shown)?,
            // A gateway response that is deleted is the default again.
            None if response => {}
            None => {
                prop_assert_eq!(self.bench.get(&one).status, 404, "{}", &shown);
                prop_assert!(!self.ids(&list, kind.key).contains(&any), "{} is still listed", one);
            }
        }
        self.pages(&list)?;
        Ok(true)
    }

    /// The answer, GET and the list say the same of a thing.
    fn agree(&self, kind: &Kind, list: &str, target: &str, answer: &Seen, shown: &str) -> Result<(), TestCaseError> {
        let got = self.bench.get(&format!("{target}{}", kind.whole)).ok(200);
        let mut answered = answer.json();
        // Only a creation shows a key's value unasked.
        if answered.get("value").is_none() && got.get("value").is_some() {
            answered["value"] = got["value"].clone();
        }
        // A link is made PENDING, and is there at once.
        if kind.list == "/vpclinks" && answered["status"] == "PENDING" {
            answered["status"] = got["status"].clone();
            answered["statusMessage"] = got["statusMessage"].clone();
        }
        prop_assert_eq!(untagged(answered), untagged(got.clone()), "{}", shown);
        let query = if kind.whole.is_empty() { "?".to_owned() } else { format!("{}&", kind.whole) };
        let all = self.bench.get(&format!("{list}{query}limit=500")).ok(200);
        let items: Vec<Value> = all["item"].as_array().unwrap().iter().cloned().map(untagged).collect();
        let found = items.iter().filter(|item| item[kind.key] == got[kind.key]).collect::<Vec<_>>();
        let wanted = untagged(got);
        prop_assert_eq!(found, vec![&wanted], "{}", shown);
        Ok(())
    }

    /// The pages put together are the list.
    fn pages(&self, list: &str) -> Result<(), TestCaseError> {
        let whole = self.bench.get(&format!("{list}?limit=500")).ok(200);
        let (mut all, mut position) = (Vec::new(), String::new());
        loop {
            let page = self.bench.get(&format!("{list}?limit=2&position={position}")).ok(200);
            let items = page["item"].as_array().unwrap().clone();
            prop_assert!(items.len() <= 2 && whole.get("position").is_none());
            all.extend(items);
            match page["position"].as_str() {
                Some(next) => position = next.to_owned(),
                None => break,
            }
        }
        prop_assert_eq!(&Value::Array(all), &whole["item"], "{}", list);
        Ok(())
    }
}

/// Tags are shown empty by some answers and left out by others.
fn untagged(mut thing: Value) -> Value {
    if thing["tags"] == json!({}) {
        thing.as_object_mut().unwrap().shift_remove("tags");
    }
    if thing["tags"].is_null() {
        thing.as_object_mut().unwrap().shift_remove("tags");
    }
    thing
}

fn cases(few: u32) -> u32 {
    if std::env::var_os("MERIDIAN_TEST_ALL").is_some() { 4 * few } else { few }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::with_cases(cases(48)) })]

    #[test]
    fn after_every_call_of_a_sequence_answers_lists_and_rows_agree(
        acts in prop::collection::vec((any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..16)), 1..40),
    ) {
        let play = Play::new();
        for act in &acts {
            play.act(act)?;
        }
    }
}

/// A long sequence that is always the same: one of nothing but refusals would show little.
#[test]
fn a_long_sequence_does_something_of_every_kind() {
    let play = Play::new();
    let (mut state, mut done) = (0x9e37_79b9_u32, vec![0; KINDS.len() * 5]);
    let mut roll = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[1]
    };
    for _ in 0..2_500 {
        let act: Act = (roll(), roll(), (0..12).map(|_| roll()).collect());
        let at = usize::from(act.0) % KINDS.len() * 5 + usize::from(act.1 % 5);
        done[at] += usize::from(play.act(&act).unwrap_or_else(|error| panic!("{error}")));
    }
    let idle: Vec<String> = KINDS
        .iter()
        .zip(done.chunks(5))
        .filter(|(_, done)| done[0] + done[1] == 0 || done[2] + done[3] == 0)
        .map(|(kind, done)| format!("{} {done:?}", kind.list))
        .collect();
    assert_eq!(idle, [""; 0], "made or put, made or put, changed, changed, deleted");
    assert!(done.iter().skip(4).step_by(5).filter(|deleted| **deleted > 0).count() > KINDS.len() / 2, "{done:?}");
}
