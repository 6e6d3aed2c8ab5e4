//! The scope beside other layers.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::any;
use guard_axum::{Depends, RequestScopeLayer};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::support::{A, B, Log, answer, bare, quiet_panic, request};

async fn panicking(_: Depends<B>) {
    quiet_panic()
}

#[tokio::test]
async fn every_dependency_is_told_panicked_and_a_layer_outside_answers() {
    let log = Log::default();
    let router = bare(panicking)
        .layer(RequestScopeLayer::new())
        .layer(CatchPanicLayer::new())
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 500);
    assert_eq!(log.line(), "+A +B -B:panicked -A:panicked response");
}

#[tokio::test]
async fn a_panic_that_is_caught_inside_is_a_failure() {
    let log = Log::default();
    let router = bare(panicking)
        .layer(CatchPanicLayer::new())
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 500);
    assert_eq!(log.line(), "+A +B -B:failed -A:failed response");
}

#[tokio::test]
async fn a_panic_in_the_rule_of_failure_is_one_of_the_request() {
    let log = Log::default();
    let router = bare(async |_: Depends<A>| ())
        .layer(RequestScopeLayer::new().failed_if(|_| quiet_panic()))
        .layer(CatchPanicLayer::new())
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 500);
    assert_eq!(log.line(), "+A -A:panicked response");
}

async fn endless(State(log): State<Log>, _: Depends<B>) {
    log.push("handler");
    std::future::pending::<()>().await;
}

fn time_limit() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_outside_cancels_the_dependencies_in_order() {
    let log = Log::default();
    let router = bare(endless)
        .layer(RequestScopeLayer::new())
        .layer(time_limit())
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 408);
    guard_core::drain().await;
    let line = log.line().replace(" response", "");
    assert_eq!(line, "+A +B handler -B:cancelled -A:cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_inside_is_a_failure() {
    let log = Log::default();
    let router = bare(endless)
        .layer(time_limit())
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 408);
    assert_eq!(log.line(), "+A +B handler -B:failed -A:failed response");
}

#[tokio::test]
async fn a_layer_inside_decides_by_its_status_and_one_outside_comes_too_late() {
    async fn refuse(response: Response) -> (StatusCode, Response) {
        (StatusCode::BAD_GATEWAY, response)
    }
    let log = Log::default();
    let handler = async |_: Depends<A>| ();
    let inside = bare(handler)
        .layer(map_response(refuse))
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    assert_eq!(answer(&log, inside).await.0, 502);
    assert_eq!(log.line(), "+A -A:failed response");

    let outside = bare(handler)
        .layer(RequestScopeLayer::new())
        .layer(map_response(refuse))
        .with_state(log.clone());
    assert_eq!(answer(&log, outside).await.0, 502);
    assert_eq!(log.line(), "+A -A response");
}

#[tokio::test]
async fn a_scope_in_a_scope_has_no_effect() {
    let log = Log::default();
    let told = log.clone();
    let router = bare(async |_: Depends<B>| StatusCode::NOT_FOUND)
        // Its rule does not count either.
        .layer(RequestScopeLayer::new().failed_if(|_| false))
        .layer(map_response(move |response: Response| {
            told.push("between");
            std::future::ready(response)
        }))
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    answer(&log, router).await;
    assert_eq!(log.line(), "+A +B between -B:failed -A:failed response");
}

#[tokio::test]
async fn nested_routers_are_in_the_scope() {
    let log = Log::default();
    let inner = bare(async |_: Depends<B>| ()).layer(RequestScopeLayer::new());
    let router = Router::new()
        .nest("/inner", inner)
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    let request = Request::builder().uri("/inner").body(String::new());
    let response = router.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(log.line(), "+A +B -B -A");
}

#[tokio::test]
async fn the_scope_of_one_route_is_enough_for_it() {
    let log = Log::default();
    let scoped = any(async |_: Depends<A>| ()).layer(RequestScopeLayer::new());
    let router = Router::new().route("/", scoped).with_state(log.clone());
    assert_eq!(answer(&log, router).await.0, 200);
    assert_eq!(log.line(), "+A -A response");
}

#[tokio::test]
async fn the_layer_works_around_any_service_and_passes_its_error_on() {
    // Whatever its body is, and with an error that axum's routers do not have.
    let log = Log::default();
    let of_service = log.clone();
    let service = service_fn(move |request: Request<u32>| {
        let log = of_service.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            Depends::<A>::of(&mut parts, &log).await.unwrap();
            if body == 1 { Ok("fine") } else { Err("down") }
        }
    });
    let scoped = RequestScopeLayer::new().layer(service);
    let response = scoped.clone().oneshot(Request::new(1)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(log.line(), "+A -A");
    let error = scoped.oneshot(Request::new(2)).await.unwrap_err();
    assert_eq!(error, "down");
    assert_eq!(log.line(), "+A -A:failed");
}

#[tokio::test]
async fn a_request_that_carries_an_old_scope_gets_a_new_one() {
    let log = Log::default();
    let of_service = log.clone();
    // A service that keeps the parts of the first request, as a retry or a cache may do.
    let router = crate::support::page(&log, async |_: Depends<A>| ());
    let outer = RequestScopeLayer::new().layer(service_fn(move |request: Request<String>| {
        of_service.push("outer");
        async move { Ok::<_, Infallible>(axum::Extension(request.into_parts().0.extensions)) }
    }));
    let kept: Response = outer.oneshot(Request::new(String::new())).await.unwrap();
    let extensions = kept.extensions().get::<axum::http::Extensions>().unwrap();
    let mut again = request();
    *again.extensions_mut() = extensions.clone();
    let response = router.oneshot(again).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(log.line(), "outer +A -A");
}
