//! Streams and upgraded connections, which go on after the handler has answered.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use guard_axum::{Depends, server};
use guard_core::{AsyncContext, BoxContext, Guard, async_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::support::{A, Log, Refused, answer, logged, page, request};

#[tokio::test]
async fn the_body_of_a_stream_is_made_after_the_dependencies_have_exited() {
    let log = Log::default();
    let handler = async |State(log): State<Log>, _: Depends<A>| {
        log.push("handler");
        let chunks = ["one", "two"].map(move |chunk| {
            let log = log.clone();
            std::iter::once_with(move || {
                log.push(chunk);
                Ok::<_, Refused>(chunk)
            })
        });
        Body::from_stream(stream::iter(chunks.into_iter().flatten()))
    };
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (200, "onetwo".to_owned())
    );
    assert_eq!(log.line(), "+A handler -A response one two");
}

/// Three chunks from a context that is entered for the stream.
fn chunks(log: Log) -> impl Stream<Item = Result<Bytes, Refused>> + Send {
    type Entered = Guard<BoxContext<'static, String, Refused>>;
    let begin = (log, None::<Entered>, 0);
    stream::try_unfold(begin, async |(log, entered, count)| {
        let entered = match entered {
            Some(entered) => entered,
            None => logged(log.clone(), "stream", false).boxed().enter().await?,
        };
        if count == 3 {
            entered.exit().await?;
            return Ok(None);
        }
        let chunk = Bytes::from(format!("{} {count};", *entered));
        Ok(Some((chunk, (log, Some(entered), count + 1))))
    })
}

async fn streaming(State(log): State<Log>, _: Depends<A>) -> Body {
    Body::from_stream(chunks(log))
}

#[tokio::test]
async fn a_stream_with_a_context_of_its_own_exits_it_when_it_ends() {
    let log = Log::default();
    let answer = answer(&log, page(&log, streaming)).await;
    assert_eq!(answer, (200, "stream 0;stream 1;stream 2;".to_owned()));
    assert_eq!(log.line(), "+A -A response +stream -stream");
}

#[tokio::test]
async fn a_stream_whose_client_hangs_up_cancels_its_context() {
    let log = Log::default();
    let response = page(&log, streaming).oneshot(request()).await.unwrap();
    let mut chunks = response.into_body().into_data_stream();
    assert_eq!(chunks.next().await.unwrap().unwrap(), "stream 0;");
    assert_eq!(log.line(), "+A -A +stream");
    drop(chunks);
    guard_core::drain().await;
    assert_eq!(log.line(), "-stream:cancelled");
}

async fn socket(
    upgrade: WebSocketUpgrade,
    State(log): State<Log>,
    a: Depends<A>,
) -> Result<Response, Refused> {
    a.lock().await?.push_str(" of the handler");
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let error = a.lock().await.unwrap_err();
        log.push(format!("{:?}", error.kind()));
        let context = logged(log.clone(), "socket", false);
        let talked: Result<(), Refused> = context
            .with(async |name| {
                let message = axum::extract::ws::Message::text(name.as_str());
                socket.send(message).await.unwrap();
                Ok(())
            })
            .await;
        talked.unwrap();
    }))
}

#[tokio::test]
async fn a_web_socket_begins_when_the_dependencies_have_exited_and_has_contexts_of_its_own() {
    let log = Log::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    async_with!(
        _server = server(listener, page(&log, socket), Duration::from_secs(60)).expect("a server"),
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let handshake = "GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\n\
                upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            stream.write_all(handshake.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
            // A message of text has the head 0x81 and its length.
            assert!(answer.contains("\u{6}socket"), "{answer}");
            log.until("-socket").await;
        }
    );
    assert_eq!(log.line(), "+A -A Ended +socket -socket");
}

#[tokio::test]
async fn a_response_of_a_stream_that_fails_has_succeeded_for_the_dependencies() {
    let log = Log::default();
    let handler = async |_: Depends<A>| {
        let failing = stream::iter([Err::<Bytes, _>(Refused::Teapot("broken".to_owned()))]);
        (StatusCode::OK, Body::from_stream(failing))
    };
    let response = page(&log, handler).oneshot(request()).await.unwrap();
    assert_eq!(log.line(), "+A -A");
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    assert!(body.await.is_err());
}
