//! Reports: the errors and the lost clean-ups that no caller can receive.

mod identity;
mod lost;
mod panic;
#[cfg_attr(not(feature = "std"), path = "reporter_without_std.rs")]
pub(crate) mod reporter;
mod source;
#[cfg_attr(not(feature = "tracing"), path = "span_without_tracing.rs")]
mod span;

use core::any::Any;
use core::fmt;
use core::panic::Location;

pub(crate) use identity::Identity;
pub(crate) use lost::drop_before;
pub use reporter::*;
pub use source::ReportSource;
pub(crate) use source::{Origin, Print, PrintDebug, Source};
pub(crate) use source::{describe_debug, describe_display, describe_type, tells_error};
pub(crate) use span::Span;

use crate::platform::panics;

/// What a report is about: a clean-up that was not done in full or in its order, or an error or a panic that no caller receives.
#[non_exhaustive]
pub enum ReportKind<'a, E: ?Sized> {
    /// The clean-up did not run to its end: its context was dropped, and there was nowhere to finish. Or the context is
    /// `scoped`, and was dropped at its yield or in its exit, as each `scoped` context is whose user is cancelled then.
    Abandoned,
    /// The clean-up failed, and its caller is gone or has a more important error to return. Or the block failed, and its
    /// caller is gone: see [`Report::is_of_body`].
    Failed(&'a E),
    /// The set-up failed, and its caller is gone, so that it was finished in the background, or is told
    /// of the context that it was joined with, which failed before it or panicked.
    SetUpFailed(&'a E),
    /// The clean-up, or a set-up that was finished in the background, or a destructor in it, panicked,
    /// and its caller is gone or has another panic to resume. Or the block did. This is the payload.
    Panicked(&'a (dyn Any + Send)),
    /// The clean-up exceeded its limit and was dropped.
    TimedOut,
    /// The exit did not wait any longer for clean-ups of what was dropped inside its use, and went on before
    /// them: see [`set_wait_limit`](crate::set_wait_limit).
    Overtook {
        /// The names of their contexts.
        overtaken: &'a [&'a str],
    },
}

impl<E: ?Sized> Clone for ReportKind<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: ?Sized> Copy for ReportKind<'_, E> {}

impl<'a, E: ?Sized> ReportKind<'a, E> {
    /// The error, where there is one.
    pub fn error(&self) -> Option<&'a E> {
        match *self {
            Self::Failed(error) | Self::SetUpFailed(error) => Some(error),
            _ => None,
        }
    }

    /// The same loss, its error replaced.
    pub(crate) fn with_error<'b, F: ?Sized>(&self, error: &'b F) -> ReportKind<'b, F>
    where
        'a: 'b,
    {
        match *self {
            Self::Abandoned => ReportKind::Abandoned,
            Self::Failed(_) => ReportKind::Failed(error),
            Self::SetUpFailed(_) => ReportKind::SetUpFailed(error),
            Self::Panicked(payload) => ReportKind::Panicked(payload),
            Self::TimedOut => ReportKind::TimedOut,
            Self::Overtook { overtaken } => ReportKind::Overtook { overtaken },
        }
    }
}

impl<E: ?Sized> fmt::Debug for ReportKind<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned => "Abandoned",
            Self::Failed(_) => "Failed",
            Self::SetUpFailed(_) => "SetUpFailed",
            Self::Panicked(_) => "Panicked",
            Self::TimedOut => "TimedOut",
            Self::Overtook { .. } => "Overtook",
        })
    }
}

/// What [`set_reporter`] receives: an error or a panic that no caller receives, or a clean-up that was not done in full or in
/// its order, as [`ReportKind`] says.
///
/// Its `Display` is one line for a log.
#[derive(Debug)]
pub struct Report<'a> {
    name: &'a str,
    location: Option<&'static Location<'static>>,
    kind: ReportKind<'a, dyn fmt::Display + 'a>,
    /// Whether the error or the panic is that of the block, not that of the clean-up.
    of_body: bool,
}

impl<'a> Report<'a> {
    /// The context's name: the path of its function, or of its type.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Where the context was made: where its function was called, usually the line that entered it.
    ///
    /// `None` for a hand-written [`AsyncContext`](crate::AsyncContext) that does not say.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// What was lost.
    pub fn kind(&self) -> ReportKind<'a, dyn fmt::Display + 'a> {
        self.kind
    }

    /// Whether the error or the panic is that of the block, whose caller is gone, and not that of the context.
    pub fn is_of_body(&self) -> bool {
        self.of_body
    }

    /// The error that was lost, where there is one. Of a block's error only the type is known.
    pub fn error(&self) -> Option<&'a (dyn fmt::Display + 'a)> {
        self.kind.error()
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "context `{}`", self.name)?;
        if let Some(location) = self.location {
            write!(f, " ({location})")?;
        }
        match self.kind {
            ReportKind::Failed(error) if self.of_body => {
                write!(f, ": the body failed, and its caller is gone: {error}")
            }
            ReportKind::Panicked(payload) if self.of_body => {
                let message = panics::message(payload);
                write!(f, ": the body panicked, and its caller is gone: {message}")
            }
            ReportKind::Abandoned => f.write_str(
                ": clean-up abandoned: its context is `scoped`, or there was nowhere to go on (await each task, also an aborted one, and then `guard_core::drain`)",
            ),
            ReportKind::Failed(error) => write!(f, ": clean-up failed: {error}"),
            ReportKind::SetUpFailed(error) => write!(f, ": set-up failed: {error}"),
            ReportKind::Panicked(payload) => {
                write!(f, ": clean-up panicked: {}", panics::message(payload))
            }
            ReportKind::TimedOut => {
                f.write_str(": clean-up exceeded its time limit and was dropped")
            }
            ReportKind::Overtook { overtaken } => {
                f.write_str(": exited before clean-ups that it had to wait for: ")?;
                for (index, name) in overtaken.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}`{name}`")?;
                }
                Ok(())
            }
        }
    }
}
