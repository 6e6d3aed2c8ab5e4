//! The start and the stop of the whole service.

use std::time::Duration;

use guard_axum::{ServeError, serve};
use guard_core::async_with;
use guard_examples::files::temporary_directory;
use guard_examples::service::{Error, Result, Settings, application, lifespan};
use sqlx::{Connection, SqliteConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::requests::Request;
use crate::world::{Signals, is_closed, routes, settings};

#[tokio::test]
async fn a_start_up_that_fails_is_an_error_of_serve() -> Result<()> {
    async_with!(directory = temporary_directory()?, {
        let file = directory.path().join("test.db");
        let good = settings(&file);
        let no_such_directory = settings(&directory.path().join("missing/test.db"));
        let bad_schema = Settings {
            schema: "CREATE NONSENSE",
            ..good
        };
        for settings in [no_such_directory, bad_schema] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let never = std::future::pending();
            let router = application(routes(Signals::default()));
            let served = serve(listener, lifespan(settings), router, never).await;
            assert!(
                matches!(served, Err(ServeError::StartUp(Error::Database(_)))),
                "{served:?}"
            );
            assert!(
                TcpStream::connect(address).await.is_err(),
                "nobody should listen"
            );
            // The pool that was opened before the failure is closed.
            assert!(is_closed(&file));
        }
    });
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_running_at_the_shutdown_ends_and_is_committed() -> Result<()> {
    async_with!(directory = temporary_directory()?, {
        let file = directory.path().join("test.db");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let signals = Signals::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = application(routes(signals.clone()));
        let service = serve(listener, lifespan(settings(&file)), router, async {
            drop(stopped.await);
        });
        let service = tokio::spawn(service.into_future());

        let slow = Request::send(address, "POST", "/item/1/slow").await;
        signals.get(1).notified().await;
        drop(stop);
        // The service has got the signal when it accepts no more connections.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!service.is_finished());
        signals.get("go on").notify_one();

        assert_eq!(slow.answer().await, (200, "done at last".to_owned()));
        let served = service.await.expect("the service should not panic");
        served.expect("nothing should be left");
        assert_eq!(items(&file).await?, [1]);
    });
    Ok(())
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_and_rolled_back() -> Result<()> {
    async_with!(directory = temporary_directory()?, {
        let file = directory.path().join("test.db");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let signals = Signals::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = application(routes(signals.clone()));
        let service = serve(listener, lifespan(settings(&file)), router, async {
            drop(stopped.await);
        });
        let service = tokio::spawn(service.grace(Duration::from_millis(50)).into_future());

        let stuck = Request::send(address, "POST", "/item/1/stuck").await;
        signals.get(1).notified().await;
        drop(stop);

        let ended = timeout(Duration::from_secs(20), service).await;
        let served = ended
            .expect("the service should end")
            .expect("the service should not panic");
        let error = served.expect_err("a connection is cut off");
        assert_eq!(error.to_string(), "1 connections were cut off after 50ms");
        assert_eq!(stuck.answer().await.0, 0);
        assert!(
            is_closed(&file),
            "the roll-back comes before the end of the pool"
        );
        assert_eq!(items(&file).await?, []);
    });
    Ok(())
}

async fn items(file: &std::path::Path) -> Result<Vec<i64>> {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await?;
    let items = sqlx::query_scalar("SELECT id FROM item").fetch_all(&mut connection);
    Ok(items.await?)
}
