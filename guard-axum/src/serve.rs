//! A service from its start to its end.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use guard_core::{AsyncContext, PendingCleanup, TryWithError};

use crate::server::{CutOff, drained, server_and_cleanups};

/// The time for requests at the end, and then for clean-ups, unless the builder says otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// Serves a router within a lifespan, until `shutdown` is ready.
///
/// - `lifespan` is any context. What it lends is the state of the router, so it is `Clone`.
/// - No request is served before it is entered. Connections that come earlier wait in the queue of the listener.
/// - `shutdown` is polled from then on. When it is ready, the service stops accepting, and running requests have
///   the time of [`grace`](Serve::grace) to end; those that have not are dropped, and so cancelled.
/// - Then the clean-ups of cancelled requests come to their end ([`drain`](guard_core::drain)), then the lifespan exits, and then what is left of its
///   clean-ups comes to its end. So no request uses what the lifespan has closed.
///
/// `.await` it:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, extract::State, routing::get};
/// use guard_core::{async_context, yield_resource};
/// use std::{io, time::Duration};
/// use tokio::net::TcpListener;
///
/// #[async_context]
/// async fn lifespan() -> io::Result<String> {
///     let mut greeting = "hello".to_owned(); // open pools, start background tasks
///     yield_resource!(greeting);
///     Ok(()) // close them
/// }
///
/// let routes = Router::new().route("/", get(async |State(greeting): State<String>| greeting));
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let shutdown = async { /* tokio::signal::ctrl_c().await */ };
/// guard_axum::serve(listener, lifespan(), routes, shutdown)
///     .grace(Duration::from_secs(10))
///     .await?;
/// # Ok(()) }
/// ```
///
/// A service that needs no lifespan has [`nullcontext(())`](guard_core::nullcontext). If the layers of the router need the
/// state too, the context lends a struct that has what they need, and the router is made before.
///
/// # Errors
///
/// [`ServeError::StartUp`] if the lifespan could not be entered; [`ServeError::ShutDown`] if requests were cut off, the lifespan failed to
/// exit, or clean-ups took too long. If requests were cut off, the lifespan is told `Failed`.
///
/// # Panics
///
/// A panic of `shutdown` or of the lifespan goes on when all has been closed. A panic of a handler ends its connection:
/// put a layer that catches panics outside the [`RequestScopeLayer`](crate::RequestScopeLayer) to answer `500`.
///
/// # Cancellation
///
/// If its future is dropped, all this goes on in the background, with the time that is set: `drain` waits for it. The
/// lifespan is told `Cancelled`.
///
/// `FastAPI`: `FastAPI(lifespan=…)` under uvicorn.
#[must_use = "nothing is served until this is awaited"]
pub fn serve<L, C, S, E, F>(listener: L, lifespan: C, router: Router<S>, shutdown: F) -> Serve<E>
where
    L: Listener<Addr: Clone + Sync + 'static>,
    C: AsyncContext<Resource = S, Error = E> + Send + 'static,
    S: RouterState,
    E: Send + 'static,
    F: Future<Output = ()> + Send + 'static, // such as `async { let _ = tokio::signal::ctrl_c().await; }`
{
    let start = |grace, drain| {
        Box::pin(run(listener, lifespan, router, shutdown, grace, drain)) as Running<E>
    };
    Serve {
        start: Box::new(start),
        grace: LIMIT,
        drain: LIMIT,
    }
}

/// What a lifespan lends to [`serve`]: the state of the router, which each request has a clone of.
///
/// It is implemented for everything that is `Clone + Send + Sync + 'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of a router, which is what the lifespan lends",
    label = "not `Clone + Send + Sync + 'static`",
    note = "derive `Clone` for it, or let the lifespan lend an `Arc` of what is `Send + Sync`"
)]
pub trait RouterState: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<S: Clone + Send + Sync + 'static> RouterState for S {}

/// A service that is not running yet: what [`serve`] returns. `.await` it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::Router;
/// use guard_axum::serve;
/// use guard_core::nullcontext;
/// use std::time::Duration;
/// use tokio::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let service = serve(listener, nullcontext(()), Router::new(), async {})
///     .grace(Duration::from_secs(10))
///     .drain_timeout(Duration::from_secs(20));
/// // In a task of its own it is a future: `into_future` is what `.await` calls.
/// tokio::spawn(service.into_future()).await??;
/// # Ok(()) }
/// ```
#[must_use = "nothing is served until this is awaited"]
pub struct Serve<E> {
    // Only `serve` has bounds: rustc would tell again of one that is not met, at the `.await`.
    start: Box<dyn FnOnce(Duration, Duration) -> Running<E> + Send>,
    grace: Duration,
    drain: Duration,
}

type Running<E> = Pin<Box<dyn Future<Output = Result<(), ServeError<E>>> + Send>>;

impl<E> Serve<E> {
    /// How long requests may still run after the shutdown has begun: 30 seconds unless this says otherwise. Those that have
    /// not ended then are cancelled.
    ///
    /// Python: `timeout_graceful_shutdown` of uvicorn, which has no limit unless one is set.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long the service waits for clean-ups in the background, before the lifespan exits and after it: 30 seconds each
    /// unless this says otherwise.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }
}

