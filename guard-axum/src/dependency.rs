//! What a dependency is.

use std::fmt;

use axum::extract::FromRef;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use guard_core::BoxContext;

/// A context that belongs to a request: a session of the database, the user who has logged in, a lock.
///
/// It is entered when a handler, a middleware or another dependency first asks for it with [`Depends`](crate::Depends), and
/// exits when the request has been answered, before the response leaves. All who ask in one request share it.
///
/// ```
/// use axum::http::request::Parts;
/// use axum::http::StatusCode;
/// use guard_axum::{ContextOf, Dependency};
/// use guard_core::{AsyncContext, async_context, cancellable, yield_resource};
/// use std::sync::Arc;
/// use tokio::sync::Semaphore;
///
/// /// A place among those that may work at the same time.
/// enum Place {}
///
/// impl Dependency for Place {
///     type State = Arc<Semaphore>;
///     type Resource = ();
///     type Error = StatusCode;
///
///     async fn context(_: &mut Parts, places: &Arc<Semaphore>) -> Result<ContextOf<Self>, StatusCode> {
///         Ok(place(places.clone()).boxed())
///     }
/// }
///
/// #[async_context]
/// async fn place(places: Arc<Semaphore>) -> Result<(), StatusCode> {
///     // A request that times out here goes away at once.
///     let place = cancellable!(places.acquire()).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
///     yield_resource!();
///     drop(place);
///     Ok(())
/// }
/// ```
///
/// A value without a clean-up is a dependency too: `nullcontext(value).with_error().boxed()`. An [extractor](axum::extract)
/// of axum is enough if it is not to be shared or overridden.
///
/// Nobody drives the block of a dependency: if its context has a future [beside the block](guard_core::yield_resource), that
/// future does not run. Such a context belongs into an `async_with!` of the handler, or into the lifespan.
///
/// # Dependencies of dependencies
///
/// [`context`](Self::context) asks with [`Depends::of`](crate::Depends::of). What it asks for is entered before, and so
/// exits after. The context can keep what it got, and lock it in its exit:
///
/// ```
/// # use axum::http::request::Parts;
/// # use guard_axum::{ContextOf, Dependency, DependencyError, Depends, NoState};
/// # use guard_core::{AsyncContext, async_context, nullcontext, yield_resource};
/// enum Log {}
///
/// impl Dependency for Log {
///     type State = NoState;
///     type Resource = Vec<String>;
///     type Error = std::convert::Infallible;
///
///     async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
///         Ok(nullcontext(Vec::new()).boxed())
///     }
/// }
///
/// enum Job {}
///
/// impl Dependency for Job {
///     type State = NoState;
///     type Resource = ();
///     type Error = DependencyError;
///
///     async fn context(parts: &mut Parts, state: &NoState) -> Result<ContextOf<Self>, DependencyError> {
///         let log = Depends::<Log>::of(parts, state).await?;
///         Ok(job(log).boxed())
///     }
/// }
///
/// #[async_context]
/// async fn job(log: Depends<Log>) -> Result<(), DependencyError> {
///     let outcome = yield_resource!();
///     log.lock().await?.push(format!("{outcome:?}"));
///     Ok(())
/// }
/// ```
///
/// Dependencies that need each other do not compile: their futures would contain each other.
///
/// ```compile_fail,E0733
/// # use axum::http::request::Parts;
/// # use guard_axum::{ContextOf, Dependency, DependencyError, Depends, NoState};
/// # use guard_core::{AsyncContext, nullcontext};
/// enum Egg {}
/// enum Hen {}
///
/// impl Dependency for Egg {
///     type State = NoState;
///     type Resource = ();
///     type Error = DependencyError;
///
///     async fn context(parts: &mut Parts, state: &NoState) -> Result<ContextOf<Self>, DependencyError> {
///         Depends::<Hen>::of(parts, state).await?;
///         Ok(nullcontext(()).with_error().boxed())
///     }
/// }
///
/// impl Dependency for Hen {
///     type State = NoState;
///     type Resource = ();
///     type Error = DependencyError;
///
///     async fn context(parts: &mut Parts, state: &NoState) -> Result<ContextOf<Self>, DependencyError> {
///         Depends::<Egg>::of(parts, state).await?;
///         Ok(nullcontext(()).with_error().boxed())
///     }
/// }
/// ```
///
/// # Outcome
///
/// | the context is told | if the request |
/// |---|---|
/// | `Completed` | is answered, and [has not failed](crate::RequestScopeLayer#failure) |
/// | `Failed` | is answered with `4xx` or `5xx`, or a dependency that exited before failed to exit |
/// | `Panicked` | panics; the panic goes on when all dependencies have exited |
/// | `Cancelled` | is dropped: the client has hung up, a time limit is over, the service is stopped |
///
/// # Cancellation
///
/// When the request is dropped, the handler is dropped first; then the dependencies exit in the background, in
/// order. One that is being entered is entered to its end, and exits then; the others do not wait for that one.
/// Put a wait for a pool in [`cancellable!`](guard_core::cancellable), so that a set-up ends with its request.
///
/// `FastAPI`: a *dependency with `yield`*; this one has a type instead of a function as its name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dependency",
    label = "does not implement `Dependency`",
    note = "`Depends<D>` names the type that implements `Dependency`, such as `Session`, and not its resource"
)]
pub trait Dependency: Sized + 'static {
    /// The state of the router, or a part of it that implements [`FromRef`]. [`NoState`] if the context needs none.
    type State: Send + Sync;
    /// What the handler gets.
    type Resource: Send + 'static;
    /// With what it can fail to enter or to exit. Its response is the response to the request.
    ///
    /// What fails to exit is answered with an error status whatever it says: a failed commit is no success. An error that
    /// no response can tell of is [reported](guard_core::set_reporter).
    type Error: IntoResponse + fmt::Debug + Send + Sync + 'static;

    /// Makes the context. It is entered as soon as it is returned.
    ///
    /// The parts of the request are there for other extractors, such as
    /// [`Path`](axum::extract::Path): `Path::<u64>::from_request_parts(parts, state).await`.
    ///
    /// # Errors
    ///
    /// There is no context for this request, and its response is this error.
    ///
    /// # Cancellation
    ///
    /// The future is dropped with the request, and is not finished in the background. What has to be cleaned up belongs into
    /// the context.
    fn context(
        parts: &mut Parts,
        state: &Self::State,
    ) -> impl Future<Output = Result<ContextOf<Self>, Self::Error>> + Send;
}

