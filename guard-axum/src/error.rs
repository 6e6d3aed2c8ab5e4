//! What can go wrong between a request and its dependencies.

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::Dependency;

/// Why a request did not get a [`Dependency`], or could not use or exit it.
///
/// It is a response: that of the dependency's own error, or a `500`. It holds an error of any type, because a request has
/// dependencies with errors of several types; [`downcast`](Self::downcast) gives that error back. An error type for
/// handlers needs one conversion:
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use axum::http::StatusCode;
/// use guard_axum::DependencyError;
///
/// #[derive(Debug)]
/// enum AppError {
///     NotFound,
///     Dependency(DependencyError),
/// }
///
/// impl From<DependencyError> for AppError {
///     fn from(error: DependencyError) -> Self {
///         // An `AppError` of a dependency stays what it is.
///         error.downcast().unwrap_or_else(Self::Dependency)
///     }
/// }
///
/// impl IntoResponse for AppError {
///     fn into_response(self) -> Response {
///         match self {
///             Self::NotFound => StatusCode::NOT_FOUND.into_response(),
///             Self::Dependency(error) => error.into_response(),
///         }
///     }
/// }
/// ```
///
/// `FastAPI`: the `HTTPException`, or any other exception, that a dependency raises.
pub struct DependencyError {
    dependency: &'static str,
    why: Why,
}

enum Why {
    NoScope,
    Ended,
    InUse,
    Failed(Box<dyn Failure>),
}

/// What a [`DependencyError`] is about.
///
/// ```
/// use guard_axum::{DependencyError, DependencyErrorKind};
///
/// fn is_a_mistake_of_ours(error: &DependencyError) -> bool {
///     error.kind() != DependencyErrorKind::Failed
/// }
/// # let _ = is_a_mistake_of_ours;
/// ```
///
/// `FastAPI`: the classes of the exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DependencyErrorKind {
    /// The dependency failed to enter or to exit: [`downcast`](DependencyError::downcast) gives its error.
    Failed,
    /// There is no [`RequestScopeLayer`](crate::RequestScopeLayer) around the handler.
    NoScope,
    /// The request has been answered, and its dependencies have exited.
    Ended,
    /// Somebody else uses the dependency at this moment. If that is so when the request has been answered, the
    /// dependency is not exited with the outcome of the request, but cancelled when it is let go.
    InUse,
}

/// The error of a dependency, whatever its type is.
trait Failure: fmt::Debug + Send + Sync {
    fn response(self: Box<Self>) -> Response;
    // Our oldest compiler does not make one trait object of another.
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<E> Failure for E
where
    E: IntoResponse + fmt::Debug + Send + Sync + 'static,
{
    fn response(self: Box<Self>) -> Response {
        (*self).into_response()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl DependencyError {
    pub(crate) fn failed<D: Dependency>(error: D::Error) -> Self {
        Self::new::<D>(Why::Failed(Box::new(error)))
    }

    pub(crate) fn no_scope<D: Dependency>() -> Self {
        Self::new::<D>(Why::NoScope)
    }

    pub(crate) fn ended<D: Dependency>() -> Self {
        Self::new::<D>(Why::Ended)
    }

    pub(crate) fn in_use<D: Dependency>() -> Self {
        Self::new::<D>(Why::InUse)
    }

    fn new<D: Dependency>(why: Why) -> Self {
        Self {
            dependency: type_name::<D>(),
            why,
        }
    }

    /// What it is about.
    pub fn kind(&self) -> DependencyErrorKind {
        match self.why {
            Why::NoScope => DependencyErrorKind::NoScope,
            Why::Ended => DependencyErrorKind::Ended,
            Why::InUse => DependencyErrorKind::InUse,
            Why::Failed(_) => DependencyErrorKind::Failed,
        }
    }

    /// The name of the type of the dependency, as [`type_name`] gives it.
    pub fn dependency(&self) -> &'static str {
        self.dependency
    }

    /// The error of the dependency, if it has this type.
    pub fn downcast_ref<E: 'static>(&self) -> Option<&E> {
        match &self.why {
            // Of the error, not of its box.
            Why::Failed(error) => (**error).as_any().downcast_ref(),
            _ => None,
        }
    }

    /// The error of the dependency, if it has this type.
    ///
    /// # Errors
    ///
    /// This error as it is, if it holds no error of that type.
    pub fn downcast<E: 'static>(self) -> Result<E, Self> {
        let Self { dependency, why } = self;
        let why = match why {
            Why::Failed(error) if (*error).as_any().is::<E>() => {
                match error.into_any().downcast() {
                    Ok(error) => return Ok(*error),
                    Err(_) => unreachable!("the type was just looked at"),
                }
            }
            why => why,
        };
        Err(Self { dependency, why })
    }

    /// The response to a request whose dependency failed to exit: it never tells of a success.
    pub(crate) fn into_failed_response(self) -> Response {
        let mut response = self.into_response();
        if !is_error(response.status()) {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        response
    }
}

pub(crate) fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

impl fmt::Debug for DependencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("DependencyError");
        debug.field("dependency", &self.dependency);
        match &self.why {
            Why::Failed(error) => debug.field("error", error),
            _ => debug.field("kind", &self.kind()),
        };
        debug.finish()
    }
}

impl fmt::Display for DependencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.dependency;
        match &self.why {
            Why::Failed(error) => write!(f, "the dependency `{name}` failed: {error:?}"),
            Why::NoScope => write!(
                f,
                "the dependency `{name}` belongs to a request, and this request has no scope: \
                 write `.layer(guard_axum::RequestScopeLayer::new())` after the routes of the router"
            ),
            Why::Ended => write!(
                f,
                "the dependency `{name}` has exited, since its request has been answered: \
                 what outlives the handler has to enter a context of its own"
            ),
            Why::InUse => write!(f, "the dependency `{name}` is in use elsewhere"),
        }
    }
}

impl Error for DependencyError {}

impl IntoResponse for DependencyError {
    fn into_response(self) -> Response {
        match self.why {
            Why::Failed(error) => error.response(),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response(),
        }
    }
}
