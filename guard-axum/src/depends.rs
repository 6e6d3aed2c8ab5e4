//! The extractor.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use guard_core::{AsyncContext, Guard, Outcome};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::overrides::Overridden;
use crate::scope::Scope;
use crate::{ContextOf, Dependency, DependencyError};

/// An extractor for the [`Dependency`] `D` of the request. All extractors of one request share it, and so do clones.
///
/// The router needs a [`RequestScopeLayer`](crate::RequestScopeLayer).
///
/// ```
/// # use axum::http::request::Parts;
/// # use guard_core::{AsyncContext, nullcontext};
/// use axum::{Router, routing::get};
/// use guard_axum::{ContextOf, Dependency, DependencyError, Depends, NoState, RequestScopeLayer};
///
/// # enum Names {}
/// # impl Dependency for Names {
/// #     type State = NoState;
/// #     type Resource = Vec<String>;
/// #     type Error = std::convert::Infallible;
/// #     async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
/// #         Ok(nullcontext(vec!["anna".to_owned()]).boxed())
/// #     }
/// # }
/// async fn first(names: Depends<Names>) -> Result<String, DependencyError> {
///     Ok(names.lock().await?[0].clone())
/// }
///
/// let router: Router = Router::new()
///     .route("/", get(first))
///     .layer(RequestScopeLayer::new());
/// ```
///
/// As the argument of a handler it is entered in the order of the arguments. To enter one for all routes of a router, use it as
/// a middleware: [`from_extractor_with_state::<Depends<D>, _>`](axum::middleware::from_extractor_with_state), with
/// the scope's layer outside. To handle the error, extract a `Result<Depends<D>, DependencyError>`.
///
/// # Beyond the handler
///
/// It is not for what outlives the handler: a task, the body of a stream, a WebSocket. When the request has been answered,
/// [`lock`](Self::lock) fails. If somebody holds the lock at that moment, the dependency cannot be exited: the response is a
/// `500`, and the context is told `Cancelled` when the lock is let go.
///
/// `FastAPI`: `Annotated[R, Depends(d)]`.
pub struct Depends<D: Dependency>(Arc<Held<D>>);

impl<D: Dependency> Depends<D> {
    /// Asks for a dependency of the request to which `parts` belong: for [`Dependency::context`] and for middlewares, which
    /// have no arguments to be extracted.
    ///
    /// ```
    /// use axum::extract::Request;
    /// use axum::middleware::Next;
    /// use axum::response::{IntoResponse, Response};
    /// # use axum::http::request::Parts;
    /// # use guard_core::{AsyncContext, nullcontext};
    /// use guard_axum::{ContextOf, Dependency, DependencyError, Depends, NoState};
    ///
    /// # enum Names {}
    /// # impl Dependency for Names {
    /// #     type State = NoState;
    /// #     type Resource = Vec<String>;
    /// #     type Error = std::convert::Infallible;
    /// #     async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
    /// #         Ok(nullcontext(vec!["anna".to_owned()]).boxed())
    /// #     }
    /// # }
    /// /// For `axum::middleware::from_fn`.
    /// async fn named(request: Request, next: Next) -> Result<Response, DependencyError> {
    ///     let (mut parts, body) = request.into_parts();
    ///     Depends::<Names>::of(&mut parts, &()).await?.lock().await?.push(parts.uri.to_string());
    ///     Ok(next.run(Request::from_parts(parts, body)).await)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The dependency failed to enter; or there is no [`RequestScopeLayer`](crate::RequestScopeLayer) around, or the request
    /// has been answered.
    ///
    /// # Cancellation
    ///
    /// A context that is being entered is entered to its end in the background, and then told `Cancelled`.
    pub async fn of<S>(parts: &mut Parts, state: &S) -> Result<Self, DependencyError>
    where
        S: Send + Sync,
        D::State: FromRef<S>,
    {
        // The caller has `parts` for itself, so no other call for this request runs at the same time.
        let scope = Scope::of(&parts.extensions).ok_or_else(DependencyError::no_scope::<D>)?;
        if scope.has_ended() {
            return Err(DependencyError::ended::<D>());
        }
        if let Some(held) = scope.find::<D>() {
            return Ok(Self(held));
        }
        let state = D::State::from_ref(state);
        let context = match Overridden::find::<D>(&parts.extensions) {
            Some(make) => make(parts, &state).await,
            None => D::context(parts, &state).await,
        };
        let context = context.map_err(DependencyError::failed::<D>)?;
        let guard = context
            .enter()
            .await
            .map_err(DependencyError::failed::<D>)?;
        scope.add(guard).map(Self)
    }

