//! A service with handlers that fail in every way, and another connection to its database.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use guard_axum::{Depends, serve};
use guard_core::{async_context, async_with, yield_resource};
use guard_examples::files::temporary_directory;
use guard_examples::service::{App, Changes, Result, Session, Settings, application, lifespan};
use sqlx::SqlitePool;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// A running service.
pub struct World {
    pub address: SocketAddr,
    /// Another connection to the same database.
    pub outside: SqlitePool,
    pub signals: Signals,
}

#[async_context]
pub async fn world() -> Result<World> {
    async_with!(directory = temporary_directory()?, {
        let file = directory.path().join("test.db");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let signals = Signals::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = application(routes(signals.clone()));
        let service = serve(listener, lifespan(settings(&file)), router, async {
            drop(stopped.await)
        });
        let service = tokio::spawn(service.into_future());
        // The first answer comes when the service has started and its database exists.
        crate::requests::request(address, "GET", "/counts").await;
        let file = directory.path().join("test.db");
        let outside = SqlitePool::connect(&format!("sqlite:{}", file.display())).await?;
        let mut world = World {
            address,
            outside,
            signals,
        };
        yield_resource!(world);
        world.outside.close().await;
        drop(stop);
        let served = service.await.expect("the service should not panic");
        served.expect("nothing should be left");
        assert!(is_closed(&directory.path().join("test.db")));
    });
    Ok(())
}

/// Whether every connection to the database is closed: the last one that closes removes the log file.
pub fn is_closed(database: &FilePath) -> bool {
    !database.with_extension("db-wal").exists()
}

pub fn settings(database: &FilePath) -> Settings {
    Settings {
        database: PathBuf::from(database),
        // SQLite checks this foreign key only at the commit.
        schema: "
            CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY);
            CREATE TABLE IF NOT EXISTS child (
                mother INTEGER REFERENCES item DEFERRABLE INITIALLY DEFERRED
            );
        ",
        connections: 4,
        keep: Duration::from_secs(600),
    }
}

impl World {
    pub async fn request(&self, method: &str, path: &str) -> (u16, String) {
        crate::requests::request(self.address, method, path).await
    }

    /// Whether a row is committed.
    pub async fn has(&self, item: i64) -> bool {
        let found = sqlx::query("SELECT * FROM item WHERE id = ?")
            .bind(item)
            .fetch_optional(&self.outside);
        found.await.expect("the database should answer").is_some()
    }

    /// The rows that are committed.
    pub async fn items(&self) -> Vec<i64> {
        let all = sqlx::query_scalar("SELECT id FROM item ORDER BY id").fetch_all(&self.outside);
        all.await.expect("the database should answer")
    }

    pub async fn counts(&self) -> Counts {
        let (_, counts) = self.request("GET", "/counts").await;
        let counts: Vec<usize> = counts
            .split(' ')
            .map(|count| count.parse().expect("a number"))
            .collect();
        let [begun, committed, rolled_back, connections, idle] = counts[..] else {
            panic!("the page should have the counts: {counts:?}")
        };
        Counts {
            begun,
            committed,
            rolled_back,
            connections,
            idle,
        }
    }