/// The context of a [`Dependency`]: what [`boxed`](guard_core::AsyncContext::boxed) makes of a context with its resource and its
/// error.
///
/// ```
/// use guard_axum::{ContextOf, Dependency};
/// use guard_core::{AsyncContext, nullcontext};
///
/// fn empty<D: Dependency<Resource = String>>() -> ContextOf<D> {
///     nullcontext(String::new()).with_error().boxed()
/// }
/// ```
///
/// `FastAPI`: the context manager that it makes of a function with `yield`.
pub type ContextOf<D> = BoxContext<'static, <D as Dependency>::Resource, <D as Dependency>::Error>;

/// The state of a [`Dependency`] that needs none. It is a part of every state.
///
/// ```
/// use axum::http::request::Parts;
/// use guard_axum::{ContextOf, Dependency, NoState};
/// use guard_core::{AsyncContext, nullcontext};
/// use std::time::Instant;
///
/// /// When the request began.
/// enum Began {}
///
/// impl Dependency for Began {
///     type State = NoState;
///     type Resource = Instant;
///     type Error = std::convert::Infallible;
///
///     async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
///         Ok(nullcontext(Instant::now()).boxed())
///     }
/// }
/// ```
///
/// `FastAPI`: a dependency without arguments.
// Not `Clone`: axum's `FromRef` for all types that are would stand against ours.
#[allow(missing_copy_implementations, reason = "as above")]
#[derive(Debug, Default)]
pub struct NoState(());

impl<S> FromRef<S> for NoState {
    fn from_ref(_: &S) -> Self {
        Self(())
    }
}
