//! Accepting connections, and stopping to.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum::serve::Listener;
use axum::{Extension, Router};
use guard_core::{PendingCleanup, async_context, drain, pending_cleanups, yield_resource};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tower_layer::Layer;

/// A context in which a server runs: the part of [`serve`](crate::serve()) without a lifespan, also for tests.
///
/// Its exit stops accepting, closes idle connections, and lets running requests end within `grace`. Then it drops the
/// others: their handlers are cancelled, and their dependencies exit in the background.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use guard_axum::server;
/// use guard_core::async_with;
/// use std::time::Duration;
/// use tokio::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let router = Router::new().route("/", get(async || "hello"));
/// async_with!(_running = server(listener, router, Duration::from_secs(10))?, {
///     assert!(TcpStream::connect(address).await.is_ok());
/// });
/// assert!(TcpStream::connect(address).await.is_err());
/// # Ok(()) }
/// ```
///
/// Handlers get the address of the client as [`ConnectInfo<L::Addr>`](ConnectInfo).
///
/// A connection that was upgraded, such as a WebSocket, is no longer one of the server: it is neither waited for nor
/// dropped.
///
/// # Errors
///
/// Connections were dropped at the end.
///
/// # Panics
///
/// In its set-up outside a tokio runtime. A panic of a handler ends its connection only.
///
/// # Cancellation
///
/// Cancelled while the server runs, it exits in the background, as said above.
///
/// Python: `uvicorn.Server.serve`, with `timeout_graceful_shutdown`.
#[async_context]
pub async fn server<L>(listener: L, router: Router, grace: Duration) -> Result<(), CutOff>
where
    L: Listener<Addr: Clone + Sync + 'static>,
{
    let running = Running::start(listener, router, grace);
    yield_resource!();
    running.stop().await
}

/// A [`server`] whose exit also waits for the clean-ups that its requests left, for the time of `drain`.
#[async_context]
pub(crate) async fn server_and_cleanups<L>(
    listener: L,
    router: Router,
    grace: Duration,
    drain: Duration,
) -> Result<(), CutOff>
where
    L: Listener<Addr: Clone + Sync + 'static>,
{
    let running = Running::start(listener, router, grace);
    yield_resource!();
    let stopped = running.stop().await;
    drained(drain).await;
    stopped
}

/// Waits until no clean-up goes on, and returns those that did not end in time.
pub(crate) async fn drained(limit: Duration) -> Vec<PendingCleanup> {
    match timeout(limit, drain()).await {
        Ok(()) => Vec::new(),
        Err(_) => pending_cleanups(),
    }
}

struct Running {
    /// Nothing is sent. It is dropped.
    stop: watch::Sender<()>,
    /// Ready with the number of connections that were dropped.
    serving: JoinHandle<usize>,
    grace: Duration,
}

impl Running {
    fn start<L>(listener: L, router: Router, grace: Duration) -> Self
    where
        L: Listener<Addr: Clone + Sync + 'static>,
    {
        let (stop, stopped) = watch::channel(());
        Self {
            stop,
            serving: tokio::spawn(accept(listener, router, stopped, grace)),
            grace,
        }
    }

    async fn stop(self) -> Result<(), CutOff> {
        let Self {
            stop,
            serving,
            grace,
        } = self;
        drop(stop);
        match serving.await {
            Ok(0) => Ok(()),
            Ok(connections) => Err(CutOff { connections, grace }),
            // Of a listener.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Accepts connections until `stopped`. Returns how many connections were dropped after that.
async fn accept<L>(
    mut listener: L,
    router: Router,
    mut stopped: watch::Receiver<()>,
    grace: Duration,
) -> usize
where
    L: Listener<Addr: Clone + Sync + 'static>,
{
    let mut connections = JoinSet::new();
    let requests = Requests::default();
    'accepting: loop {
        // Polled to its end: a listener may lose a connection whose handshake is dropped.
        let mut accepting = pin!(listener.accept());
        let (io, address) = loop {
            tokio::select! {
                accepted = &mut accepting => break accepted,
                _ = stopped.changed() => break 'accepting,
                // Removes connections that have ended from the set.
                Some(_) = connections.join_next() => {}
            }
        };
        let router = Extension(ConnectInfo(address)).layer(router.clone());
        connections.spawn(connection(io, router, requests.clone(), stopped.clone()));
    }
    drop(listener);
    let ended = async {
        while connections.join_next().await.is_some() {}
        requests.ended().await;
    };
    if timeout(grace, ended).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    requests.abort();
    requests.ended().await;
    cut
}

/// The tasks that hyper spawns for connections: the requests of HTTP/2. Clones share them.
///
/// Their connection does not wait for them when it is dropped or when its client has gone away.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<JoinSet<()>>>);

impl Requests {
    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abort(&self) {
        self.tasks().abort_all();
    }

    /// Waits until all have been dropped.
    async fn ended(&self) {
        while poll_fn(|cx| self.tasks().poll_join_next(cx))
            .await
            .is_some()
        {}
    }
}

impl<F> Executor<F> for Requests
where
    F: Future + Send + 'static,
{
    fn execute(&self, request: F) {
        let mut tasks = self.tasks();
        // Removes those that have ended.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            request.await;
        });
    }
}

/// Serves one connection. When `stopped`, it ends with the request that runs.
async fn connection<I>(
    io: I,
    service: AddExtension<Router, ConnectInfo<impl Clone + Send + Sync + 'static>>,
    requests: Requests,
    mut stopped: watch::Receiver<()>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = builder(requests);
    let service = TowerToHyperService::new(service);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(io), service));
    // Errors are about clients that are gone or that speak something else.
    tokio::select! {
        _ended = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

fn builder(requests: Requests) -> Builder<Requests> {
    #[cfg_attr(
        not(feature = "http2"),
        allow(unused_mut, reason = "only that sets something")
    )]
    let mut builder = Builder::new(requests);
    // WebSockets over HTTP/2 need it.
    #[cfg(feature = "http2")]
    builder.http2().enable_connect_protocol();
    builder
}

/// Requests were still running when their time was over: the error of [`server`].
///
/// ```
/// use guard_axum::CutOff;
///
/// fn tell(error: &CutOff) {
///     eprintln!("{} clients got no answer", error.connections());
/// }
/// # let _ = tell;
/// ```
///
/// Python: the line in uvicorn's log, "Cancel … running task(s), timeout graceful shutdown exceeded".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutOff {
    connections: usize,
    grace: Duration,
}

impl CutOff {
    /// How many connections were dropped.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// How long they had to end.
    pub fn grace(&self) -> Duration {
        self.grace
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, grace } = self;
        write!(f, "{connections} connections were cut off after {grace:?}")
    }
}

impl Error for CutOff {}