    /// Locks the dependency for as long as the result lives. If another clone has it locked, it waits for that.
    ///
    /// One handler that locks it a second time, while it still has the result of the first, waits for itself. Let the lock
    /// live for one statement: `&mut *session.lock().await?`.
    ///
    /// # Errors
    ///
    /// The request has been answered.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place in the queue.
    pub async fn lock(&self) -> Result<Locked<'_, D>, DependencyError> {
        Locked::of(self.0.guard.lock().await)
    }

    /// Locks the dependency if nobody has it locked.
    ///
    /// # Errors
    ///
    /// It is in use, or the request has been answered.
    pub fn try_lock(&self) -> Result<Locked<'_, D>, DependencyError> {
        let guard = self.0.guard.try_lock();
        Locked::of(guard.map_err(|_| DependencyError::in_use::<D>())?)
    }
}

impl<D: Dependency> Clone for Depends<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Dependency> fmt::Debug for Depends<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Depends")
            .field(&std::any::type_name::<D>())
            .finish()
    }
}

impl<S, D> FromRequestParts<S> for Depends<D>
where
    S: Send + Sync,
    D: Dependency<State: FromRef<S>>,
{
    type Rejection = DependencyError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, DependencyError> {
        Self::of(parts, state).await
    }
}

/// The exclusive use of a dependency: what [`Depends::lock`] gives. It dereferences to the resource.
///
/// ```
/// # use guard_axum::{Dependency, DependencyError, Depends};
/// async fn clear<D: Dependency<Resource = Vec<u8>>>(buffer: &Depends<D>) -> Result<(), DependencyError> {
///     let mut locked = buffer.lock().await?;
///     locked.clear();
///     Ok(())
/// }
/// ```
///
/// Dropping it unlocks.
///
/// `FastAPI`: none. The handler has the value itself, and tasks of one request may use it at the same time.
#[must_use = "it is unlocked when this is dropped"]
pub struct Locked<'a, D: Dependency>(MappedMutexGuard<'a, D::Resource>);

impl<'a, D: Dependency> Locked<'a, D> {
    fn of(guard: MutexGuard<'a, Option<Guard<ContextOf<D>>>>) -> Result<Self, DependencyError> {
        MutexGuard::try_map(guard, Option::as_deref_mut)
            .map(Self)
            .map_err(|_| DependencyError::ended::<D>())
    }
}

impl<D: Dependency> Deref for Locked<'_, D> {
    type Target = D::Resource;

    fn deref(&self) -> &D::Resource {
        &self.0
    }
}

impl<D: Dependency> DerefMut for Locked<'_, D> {
    fn deref_mut(&mut self) -> &mut D::Resource {
        &mut self.0
    }
}

impl<D: Dependency<Resource: fmt::Debug>> fmt::Debug for Locked<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Locked").field(&**self).finish()
    }
}

/// An entered dependency, or nothing when it has exited.
pub(crate) struct Held<D: Dependency> {
    guard: Mutex<Option<Guard<ContextOf<D>>>>,
}

impl<D: Dependency> Held<D> {
    pub(crate) fn new(guard: Guard<ContextOf<D>>) -> Self {
        Self {
            guard: Mutex::new(Some(guard)),
        }
    }

    pub(crate) async fn exit(self: Arc<Self>, outcome: Outcome) -> Result<(), DependencyError> {
        // This fails if somebody has carried the dependency out of the handler and uses it now. To wait for them
        // might take for ever, and their work must not be committed as a part of this request. When they have
        // finished, the guard is dropped, and its context is cancelled.
        let guard = match self.guard.try_lock() {
            Ok(mut held) => held.take(),
            Err(_) => return Err(DependencyError::in_use::<D>()),
        };
        match guard {
            Some(guard) => guard
                .exit_with(outcome)
                .await
                .map_err(DependencyError::failed::<D>),
            None => Ok(()),
        }
    }
}
