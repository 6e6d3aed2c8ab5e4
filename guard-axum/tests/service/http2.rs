//! Requests over HTTP/2, whose handlers run in tasks of their own.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use guard_axum::{Depends, RequestScopeLayer, ServeError, serve};
use guard_core::{async_context, yield_resource};
use tokio::io::{AsyncWriteExt, DuplexStream};

use crate::support::{B, Log, Refused, mark, memory};

/// No test waits for it.
const LONG: Duration = Duration::from_secs(60);

#[async_context]
async fn lifespan(log: Log) -> Result<Log, Refused> {
    let mut lent = log.clone();
    let outcome = yield_resource!(lent);
    log.push(format!("-lifespan{}", mark(outcome)));
    Ok(())
}

async fn stuck(State(log): State<Log>, _: Depends<B>) {
    log.push("stuck");
    std::future::pending::<()>().await;
}

fn routes() -> Router<Log> {
    Router::new()
        .route("/", get(stuck))
        .layer(RequestScopeLayer::new())
}

/// The start of a connection, and a request for `/`.
async fn send_request(client: &mut DuplexStream) {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let settings = frame(4, 0, 0, &[]);
    // GET, http, /, and an authority.
    let headers = frame(1, 5, 1, b"\x82\x86\x84\x01\x04test");
    let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let sent = [&start[..], &settings, &headers].concat();
    client.write_all(&sent).await.unwrap();
}

/// One worker: of two tasks that are woken at once it polls the later one first.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_that_does_not_end_in_time_is_cancelled_before_the_lifespan_exits() {
    let log = Log::default();
    let (listener, connect) = memory();
    let mut client = connect.connect();
    let shutdown = {
        let log = log.clone();
        async move { log.until("stuck").await }
    };
    let service = serve(listener, lifespan(log.clone()), routes(), shutdown);
    let served = tokio::spawn(service.grace(Duration::ZERO).into_future());
    send_request(&mut client).await;
    let served = served.await.unwrap();
    let cut_off = match served {
        Err(ServeError::ShutDown { cut_off, .. }) => cut_off.map(|cut_off| cut_off.connections()),
        served => panic!("{served:?}"),
    };
    assert_eq!(cut_off, Some(1));
    assert_eq!(
        log.line(),
        "+A +B stuck -B:cancelled -A:cancelled -lifespan:failed"
    );
}

/// The task of a request is told when its connection has ended, and is dropped after that. One worker: as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_whose_client_hangs_up_is_cancelled_before_the_lifespan_exits() {
    let log = Log::default();
    let (listener, connect) = memory();
    let mut client = connect.connect();
    let shutdown = {
        let log = log.clone();
        async move { log.until("stuck").await }
    };
    let service = serve(listener, lifespan(log.clone()), routes(), shutdown);
    let served = tokio::spawn(service.grace(LONG).into_future());
    send_request(&mut client).await;
    connect.closed().await;
    drop(client);
    served.await.unwrap().unwrap();
    assert_eq!(
        log.line(),
        "+A +B stuck -B:cancelled -A:cancelled -lifespan"
    );
}
