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
    let services = [Service::V1, Service::V2, Service::Management];
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