    /// Waits until no session is open and all connections are in the pool, and returns the counts.
    ///
    /// The server needs some time to notice that a client has gone.
    pub async fn settled(&self) -> Counts {
        let settle = async {
            loop {
                let counts = self.counts().await;
                let ended = counts.committed + counts.rolled_back;
                if counts.begun == ended && counts.connections == counts.idle {
                    return counts;
                }
                tokio::task::yield_now().await;
            }
        };
        match timeout(Duration::from_secs(20), settle).await {
            Ok(counts) => counts,
            Err(_) => panic!("a session is lost: {:?}", self.counts().await),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub begun: usize,
    pub committed: usize,
    pub rolled_back: usize,
    pub connections: usize,
    pub idle: usize,
}

/// Named signals with which tests and handlers wait for each other.
#[derive(Clone, Default)]
pub struct Signals(Arc<Mutex<HashMap<String, Arc<Notify>>>>);

impl Signals {
    pub fn get(&self, name: impl ToString) -> Arc<Notify> {
        self.0
            .lock()
            .unwrap()
            .entry(name.to_string())
            .or_default()
            .clone()
    }
}

pub fn routes(signals: Signals) -> Router<App> {
    Router::new()
        .route("/counts", get(counts))
        .route("/item/{id}", post(insert))
        .route("/item/{id}/status/{status}", post(insert_and_answer))
        .route("/item/{id}/panic", post(insert_and_panic))
        .route("/item/{id}/orphan/{orphan}", post(insert_cached))
        .route("/cached", get(cached))
        .route("/item/{id}/stuck", post(insert_and_hang))
        .route("/item/{id}/slow", post(insert_slowly))
        .route("/item/{id}/carry-off", post(carry_off))
        .route("/item/{id}/twice", post(insert_twice))
        .layer(Extension(signals))
}

async fn counts(State(app): State<App>) -> String {
    let sessions = &app.sessions;
    format!(
        "{} {} {} {} {}",
        sessions.begun.load(Relaxed),
        sessions.committed.load(Relaxed),
        sessions.rolled_back.load(Relaxed),
        app.pool.size(),
        app.pool.num_idle(),
    )
}

async fn put(session: &Depends<Session>, id: i64) -> Result<()> {
    let insert = sqlx::query("INSERT INTO item VALUES (?)").bind(id);
    insert.execute(&mut *session.lock().await?).await?;
    Ok(())
}

async fn insert(session: Depends<Session>, Path(id): Path<i64>) -> Result<()> {
    put(&session, id).await
}

async fn insert_and_answer(
    session: Depends<Session>,
    Path((id, status)): Path<(i64, u16)>,
) -> Result<StatusCode> {
    put(&session, id).await?;
    Ok(StatusCode::from_u16(status).expect("a status"))
}

async fn insert_and_panic(session: Depends<Session>, Path(id): Path<i64>) -> Result<()> {
    put(&session, id).await?;
    // Without the panic hook, which would print.
    std::panic::resume_unwind(Box::new("a handler panics"))
}

/// Changes the cached `item`, and violates the foreign key if it is asked to.
async fn insert_cached(
    State(app): State<App>,
    session: Depends<Session>,
    // This extractor runs after that of the session, and its dependency still exits later.
    changes: Depends<Changes>,
    Path((id, orphan)): Path<(i64, bool)>,
) -> Result<&'static str> {
    put(&session, id).await?;
    app.cache.put("item", id);
    changes.lock().await?.push("item".to_owned());
    if orphan {
        let insert = sqlx::query("INSERT INTO child VALUES (?)").bind(id + 1);
        insert.execute(&mut *session.lock().await?).await?;
    }
    Ok("all went well")
}

async fn cached(State(app): State<App>) -> String {
    format!("{:?}", app.cache.get("item"))
}

async fn insert_and_hang(
    session: Depends<Session>,
    Path(id): Path<i64>,
    Extension(signals): Extension<Signals>,
) -> Result<()> {
    put(&session, id).await?;
    signals.get(id).notify_one();
    std::future::pending().await
}

async fn insert_slowly(
    session: Depends<Session>,
    Path(id): Path<i64>,
    Extension(signals): Extension<Signals>,
) -> Result<&'static str> {
    put(&session, id).await?;
    signals.get(id).notify_one();
    signals.get("go on").notified().await;
    Ok("done at last")
}

async fn carry_off(
    session: Depends<Session>,
    Path(id): Path<i64>,
    Extension(signals): Extension<Signals>,
) -> Result<&'static str> {
    put(&session, id).await?;
    let taken = signals.get("taken");
    tokio::spawn(async move {
        let _locked = session.lock().await;
        signals.get("taken").notify_one();
        signals.get("let go").notified().await;
    });
    taken.notified().await;
    Ok("this must not be committed")
}

async fn insert_twice(
    one: Depends<Session>,
    two: Depends<Session>,
    Path(id): Path<i64>,
) -> Result<String> {
    put(&one, id).await?;
    // Only the same session can see what it has not committed.
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM item WHERE id = ?")
        .bind(id)
        .fetch_one(&mut *two.lock().await?)
        .await?;
    Ok(count.to_string())
}
