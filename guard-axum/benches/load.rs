//! One service twice: with sessions of guard, and with sqlx's own transactions, which roll back when they are dropped.
//!
//! `cargo bench -p guard-axum --bench load` prints the throughput of both on real sockets, and what each of them leaves open. It
//! takes about four minutes. The throughputs are medians of many short rounds, in which the two take turns. On a machine that does
//! other things too, the processor time of a request, client included, says more; it is read where there is a `/proc`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use guard_axum::{ContextOf, Dependency, Depends, NoState, RequestScopeLayer, server};
use guard_core::{
    AsyncContext, Outcome, async_context, async_with, cancellable, drain, yield_resource,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_http::timeout::TimeoutLayer;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// The throughput depends on which thread the scheduler wakes next, so it is taken with several numbers of threads.
const WORKERS: [usize; 3] = [1, 2, 4];
const CLIENTS: usize = 16;
const ROUNDS: usize = 16;
/// How many requests a round has.
const READS: usize = 1_600;
const WRITES: usize = 1_600;
const ERRORS: usize = 200;
const TIME_OUTS: usize = 1_000;

#[derive(Clone)]
struct App {
    pool: SqlitePool,
    begun: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Failed;

impl<E: std::error::Error> From<E> for Failed {
    fn from(_: E) -> Self {
        Self
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

async fn insert(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let insert = sqlx::query("INSERT INTO item VALUES (NULL)");
    insert.execute(connection).await.map(drop)
}

async fn count(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    let count = sqlx::query_scalar("SELECT max(id) FROM item");
    let count: Option<i64> = count.fetch_one(connection).await?;
    Ok(format!("{count:?}"))
}

/// With guard.
mod with_guard {
    use super::{
        App, AsyncContext, Connection, ContextOf, Dependency, Depends, Failed, Outcome, Parts,
        Relaxed, RequestScopeLayer, Router, SqliteConnection, StatusCode, async_context,
        cancellable, count, get, insert, post, yield_resource,
    };

    pub(super) enum Session {}

    impl Dependency for Session {
        type State = App;
        type Resource = SqliteConnection;
        type Error = Failed;

        async fn context(_: &mut Parts, app: &App) -> Result<ContextOf<Self>, Failed> {
            Ok(session(app.clone()).boxed())
        }
    }

    #[async_context]
    async fn session(app: App) -> Result<SqliteConnection, Failed> {
        let mut connection = cancellable!(app.pool.acquire())?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        app.begun.fetch_add(1, Relaxed);
        match yield_resource!(*transaction) {
            Outcome::Completed => transaction.commit().await?,
            _ => transaction.rollback().await?,
        }
        Ok(())
    }

    async fn write(session: Depends<Session>) -> Result<(), Failed> {
        Ok(insert(&mut *session.lock().await?).await?)
    }

    async fn read(session: Depends<Session>) -> Result<String, Failed> {
        Ok(count(&mut *session.lock().await?).await?)
    }

    async fn refuse(session: Depends<Session>) -> Result<StatusCode, Failed> {
        insert(&mut *session.lock().await?).await?;
        Ok(StatusCode::CONFLICT)
    }

    pub(super) fn routes() -> Router<App> {
        Router::new()
            .route("/read", get(read))
            .route("/write", post(write))
            .route("/refuse", post(refuse))
            .layer(RequestScopeLayer::new())
    }
}

/// The same by hand: what is dropped without a commit rolls back.
mod by_hand {
    use super::{App, Failed, Relaxed, Router, State, StatusCode, count, get, insert, post};

    async fn write(State(app): State<App>) -> Result<(), Failed> {
        let mut transaction = app.pool.begin_with("BEGIN IMMEDIATE").await?;
        app.begun.fetch_add(1, Relaxed);
        insert(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn read(State(app): State<App>) -> Result<String, Failed> {
        let mut transaction = app.pool.begin_with("BEGIN IMMEDIATE").await?;
        app.begun.fetch_add(1, Relaxed);
        let count = count(&mut transaction).await?;
        transaction.commit().await?;
        Ok(count)
    }

    async fn refuse(State(app): State<App>) -> Result<StatusCode, Failed> {
        let mut transaction = app.pool.begin_with("BEGIN IMMEDIATE").await?;
        app.begun.fetch_add(1, Relaxed);
        insert(&mut transaction).await?;
        Ok(StatusCode::CONFLICT)
    }

    pub(super) fn routes() -> Router<App> {
        Router::new()
            .route("/read", get(read))
            .route("/write", post(write))
            .route("/refuse", post(refuse))
    }
}

/// A service in a directory of its own.
#[async_context]
async fn service(name: &'static str, connections: u32) -> Result<App, Problem> {
    let directory = std::env::temp_dir().join(format!("guard-load-{name}-{}", std::process::id()));
    async_with!(
        file = file_in(directory)?,
        pool = pool(file.clone(), connections)?,
        {
            sqlx::raw_sql("CREATE TABLE item (id INTEGER PRIMARY KEY)")
                .execute(&*pool)
                .await?;
            let mut app = App {
                pool: pool.clone(),
                begun: Arc::default(),
            };
            yield_resource!(app);
        }
    );
    Ok(())
}

#[async_context]
async fn file_in(directory: PathBuf) -> Result<PathBuf, Problem> {
    std::fs::create_dir_all(&directory)?;
    let mut file = directory.join("load.db");
    yield_resource!(file);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

#[async_context]
async fn pool(file: PathBuf, connections: u32) -> Result<SqlitePool, Problem> {
    let mut pool = SqlitePoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .connect_with(options(&file).create_if_missing(true))
        .await?;
    yield_resource!(pool);
    pool.close().await;
    Ok(())
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
}

/// A connection to a server, which is used again and again.
struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self, Problem> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    async fn send(&mut self, request: &str) -> Result<(), Problem> {
        let head = format!("{request} HTTP/1.1\r\nhost: load\r\ncontent-length: 0\r\n\r\n");
        Ok(self.0.write_all(head.as_bytes()).await?)
    }

    /// The status of the answer, when all of it is there.
    async fn answer(&mut self) -> Result<u16, Problem> {
        let mut answer = Vec::new();
        loop {
            let text = std::str::from_utf8(&answer)?;
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length: "));
                if body.len() >= length.map_or(Ok(0), str::parse)? {
                    return Ok(head.split(' ').nth(1).ok_or("no status")?.parse()?);
                }
            }
            if self.0.read_buf(&mut answer).await? == 0 {
                return Err("the server hung up".into());
            }
        }
    }

    async fn ask(&mut self, request: &str) -> Result<u16, Problem> {
        self.send(request).await?;
        self.answer().await
    }
}

/// Sends requests from several clients, which hang up after each `hang_up`-th without reading the answer. Returns how many were
/// answered with 200 in a second.
async fn throughput(
    address: SocketAddr,
    request: &'static str,
    requests: usize,
    hang_up: Option<usize>,
) -> Result<f64, Problem> {
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut answered = 0_u32;
            for number in 1..=requests / CLIENTS {
                if hang_up.is_some_and(|each| number % each == 0) {
                    client.send(request).await?;
                    client = Client::connect(address).await?;
                } else if client.ask(request).await? == 200 {
                    answered += 1;
                }
            }
            Ok::<_, Problem>(answered)
        });
    }
    let mut answered = 0;
    for client in clients.join_all().await {
        answered += client?;
    }
    Ok(f64::from(answered) / began.elapsed().as_secs_f64())
}

/// The processor time that this process has taken.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name, which may have spaces: the 14th and 15th field of all, in ticks of 10 ms.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(10 * (user + system)))
}

/// How many of [`ERRORS`] transactions are open when the client has the error that rolls them back: another writer is locked out.
async fn open_at_the_answer(address: SocketAddr, app: &App) -> Result<usize, Problem> {
    let options = app.pool.connect_options();
    let options = (*options).clone().busy_timeout(Duration::ZERO);
    let mut other = SqliteConnection::connect_with(&options).await?;
    let mut client = Client::connect(address).await?;
    let mut open = 0;
    for _ in 0..ERRORS {
        if client.ask("POST /refuse").await? != 409 {
            return Err("another status".into());
        }
        match other.begin_with("BEGIN IMMEDIATE").await {
            Ok(transaction) => transaction.rollback().await?,
            Err(_) => open += 1,
        }
        // The next request finds the rollback done.
        wait_for_idle(app).await;
    }
    other.close().await?;
    Ok(open)
}

async fn wait_for_idle(app: &App) {
    while app.pool.num_idle() < app.pool.size() as usize {
        tokio::task::yield_now().await;
    }
}

/// How many connections of the pool are in a transaction that nobody uses.
async fn left_open(app: &App) -> Result<usize, Problem> {
    wait_for_idle(app).await;
    let mut left = 0;
    let mut connections = Vec::new();
    for _ in 0..app.pool.size() {
        connections.push(app.pool.acquire().await?);
    }
    for connection in &mut connections {
        // It fails within a transaction.
        match sqlx::raw_sql("BEGIN; ROLLBACK")
            .execute(&mut **connection)
            .await
        {
            Ok(_) => {}
            Err(_) => left += 1,
        }
    }
    Ok(left)
}

/// [`TIME_OUTS`] requests time out while the pool is empty. Returns how many transactions are then begun without them, and how long
/// the next request takes.
async fn overload(router: Router<App>, app: &App) -> Result<(usize, Duration), Problem> {
    let limit = Duration::from_millis(100);
    let router = router
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            limit,
        ))
        .with_state(app.clone());
    let write = || {
        let request = axum::http::Request::post("/write").body(axum::body::Body::empty());
        router.clone().oneshot(request.expect("a request"))
    };
    let mut taken = Vec::new();
    for _ in 0..app.pool.size() {
        taken.push(app.pool.acquire().await?);
    }
    let mut requests = JoinSet::new();
    for _ in 0..TIME_OUTS {
        requests.spawn(write());
    }
    for response in requests.join_all().await {
        if response?.status() != StatusCode::GATEWAY_TIMEOUT {
            return Err("a request has not timed out".into());
        }
    }
    let before = app.begun.load(Relaxed);
    drop(taken);
    let began = Instant::now();
    if write().await?.status() != StatusCode::OK {
        return Err("the next request fails".into());
    }
    let waited = began.elapsed();
    drain().await;
    Ok((app.begun.load(Relaxed) - before - 1, waited))
}

