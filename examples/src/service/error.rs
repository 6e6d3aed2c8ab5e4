use std::{fmt, io};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use guard_core::ExitErrors;

/// An error of a handler, a dependency or the service.
#[derive(Debug)]
pub enum Error {
    /// An error of the caller, with a message for them.
    Refused(StatusCode, String),
    /// An error of the database.
    Database(sqlx::Error),
    /// An error of the network.
    Io(io::Error),
    /// A dependency was asked for, or used, outside a request.
    NoRequest,
    /// A dependency was still in use when the response was made.
    InUse,
    /// Dependencies failed to exit.
    Exit(Box<ExitErrors<Error>>),
}

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_, why) => f.write_str(why),
            Self::Database(_) => f.write_str("the database failed"),
            Self::Io(_) => f.write_str("the network failed"),
            Self::NoRequest => f.write_str("there is no request that this could belong to"),
            Self::InUse => f.write_str("a dependency is used beyond the request"),
            Self::Exit(errors) => errors.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Exit(errors) => errors.source(),
            Self::Refused(..) | Self::NoRequest | Self::InUse => None,
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

impl From<ExitErrors<Error>> for Error {
    fn from(errors: ExitErrors<Error>) -> Self {
        Self::Exit(Box::new(errors))
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
            Self::Exit(errors) => errors.first().status(),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
