//! The server shuts down and the client logs out, however their use ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use guard_core::{AsyncContext, TryWithError, async_with};
use guard_examples::http::{api, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::ways::{WAYS, leave};

#[path = "../../http/service.rs"]
mod service;
use service::Service;

const LONG: Duration = Duration::from_secs(30);

async fn listener() -> io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

#[tokio::test]
async fn a_client_logs_out_however_its_use_ends() -> io::Result<()> {
    let service = Arc::new(Service::default());
    async_with!(
        server = server(listener().await?, service.router(), LONG)?,
        {
            for way in WAYS {
                let seen = service.clone();
                leave(way, api(server.url("")), move |_| {
                    assert_eq!(seen.logged_in(), 1)
                })
                .await;
                assert_eq!(service.logged_in(), 0, "{way:?}");
            }
        }
    );
    Ok(())
}

#[tokio::test]
async fn a_client_that_cannot_log_in_does_not_log_out() -> io::Result<()> {
    async_with!(server = server(listener().await?, Router::new(), LONG)?, {
        let error = api(server.url("")).enter().await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    });
    Ok(())
}

#[tokio::test]
async fn a_client_whose_service_has_gone_fails_to_exit() -> io::Result<()> {
    let service = Arc::new(Service::default());
    let running = server(listener().await?, service.router(), LONG)
        .enter()
        .await?;
    let used = api(running.url(""))
        .try_with(async |_| {
            running.exit().await?;
            io::Result::Ok(())
        })
        .await;
    let Err(TryWithError::Exit { error, .. }) = used else {
        panic!("{used:?}")
    };
    assert!(error.is_request(), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_stops_however_its_use_ends() -> io::Result<()> {
    for way in WAYS {
        let listener = listener().await?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/", get("hello"));
        leave(way, server(listener, routes, LONG), move |server| {
            assert_eq!(server.address(), address);
            assert!(std::net::TcpStream::connect(address).is_ok());
        })
        .await;
        assert!(TcpStream::connect(address).await.is_err(), "{way:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_does_not_wait_for_an_idle_connection() -> io::Result<()> {
    let routes = Router::new().route("/", get("hello"));
    let mut stream = async_with!(server = server(listener().await?, routes, LONG)?, {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
            .await?;
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        stream
    });
    // The connection is closed, without an error.
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await?;
    assert!(rest.ends_with("hello"), "{rest}");
    Ok(())
}

#[tokio::test]
async fn a_running_request_is_answered_before_the_server_has_stopped() -> io::Result<()> {
    let service = Arc::new(Service::default());
    let answer = async_with!(
        server = server(listener().await?, service.router(), LONG)?,
        {
            let answer = tokio::spawn(reqwest::get(server.url("/slow")));
            service.begun.notified().await;
            answer
        }
    );
    let answer = answer.await?.expect("an answer").text().await;
    assert_eq!(answer.expect("a text"), "worth the wait");
    Ok(())
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_aborted_and_its_handler_dropped() -> io::Result<()> {
    struct Gone(Arc<Notify>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    let (begun, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, gone) = (begun.clone(), gone.clone());
        async move || {
            let _gone = Gone(gone);
            begun.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let routes = Router::new().route("/", get(handler));
    let used = server(listener().await?, routes, Duration::from_millis(20))
        .try_with(async |server| {
            let answer = tokio::spawn(reqwest::get(server.url("/")));
            begun.notified().await;
            io::Result::Ok(answer)
        })
        .await;
    let Err(TryWithError::Exit { value, error }) = used else {
        panic!("the request should be aborted")
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let dropped = timeout(LONG, gone.notified()).await;
    assert!(dropped.is_ok(), "the handler should be dropped");
    assert!(value.await?.is_err());
    Ok(())
}
