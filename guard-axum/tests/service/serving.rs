//! A service from its start to its end, on real sockets where it matters.

use std::convert::Infallible;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::routing::get;
use guard_axum::{CutOff, Depends, RequestScopeLayer, Serve, ServeError, serve, server};
use guard_core::{AsyncContext, async_context, async_with, nullcontext, yield_resource};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;

use crate::support::{B, Log, Memory, Refused, Sent, is_pending, mark, memory, quiet_panic};

/// A lifespan that logs its entering, its exit and the outcome.
#[async_context]
async fn lifespan(log: Log, fails: bool) -> Result<Log, Refused> {
    log.push("+lifespan");
    let mut lent = log.clone();
    let outcome = yield_resource!(lent);
    tokio::task::yield_now().await;
    log.push(format!("-lifespan{}", mark(outcome)));
    if fails {
        return Err(Refused::Teapot("the lifespan fails".to_owned()));
    }
    Ok(())
}

async fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Its handlers are in the scope: one that answers at once, one that never does, and one that is let go.
fn routes() -> Router<Log> {
    Router::new()
        .route("/", get(async |_: Depends<B>| "fine"))
        .route("/stuck", get(stuck))
        .route("/slow", get(slow))
        .layer(RequestScopeLayer::new())
}

async fn stuck(State(log): State<Log>, _: Depends<B>) {
    log.push("stuck");
    std::future::pending::<()>().await;
}

async fn slow(State(log): State<Log>, _: Depends<B>) -> &'static str {
    log.push("slow");
    log.until("go on").await;
    "done at last"
}

type Served = Result<(), ServeError<Refused>>;

/// A service, and what stops it when it is dropped.
fn started(
    log: &Log,
    listener: TcpListener,
    grace: Duration,
) -> (JoinHandle<Served>, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel();
    let service = serve(listener, lifespan(log.clone(), false), routes(), async {
        drop(stopped.await);
    })
    .grace(grace);
    (tokio::spawn(service.into_future()), stop)
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_request_is_served_within_the_lifespan_whose_value_is_the_state() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let (service, stop) = started(&log, listener, LONG);
    let answer = Sent::to(address, "/").await.answer().await;
    assert_eq!(answer, (200, "fine".to_owned()));
    drop(stop);
    service.await.unwrap().unwrap();
    assert_eq!(log.line(), "+lifespan +A +B -B -A -lifespan");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_start_up_that_fails_is_the_error_and_nobody_is_served() {
    #[async_context]
    async fn broken() -> Result<(), Refused> {
        if true {
            return Err(Refused::Teapot("no database".to_owned()));
        }
        yield_resource!();
        Ok(())
    }
    let (listener, address) = bound().await;
    let served = serve(listener, broken(), Router::new(), std::future::pending()).await;
    let error = served.unwrap_err();
    assert!(matches!(error, ServeError::StartUp(Refused::Teapot(_))));
    assert_eq!(
        error.to_string(),
        "the service could not start: no database"
    );
    assert_eq!(error.source().unwrap().to_string(), "no database");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_request_that_comes_before_the_start_up_is_over_waits_for_it() {
    #[async_context]
    async fn slow_start(log: Log) -> Log {
        log.until("started").await;
        let mut state = log;
        yield_resource!(state);
    }
    let log = Log::default();
    let (listener, address) = bound().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let service = tokio::spawn(
        serve(listener, slow_start(log.clone()), routes(), async {
            drop(stopped.await);
        })
        .into_future(),
    );
    let mut early = Box::pin(Sent::to(address, "/").await.answer());
    assert!(is_pending(early.as_mut()).await);
    tokio::task::yield_now().await;
    assert_eq!(log.line(), "");
    log.push("started");
    assert_eq!(early.await.0, 200);
    drop(stop);
    service.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_runs_at_the_shutdown_comes_to_its_end() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let (service, stop) = started(&log, listener, LONG);
    let slow = Sent::to(address, "/slow").await;
    log.until("slow").await;
    drop(stop);
    // The shutdown has begun when nobody accepts.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    log.push("go on");
    assert_eq!(slow.answer().await, (200, "done at last".to_owned()));
    service.await.unwrap().unwrap();
    assert_eq!(log.line(), "+lifespan +A +B slow go on -B -A -lifespan");
}

#[tokio::test]
async fn a_request_that_does_not_end_in_time_is_cancelled_before_the_lifespan_exits() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let (service, stop) = started(&log, listener, Duration::from_millis(20));
    let stuck = Sent::to(address, "/stuck").await;
    log.until("stuck").await;
    drop(stop);
    let error = service.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "1 connections were cut off after 20ms");
    let ServeError::ShutDown {
        cut_off: Some(cut_off),
        lifespan: None,
        pending,
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(cut_off.connections(), 1);
    assert_eq!(cut_off.grace(), Duration::from_millis(20));
    assert!(pending.is_empty());
    assert_eq!(stuck.answer().await.0, 0);
    assert_eq!(
        log.line(),
        "+lifespan +A +B stuck -B:cancelled -A:cancelled -lifespan:failed"
    );
}

#[tokio::test]
async fn the_dependencies_of_a_client_that_hangs_up_are_cancelled_in_order() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let (service, stop) = started(&log, listener, LONG);
    let stuck = Sent::to(address, "/stuck").await;
    log.until("stuck").await;
    drop(stuck);
    log.until("-A:cancelled").await;
    drop(stop);
    service.await.unwrap().unwrap();
    assert_eq!(
        log.line(),
        "+lifespan +A +B stuck -B:cancelled -A:cancelled -lifespan"
    );
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_shutdown() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let (service, stop) = started(&log, listener, LONG);
    let idle = TcpStream::connect(address).await.unwrap();
    assert_eq!(Sent::to(address, "/").await.answer().await.0, 200);
    drop(stop);
    service.await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn errors_of_the_lifespan_at_the_end_are_returned_beside_what_was_cut_off() {
    let log = Log::default();
    let (listener, _) = bound().await;
    // Its type has a name, whatever the listener, the lifespan and the shutdown are.
    let service: Serve<Refused> = serve(listener, lifespan(log.clone(), true), routes(), async {});
    let error = service.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lifespan failed to exit: the lifespan fails"
    );

    let (listener, address) = bound().await;
    let stop = log.clone();
    let service = serve(
        listener,
        lifespan(log.clone(), true),
        routes(),
        async move {
            stop.until("stuck").await;
        },
    );
    let service = tokio::spawn(service.grace(Duration::ZERO).into_future());
    let _stuck = Sent::to(address, "/stuck").await;
    let error = service.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 connections were cut off after 0ns; the lifespan failed to exit: the lifespan fails"
    );
    assert_eq!(error.source().unwrap().to_string(), "the lifespan fails");
}

