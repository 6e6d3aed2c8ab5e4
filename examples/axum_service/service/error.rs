//! The error of the service, and the responses that it becomes.

use std::{fmt, io};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use guard_axum::DependencyError;

/// An error of a handler, a dependency or the service.
#[derive(Debug)]
pub enum Error {
    /// An error of the caller, with a message for them.
    Refused(StatusCode, String),
    /// An error of the database.
    Database(sqlx::Error),
    /// An error of the network.
    Io(io::Error),
    /// A dependency was used in a way that is not possible.
    Dependency(DependencyError),
}

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_, why) => f.write_str(why),
            Self::Database(_) => f.write_str("the database failed"),
            Self::Io(_) => f.write_str("the network failed"),
            Self::Dependency(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Dependency(error) => Some(error),
            Self::Refused(..) => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<DependencyError> for Error {
    fn from(error: DependencyError) -> Self {
        // The dependencies of this application fail with an error of this type.
        error.downcast().unwrap_or_else(Self::Dependency)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        // The response does not contain the source of the error.
        (self.status(), self.to_string()).into_response()
    }
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(status, _) => *status,
            Self::Database(sqlx::Error::PoolTimedOut) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
