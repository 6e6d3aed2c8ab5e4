//! The layer around the handlers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::Request;
use axum::response::{IntoResponse, Response};
use guard_core::AsyncContext;
use tower_layer::Layer;
use tower_service::Service;

use crate::DependencyError;
use crate::error::is_error;
use crate::scope::{Scope, request_scope};

/// A layer that gives each request a scope for its [dependencies](crate::Dependency).
///
/// The dependencies exit when the service inside has made its response, and before the response leaves the layer, in the
/// reverse order of entering. It works for every router, [`MethodRouter`](axum::routing::MethodRouter) and tower service
/// whose response is axum's or becomes one.
///
/// ```
/// use axum::{Router, routing::get};
/// use guard_axum::RequestScopeLayer;
///
/// let router: Router = Router::new()
///     .route("/", get(async || "hello"))
///     .layer(RequestScopeLayer::new());
/// ```
///
/// # Failure
///
/// A request has failed if its status is `4xx` or `5xx`, or if the service inside fails; then its dependencies are told
/// `Failed`. [`failed_if`](Self::failed_if) sets another rule. The rule is about responses, so an error of a handler, a
/// rejection of an extractor and a response that is made with an error status are all the same.
///
/// If a dependency fails to exit, those that exit after it are told `Failed`, and the response becomes that error's,
/// with an error status in any case. If the request had failed before, its response stays, and the error is
/// [reported](guard_core::set_reporter). So are the errors of further dependencies.
///
/// # Beside other layers
///
/// | a layer | inside the scope's | outside |
/// |---|---|---|
/// | that answers in the place of the handler (a time limit, authentication) | its error status is `Failed` | it drops the request: `Cancelled`. Or it does not let it in |
/// | that catches panics | its `500` is `Failed` | the dependencies are told `Panicked`, and then it answers |
/// | that changes the response (compression) | the dependencies exit after it has got the response | before |
/// | another `RequestScopeLayer` | it has no effect: the outer scope is that of the request | the same |
///
/// # Bodies and upgrades
///
/// **The body of a response is sent after the dependencies have exited**, also one that is a stream. What a stream needs
/// while it is sent is no dependency; it is a context that the stream itself enters: see [the overview](crate#streams).
/// The same goes for a WebSocket: its handler has answered, with `101`, before the first message.
///
/// # Cancellation
///
/// If the request is dropped, the handler is dropped, and then the dependencies exit in the background, in order. If it had
/// failed already, and is dropped while they exit, that is [reported](guard_core::set_reporter), since no client learns of it.
///
/// `FastAPI`: there is always one. There the scope ends after the response was sent, or before it with
/// `Depends(…, scope="function")`.
#[derive(Clone, Default)]
pub struct RequestScopeLayer {
    failed_if: Option<FailedIf>,
}

type FailedIf = Arc<dyn Fn(&Response) -> bool + Send + Sync>;

impl RequestScopeLayer {
    /// A layer that takes `4xx` and `5xx` for failures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which responses are failures: the dependencies of such a request are told `Failed`, so a session rolls back.
    ///
    /// The response stays as it is. A panic here goes on as one of the handler does.
    ///
    /// ```
    /// use guard_axum::RequestScopeLayer;
    ///
    /// // What the handler has written stays, also if the client gets a `404`.
    /// let layer = RequestScopeLayer::new().failed_if(|response| response.status().is_server_error());
    /// # let _ = layer;
    /// ```
    #[must_use = "the layer is returned"]
    pub fn failed_if(mut self, failed: impl Fn(&Response) -> bool + Send + Sync + 'static) -> Self {
        self.failed_if = Some(Arc::new(failed));
        self
    }
}

impl fmt::Debug for RequestScopeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScopeLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for RequestScopeLayer {
    type Service = RequestScopeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestScopeService {
            inner,
            failed_if: self.failed_if.clone(),
        }
    }
}

/// The service that [`RequestScopeLayer`] puts around another one.
#[derive(Clone)]
pub struct RequestScopeService<S> {
    inner: S,
    failed_if: Option<FailedIf>,
}

impl<S: fmt::Debug> fmt::Debug for RequestScopeService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScopeService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for RequestScopeService<S>
where
    S: Service<
            Request<B>,
            Response: IntoResponse + 'static,
            Error: Send + 'static,
            Future: Send + 'static,
        >,
{
    type Response = Response;
    type Error = S::Error;
    type Future = RequestScopeFuture<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if Scope::of(request.extensions()).is_some_and(|outer| !outer.has_ended()) {
            // The scope of an outer layer is that of the request.
            let service = self.inner.call(request);
            return RequestScopeFuture(Box::pin(async { Ok(service.await?.into_response()) }));
        }
        let scope = Scope::default();
        request.extensions_mut().insert(scope.clone());
        let service = self.inner.call(request);
        RequestScopeFuture(Box::pin(answer(scope, service, self.failed_if.clone())))
    }
}

/// The future of [`RequestScopeService`].
#[must_use = "a future does nothing until it is awaited"]
pub struct RequestScopeFuture<E>(Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>);

impl<E> Future for RequestScopeFuture<E> {
    type Output = Result<Response, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<E> fmt::Debug for RequestScopeFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScopeFuture").finish_non_exhaustive()
    }
}

/// Why a request has failed. Reports print its name, if the client has gone away and does not learn of it.
enum RequestFailed<E> {
    /// With this response.
    Answered(Box<Response>),
    /// The service inside did not answer.
    Service(E),
    /// All went well until a dependency failed to exit.
    Exit(DependencyError),
}

impl<E> From<DependencyError> for RequestFailed<E> {
    fn from(error: DependencyError) -> Self {
        Self::Exit(error)
    }
}

/// The response, when the dependencies have exited.
async fn answer<F, R, E>(
    scope: Scope,
    service: F,
    failed_if: Option<FailedIf>,
) -> Result<Response, E>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    let answered = request_scope(scope)
        .with(async move |()| {
            let response = service.await.map_err(RequestFailed::Service)?;
            let response = response.into_response();
            let failed = match failed_if {
                Some(failed_if) => failed_if(&response),
                None => is_error(response.status()),
            };
            if failed {
                Err(RequestFailed::Answered(Box::new(response)))
            } else {
                Ok(response)
            }
        })
        .await;
    match answered {
        Ok(response) => Ok(response),
        Err(RequestFailed::Answered(response)) => Ok(*response),
        Err(RequestFailed::Exit(error)) => Ok(error.into_failed_response()),
        Err(RequestFailed::Service(error)) => Err(error),
    }
}