#[derive(Default)]
struct Measured {
    reads: Vec<f64>,
    writes: Vec<f64>,
    hanging_up: Vec<f64>,
    /// For the reads and the writes of all rounds, in which no client hangs up.
    processor: Option<Duration>,
    open_at_the_answer: usize,
    left_open: usize,
    begun_for_nobody: usize,
    /// In microseconds.
    next: Vec<f64>,
}

async fn round(
    name: &'static str,
    routes: fn() -> Router<App>,
    all: &mut Measured,
) -> Result<(), Problem> {
    // One connection, since SQLite has one writer, and several would wait for each other by sleeping.
    async_with!(app = service(name, 1)?, {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = routes().with_state(app.clone());
        async_with!(
            _server = server(listener, router, Duration::from_secs(30))?,
            {
                let before = processor_time();
                let writes = throughput(address, "POST /write", WRITES, None).await?;
                let reads = throughput(address, "GET /read", READS, None).await?;
                if let (Some(before), Some(now)) = (before, processor_time()) {
                    *all.processor.get_or_insert_default() += now.saturating_sub(before);
                }
                let hanging_up = throughput(address, "POST /write", WRITES, Some(3)).await?;
                all.writes.push(writes);
                all.reads.push(reads);
                all.hanging_up.push(hanging_up);
                // What the server has still to notice.
                tokio::time::sleep(Duration::from_millis(200)).await;
                drain().await;
                all.left_open += left_open(app).await?;
                all.open_at_the_answer += open_at_the_answer(address, app).await?;
            }
        );
        let (begun, next) = overload(routes(), app).await?;
        all.begun_for_nobody += begun;
        all.next.push(next.as_secs_f64() * 1e6);
    });
    Ok(())
}

