//! Calls and answers as bytes, between the node that was asked and the leader that evaluates.

use bincode::Options;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::model::{Operation, Service};
use super::render::Answer;
use super::{Call, Fault};

const VERSION: u8 = 1;

/// The largest call or answer, bytes.
const LIMIT: u64 = 32 << 20;

#[derive(Serialize, Deserialize)]
struct CallForm {
    service: u8,
    operation: String,
    account: String,
    region: String,
    caller: String,
    /// JSON text.
    input: ByteBuf,
    body: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct AnswerForm {
    status: u16,
    error: Option<String>,
    retry_after_s: Option<u32>,
    headers: Vec<(String, String)>,
    body: ByteBuf,
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(LIMIT)
}

fn encode<T: Serialize>(form: &T) -> Result<Bytes, Fault> {
    let mut bytes = vec![VERSION];
    options().serialize_into(&mut bytes, form).map_err(|e| Fault::internal(format!("call is not encoded: {e}")))?;
    Ok(bytes.into())
}

fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, Fault> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            options().deserialize(rest).map_err(|e| Fault::internal(format!("call is not decoded: {e}")))
        }
        Some((version, _)) => Err(Fault {
            cause: Some(format!("call of format {version}, this node knows {VERSION}")),
            ..Fault::unavailable(
                "The nodes of this cluster are of versions that do not understand each other; finish the upgrade",
            )
        }),
        None => Err(Fault::internal("call is empty")),
    }
}

fn service_number(service: Service) -> u8 {
    match service {
        Service::V1 => 1,
        Service::V2 => 2,
        Service::Management => 3,
        Service::Lambda => 4,
    }
}

/// Encodes a call.
pub fn encode_call(call: &Call) -> Result<Bytes, Fault> {
    let input = serde_json::to_vec(&call.input).map_err(|e| Fault::internal(e.to_string()))?;
    encode(&CallForm {
        service: service_number(call.operation.service),
        operation: call.operation.name.to_owned(),
        account: call.account.to_string(),
        region: call.region.to_string(),
        caller: call.caller.clone(),
        input: ByteBuf::from(input),
        body: ByteBuf::from(call.body.to_vec()),
    })
}

/// Decodes a call; an operation that this version does not know is NotImplemented.
pub fn decode_call(bytes: &[u8]) -> Result<Call, Fault> {
    let form: CallForm = decode(bytes)?;
    let services = [Service::V1, Service::V2, Service::Management, Service::Lambda];
    let service = services.into_iter().find(|s| service_number(*s) == form.service);
    let operation = service.and_then(|s| Operation::named(s, &form.operation));
    Ok(Call {
        operation: operation.ok_or_else(|| Fault::not_implemented(&form.operation))?,
        account: form.account.into(),
        region: form.region.into(),
        caller: form.caller,
        input: serde_json::from_slice(&form.input).map_err(|e| Fault::internal(e.to_string()))?,
        body: form.body.into_vec().into(),
    })
}

/// Encodes an answer.
pub fn encode_answer(answer: &Answer) -> Result<Bytes, Fault> {
    let Answer { status, error, retry_after_s, headers, body } = answer.clone();
    encode(&AnswerForm { status, error, retry_after_s, headers, body: ByteBuf::from(body) })
}

/// Decodes an answer.
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, Fault> {
    let AnswerForm { status, error, retry_after_s, headers, body } = decode(bytes)?;
    Ok(Answer { status, error, retry_after_s, headers, body: body.into_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call() -> Call {
        Call {
            operation: Operation::named(Service::V1, "CreateRestApi").unwrap(),
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            caller: "AK".into(),
            input: json!({"name": "pets", "b": null, "a": [1.5]}).as_object().unwrap().clone(),
            body: Bytes::from_static(b"raw"),
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn a_call_and_an_answer_come_back_whole_and_their_bytes_never_change() {
        let bytes = encode_call(&call()).unwrap();
        let golden = concat!(
            "01010d437265617465526573744170690c3030303030303030303030300965752d776573742d3102414b22",
            "7b226e616d65223a2270657473222c2262223a6e756c6c2c2261223a5b312e355d7d03726177",
        );
        assert_eq!(hex(&bytes), golden);
        let back = decode_call(&bytes).unwrap();
        assert!(std::ptr::eq(back.operation, call().operation));
        assert_eq!((back.input, back.body, back.caller), (call().input, call().body, call().caller));
        let mut answer = Answer::from(Fault::unavailable("wait"));
        answer.header("a", "b");
        let bytes = encode_answer(&answer).unwrap();
        let golden = concat!(
            "01fbf701011b53657276696365556e617661696c61626c65457863657074696f6e01010101610162",
            "127b226d657373616765223a2277616974227d",
        );
        assert_eq!(hex(&bytes), golden);
        assert_eq!(decode_answer(&bytes).unwrap(), answer);
    }

    #[test]
    fn damaged_and_foreign_bytes_are_refused() {
        let bytes = encode_call(&call()).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode_call(&bytes[..cut]).is_err());
        }
        assert_eq!(decode_call(&[2, 0]).unwrap_err().status, 503);
        let mut unknown = bytes.to_vec();
        unknown[3] = b'X';
        assert_eq!(decode_call(&unknown).unwrap_err().message, "Meridian does not implement XreateRestApi yet");
    }
}
