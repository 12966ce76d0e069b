//! Calls a function that the cluster itself has, and gives its answer the shape of Lambda's own.

use crate::function::call::{Answer, Broken, Call, Payload, Refused};
use crate::gateway::refusal::{Kind, Refusal};
use crate::gateway::worker::Worker;
use crate::net::http::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// `X-Amz-Function-Error`: the answer is the error of a function that failed.
pub(super) const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A call of one of the cluster's own functions.
#[derive(Debug)]
pub(in crate::gateway) struct Invocation(pub(super) Call);

/// Calls it, and gives what Lambda would have answered over HTTP.
pub(in crate::gateway) async fn called(worker: &Worker, invocation: Invocation) -> Result<Response<Body>, Refusal> {
    let gone = || Refusal::new(Kind::ApiConfigurationError, "function_unknown");
    let functions = worker.shared.functions.as_ref().ok_or_else(gone)?;
    let id = invocation.0.request_id.clone();
    let answer = functions.invoke(invocation.0).await.map_err(refused)?;
    Ok(response(answer, &id))
}

fn refused(refused: Refused) -> Refusal {
    super::result::refused_by_lambda(refused.status, &refused.to_string())
}

fn response(answer: Answer, id: &str) -> Response<Body> {
    let body = match answer.payload {
        Payload::Whole(bytes) => Body::full(bytes),
        Payload::Pieces(pieces) => Body::peer(Pieces(pieces)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let told = [
        (REQUEST_ID, Some(id)),
        (FUNCTION_ERROR, answer.function_error.as_deref()),
        (EXECUTED_VERSION, answer.executed_version.as_deref()),
        (LOG_RESULT, answer.log_tail.as_deref()),
    ];
    for (name, value) in told {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// An answer as the function writes it.
struct Pieces(Receiver<Result<Bytes, Broken>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        self.0.poll_recv(cx).map(|piece| {
            piece.map(|piece| {
                piece.map(Frame::data).map_err(|broken| format!("{}: {}", broken.error_type, broken.message))
            })
        })
    }
}
