//! A function of the region that answers in pieces, asked at the edge.

use super::{LONG, change, deploy, scope, two};
use crate::catalog::v1::{Integration, IntegrationType, Method, Resource, ResponseTransferMode};
use crate::function::call::{Address, Answer, Call, Calling, Invoke, Payload};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

/// A function that answers in pieces: the second one when its client has the first.
pub(super) struct Piecewise;

/// The client has the first piece.
static HAS_FIRST: Notify = Notify::const_new();

impl Invoke for Piecewise {
    fn knows(&self, _: &Address) -> bool {
        true
    }

    fn invoke(&self, call: Call) -> Calling<'_> {
        let (send, receive) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let event: serde_json::Value = serde_json::from_slice(&call.payload).expect("an event");
            let seen =
                format!("{} {} first", event["headers"]["x-custom"], event["requestContext"]["identity"]["sourceIp"]);
            let first = format!("{{\"statusCode\":201}}\0\0\0\0\0\0\0\0{seen}");
            send.send(Ok(first.into())).await.expect("somebody reads");
            HAS_FIRST.notified().await;
            send.send(Ok(" second".into())).await.expect("somebody reads");
        });
        let payload = Payload::Pieces(receive);
        let answer = Answer { status: 200, function_error: None, log_tail: None, executed_version: None, payload };
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn a_functions_pieces_cross_the_cut_as_they_come() {
    let two = two().await;
    let arn = "arn:aws:lambda:far:000000000000:function:f";
    let uri = format!("arn:aws:apigateway:far:lambda:path/2021-11-15/functions/{arn}/response-streaming-invocations");
    let method = Method {
        http_method: "ANY".into(),
        authorization_type: "NONE".into(),
        method_integration: Some(Integration {
            kind: IntegrationType::AwsProxy,
            uri: Some(uri),
            http_method: Some("POST".into()),
            response_transfer_mode: Some(ResponseTransferMode::Stream),
            ..Integration::default()
        }),
        ..Method::default()
    };
    let world = change(&two.edge.world.load_full(), |ops| {
        let resource = Resource { id: "r6".into(), path: "/pieces".into(), ..Resource::default() };
        ops.put(&scope(), "r6", &resource).put(&scope(), &Method::row_id("r6", "ANY"), &method);
    });
    let world = deploy(&world, 2);
    two.edge.world.store(Arc::new(world.clone()));
    two.region.world.store(Arc::new(world));
    let mut socket = tokio::net::TcpStream::connect(two.edge.addr).await.expect("listening");
    let asked = "GET /prod/pieces HTTP/1.1\r\nHost: a1b2c3d4e5.execute-api.far.localhost\r\nx-custom: c\r\nConnection: close\r\n\r\n";
    socket.write_all(asked.as_bytes()).await.expect("written");
    let mut said = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&said).contains("first") {
            assert!(socket.read_buf(&mut said).await.expect("bytes") > 0, "closed");
        }
        HAS_FIRST.notify_one();
        socket.read_to_end(&mut said).await.expect("the rest");
    };
    tokio::time::timeout(LONG, read).await.expect("in time");
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/1.1 201 ") && said.contains("\"c\" \"127.0.0.1\" first"), "{said}");
    assert!(said.contains(" second"), "{said}");
}
