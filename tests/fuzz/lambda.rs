//! What functions answer: any bytes are a proxy result or none, and frames or none.

use crate::{effort, in_time, spell};
use meridian::plan::proxy_result::ProxyResult;
use meridian::spec::event_stream::{Decoder, encode};

/// Pieces of proxy results, and of what is none.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"statusCode\"", "\"headers\"", "\"multiValueHeaders\"", "\"body\"", "\"isBase64Encoded\"", "\"cookies\"",
    "200", "\"201\"", "99", "1e3", "-1", "true", "false", "null", "\"a\"", "\"Set-Cookie\"", "\"x\\ny\"", "\"\\u0000\"", "\"\\ud800\"", "\"é\"", " ",
    "\n", "\"wrong\"", "{\"statusCode\":", "{\"headers\":{\"a\":", "\\", "\"", "\u{0}", "[[[[", "{\"a\":{\"a\":", "18446744073709551616",
];

#[test]
fn any_answer_is_a_proxy_result_or_says_what_is_wrong_with_it() {
    let (inputs, time) = effort(10_000);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        let text = spell(bytes, PIECES);
        for payload in [text.as_bytes(), bytes] {
            in_time(&text, || {
                for read in [ProxyResult::read(payload), ProxyResult::read_metadata(payload)] {
                    match read {
                        Ok(result) => {
                            assert!(result.status.as_u16() >= 200, "{text:?}");
                            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok(), "{text:?}");
                        }
                        Err(why) => assert!(!why.to_string().is_empty(), "{text:?}"),
                    }
                }
            });
        }
    });
}

#[test]
fn any_bytes_are_frames_or_none_however_they_are_cut() {
    let (inputs, time) = effort(10_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(Vec<u8>, Vec<u8>, u8, u8)>().for_each(|(name, payload, at, flip)| {
        let name: String = name.iter().take(200).map(|byte| char::from(byte % 26 + b'a')).collect();
        let good = encode(&[(&name, "v"), (":event-type", "PayloadChunk")], payload).expect("a frame");
        let mut changed = good.clone();
        let place = usize::from(*at) % changed.len();
        changed[place] ^= flip;
        for bytes in [&good, &changed, payload] {
            let read = |cut: usize| {
                let mut decoder = Decoder::default();
                let mut found = Vec::new();
                for piece in [&bytes[..cut], &bytes[cut..]] {
                    decoder.push(piece);
                    loop {
                        match decoder.take() {
                            Ok(Some(frame)) => found.push(frame),
                            Ok(None) => break,
                            Err(error) => return (found, Some(error)),
                        }
                    }
                }
                (found, None)
            };
            let cut = usize::from(*at) % (bytes.len() + 1);
            assert_eq!(read(0), read(cut), "cut at {cut}");
            if std::ptr::eq(bytes, &raw const good) {
                assert_eq!(read(0).0.len(), 1);
            } else if std::ptr::eq(bytes, &raw const changed) && *flip != 0 {
                assert!(read(0).0.is_empty(), "a change is seen");
            }
        }
    });
}
