use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRef, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use guard_core::{
    AsyncContext, AsyncExitStack, BoxContext, Guard, Outcome, async_context, yield_resource,
};
use tokio::sync::{MappedMutexGuard, MutexGuard};

use super::Error;

/// A context that belongs to a request. It is entered when it is first asked for, and exits when the handler
/// has answered.
///
/// FastAPI calls it a *dependency with yield*. This module can be copied, with another error type.
pub trait Dependency: 'static {
    /// The router's state, or a part of it. The context is made from it.
    type State: Send + Sync;
    /// What the handler gets.
    type Resource: Send + 'static;

    /// Makes the context. It asks for other dependencies with [`depends`].
    fn context(
        parts: &mut Parts,
        state: &Self::State,
    ) -> impl Future<Output = Result<BoxContext<'static, Self::Resource, Error>, Error>> + Send;
}

/// An extractor for the dependency `D`. All extractors of one request share it.
pub struct Depends<D: Dependency>(Arc<Held<D::Resource>>);

/// Empty after the end of the request.
type Held<R> = tokio::sync::Mutex<Option<Guard<BoxContext<'static, R, Error>>>>;

/// The exclusive use of a dependency.
pub type Locked<'a, D> = MappedMutexGuard<'a, <D as Dependency>::Resource>;

impl<D: Dependency> Depends<D> {
    /// Locks the dependency while the result lives.
    ///
    /// # Errors
    ///
    /// The request has ended.
    pub async fn lock(&self) -> Result<Locked<'_, D>, Error> {
        MutexGuard::try_map(self.0.lock().await, |held| held.as_deref_mut())
            .map_err(|_| Error::NoRequest)
    }
}

impl<D: Dependency> Clone for Depends<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Dependency> fmt::Debug for Depends<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Depends").finish_non_exhaustive()
    }
}

impl<S, D> FromRequestParts<S> for Depends<D>
where
    S: Send + Sync,
    D: Dependency<State: FromRef<S>>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        depends(parts, &D::State::from_ref(state)).await
    }
}

/// Asks for a dependency of the request that `parts` belong to.
///
/// # Errors
///
/// The dependency failed to enter, or [`with_request_scope`] is not around the handler.
pub async fn depends<D: Dependency>(
    parts: &mut Parts,
    state: &D::State,
) -> Result<Depends<D>, Error> {
    // The caller has exclusive access to `parts`, so no other call runs at the same time.
    let scope = parts.extensions.get::<RequestScope>().cloned();
    let scope = scope.ok_or(Error::NoRequest)?;
    if let Some(depends) = scope.find() {
        return Ok(depends);
    }
    let guard = D::context(parts, state).await?.enter().await?;
    Ok(scope.add(guard))
}

/// A middleware that gives each request a scope for its [dependencies](Dependency).
///
/// The dependencies exit after the response is made and before it is sent, in the reverse order of entering.
/// They get `Failed` if the response has an error status. If one fails to exit, the ones before it get
/// `Failed` too, and a success becomes an error.
pub async fn with_request_scope(mut request: Request, next: Next) -> Response {
    let answered = request_scope()
        .with(async |scope| {
            request.extensions_mut().insert(scope.clone());
            let response = next.run(request).await;
            if response.status().is_client_error() || response.status().is_server_error() {
                Err(NotOk::Answered(Box::new(response)))
            } else {
                Ok(response)
            }
        })
        .await;
    match answered {
        Ok(response) => response,
        Err(NotOk::Answered(response)) => *response,
        Err(NotOk::Failed(error)) => error.into_response(),
    }
}

/// Why a request failed.
enum NotOk {
    /// The handler answered with an error status.
    Answered(Box<Response>),
    /// A dependency failed to exit.
    Failed(Error),
}

impl From<Error> for NotOk {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The dependencies of a request. Clones share them.
#[derive(Clone, Default)]
struct RequestScope(Arc<Mutex<Entered>>);

#[derive(Default)]
struct Entered {
    /// Each value is a `Held<D::Resource>`, with the type `D` as its key.
    found: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    stack: AsyncExitStack<Error>,
}

/// The context of all dependencies of a request.
///
/// Because it is one context, the dependencies exit in order also when the client has gone away.
#[async_context]
async fn request_scope() -> Result<RequestScope, Error> {
    let mut scope = RequestScope::default();
    let outcome = yield_resource!(scope);
    let mut stack = scope.with(|entered| std::mem::take(&mut entered.stack));
    stack.close(outcome).await?;
    Ok(())
}

impl RequestScope {
    fn find<D: Dependency>(&self) -> Option<Depends<D>> {
        let held = self.with(|entered| entered.found.get(&TypeId::of::<D>()).cloned())?;
        held.downcast().ok().map(Depends)
    }

    fn add<D: Dependency>(
        &self,
        guard: Guard<BoxContext<'static, D::Resource, Error>>,
    ) -> Depends<D> {
        let held = Arc::new(Held::new(Some(guard)));
        self.with(|entered| {
            entered.found.insert(TypeId::of::<D>(), held.clone());
            let held = held.clone();
            entered
                .stack
                .push_exit(async move |outcome| exit(&held, outcome).await);
        });
        Depends(held)
    }

    fn with<T>(&self, action: impl FnOnce(&mut Entered) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn exit<R>(held: &Held<R>, outcome: Outcome) -> Result<(), Error> {
    // This fails if somebody has carried the dependency out of the handler and uses it now. To wait for them
    // might take for ever, and their work must not be committed as a part of this request. When they have
    // finished, the guard is dropped, and its context is cancelled.
    let mut held = held.try_lock().map_err(|_| Error::InUse)?;
    match held.take() {
        Some(guard) => guard.exit_with(outcome).await,
        None => Ok(()),
    }
}
