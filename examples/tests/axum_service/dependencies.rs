//! The order in which the dependencies of a request enter and exit, and the outcomes that they get.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use guard_axum::{ContextOf, Dependency, Depends, RequestScopeLayer};
use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_examples::http::server;
use guard_examples::service::{Error, Result};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use crate::requests::{Request, request};

#[derive(Clone, Default)]
struct Log {
    events: Arc<Mutex<Vec<String>>>,
    changed: Arc<Notify>,
}

impl Log {
    fn push(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
        self.changed.notify_one();
    }

    fn line(&self) -> String {
        std::mem::take(&mut *self.events.lock().unwrap()).join(" ")
    }

    async fn until(&self, event: &str) {
        let happened = async {
            while !self
                .events
                .lock()
                .unwrap()
                .iter()
                .any(|happened| happened == event)
            {
                self.changed.notified().await;
            }
        };
        let in_time = timeout(Duration::from_secs(20), happened).await;
        assert!(
            in_time.is_ok(),
            "{event} has not happened, but {}",
            self.line()
        );
    }
}

/// A context that logs its entering, its exit and the outcome. It suspends once in its exit, so that the exit
/// goes on in the background when the client has gone away.
#[async_context]
async fn logged(log: Log, name: &'static str, fails: bool) -> Result<&'static str, Error> {
    log.push(format!("+{name}"));
    let mut lent = name;
    let outcome = yield_resource!(lent);
    tokio::task::yield_now().await;
    let how = match outcome {
        Outcome::Completed => "",
        Outcome::Failed(()) => ":failed",
        Outcome::Panicked => ":panicked",
        Outcome::Cancelled => ":cancelled",
    };
    log.push(format!("-{name}{how}"));
    if fails {
        return Err(Error::Refused(
            StatusCode::IM_A_TEAPOT,
            format!("{name} fails"),
        ));
    }
    Ok(())
}

macro_rules! dependency {
    ($name:ident $(needs $needs:ident)? $(, $fails:literal)?) => {
        enum $name {}
        impl Dependency for $name {
            type State = Log;
            type Resource = &'static str;
            type Error = Error;
            async fn context(_parts: &mut Parts, log: &Log) -> Result<ContextOf<Self>, Error> {
                $(Depends::<$needs>::of(_parts, log).await?;)?
                Ok(logged(log.clone(), stringify!($name), false $(|| $fails)?).boxed())
            }
        }
    };
}

dependency!(A);
dependency!(B needs A);
dependency!(C needs B);
dependency!(D needs A);
dependency!(Failing, true);

/// A dependency that fails to enter.
enum Forbidden {}

impl Dependency for Forbidden {
    type State = Log;
    type Resource = Infallible;
    type Error = Error;

    async fn context(_: &mut Parts, log: &Log) -> Result<ContextOf<Self>, Error> {
        log.push("forbidden");
        Err(Error::Refused(
            StatusCode::UNAUTHORIZED,
            "who are you?".to_owned(),
        ))
    }
}

/// The status and the log of a request to a page with this handler.
async fn events<H, T>(handler: H) -> Result<(u16, String)>
where
    H: axum::handler::Handler<T, Log>,
    T: 'static,
{
    let log = Log::default();
    let router = Router::new()
        .route("/", get(handler))
        .layer(RequestScopeLayer::new())
        .layer(CatchPanicLayer::new())
        .with_state(log.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let status = async_with!(
        server = server(listener, router, Duration::from_secs(30))?,
        {
            let (status, _) = request(server.address(), "GET", "/").await;
            // Every dependency has exited when the response arrives.
            log.push("response");
            status
        }
    );
    Ok((status, log.line()))
}

fn happened(status: u16, events: &str) -> (u16, String) {
    (status, events.to_owned())
}

#[tokio::test]
async fn dependencies_enter_as_they_are_asked_for_and_exit_in_reverse_order() -> Result<()> {
    let handler = async |State(log): State<Log>, _: Depends<C>| log.push("handler");
    assert_eq!(
        events(handler).await?,
        happened(200, "+A +B +C handler -C -B -A response")
    );
    Ok(())
}

#[tokio::test]
async fn a_dependency_of_two_others_is_entered_once() -> Result<()> {
    let handler = async |_: Depends<D>, _: Depends<B>, _: Depends<A>, _: Depends<B>| {};
    assert_eq!(
        events(handler).await?,
        happened(200, "+A +D +B -B -D -A response")
    );
    Ok(())
}

#[tokio::test]
async fn every_dependency_gets_failed_when_the_request_fails() -> Result<()> {
    let handler = async |_: Depends<B>| StatusCode::CONFLICT;
    assert_eq!(
        events(handler).await?,
        happened(409, "+A +B -B:failed -A:failed response")
    );
    Ok(())
}

#[tokio::test]
async fn every_dependency_gets_panicked_when_the_handler_panics() -> Result<()> {
    let handler = async |_: Depends<B>| -> () { std::panic::resume_unwind(Box::new("a panic")) };
    assert_eq!(
        events(handler).await?,
        happened(500, "+A +B -B:panicked -A:panicked response")
    );
    Ok(())
}

#[tokio::test]
async fn the_error_of_a_dependency_that_fails_to_enter_is_the_response() -> Result<()> {
    let handler =
        async |State(log): State<Log>, _: Depends<A>, _: Depends<Forbidden>, _: Depends<C>| {
            log.push("handler");
        };
    assert_eq!(
        events(handler).await?,
        happened(401, "+A forbidden -A:failed response")
    );
    Ok(())
}

#[tokio::test]
async fn a_dependency_that_fails_to_exit_makes_the_request_fail() -> Result<()> {
    let handler = async |_: Depends<A>, _: Depends<Failing>, _: Depends<D>| "fine";
    let expected = "+A +Failing +D -D -Failing -A:failed response";
    assert_eq!(events(handler).await?, happened(418, expected));
    Ok(())
}

#[tokio::test]
async fn a_dependency_that_fails_to_exit_does_not_hide_the_error_of_the_handler() -> Result<()> {
    static REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    guard_core::set_reporter(|report| REPORTS.lock().unwrap().push(report.to_string()));

    let handler = async |_: Depends<Failing>| (StatusCode::GONE, "gone");
    let expected = "+Failing -Failing:failed response";
    assert_eq!(events(handler).await?, happened(410, expected));
    // The error of the exit is reported.
    let reports = REPORTS.lock().unwrap();
    assert!(
        reports
            .iter()
            .any(|report| report.contains("Failing fails")),
        "{reports:?}"
    );
    Ok(())
}

#[tokio::test]
async fn dependencies_exit_in_order_when_the_client_goes_away() -> Result<()> {
    let log = Log::default();
    let handler = async |State(log): State<Log>, _: Depends<C>| -> () {
        log.push("handler");
        std::future::pending().await
    };
    let router = Router::new()
        .route("/", get(handler))
        .layer(RequestScopeLayer::new())
        .with_state(log.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    async_with!(
        server = server(listener, router, Duration::from_secs(30))?,
        {
            let request = Request::send(server.address(), "GET", "/").await;
            log.until("handler").await;
            drop(request);
            log.until("-A:cancelled").await;
        }
    );
    assert_eq!(
        log.line(),
        "+A +B +C handler -C:cancelled -B:cancelled -A:cancelled"
    );
    Ok(())
}

#[tokio::test]
async fn a_handler_that_asks_outside_a_scope_fails() -> Result<()> {
    let log = Log::default();
    let router = Router::new()
        .route("/", get(async |_: Depends<A>| ()))
        .with_state(log.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    async_with!(
        server = server(listener, router, Duration::from_secs(30))?,
        {
            assert_eq!(request(server.address(), "GET", "/").await.0, 500);
        }
    );
    assert_eq!(log.line(), "");
    Ok(())
}