impl<E> fmt::Debug for Serve<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("grace", &self.grace)
            .field("drain_timeout", &self.drain)
            .finish_non_exhaustive()
    }
}

impl<E> IntoFuture for Serve<E> {
    type Output = Result<(), ServeError<E>>;
    type IntoFuture = Serving<E>;

    fn into_future(self) -> Serving<E> {
        Serving((self.start)(self.grace, self.drain))
    }
}

/// The future of [`Serve`].
#[must_use = "nothing is served until this is awaited"]
pub struct Serving<E>(Running<E>);

impl<E> Future for Serving<E> {
    type Output = Result<(), ServeError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<E> fmt::Debug for Serving<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

async fn run<L, C, S, E, F>(
    listener: L,
    lifespan: C,
    router: Router<S>,
    shutdown: F,
    grace: Duration,
    drain: Duration,
) -> Result<(), ServeError<E>>
where
    L: Listener<Addr: Clone + Sync + 'static>,
    C: AsyncContext<Resource = S, Error = E>,
    S: RouterState,
    F: Future<Output = ()>,
{
    let served = lifespan
        .try_with(async move |state: &mut S| {
            let router = router.with_state(state.clone());
            // What the requests leave may use what the lifespan closes, so it ends before.
            server_and_cleanups(listener, router, grace, drain)
                .with(async move |()| {
                    shutdown.await;
                    Ok(())
                })
                .await
        })
        .await;
    let pending = drained(drain).await;
    let (cut_off, lifespan) = match served {
        Ok(()) => (None, None),
        Err(TryWithError::Enter(error)) => return Err(ServeError::StartUp(error)),
        Err(TryWithError::Body(cut_off)) => (Some(cut_off), None),
        Err(TryWithError::Exit { error, .. }) => (None, Some(error)),
        Err(TryWithError::BodyAndExit { body, exit }) => (Some(body), Some(exit)),
        Err(TryWithError::Beside { error, exit }) => {
            return Err(ServeError::Ended {
                error,
                exit,
                pending,
            });
        }
    };
    if cut_off.is_none() && lifespan.is_none() && pending.is_empty() {
        return Ok(());
    }
    Err(ServeError::ShutDown {
        cut_off,
        lifespan,
        pending,
    })
}
/// Why a service did not start, or what went wrong at its end. `E` is the error of the lifespan.
///
/// ```
/// use guard_axum::ServeError;
///
/// fn exit_code(served: Result<(), ServeError<std::io::Error>>) -> u8 {
///     match served {
///         Ok(()) => 0,
///         Err(ServeError::StartUp(_)) => 1,
///         Err(ServeError::ShutDown { lifespan: Some(_), .. }) => 2,
///         Err(ServeError::ShutDown { .. }) => 3,
///         Err(ServeError::Ended { .. }) => 4,
///     }
/// }
/// # let _ = exit_code;
/// ```
///
/// Python: `lifespan.startup.failed` and `lifespan.shutdown.failed` of ASGI, which uvicorn logs.
#[derive(Debug)]
pub enum ServeError<E> {
    /// The lifespan could not be entered, and no request was served.
    StartUp(E),
    /// The service has run, and something went wrong at its end. All else was closed in its order.
    ShutDown {
        /// Requests were dropped, because they had not ended in time.
        cut_off: Option<CutOff>,
        /// The lifespan failed to exit.
        lifespan: Option<E>,
        /// If clean-ups in the background have not ended in time: all that go on in the process.
        pending: Vec<PendingCleanup>,
    },
    /// What goes on [beside](guard_core::yield_resource) the lifespan has ended the service, such as a lease that was lost.
    /// Running requests were dropped, and all was closed in its order.
    Ended {
        /// What it failed with.
        error: E,
        /// The lifespan also failed to exit.
        exit: Option<E>,
        /// If clean-ups in the background have not ended in time: all that go on in the process.
        pending: Vec<PendingCleanup>,
    },
}

impl<E: fmt::Display> fmt::Display for ServeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let (exit, pending) = match self {
            Self::StartUp(error) => return write!(f, "the service could not start: {error}"),
            Self::ShutDown {
                cut_off,
                lifespan,
                pending,
            } => {
                parts.extend(cut_off.as_ref().map(CutOff::to_string));
                (lifespan, pending)
            }
            Self::Ended {
                error,
                exit,
                pending,
            } => {
                parts.push(format!("the lifespan has ended the service: {error}"));
                (exit, pending)
            }
        };
        let failed = |error: &E| format!("the lifespan failed to exit: {error}");
        parts.extend(exit.as_ref().map(failed));
        parts.extend(pending.iter().map(|cleanup| {
            let (name, age) = (cleanup.name(), cleanup.age());
            format!("`{name}` has not cleaned up in {age:?}")
        }));
        f.write_str(&parts.join("; "))
    }
}

impl<E: Error + 'static> Error for ServeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::StartUp(error)
            | Self::Ended { error, .. }
            | Self::ShutDown {
                lifespan: Some(error),
                ..
            } => Some(error),
            Self::ShutDown {
                cut_off: Some(cut_off),
                ..
            } => Some(cut_off),
            Self::ShutDown { .. } => None,
        }
    }
}
