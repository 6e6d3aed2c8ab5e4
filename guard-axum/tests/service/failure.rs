//! What counts as a failure, and which error is the response.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use guard_axum::{
    ContextOf, Dependency, DependencyError, DependencyErrorKind, Depends, NoState,
    RequestScopeLayer,
};
use guard_core::testing::reports;
use guard_core::{AsyncContext, async_context, nullcontext, yield_resource};

use crate::support::{
    A, B, C, D, Failing, Log, Refused, answer, bare, dependency, events, happened, page,
};

#[tokio::test]
async fn every_dependency_is_told_failed_when_the_status_is_an_error_and_completed_otherwise() {
    for status in [
        200, 201, 204, 301, 304, 399, 400, 404, 422, 499, 500, 503, 599, 999,
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let failed = if (400..600).contains(&status.as_u16()) {
            ":failed"
        } else {
            ""
        };
        assert_eq!(
            events(async move |_: Depends<B>| status).await,
            happened(
                status.as_u16(),
                &format!("+A +B -B{failed} -A{failed} response")
            )
        );
    }
}

#[tokio::test]
async fn an_error_that_is_answered_with_a_success_has_not_failed() {
    let handler = async |_: Depends<A>| -> Result<(), Redirect> { Err(Redirect::to("/login")) };
    assert_eq!(events(handler).await, happened(303, "+A -A response"));
}

#[tokio::test]
async fn what_counts_as_a_failure_can_be_set() {
    for (status, told) in [(404, ""), (503, ":failed")] {
        let log = Log::default();
        let status = StatusCode::from_u16(status).unwrap();
        let layer =
            RequestScopeLayer::new().failed_if(|response| response.status().is_server_error());
        let router = bare(async move |_: Depends<A>| status)
            .layer(layer)
            .with_state(log.clone());
        assert_eq!(answer(&log, router).await.0, status);
        assert_eq!(log.line(), format!("+A -A{told} response"));
    }
    let log = Log::default();
    let router = bare(async |_: Depends<A>| [("rollback", "yes")])
        .layer(
            RequestScopeLayer::new()
                .failed_if(|response| response.headers().contains_key("rollback")),
        )
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 200);
    assert_eq!(log.line(), "+A -A:failed response");
}

enum Forbidden {}

impl Dependency for Forbidden {
    type State = Log;
    type Resource = ();
    type Error = (StatusCode, &'static str);

    async fn context(_: &mut Parts, log: &Log) -> Result<ContextOf<Self>, Self::Error> {
        log.push("forbidden");
        Err((StatusCode::UNAUTHORIZED, "who are you?"))
    }
}

/// It fails when it is entered, not when its context is made.
enum Broken {}

impl Dependency for Broken {
    type State = NoState;
    type Resource = ();
    type Error = (StatusCode, &'static str);

    async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
        Ok(broken().boxed())
    }
}

#[async_context]
async fn broken() -> Result<(), (StatusCode, &'static str)> {
    tokio::task::yield_now().await;
    if true {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "broken"));
    }
    yield_resource!();
    Ok(())
}

#[tokio::test]
async fn the_error_of_a_dependency_that_fails_to_enter_is_the_response() {
    let log = Log::default();
    let handler =
        async |State(log): State<Log>, _: Depends<A>, _: Depends<Forbidden>, _: Depends<C>| {
            log.push("handler");
        };
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (401, "who are you?".to_owned())
    );
    assert_eq!(log.line(), "+A forbidden -A:failed response");

    let handler = async |_: Depends<A>, _: Depends<Broken>| {};
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (503, "broken".to_owned())
    );
    assert_eq!(log.line(), "+A -A:failed response");
}

