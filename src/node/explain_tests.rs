//! How the records of an edge and a region become one answer.

use super::*;

fn record(step: &'static str, status: u16) -> Record<'static> {
    Record {
        request_id: "00000000-0000-4000-8000-00000000000a".into(),
        extended_id: "000000000000000=".into(),
        time_ms: 1_583_349_317_135,
        api: "a1".into(),
        stage: "prod".into(),
        method: "GET".into(),
        resource_path: "/pets".into(),
        path: "/prod/pets".into(),
        step: step.into(),
        response_type: "API_CONFIGURATION_ERROR".into(),
        status,
        message: "Internal server error".into(),
        cause: "template_failed".into(),
        detail: "".into(),
        place: "2:7".into(),
        key_id: "k1".into(),
        plan_id: "p1".into(),
        resumed: false,
        refused_in: "".into(),
        integration_status: None,
        integration_us: None,
        latency_us: 90_000,
    }
}

fn at(node: &str, region: &str, record: Record<'static>) -> Found {
    made_by((&node.to_owned(), &region.to_owned()), record)
}

fn states(answer: &Value) -> Vec<String> {
    let step = |row: &Value| {
        let text = |member: &str| row[member].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("step"), text("state"), text("node"))
    };
    answer["walk"].as_array().expect("steps").iter().map(step).collect()
}

#[test]
fn an_edge_and_a_region_are_one_walk() {
    let edge = Record { refused_in: "far".into(), status: 418, ..record("map", 500) };
    let words = Record { resumed: true, detail: "words".into(), latency_us: 7, ..record("map", 500) };
    // In whatever order they came.
    let mut found = [at("n2", "far", words), at("n1", "near", edge)];
    let silent = [Silent { node: "n3".into(), region: "x".into(), why: "it is down".into() }];
    let answer = explained(&mut found, &silent);
    assert_eq!((&answer["status"], &answer["detail"], &answer["node"]), (&418.into(), &"words".into(), &"n2".into()));
    assert_eq!((&answer["time"], &answer["latency_us"]), (&"2020-03-04T19:15:17.135Z".into(), &90_000.into()));
    assert_eq!(
        answer["consequence"],
        "the client was answered 418 (API_CONFIGURATION_ERROR); the integration was not called"
    );
    let wanted = [
        "place passed n1",
        "route passed n1",
        "policy passed n1",
        "authorize passed n1",
        "key passed n1",
        "admit passed n1",
        "forward passed n1",
        "cache passed n2",
        "validate passed n2",
        "map stopped n2",
        "integrate not_reached -",
        "answer not_reached -",
    ];
    assert_eq!(states(&answer), wanted);
    let roles: Vec<&str> =
        answer["records"].as_array().expect("two").iter().filter_map(|r| r["role"].as_str()).collect();
    assert_eq!(roles, ["edge", "region"]);
    assert_eq!(answer["unanswered"][0]["node"], "n3");
}

#[test]
fn one_record_alone_says_what_it_knows() {
    // The API's own region serves its clients without a cut.
    let answer = explained(&mut [at("n1", "near", record("answer", 500))], &[]);
    assert_eq!(states(&answer).len(), 11);
    assert!(states(&answer).contains(&"answer stopped n1".to_owned()));
    // The edge alone: the region's node is not known.
    let edge = Record { refused_in: "far".into(), ..record("map", 500) };
    let answer = explained(&mut [at("n1", "near", edge)], &[]);
    assert!(
        states(&answer).contains(&"map stopped -".to_owned())
            && states(&answer).contains(&"admit passed n1".to_owned())
    );
    // The region alone: the edge's is not.
    let region = Record { resumed: true, ..record("map", 500) };
    let answer = explained(&mut [at("n2", "far", region)], &[]);
    assert!(
        states(&answer).contains(&"map stopped n2".to_owned())
            && states(&answer).contains(&"admit passed -".to_owned())
    );
    // A step of a newer version.
    let answer = explained(&mut [at("n1", "near", record("ponder", 500))], &[]);
    assert!(states(&answer).iter().all(|step| step.contains(" unknown ")));
}

#[test]
fn what_nobody_remembers_is_said_with_whom_could_not_be_asked() {
    let id = RecordId::parse("00000000-0000-4000-8000-00000000000a").expect("an id");
    let message = |silent: &[Silent]| unknown(id, silent)["message"].as_str().expect("words").to_owned();
    assert!(message(&[]).contains("answered well") && !message(&[]).contains("did not answer"));
    let silent = Silent { node: "n3".into(), region: "x".into(), why: "timeout".into() };
    assert!(message(&[silent]).ends_with("may know it: n3"));
}
