//! In which order the dependencies of a request enter and exit.

use axum::extract::{FromRef, Path, Request, State};
use axum::http::request::Parts;
use axum::middleware::{Next, from_extractor_with_state, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{RequestPartsExt, Router};
use guard_axum::{ContextOf, Dependency, DependencyError, Depends, NoState, RequestScopeLayer};
use guard_core::{AsyncContext, async_context, async_with, nullcontext, yield_resource};
use tower::ServiceExt;

use crate::support::{A, B, C, D, Log, Refused, answer, events, happened, logged, page, read};

#[tokio::test]
async fn dependencies_enter_as_they_are_asked_for_and_exit_in_reverse_order_before_the_response() {
    let handler = async |State(log): State<Log>, _: Depends<C>| log.push("handler");
    assert_eq!(
        events(handler).await,
        happened(200, "+A +B +C handler -C -B -A response")
    );
}

#[tokio::test]
async fn a_dependency_of_two_others_is_entered_once() {
    let handler = async |_: Depends<D>, _: Depends<B>, _: Depends<A>, _: Depends<B>| {};
    assert_eq!(
        events(handler).await,
        happened(200, "+A +D +B -B -D -A response")
    );
}

#[tokio::test]
async fn what_nobody_asks_for_is_not_entered() {
    assert_eq!(events(async || ()).await, happened(200, "response"));
}

#[tokio::test]
async fn all_extractors_of_a_request_share_the_resource_and_no_other_request_does() {
    let log = Log::default();
    let handler = async |one: Depends<A>, two: Depends<A>| -> Result<String, DependencyError> {
        one.clone().lock().await?.push('!');
        let both = two.lock().await?.clone();
        Ok(both)
    };
    let router = page(&log, handler);
    for _ in 0..2 {
        assert_eq!(answer(&log, router.clone()).await, (200, "A!".to_owned()));
    }
}

#[tokio::test]
async fn a_middleware_and_the_handler_share_a_dependency() {
    async fn middleware(
        State(log): State<Log>,
        request: Request,
        next: Next,
    ) -> Result<Response, DependencyError> {
        let (mut parts, body) = request.into_parts();
        let a = Depends::<A>::of(&mut parts, &log).await?;
        a.lock().await?.push_str(" of the middleware");
        let response = next.run(Request::from_parts(parts, body)).await;
        log.push("middleware");
        Ok(response)
    }
    let log = Log::default();
    let handler = async |a: Depends<A>| -> Result<String, DependencyError> {
        let seen = a.lock().await?.clone();
        Ok(seen)
    };
    let router = Router::new()
        .route("/", get(handler))
        .layer(from_fn_with_state(log.clone(), middleware))
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    let (_, body) = answer(&log, router).await;
    assert_eq!(body, "A of the middleware");
    assert_eq!(log.line(), "+A middleware -A response");
}

#[tokio::test]
async fn a_dependency_can_be_one_of_all_routes() {
    let log = Log::default();
    let router = Router::new()
        .route("/", get(async |_: Depends<B>| ()))
        .route_layer(from_extractor_with_state::<Depends<D>, _>(log.clone()))
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    answer(&log, router).await;
    assert_eq!(log.line(), "+A +D +B -B -D -A response");
}

/// What the tests' dependencies are told is in a log, which is here a part of the state.
#[derive(Clone)]
struct Application {
    log: Log,
    greeting: &'static str,
}

impl FromRef<Application> for Log {
    fn from_ref(application: &Application) -> Self {
        application.log.clone()
    }
}

impl FromRef<Application> for &'static str {
    fn from_ref(application: &Application) -> Self {
        application.greeting
    }
}

#[tokio::test]
async fn the_state_of_a_dependency_is_a_part_of_that_of_the_router() {
    let application = Application {
        log: Log::default(),
        greeting: "hello",
    };
    let handler = async |State(greeting): State<&'static str>, _: Depends<B>| greeting;
    let router = Router::new()
        .route("/", get(handler))
        .layer(RequestScopeLayer::new())
        .with_state(application.clone());
    assert_eq!(
        answer(&application.log, router).await,
        (200, "hello".to_owned())
    );
    assert_eq!(application.log.line(), "+A +B -B -A response");
}

enum Double {}

impl Dependency for Double {
    type State = NoState;
    type Resource = u64;
    type Error = axum::extract::rejection::PathRejection;

    async fn context(parts: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
        let Path(number) = parts.extract::<Path<u64>>().await?;
        Ok(nullcontext(2 * number).with_error().boxed())
    }
}

#[tokio::test]
async fn a_dependency_reads_the_request_and_its_error_may_be_that_of_an_extractor() {
    let handler = async |double: Depends<Double>| -> Result<String, DependencyError> {
        Ok(double.lock().await?.to_string())
    };
    let router: Router = Router::new()
        .route("/{number}", get(handler))
        .layer(RequestScopeLayer::new());
    let ask = async |path| {
        let request = Request::builder().uri(path).body(axum::body::Body::empty());
        read(router.clone().oneshot(request.unwrap()).await.unwrap()).await
    };
    assert_eq!(ask("/21").await, (200, "42".to_owned()));
    assert_eq!(ask("/seven").await.0, 400);
}

/// Uses another dependency in its exit.
enum Last {}

impl Dependency for Last {
    type State = Log;
    type Resource = ();
    type Error = Refused;

    async fn context(parts: &mut Parts, log: &Log) -> Result<ContextOf<Self>, Refused> {
        let a = Depends::<A>::of(parts, log).await?;
        Ok(last(a, log.clone()).boxed())
    }
}

#[async_context]
async fn last(a: Depends<A>, log: Log) -> Result<(), Refused> {
    yield_resource!();
    log.push(format!("-Last with {}", *a.lock().await?));
    Ok(())
}

#[tokio::test]
async fn what_a_dependency_has_asked_for_is_there_in_its_exit() {
    let handler = async |_: Depends<Last>, _: Depends<B>| {};
    assert_eq!(
        events(handler).await,
        happened(200, "+A +B -B -Last with A -A response")
    );
}

#[tokio::test(start_paused = true)]
async fn dependencies_exit_after_the_clean_up_of_what_was_cancelled_in_the_handler() {
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[async_context]
    async fn savepoint(log: Log) {
        log.push("+savepoint");
        yield_resource!();
        sleep(Duration::from_secs(5)).await;
        log.push("-savepoint");
    }
    let handler = async |State(log): State<Log>, _: Depends<A>| {
        let query = async {
            async_with!(_savepoint = savepoint(log.clone()), {
                sleep(Duration::from_secs(60)).await;
            });
        };
        let timed_out = timeout(Duration::from_secs(1), query).await.is_err();
        log.push(format!("timed out: {timed_out}"));
    };
    assert_eq!(
        events(handler).await,
        happened(200, "+A +savepoint timed out: true -savepoint -A response")
    );
}

#[tokio::test]
async fn a_dependency_may_be_any_context() {
    enum Stacked {}

    impl Dependency for Stacked {
        type State = Log;
        type Resource = guard_core::AsyncExitStack<Refused>;
        type Error = Refused;

        async fn context(_: &mut Parts, _: &Log) -> Result<ContextOf<Self>, Refused> {
            Ok(guard_core::exit_stack().boxed())
        }
    }
    let handler = async |State(log): State<Log>, stack: Depends<Stacked>| -> Result<(), Refused> {
        let stack = stack.lock().await?;
        for name in ["one", "two"] {
            stack.enter(logged(log.clone(), name, false)).await?;
        }
        Ok(())
    };
    assert_eq!(
        events(handler).await,
        happened(200, "+one +two -two -one response")
    );
}
