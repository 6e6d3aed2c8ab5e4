//! Dependencies that are replaced.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::map_request;
use guard_axum::{
    ContextOf, Dependency, DependencyError, DependencyOverrides, Depends, RequestScopeLayer,
};
use guard_core::{AsyncContext, nullcontext};

use crate::support::{A, B, C, D, Log, Refused, answer, bare, dependency, logged, page};

async fn seen(a: Depends<A>, _: Depends<C>) -> Result<String, DependencyError> {
    let seen = a.lock().await?.clone();
    Ok(seen)
}

#[tokio::test]
async fn a_dependency_is_replaced_for_the_handler_and_for_other_dependencies() {
    let log = Log::default();
    let of_override = log.clone();
    let overrides = DependencyOverrides::new()
        .replace::<A>(move || logged(of_override.clone(), "fake", false).boxed());
    let router = page(&log, seen).layer(overrides);
    for _ in 0..2 {
        let answer = answer(&log, router.clone()).await;
        assert_eq!(answer, (200, "fake".to_owned()));
        assert_eq!(log.line(), "+fake +B +C -C -B -fake response");
    }
}

dependency!(Fake needs D);

#[tokio::test]
async fn a_dependency_is_replaced_by_one_with_dependencies_of_its_own() {
    let log = Log::default();
    let handler = async |_: Depends<B>, _: Depends<B>, _: Depends<Fake>| StatusCode::CONFLICT;
    let overrides = DependencyOverrides::new().replace_by::<B, Fake>();
    answer(&log, page(&log, handler).layer(overrides)).await;
    // The first `Fake` is `B` for this request. The second one is itself.
    assert_eq!(
        log.line(),
        "+A +D +Fake +Fake -Fake:failed -Fake:failed -D:failed -A:failed response"
    );
}

#[tokio::test]
async fn an_override_that_fails_is_answered_as_the_dependency_would_be() {
    enum Refusing {}

    impl Dependency for Refusing {
        type State = Log;
        type Resource = String;
        type Error = Refused;

        async fn context(_: &mut Parts, _: &Log) -> Result<ContextOf<Self>, Refused> {
            Err(Refused::Teapot("refused".to_owned()))
        }
    }
    let log = Log::default();
    let overrides = DependencyOverrides::new().replace_by::<A, Refusing>();
    let router = page(&log, seen).layer(overrides);
    assert_eq!(answer(&log, router).await, (418, "refused".to_owned()));
}

fn named(name: &'static str) -> DependencyOverrides {
    DependencyOverrides::new()
        .replace::<A>(move || nullcontext(name.to_owned()).with_error().boxed())
}

#[tokio::test]
async fn the_last_call_and_the_outermost_layer_count() {
    let log = Log::default();
    let twice =
        named("first").replace::<A>(|| nullcontext("second".to_owned()).with_error().boxed());
    let router = page(&log, seen).layer(twice);
    assert_eq!(answer(&log, router.clone()).await.1, "second");
    assert_eq!(answer(&log, router.layer(named("outer"))).await.1, "outer");
}

#[tokio::test]
async fn layers_with_overrides_of_different_dependencies_add_up() {
    let log = Log::default();
    let router = page(&log, seen)
        .layer(named("inner"))
        .layer(DependencyOverrides::new().replace_by::<B, Fake>());
    assert_eq!(answer(&log, router).await.1, "inner");
    assert_eq!(log.line(), "+D +Fake +C -C -Fake -D response");
}

#[tokio::test]
async fn a_layer_with_overrides_may_be_inside_the_scope() {
    let log = Log::default();
    let router = bare(seen)
        .layer(named("inside"))
        .layer(map_request(async |request: axum::extract::Request| request))
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    assert_eq!(answer(&log, router).await.1, "inside");
}

#[tokio::test]
async fn without_an_override_nothing_changes() {
    let log = Log::default();
    let router = page(&log, seen).layer(DependencyOverrides::new());
    assert_eq!(answer(&log, router).await.1, "A");
    assert_eq!(log.line(), "+A +B +C -C -B -A response");
}