#[tokio::test]
async fn a_handler_can_take_the_error_of_a_dependency_and_succeed() {
    let handler = async |State(log): State<Log>,
                         _: Depends<A>,
                         user: Result<Depends<Forbidden>, DependencyError>| {
        let error = user.unwrap_err();
        assert_eq!(error.kind(), DependencyErrorKind::Failed);
        assert!(error.dependency().ends_with("Forbidden"));
        assert!(error.downcast_ref::<Refused>().is_none());
        let error = error.downcast::<Refused>().unwrap_err();
        let (status, why) = error.downcast::<(StatusCode, &str)>().unwrap();
        log.push(format!("{status}: {why}"));
    };
    assert_eq!(
        events(handler).await,
        happened(
            200,
            "+A forbidden 401 Unauthorized: who are you? -A response"
        )
    );
}

#[tokio::test]
async fn a_dependency_that_could_not_be_entered_is_tried_again_for_the_next_who_asks() {
    type Entered = Result<Depends<Forbidden>, DependencyError>;
    let handler = async |_: Entered, _: Entered| {};
    assert_eq!(
        events(handler).await,
        happened(200, "forbidden forbidden response")
    );
}

dependency!(NeedsForbidden needs A needs Forbidden);

#[tokio::test]
async fn the_error_of_an_inner_dependency_reaches_the_response_through_the_outer_one() {
    let handler = async |_: Depends<NeedsForbidden>| {};
    assert_eq!(
        events(handler).await,
        happened(401, "+A forbidden -A:failed response")
    );
}

#[tokio::test]
async fn a_dependency_that_fails_to_exit_makes_the_request_fail() {
    let log = Log::default();
    let handler = async |_: Depends<A>, _: Depends<Failing>, _: Depends<D>| "fine";
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (418, "Failing fails".to_owned())
    );
    assert_eq!(log.line(), "+A +Failing +D -D -Failing -A:failed response");
}

/// Its error is text, which axum answers with 200.
enum Talkative {}

impl Dependency for Talkative {
    type State = NoState;
    type Resource = ();
    type Error = String;

    async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, String> {
        Ok(talkative().boxed())
    }
}

#[async_context]
async fn talkative() -> Result<(), String> {
    yield_resource!();
    Err("the commit failed".to_owned())
}

#[tokio::test]
async fn what_fails_to_exit_is_never_answered_with_a_success() {
    let log = Log::default();
    let handler = async |_: Depends<A>, _: Depends<Talkative>| StatusCode::CREATED;
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (500, "the commit failed".to_owned())
    );
    assert_eq!(log.line(), "+A -A:failed response");
}

#[tokio::test]
async fn a_dependency_that_fails_to_exit_does_not_hide_the_error_of_the_handler() {
    let reports = reports();
    let handler = async |_: Depends<Failing>| (StatusCode::GONE, "gone");
    assert_eq!(
        events(handler).await,
        happened(410, "+Failing -Failing:failed response")
    );
    let reports: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("Failing fails"), "{reports:?}");
}

dependency!(FailingToo needs Failing, true);

#[tokio::test]
async fn the_first_error_of_several_exits_is_the_response_and_the_others_are_reported() {
    let reports = reports();
    let log = Log::default();
    let handler = async |_: Depends<FailingToo>| "fine";
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (418, "FailingToo fails".to_owned())
    );
    assert_eq!(
        log.line(),
        "+Failing +FailingToo -FailingToo -Failing:failed response"
    );
    let reports: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("Failing fails"), "{reports:?}");
}

#[tokio::test]
async fn an_error_of_a_handlers_own_type_holds_that_of_its_dependency() {
    let handler = async |_: Depends<A>| -> Result<(), Refused> {
        Err(Refused::Teapot("the handler fails".to_owned()))
    };
    assert_eq!(
        events(handler).await,
        happened(418, "+A -A:failed response")
    );
}

enum Plain {}

impl Dependency for Plain {
    type State = NoState;
    type Resource = u8;
    type Error = std::convert::Infallible;

    async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
        Ok(nullcontext(7).boxed())
    }
}

#[tokio::test]
async fn a_dependency_that_cannot_fail_needs_no_error_type() {
    let log = Log::default();
    let handler = async |plain: Depends<Plain>| -> Result<Response, DependencyError> {
        Ok(plain.try_lock()?.to_string().into_response())
    };
    assert_eq!(
        answer(&log, page(&log, handler)).await,
        (200, "7".to_owned())
    );
}
