//! Answers in pieces.

use super::house::{House, call, options, whole};
use meridian::function::call::{Broken, Payload};
use meridian::function::{HostOptions, Ready};
use std::sync::Arc;

const STREAM: &str = r#"
import base64
def chunk(data): link.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")
while True:
    id, head, body = ask()
    link.sendall(f"POST {BASE}invocation/{id}/response HTTP/1.1\r\nHost: x\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n".encode())
    for index in range(3): chunk(f"piece {index};".encode()); time.sleep(0.05)
    if body == b"die": os._exit(2)
    if body == b"hang": time.sleep(1000)
    if body == b"much":
        for _ in range(300): chunk(b"x" * 10000)
    link.sendall(b"0\r\n")
    if body == b"fail":
        said = base64.b64encode(b'{"errorType":"Oops","errorMessage":"half way"}').decode()
        link.sendall(f"Lambda-Runtime-Function-Error-Type: Oops\r\nLambda-Runtime-Function-Error-Body: {said}\r\n".encode())
    link.sendall(b"\r\n")
    receive()
"#;

fn streamed(house: &House, function: &Arc<Ready>, payload: &str) -> (String, Option<Broken>) {
    let mut asked = call(payload);
    asked.streamed = true;
    let answer = house.invoke(function, asked).expect("an answer");
    let Payload::Pieces(mut pieces) = answer.payload else { panic!("it comes whole") };
    house.block_on(async {
        let mut text = String::new();
        while let Some(piece) = pieces.recv().await {
            match piece {
                Ok(piece) => text.push_str(std::str::from_utf8(&piece).expect("text")),
                Err(broken) => return (text, Some(broken)),
            }
        }
        (text, None)
    })
}

#[test]
fn pieces_come_as_they_are_written_and_breaks_are_told() {
    let house = House::new(HostOptions { stream_bytes: 2_000_000, ..options() });
    let mut function = house.bootstrap("stream", STREAM);
    function.deployed.timeout_s = 3;
    let function = Arc::new(function);
    let all = "piece 0;piece 1;piece 2;";
    assert_eq!(streamed(&house, &function, "fine"), (all.to_owned(), None));
    assert_eq!(streamed(&house, &function, "fine"), (all.to_owned(), None));
    assert_eq!(house.metrics.cold_starts.get(), 1);
    let (text, broken) = streamed(&house, &function, "fail");
    let broken = broken.expect("broken");
    assert_eq!((text.as_str(), &*broken.error_type), (all, "Oops"));
    assert!(broken.message.contains("half way"), "{broken:?}");
    for (payload, error_types) in [
        ("die", ["Runtime.ExitError", "Runtime.TruncatedResponse"]),
        ("hang", ["Sandbox.Timedout", ""]),
        ("much", ["Function.ResponseSizeTooLarge", ""]),
    ] {
        let (text, broken) = streamed(&house, &function, payload);
        let broken = broken.unwrap_or_else(|| panic!("{payload} is not told: {text}"));
        assert!(text.starts_with(all) && error_types.contains(&&*broken.error_type), "{payload}: {broken:?}");
    }
    house.close();
}

#[test]
fn who_wants_a_streamed_answer_whole_gets_it_so() {
    let house = House::new(HostOptions { response_bytes: 1_000_000, ..options() });
    let function = Arc::new(house.bootstrap("stream", STREAM));
    assert_eq!(house.succeeds(&function, "fine"), "piece 0;piece 1;piece 2;");
    let (error, said) = house.fails(&function, "fail");
    assert_eq!((error.as_str(), &said["errorMessage"]), ("Unhandled", &"half way".into()));
    let (_, said) = house.fails(&function, "much");
    assert_eq!(said["errorType"], "Function.ResponseSizeTooLarge");
    house.close();
}

#[test]
fn who_leaves_in_mid_answer_does_not_stop_the_function() {
    let house = House::new(options());
    let function = Arc::new(house.bootstrap("stream", STREAM));
    let mut asked = call("much");
    asked.streamed = true;
    let answer = house.invoke(&function, asked).expect("an answer");
    drop(answer);
    assert_eq!(house.succeeds(&function, "fine"), "piece 0;piece 1;piece 2;");
    let whole_answer = house.invoke(&function, call("fine")).expect("an answer");
    assert_eq!(whole(whole_answer).len(), 24);
    house.close();
}