/// A lifespan that ends its service when `stop` is dropped, and then fails to exit.
#[async_context]
async fn leased(log: Log, stop: oneshot::Receiver<()>) -> Result<Log, Refused> {
    let mut lent = log.clone();
    let lease = async move {
        let _ = stop.await;
        Err(Refused::Teapot("the lease is lost".to_owned()))
    };
    let outcome = yield_resource!(lent, lease);
    log.push(format!("-lifespan{}", mark(outcome)));
    Err(Refused::Teapot("the lifespan fails".to_owned()))
}

#[tokio::test]
async fn what_goes_on_beside_the_lifespan_ends_the_service_and_no_error_is_lost() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let (lost, stop) = oneshot::channel();
    let service = serve(
        listener,
        leased(log.clone(), stop),
        routes(),
        std::future::pending(),
    );
    let service = tokio::spawn(service.into_future());
    assert_eq!(Sent::to(address, "/").await.answer().await.0, 200);
    drop(lost);
    let error = service.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lifespan has ended the service: the lease is lost; the lifespan failed to exit: the lifespan fails"
    );
    assert_eq!(error.source().unwrap().to_string(), "the lease is lost");
    assert!(
        log.line().ends_with("-lifespan:cancelled"),
        "{}",
        log.line()
    );
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_panic_of_the_shutdown_goes_on_when_all_is_closed() {
    let log = Log::default();
    let (listener, address) = bound().await;
    let service = serve(listener, lifespan(log.clone(), false), routes(), async {
        quiet_panic()
    });
    let panic = tokio::spawn(service.into_future()).await.unwrap_err();
    assert!(panic.is_panic());
    assert_eq!(log.line(), "+lifespan -lifespan:panicked");
    assert!(TcpStream::connect(address).await.is_err());
}

