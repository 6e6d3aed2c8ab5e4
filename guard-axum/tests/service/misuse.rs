//! Wrong uses, and their messages.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::request::Parts;
use guard_axum::{DependencyError, DependencyErrorKind, Depends};
use tokio::sync::{Notify, oneshot};

use crate::support::{A, Log, answer, bare, is_pending, page};

#[tokio::test]
async fn a_missing_layer_is_an_error_that_names_what_to_write() {
    let log = Log::default();
    let router = bare(async |_: Depends<A>| ()).with_state(log.clone());
    let (status, message) = answer(&log, router).await;
    assert_eq!(status, 500);
    assert_eq!(
        message,
        "the dependency `service::support::A` belongs to a request, and this request has no scope: \
         write `.layer(guard_axum::RequestScopeLayer::new())` after the routes of the router"
    );
    assert_eq!(log.line(), "response");
}

#[tokio::test]
async fn routes_that_are_added_after_the_layer_have_no_scope() {
    let log = Log::default();
    let router = axum::Router::new()
        .layer(guard_axum::RequestScopeLayer::new())
        .route("/", axum::routing::any(async |_: Depends<A>| ()))
        .with_state(log.clone());
    let (status, message) = answer(&log, router).await;
    assert_eq!(status, 500);
    assert!(message.contains("after the routes"), "{message}");
}

/// Where a handler leaves what it carries off.
type Carried<T> = Arc<Mutex<Option<T>>>;

#[tokio::test]
async fn a_dependency_that_was_carried_off_cannot_be_used_after_the_response() {
    let log = Log::default();
    let carried: Carried<Depends<A>> = Carried::default();
    let place = carried.clone();
    let handler = async move |a: Depends<A>| *place.lock().unwrap() = Some(a);
    assert_eq!(answer(&log, page(&log, handler)).await.0, 200);
    assert_eq!(log.line(), "+A -A response");

    let carried = carried.lock().unwrap().take().unwrap();
    let errors = [
        carried.lock().await.unwrap_err(),
        carried.try_lock().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), DependencyErrorKind::Ended);
        assert_eq!(
            error.to_string(),
            "the dependency `service::support::A` has exited, since its request has been answered: \
             what outlives the handler has to enter a context of its own"
        );
    }
}

#[tokio::test]
async fn a_dependency_that_is_in_use_when_the_handler_ends_is_not_completed_but_cancelled() {
    let log = Log::default();
    let (locked, let_go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, told_to_go) = (locked.clone(), let_go.clone());
    let handler = async move |a: Depends<A>| {
        let locked = told.clone();
        tokio::spawn(async move {
            let _a = a.lock().await;
            told.notify_one();
            told_to_go.notified().await;
        });
        locked.notified().await;
    };
    let (status, message) = answer(&log, page(&log, handler)).await;
    assert_eq!(status, 500);
    assert_eq!(
        message,
        "the dependency `service::support::A` is in use elsewhere"
    );
    assert_eq!(log.line(), "+A response");
    let_go.notify_one();
    log.until("-A:cancelled").await;
}

#[tokio::test]
async fn a_second_lock_at_the_same_time_waits_and_trying_fails() {
    let log = Log::default();
    let handler = async |one: Depends<A>, two: Depends<A>| -> Result<(), DependencyError> {
        let locked = one.lock().await?;
        let error = two.try_lock().unwrap_err();
        assert_eq!(error.kind(), DependencyErrorKind::InUse);
        let mut second = std::pin::pin!(two.lock());
        assert!(is_pending(second.as_mut()).await);
        drop(locked);
        assert_eq!(*second.await?, "A");
        Ok(())
    };
    assert_eq!(answer(&log, page(&log, handler)).await.0, 200);
}

#[tokio::test]
async fn who_asks_after_the_response_gets_nothing_and_nothing_is_entered() {
    let log = Log::default();
    let carried: Carried<Parts> = Carried::default();
    let place = carried.clone();
    let handler = async move |parts: Parts| *place.lock().unwrap() = Some(parts);
    answer(&log, page(&log, handler)).await;
    let mut parts = carried.lock().unwrap().take().unwrap();
    let error = Depends::<A>::of(&mut parts, &log).await.unwrap_err();
    assert_eq!(error.kind(), DependencyErrorKind::Ended);
    assert_eq!(log.line(), "response");
}

#[tokio::test]
async fn what_is_entered_elsewhere_while_the_request_ends_is_cancelled() {
    let log = Log::default();
    let (tell, told) = oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let handler = async move |State(log): State<Log>, mut parts: Parts| {
        let mut asking = Box::pin(async move { Depends::<A>::of(&mut parts, &log).await });
        // It is being entered now.
        assert!(is_pending(asking.as_mut()).await);
        let tell = tell.lock().unwrap().take().unwrap();
        assert!(tell.send(asking).is_ok());
    };
    answer(&log, page(&log, handler)).await;
    let error = told.await.unwrap().await.unwrap_err();
    assert_eq!(error.kind(), DependencyErrorKind::Ended);
    guard_core::drain().await;
    assert_eq!(log.line(), "response +A -A:cancelled");
}
