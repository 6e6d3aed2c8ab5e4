//! A report that can be kept.

use core::fmt;
use core::panic::Location;
use std::string::{String, ToString};

use crate::report::Report;

/// A [`Report`] that can be kept: what [`try_settled`](crate::try_settled) returns.
///
/// Its `Display` is that of the report.
#[derive(Clone, Debug)]
pub struct OwnedReport {
    name: String,
    location: Option<&'static Location<'static>>,
    error: Option<String>,
    of_body: bool,
    line: String,
}

impl OwnedReport {
    /// The context's name, as in [`Report::name`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the context was made, as in [`Report::location`].
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// Whether it is about the block, as in [`Report::is_of_body`].
    pub fn is_of_body(&self) -> bool {
        self.of_body
    }

    /// The text of the error that was lost, as in [`Report::error`].
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl From<&Report<'_>> for OwnedReport {
    fn from(report: &Report<'_>) -> Self {
        Self {
            name: report.name().to_string(),
            location: report.location(),
            error: report.error().map(ToString::to_string),
            of_body: report.is_of_body(),
            line: report.to_string(),
        }
    }
}

impl fmt::Display for OwnedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}