/// It takes a minute to exit.
#[async_context]
async fn lengthy() -> Result<(), Infallible> {
    yield_resource!();
    sleep(Duration::from_secs(60)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clean_ups_that_take_too_long_are_named() {
    let (listener, connect) = memory();
    let log = Log::default();
    let of_shutdown = log.clone();
    let handler = async |State(log): State<Log>| {
        async_with!(_lengthy = lengthy()?, {
            log.push("handler");
            std::future::pending::<()>().await;
        });
        Ok::<_, Infallible>(())
    };
    let router = Router::new().route("/", get(handler));
    let service = serve(listener, lifespan(log.clone(), false), router, async move {
        of_shutdown.until("handler").await;
    })
    .grace(Duration::from_secs(1))
    .drain_timeout(Duration::from_secs(5));
    let client = async {
        let sent = Sent::through(connect.connect(), "/").await;
        sent.answer().await
    };
    let (served, _) = tokio::join!(service.into_future(), client);
    let error = served.unwrap_err();
    let ServeError::ShutDown { pending, .. } = &error else {
        panic!("{error:?}")
    };
    // The clean-ups of other tests in this process are listed too.
    let lengthy = pending.iter().filter(|p| p.name().ends_with("lengthy"));
    assert_eq!(lengthy.count(), 1, "{pending:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("1 connections were cut off after 1s; "),
        "{text}"
    );
    assert!(text.contains("lengthy` has not cleaned up in "), "{text}");
    assert_eq!(log.line(), "+lifespan handler -lifespan:failed");
}

#[tokio::test(start_paused = true)]
async fn a_service_waits_for_clean_ups_before_the_lifespan_exits() {
    #[async_context]
    async fn lengthy(log: Log) {
        yield_resource!();
        sleep(Duration::from_secs(10)).await;
        log.push("-lengthy");
    }
    let (listener, connect) = memory();
    let log = Log::default();
    let of_shutdown = log.clone();
    let handler = async |State(log): State<Log>| {
        async_with!(_lengthy = lengthy(log.clone()), {
            log.push("handler");
            std::future::pending::<()>().await;
        });
    };
    let router = Router::new().route("/", get(handler));
    let service = serve(listener, lifespan(log.clone(), false), router, async move {
        of_shutdown.until("hung up").await;
    });
    let client = async {
        let sent = Sent::through(connect.connect(), "/").await;
        log.until("handler").await;
        drop(sent);
        // Let the server see that.
        sleep(Duration::from_secs(1)).await;
        log.push("hung up");
    };
    let (served, ()) = tokio::join!(service.into_future(), client);
    served.unwrap();
    assert_eq!(log.line(), "+lifespan handler hung up -lengthy -lifespan");
}

#[tokio::test]
async fn handlers_see_the_address_of_the_client() {
    let (listener, address) = bound().await;
    let handler = async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.to_string();
    let router = Router::new().route("/", get(handler));
    async_with!(
        _server = server(listener, router, LONG).expect("a server"),
        {
            let stream = TcpStream::connect(address).await.unwrap();
            let client = stream.local_addr().unwrap();
            let answer = Sent::through(stream, "/").await.answer().await;
            assert_eq!(answer, (200, client.to_string()));
        }
    );
    // Any listener, with any type of address.
    let (listener, connect) = memory();
    let handler = async |ConnectInfo(client): ConnectInfo<&'static str>| client;
    let router = Router::new().route("/", get(handler));
    async_with!(
        _server = server(listener, router, LONG).expect("a server"),
        {
            let answer = Sent::through(connect.connect(), "/").await.answer().await;
            assert_eq!(answer, (200, "memory".to_owned()));
        }
    );
}

#[tokio::test]
async fn a_service_without_a_lifespan_has_a_null_context() {
    let (listener, _) = bound().await;
    let served = serve(listener, nullcontext(()), Router::new(), async {}).await;
    assert!(served.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_used_by_itself_says_how_many_connections_it_dropped() {
    let log = Log::default();
    let (listener, connect) = memory();
    let router = routes().with_state(log.clone());
    let mut open = Vec::new();
    let used: Result<(), CutOff> = server(listener, router, Duration::from_secs(5))
        .with(async |()| {
            for _ in 0..3 {
                open.push(Sent::through(connect.connect(), "/stuck").await);
                log.until("stuck").await;
                log.line();
            }
            Ok(())
        })
        .await;
    assert_eq!(
        used.unwrap_err().to_string(),
        "3 connections were cut off after 5s"
    );
}

/// What a client that is being accepted has sent is lost if the future of `accept` is dropped, as in a TLS handshake.
#[tokio::test]
async fn a_connection_that_ends_does_not_drop_one_that_is_being_accepted() {
    struct Handshakes(Memory, Arc<Notify>);

    impl axum::serve::Listener for Handshakes {
        type Io = DuplexStream;
        type Addr = &'static str;

        async fn accept(&mut self) -> (DuplexStream, &'static str) {
            let (mut stream, address) = self.0.accept().await;
            self.1.notify_one();
            // The hello of the client.
            stream.read_u8().await.unwrap();
            (stream, address)
        }

        fn local_addr(&self) -> std::io::Result<&'static str> {
            self.0.local_addr()
        }
    }

    let log = Log::default();
    let (listener, connect) = memory();
    let begun = Arc::new(Notify::new());
    let listener = Handshakes(listener, begun.clone());
    let router = routes().with_state(log.clone());
    async_with!(
        _running = server(listener, router, LONG).expect("no request runs at the end"),
        {
            let mut first = connect.connect();
            first.write_u8(b'!').await.unwrap();
            begun.notified().await;
            let first = Sent::through(first, "/").await;

            let mut second = connect.connect();
            begun.notified().await;
            assert_eq!(first.answer().await, (200, "fine".to_owned()));
            // The server sees that the first connection has ended.
            for _ in 0..3 {
                yield_now().await;
            }
            second.write_u8(b'!').await.unwrap();
            let second = Sent::through(second, "/").await;
            assert_eq!(second.answer().await, (200, "fine".to_owned()));
        }
    );
}