/// A dependency without a database.
enum Nothing {}

impl Dependency for Nothing {
    type State = NoState;
    type Resource = ();
    type Error = Infallible;

    async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Infallible> {
        Ok(nothing().boxed())
    }
}

#[async_context]
async fn nothing() {
    yield_resource!();
}

/// The time of a request without a socket: the shortest of many short rounds, which other programs disturb least.
async fn in_process(router: &Router, request: &str) -> Result<Duration, Problem> {
    const REQUESTS: u32 = 200;
    let (method, path) = request.split_once(' ').ok_or("no method")?;
    let mut shortest = Duration::MAX;
    for _ in 0..50 {
        let began = Instant::now();
        for _ in 0..REQUESTS {
            let request = axum::http::Request::builder().method(method).uri(path);
            let request = request.body(axum::body::Body::empty())?;
            if !router.clone().oneshot(request).await?.status().is_success() {
                return Err("a request fails".into());
            }
        }
        shortest = shortest.min(began.elapsed() / REQUESTS);
    }
    Ok(shortest)
}

/// The same for a service with a database.
async fn in_process_with_database(
    routes: fn() -> Router<App>,
    request: &str,
) -> Result<Duration, Problem> {
    let shortest = async_with!(app = service("in-process", 1)?, {
        in_process(&routes().with_state(app.clone()), request).await?
    });
    Ok(shortest)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Problem> {
    for workers in WORKERS {
        println!("\nworker threads: {workers}");
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()?
            .block_on(compare())?;
    }
    Ok(())
}

async fn compare() -> Result<(), Problem> {
    let page = Router::new().route("/", get(async || ()));
    let alone = in_process(&page, "GET /").await?;
    let scoped = in_process(&page.layer(RequestScopeLayer::new()), "GET /").await?;
    let page = Router::new().route("/", get(async |_: Depends<Nothing>| ()));
    let depends = in_process(&page.layer(RequestScopeLayer::new()), "GET /").await?;
    println!(
        "a request in process: {alone:.1?}; in a scope: {scoped:.1?}; with a dependency: {depends:.1?}"
    );

    println!("{:52} {:>10} {:>10}", "", "guard", "sqlx only");
    for (what, request) in [
        ("a read in process", "GET /read"),
        ("a write in process", "POST /write"),
    ] {
        let (mut by_guard, mut by_hand) = (Duration::MAX, Duration::MAX);
        // In turns, so that what else the machine does meets both.
        for _ in 0..4 {
            by_hand = by_hand.min(in_process_with_database(by_hand::routes, request).await?);
            by_guard = by_guard.min(in_process_with_database(with_guard::routes, request).await?);
        }
        let ratio = by_guard.as_secs_f64() / by_hand.as_secs_f64();
        println!("{what:52} {by_guard:>10.1?} {by_hand:>10.1?}   {ratio:.2}");
    }

    let mut guard = Measured::default();
    let mut hand = Measured::default();
    for number in 0..ROUNDS {
        // Neither is always the first.
        if number % 2 == 0 {
            round("guard", with_guard::routes, &mut guard).await?;
            round("hand", by_hand::routes, &mut hand).await?;
        } else {
            round("hand", by_hand::routes, &mut hand).await?;
            round("guard", with_guard::routes, &mut guard).await?;
        }
    }
    drain().await;

    let line = |what: &str, guard: Vec<f64>, hand: Vec<f64>| {
        let (guard, hand) = (median(guard), median(hand));
        let ratio = guard / hand;
        println!("{what:52} {guard:>10.0} {hand:>10.0}   {ratio:.2}");
    };
    line("reads a second", guard.reads, hand.reads);
    line("writes a second", guard.writes, hand.writes);
    line(
        "answered writes a second, each third client hangs up",
        guard.hanging_up,
        hand.hanging_up,
    );
    if let (Some(guard), Some(hand)) = (guard.processor, hand.processor) {
        let requests = u32::try_from(ROUNDS * (READS + WRITES))?;
        let (guard, hand) = (guard / requests, hand / requests);
        let ratio = guard.as_secs_f64() / hand.as_secs_f64();
        let what = "processor time of a request";
        println!("{what:52} {guard:>10.0?} {hand:>10.0?}   {ratio:.2}");
    }
    let line = |what: &str, guard: usize, hand: usize| println!("{what:52} {guard:>10} {hand:>10}");
    line(
        &format!("open when the client has its error, of {}", ROUNDS * ERRORS),
        guard.open_at_the_answer,
        hand.open_at_the_answer,
    );
    line(
        "left open in the pool at the end",
        guard.left_open,
        hand.left_open,
    );
    line(
        &format!("begun for nobody after {} time-outs", ROUNDS * TIME_OUTS),
        guard.begun_for_nobody,
        hand.begun_for_nobody,
    );
    let (guard, hand) = (median(guard.next), median(hand.next));
    let what = "the next request after them, in µs";
    println!("{what:52} {guard:>10.0} {hand:>10.0}");
    Ok(())
}
