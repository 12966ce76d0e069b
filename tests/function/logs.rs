//! What functions print: by request id, between Lambda's lines, and bounded.

use super::house::{House, call, options, tail};
use meridian::function::HostOptions;
use std::sync::Arc;

#[test]
fn lines_stand_between_start_and_report_with_their_request_id() {
    let house = House::new(options());
    let talk = r#"
print("in init", flush=True)
while True:
    id, head, body = ask()
    print("out of", body.decode(), flush=True)
    print("err of", body.decode(), file=sys.stderr, flush=True)
    sys.stdout.write("no end"); sys.stdout.flush()
    answer(id, b"1")
"#;
    let talk = Arc::new(house.bootstrap("talk", talk));
    let mut ids = Vec::new();
    for word in ["first", "second"] {
        let mut asked = call(word);
        asked.log_tail = true;
        ids.push(asked.request_id.clone());
        let answer = house.invoke(&talk, asked).expect("an answer");
        let tail = tail(&answer);
        let lines: Vec<&str> = tail.lines().collect();
        let id = ids.last().expect("an id");
        assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
        assert_eq!(lines[1..4], [format!("out of {word}").as_str(), &format!("err of {word}"), "no end"]);
        assert_eq!(lines[4], format!("END RequestId: {id}"));
        assert!(lines[5].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{tail}");
        assert!(lines[5].contains("\tMemory Size: 128 MB\tMax Memory Used: "), "{tail}");
        assert_eq!(lines[5].contains("Init Duration"), word == "first", "{tail}");
    }
    let log = house.log("talk");
    for (id, text) in [("-", "in init"), (&*ids[0], "out of first"), (&ids[1], "err of second")] {
        let end = format!("] {id} {text}").replace("] -", "- -").replace("] ", " ");
        let found = log.lines().any(|line| line.ends_with(&format!(" {id} {text}")));
        assert!(found, "{end} in\n{log}");
    }
    assert!(log.lines().all(|line| line.contains("/[$LATEST]")), "each names its stream:\n{log}");
    house.close();
}

#[test]
fn a_function_that_prints_without_end_loses_lines_and_nothing_else_is_lost() {
    let house = House::new(HostOptions { log_bytes_per_s: 100_000, ..options() });
    let loud = r#"
while True:
    id, head, body = ask()
    block = (b"x" * 99 + b"\n") * 10000
    for _ in range(int(body)): os.write(1, block)
    os.write(1, b"y" * 3000000 + b"\n")
    answer(id, b"done")
"#;
    let loud = Arc::new(house.bootstrap("loud", loud));
    let mut asked = call("200");
    asked.log_tail = true;
    let answer = house.invoke(&loud, asked).expect("an answer");
    let tail = tail(&answer);
    assert!(tail.len() <= 4_096, "{}", tail.len());
    assert!(tail.contains("lines were dropped") && tail.contains("REPORT RequestId"), "{tail}");
    assert!(house.metrics.log_lines_dropped.get() > 1_900_000, "{}", house.metrics.log_lines_dropped.get());
    let written = house.log("loud").len();
    assert!(written < 3 << 20, "{written} bytes on disk");
    assert_eq!(house.lost_log_lines(), 0, "its share is less than what the room takes");
    house.close();
}
