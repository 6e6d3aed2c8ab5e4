//! Requests and services that are dropped after each number of polls.

use axum::extract::State;
use axum::http::StatusCode;
use guard_axum::{Depends, RequestScopeLayer, serve};
use guard_core::testing::{Cut, cancel_at_every_poll};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tower::ServiceExt;

use crate::support::{
    A, B, C, D, Failing, Log, Refused, Sent, bare, logged, memory, page, quiet_panic, request,
};

/// Checks that each dependency that was entered has exited once. If the handler was reached, that is in reverse order; before it, one that was still
/// being entered exits on its own.
fn check(line: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for event in line.split_whitespace() {
        if let Some(name) = event.strip_prefix('+') {
            assert!(!seen.contains(&name), "entered twice: {line}");
            seen.push(name);
            open.push(name);
        } else if let Some(exit) = event.strip_prefix('-') {
            let name = exit.split(':').next().unwrap();
            let place = open.iter().position(|open| *open == name);
            let Some(place) = place else {
                panic!("exited and not entered: {line}")
            };
            assert!(
                place + 1 == open.len() || !line.contains("handler"),
                "out of order: {line}"
            );
            open.remove(place);
        }
    }
    assert!(open.is_empty(), "not exited: {line}");
}

/// The outcomes of a request: each is told once. They are those of the end, or all are `Cancelled`.
fn check_cut(log: &Log, cut: &Cut, at_the_end: &str) {
    let line = log.line();
    check(&line);
    if cut.is_end() {
        assert_eq!(line, at_the_end);
    }
    let exits: Vec<_> = line
        .split(' ')
        .filter(|event| event.starts_with('-'))
        .collect();
    let as_at_the_end = exits
        .iter()
        .all(|exit| at_the_end.split(' ').any(|event| event == *exit));
    let cancelled = exits.iter().all(|exit| exit.ends_with(":cancelled"));
    assert!(as_at_the_end || cancelled, "{line}");
}

#[tokio::test]
async fn every_dependency_exits_once_and_in_order_wherever_a_request_is_cut() {
    let log = Log::default();
    let handler = async |State(log): State<Log>, _: Depends<C>, _: Depends<D>| {
        yield_now().await;
        log.push("handler");
        yield_now().await;
    };
    cancel_at_every_poll(
        || page(&log, handler).oneshot(request()),
        async |cut| {
            check_cut(&log, &cut, "+A +B +C +D handler -D -C -B -A");
            assert!(cut.reports().is_empty(), "{:?}", cut.reports());
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn the_same_when_the_handler_fails() {
    let log = Log::default();
    let handler = async |State(log): State<Log>, _: Depends<B>| {
        log.push("handler");
        yield_now().await;
        StatusCode::CONFLICT
    };
    cancel_at_every_poll(
        || page(&log, handler).oneshot(request()),
        async |cut| {
            check_cut(&log, &cut, "+A +B handler -B:failed -A:failed");
            for report in cut.reports() {
                assert!(report.to_string().contains("RequestFailed"), "{report}");
            }
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn the_same_when_a_dependency_fails_to_exit_and_its_error_is_reported_if_nobody_waits() {
    let log = Log::default();
    let handler = async |State(log): State<Log>, _: Depends<A>, _: Depends<Failing>| {
        yield_now().await;
        log.push("handler");
    };
    let response = cancel_at_every_poll(
        || page(&log, handler).oneshot(request()),
        async |cut| {
            let line = log.line();
            check(&line);
            // The error goes to the client or to a report.
            let lost = line.contains("-Failing") && !cut.is_end();
            assert_eq!(cut.reports().len(), usize::from(lost), "{line}");
        },
    )
    .await;
    assert_eq!(response.unwrap().status(), StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn the_same_when_the_handler_panics() {
    let log = Log::default();
    let handler = async |State(log): State<Log>, _: Depends<B>| -> () {
        log.push("handler");
        yield_now().await;
        quiet_panic()
    };
    let router = || page(&log, handler).layer(tower_http::catch_panic::CatchPanicLayer::new());
    cancel_at_every_poll(
        || router().oneshot(request()),
        async |cut| {
            check_cut(&log, &cut, "+A +B handler -B:panicked -A:panicked");
        },
    )
    .await
    .unwrap();
}

/// A service that answers one request and stops, and its client.
async fn one_request(log: Log) -> Result<(), guard_axum::ServeError<Refused>> {
    let handler = async |State(log): State<Log>, _: Depends<B>| {
        log.push("handler");
        yield_now().await;
    };
    // Its state is set, so that of the lifespan may be any.
    let router = bare(handler)
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    let (listener, connect) = memory();
    let (stop, stopped) = oneshot::channel::<()>();
    let client = async {
        let stream = connect.connect();
        let (status, _) = Sent::through(stream, "/").await.answer().await;
        assert_eq!(status, 200);
        drop(stop);
    };
    let service = serve(listener, logged(log, "lifespan", false), router, async {
        drop(stopped.await);
    });
    let (served, ()) = tokio::join!(service.into_future(), client);
    served
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_dropped_exits_its_dependencies_and_then_its_lifespan() {
    let log = Log::default();
    cancel_at_every_poll(
        || one_request(log.clone()),
        async |cut| {
            let line = log.line();
            check(&line);
            if line.contains("+lifespan") {
                let last = line.split(' ').next_back().unwrap();
                assert!(last.starts_with("-lifespan"), "{line}");
            }
            if cut.is_end() {
                assert_eq!(line, "+lifespan +A +B handler -B -A -lifespan");
            }
            assert!(cut.reports().is_empty(), "{:?}", cut.reports());
        },
    )
    .await
    .unwrap();
}
