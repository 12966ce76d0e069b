//! The bytes of every form that crosses the cut: once sent by a release, they never change.

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn golden<T>(kind: u8, value: &T, bytes: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let frame = frame_of(kind, value).unwrap();
    assert_eq!(hex(&frame), bytes);
    let mut buf = BytesMut::from(&frame[..]);
    let (found, length) = take_header(&mut buf).unwrap().unwrap();
    assert_eq!((found, length), (kind, buf.len()));
    assert_eq!(&read::<T>(&buf).unwrap(), value);
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

fn full_head() -> Head {
    Head {
        request_id: "r".into(),
        extended_request_id: "x".into(),
        time_ms: 1,
        account: "0".into(),
        region: "e".into(),
        api: "a".into(),
        stage: "p".into(),
        deployment: "d".into(),
        stage_revision: 2,
        least_index: 300,
        next: Step::Cache,
        matched: Some(Matched {
            resource_id: "i".into(),
            resource_path: "/{n}".into(),
            http_method: "ANY".into(),
            path_parameters: vec![("n".into(), "v".into())],
        }),
        principal: Some(Principal {
            id: "u".into(),
            kind: "IAM".into(),
            account: "1".into(),
            context: vec![("k".into(), "w".into())],
        }),
        admitted: Some(Admitted { key_id: "k".into(), key_value: "s".into(), plan_id: "l".into(), quota_spent: true }),
        protocol: Protocol::Http2,
        method: "GET".into(),
        scheme: "https".into(),
        authority: "h".into(),
        target: b"/p/v".to_vec(),
        path_at: 2,
        headers: vec![header("Accept", "*/*")],
        client: "192.0.2.1:80".parse().unwrap(),
        local: "[::1]:443".parse().unwrap(),
        tls: Some(TlsFacts {
            version: "TLSv1.3".into(),
            cipher: "c".into(),
            sni: "h".into(),
            client_cert: Some(serde_bytes::ByteBuf::from(vec![9, 8])),
        }),
        time_left_ms: 29_000,
        hops: 1,
        trace: "t".into(),
        body: BodyHint::Known(5),
        retry_lost: true,
        more: vec![More { id: 7, bytes: vec![1] }],
    }
}

#[test]
fn the_bytes_of_a_head_never_change() {
    golden(
        frame::HEAD,
        &full_head(),
        "0193010101720178020130016501610170016402fb2c0106010169042f7b6e7d03414e5901016e01760101750349414d013101016b017701016b0173016c0102034745540568747470730168042f702f76020106416363657074032a2f2a00c0000201500100000000000000000000000000000001fbbb010107544c5376312e330163016801020908fb487101017401050101070101",
    );
}

#[test]
fn the_bytes_of_an_answer_never_change() {
    let head = RespHead {
        status: 404,
        headers: vec![header("a", "b"), header("a", "c")],
        body: BodyHint::Unknown,
        more: Vec::new(),
    };
    golden(frame::RESP_HEAD, &head, "050f01fb94010201610162016101630200");
    let end = End {
        node: 2,
        region: "e".into(),
        integration_status: Some(404),
        integration_us: Some(70_000),
        region_us: 5,
        cause: Some("c".into()),
        context: vec![("k".into(), "v".into())],
        more: Vec::new(),
    };
    golden(frame::END, &end, "06180102016501fb940101fc701101000501016301016b017600");
    let refused = Refused {
        response_type: "THROTTLED".into(),
        status: Some(429),
        cause: "c".into(),
        message: "m".into(),
        end: End::default(),
    };
    golden(frame::REFUSED, &refused, "071b01095448524f54544c454401fbad010163016d0000000000000000");
    golden(frame::ERR, &Fault { code: code::DRAINING, text: "t".into() }, "080401210174");
    golden(frame::TRAILERS, &vec![header("a", "b")], "0306010101610162");
    assert_eq!(hex(&frame_header(frame::DATA, 65_536)), "02808004");
    assert_eq!(hex(&frame_header(frame::END, 0)), "0600");
}

#[test]
fn the_numbers_of_steps_and_codes_never_change() {
    let steps = [Step::Place, Step::Route, Step::Policy, Step::Authorize, Step::Key, Step::Admit, Step::Cache];
    let more = [Step::Validate, Step::Map, Step::Integrate, Step::MapResponse, Step::Answer];
    for (i, step) in steps.into_iter().chain(more).enumerate() {
        assert_eq!(step as usize, i);
    }
    assert_eq!((code::CLIENT_GONE, code::ANSWERED_EARLY, code::REJECTED_UNPROCESSED), (0x10, 0x11, 0x20));
    assert_eq!((code::DRAINING, code::DEADLINE, code::BODY_TOO_LARGE, code::DIED), (0x21, 0x22, 0x23, 0x30));
    assert_eq!((code::OTHER_REVISION, code::BAD_HEAD), (0x24, 0x25));
}

#[test]
fn a_frame_header_in_pieces_is_waited_for_and_a_bad_one_is_refused_early() {
    let whole = frame_header(frame::DATA, 300);
    for cut in 0..whole.len() {
        let mut buf = BytesMut::from(&whole[..cut]);
        assert_eq!(take_header(&mut buf), Ok(None));
        assert_eq!(buf.len(), cut);
    }
    let bad: [(&[u8], WireError); 4] = [
        (&[77], WireError::Unexpected(77)),
        (&[0], WireError::Unexpected(0)),
        (
            &[frame::DATA, 0x81, 0x80, 0x04],
            WireError::TooLarge { kind: frame::DATA, length: 65_537, limit: DATA_LIMIT },
        ),
        (
            &[frame::HEAD, 0xff, 0xff, 0xff, 0xff, 0xff],
            WireError::TooLarge { kind: frame::HEAD, length: u64::MAX, limit: HEAD_LIMIT },
        ),
    ];
    for (bytes, error) in bad {
        assert_eq!(take_header(&mut BytesMut::from(bytes)), Err(error));
    }
}

#[test]
fn a_payload_of_another_version_cut_short_or_too_long_is_refused() {
    let frame = frame_of(frame::ERR, &Fault { code: 1, text: "t".into() }).unwrap();
    let payload = &frame[2..];
    assert!(read::<Fault>(payload).is_ok());
    assert_eq!(read::<Fault>(&[&[9], &payload[1..]].concat()), Err(WireError::Version(9)));
    assert!(matches!(read::<Fault>(&payload[..payload.len() - 1]), Err(WireError::Decode(_))));
    assert!(matches!(read::<Fault>(&[payload, &[0]].concat()), Err(WireError::Decode(_))));
    assert!(matches!(read::<Fault>(&[]), Err(WireError::Decode(_))));
    // A length that claims more than there is allocates nothing.
    assert!(read::<Fault>(&[VERSION, 1, 253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read::<Head>(&bytes);
        let _ = read::<RespHead>(&bytes);
        let _ = read::<End>(&bytes);
        let _ = take_header(&mut BytesMut::from(&bytes[..]));
    }
}
