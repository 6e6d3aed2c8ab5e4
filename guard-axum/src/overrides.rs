//! Other dependencies in the place of those that the handlers ask for.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::FromRef;
use axum::http::request::Parts;
use axum::http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::{ContextOf, Dependency};

/// A layer that replaces dependencies: for tests, around the whole application.
///
/// The handlers and the other dependencies stay as they are, and so does the order in which dependencies are entered and
/// exit.
///
/// ```
/// # use axum::http::request::Parts;
/// # use axum::{Router, routing::get};
/// # use guard_axum::{ContextOf, Dependency, DependencyError, Depends, NoState, RequestScopeLayer};
/// # use guard_core::async_context;
/// # use guard_core::yield_resource;
/// # enum User {}
/// # impl Dependency for User {
/// #     type State = NoState;
/// #     type Resource = String;
/// #     type Error = axum::http::StatusCode;
/// #     async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
/// #         Err(axum::http::StatusCode::UNAUTHORIZED)
/// #     }
/// # }
/// # async fn greet(user: Depends<User>) -> Result<String, DependencyError> {
/// #     Ok(format!("hello {}", *user.lock().await?))
/// # }
/// # fn application() -> Router {
/// #     Router::new().route("/", get(greet)).layer(RequestScopeLayer::new())
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use axum::body::Body;
/// use axum::http::Request;
/// use guard_axum::DependencyOverrides;
/// use guard_core::{AsyncContext, nullcontext};
/// use tower::ServiceExt;
///
/// let application = application().layer(
///     DependencyOverrides::new()
///         .replace::<User>(|| nullcontext("anna".to_owned()).with_error().boxed()),
/// );
/// let response = application.oneshot(Request::new(Body::empty())).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # }
/// ```
///
/// It has to be outside of what asks. If there are several, the outermost one that has an override counts.
///
/// What replaces a dependency fails, exits and is cancelled as the dependency is.
///
/// `FastAPI`: `app.dependency_overrides`.
#[derive(Clone, Default)]
pub struct DependencyOverrides {
    overridden: Overridden,
    names: Vec<&'static str>,
}

/// What a request carries in its extensions.
#[derive(Clone, Default)]
pub(crate) struct Overridden(Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

/// What the map has for a dependency `D`.
struct Override<D: Dependency>(Arc<Make<D>>);

type Make<D> =
    dyn for<'a> Fn(&'a mut Parts, &'a <D as Dependency>::State) -> Making<'a, D> + Send + Sync;
type Making<'a, D> =
    Pin<Box<dyn Future<Output = Result<ContextOf<D>, <D as Dependency>::Error>> + Send + 'a>>;

impl DependencyOverrides {
    /// A layer that replaces nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `D` by the contexts of a closure: one for each request that asks.
    ///
    /// A later call for the same `D` replaces the former.
    #[must_use = "the layer is returned"]
    pub fn replace<D: Dependency>(
        self,
        context: impl Fn() -> ContextOf<D> + Send + Sync + 'static,
    ) -> Self {
        self.insert::<D>(Arc::new(move |_, _| {
            let context = context();
            Box::pin(std::future::ready(Ok(context)))
        }))
    }

    /// Replaces `D` by another dependency, which sees the request and may have dependencies of its own.
    ///
    /// All who ask for `D` share it. Who asks for `O` itself gets another one.
    ///
    /// ```
    /// # use axum::http::request::Parts;
    /// # use axum::http::StatusCode;
    /// # use guard_axum::{ContextOf, Dependency, DependencyOverrides, NoState};
    /// # use guard_core::{AsyncContext, nullcontext};
    /// # enum User {}
    /// # impl Dependency for User {
    /// #     type State = NoState;
    /// #     type Resource = String;
    /// #     type Error = StatusCode;
    /// #     async fn context(_: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, Self::Error> {
    /// #         Err(StatusCode::UNAUTHORIZED)
    /// #     }
    /// # }
    /// enum UserOfHeader {}
    ///
    /// impl Dependency for UserOfHeader {
    ///     type State = NoState;
    ///     type Resource = String;
    ///     type Error = StatusCode;
    ///
    ///     async fn context(parts: &mut Parts, _: &NoState) -> Result<ContextOf<Self>, StatusCode> {
    ///         let user = parts.headers.get("user").ok_or(StatusCode::UNAUTHORIZED)?;
    ///         let user = user.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
    ///         Ok(nullcontext(user.to_owned()).with_error().boxed())
    ///     }
    /// }
    ///
    /// let layer = DependencyOverrides::new().replace_by::<User, UserOfHeader>();
    /// # let _ = layer;
    /// ```
    #[must_use = "the layer is returned"]
    pub fn replace_by<D, O>(self) -> Self
    where
        D: Dependency,
        O: Dependency<Resource = D::Resource, Error = D::Error, State: FromRef<D::State>>,
    {
        self.insert::<D>(Arc::new(|parts, state| {
            let state = O::State::from_ref(state);
            Box::pin(async move { O::context(parts, &state).await })
        }))
    }

    fn insert<D: Dependency>(mut self, make: Arc<Make<D>>) -> Self {
        let all = Arc::make_mut(&mut self.overridden.0);
        if all
            .insert(TypeId::of::<D>(), Arc::new(Override::<D>(make)))
            .is_none()
        {
            self.names.push(type_name::<D>());
        }
        self
    }
}

impl fmt::Debug for DependencyOverrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DependencyOverrides")
            .field(&self.names)
            .finish()
    }
}

impl Overridden {
    pub(crate) fn find<D: Dependency>(extensions: &Extensions) -> Option<Arc<Make<D>>> {
        let found = extensions.get::<Self>()?.0.get(&TypeId::of::<D>())?;
        let found: &Override<D> = found.downcast_ref()?;
        Some(found.0.clone())
    }

    fn add_to(&self, extensions: &mut Extensions) {
        let all = match extensions.remove::<Self>() {
            None => self.clone(),
            Some(outer) => {
                let mut all = (*self.0).clone();
                all.extend(outer.0.iter().map(|(key, make)| (*key, make.clone())));
                Self(Arc::new(all))
            }
        };
        extensions.insert(all);
    }
}

impl<S> Layer<S> for DependencyOverrides {
    type Service = DependencyOverridesService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DependencyOverridesService {
            inner,
            overridden: self.overridden.clone(),
        }
    }
}

/// The service that [`DependencyOverrides`] puts around another one.
#[derive(Clone)]
pub struct DependencyOverridesService<S> {
    inner: S,
    overridden: Overridden,
}

impl<S: fmt::Debug> fmt::Debug for DependencyOverridesService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DependencyOverridesService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for DependencyOverridesService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        self.overridden.add_to(request.extensions_mut());
        self.inner.call(request)
    }
}
