//! Telling what no caller will hear of.

use core::any::{Any, type_name};
use core::fmt;
use core::panic::Location;

/// What happened to a clean-up, or to its error, that no caller will hear of.
#[non_exhaustive]
pub enum ReportKind<'a, E: ?Sized> {
    /// The clean-up did not run to its end: its context was dropped, and there was nowhere to finish.
    Abandoned,
    /// The clean-up failed, and its caller is gone or has a more important error to return.
    Failed(&'a E),
    /// The set-up failed, and its caller is gone, so that it was finished in the background, or is told
    /// of the context that it was joined with, which failed before it or panicked.
    SetUpFailed(&'a E),
    /// The clean-up, or a set-up that was finished in the background, or a destructor in it, panicked,
    /// and its caller is gone or has another panic to resume. This is the payload.
    Panicked(&'a (dyn Any + Send)),
    /// The clean-up exceeded its limit and was dropped.
    TimedOut,
}

impl<E: ?Sized> Clone for ReportKind<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: ?Sized> Copy for ReportKind<'_, E> {}

impl<'a, E: ?Sized> ReportKind<'a, E> {
    /// That of a clean-up which is being dropped now.
    pub(crate) fn dropped() -> Self {
        #[cfg(feature = "std")]
        if crate::order::is_expiring() {
            crate::order::expiry_is_reported();
            return Self::TimedOut;
        }
        Self::Abandoned
    }

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
        })
    }
}

/// A clean-up that was lost, or whose error was: what [`set_reporter`] receives.
///
/// Its `Display` is one line for a log.
#[derive(Debug)]
pub struct Report<'a> {
    name: &'a str,
    location: Option<&'static Location<'static>>,
    kind: ReportKind<'a, dyn fmt::Display + 'a>,
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

    /// The error that was lost, where there is one.
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
            ReportKind::Abandoned => f.write_str(": clean-up abandoned, the context was dropped"),
            ReportKind::Failed(error) => write!(f, ": clean-up failed: {error}"),
            ReportKind::SetUpFailed(error) => write!(f, ": set-up failed: {error}"),
            ReportKind::Panicked(payload) => {
                write!(f, ": clean-up panicked: {}", panic_message(payload))
            }
            ReportKind::TimedOut => {
                f.write_str(": clean-up exceeded its time limit and was dropped")
            }
        }
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        return message;
    }
    #[cfg(feature = "alloc")]
    if let Some(message) = payload.downcast_ref::<alloc::string::String>() {
        return message;
    }
    "(a payload that is not a string)"
}

/// How to print an error of a type about which nothing else is known.
pub(crate) type Describe<E> = fn(&E, &mut fmt::Formatter<'_>) -> fmt::Result;

/// The last resort of a [`Describe`].
pub(crate) fn describe_type<E>(_: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "an error of type `{}`", type_name::<E>())
}

pub(crate) fn describe_debug<E: fmt::Debug>(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    error.fmt(f)
}

/// Who a context is, for its reports: see [`AsyncContext::identity`](crate::AsyncContext::identity).
pub struct Identity<E> {
    /// Deferred, because most contexts never report anything.
    pub(crate) name: fn() -> &'static str,
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) describe: Describe<E>,
    /// What it fails with has been reported when it happened, and is not to be reported again.
    pub(crate) has_reported: bool,
}

impl<E> fmt::Debug for Identity<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.path())
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl<E> Clone for Identity<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Identity<E> {}

impl<E> Identity<E> {
    /// A context that is made by the caller, and named after `N`.
    #[track_caller]
    pub(crate) fn here<N: ?Sized>(describe: Describe<E>) -> Self {
        Self {
            name: type_name::<N>,
            location: Some(Location::caller()),
            describe,
            has_reported: false,
        }
    }

    /// The same context, whose error is now another.
    pub(crate) fn with_error<F>(self, describe: Describe<F>) -> Identity<F> {
        Identity {
            name: self.name,
            location: self.location,
            describe,
            has_reported: self.has_reported,
        }
    }

    /// A context that is known by its type only.
    pub(crate) fn of_type<C: ?Sized>() -> Self {
        Self {
            name: type_name::<C>,
            location: None,
            describe: describe_type::<E>,
            has_reported: false,
        }
    }

    /// The path of the function, or of the type.
    pub(crate) fn path(&self) -> &'static str {
        let name = (self.name)();
        // Generated code knows its function only by the closure inside it.
        name.strip_suffix("::{{closure}}").unwrap_or(name)
    }

    pub(crate) fn report(&self, kind: ReportKind<'_, E>) {
        struct Described<'a, E> {
            error: &'a E,
            describe: Describe<E>,
        }
        impl<E> fmt::Display for Described<'_, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (self.describe)(self.error, f)
            }
        }

        // A panic comes on top of that: a destructor's, when the context was dropped.
        if self.has_reported && !matches!(kind, ReportKind::Panicked(_)) {
            return;
        }
        let described = kind.error().map(|error| Described {
            error,
            describe: self.describe,
        });
        let error: &dyn fmt::Display = match &described {
            Some(described) => described,
            None => &"",
        };
        deliver(&Report {
            name: self.path(),
            location: self.location,
            kind: kind.with_error(error),
        });
    }
}

#[cfg(feature = "std")]
mod hook {
    use super::Report;
    use crate::sync::Installed;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    type Reporter = dyn Fn(&Report<'_>) + Send + Sync;

    #[cfg(not(guard_loom))]
    static REPORTER: Installed<Reporter> = Installed::nothing();
    #[cfg(guard_loom)]
    loom::lazy_static! {
        static ref REPORTER: Installed<Reporter> = Installed::nothing();
    }

    /// Receives every clean-up that was lost, and every clean-up error that no caller receives.
    ///
    /// The last reporter that was set counts, for the whole process. Without one, a report is a
    /// `tracing` event (feature `tracing`), else one line on the standard error stream.
    ///
    /// Reports are sent from wherever the loss happened, which may be a destructor, so the reporter
    /// should be quick. If it panics, the panic stops there.
    ///
    /// ```
    /// guard_core::set_reporter(|report| eprintln!("lost: {report}"));
    /// ```
    pub fn set_reporter(reporter: impl Fn(&Report<'_>) + Send + Sync + 'static) {
        REPORTER.set(Arc::new(reporter));
    }

    pub(super) fn deliver(report: &Report<'_>) {
        let reporter = REPORTER.get();
        // A report may come from a destructor during an unwind, where a panic would abort.
        let _ = catch_unwind(AssertUnwindSafe(|| match reporter {
            Some(reporter) => reporter(report),
            None => by_default(report),
        }));
    }

    #[cfg(feature = "tracing")]
    fn by_default(report: &Report<'_>) {
        tracing::error!(
            context = report.name(),
            location = report.location().map(tracing::field::display),
            error = report.error().map(tracing::field::display),
            "{report}",
        );
    }

    #[cfg(not(feature = "tracing"))]
    fn by_default(report: &Report<'_>) {
        use std::io::Write;
        // Not `eprintln!`, which panics if the stream is closed.
        let _ = writeln!(std::io::stderr(), "{report}");
    }
}

#[cfg(not(feature = "std"))]
mod hook {
    use super::Report;
    use crate::raw::FnCell;

    static REPORTER: FnCell<fn(&Report<'_>)> = FnCell::new();

    /// Receives every clean-up that was lost, and every clean-up error that no caller receives.
    ///
    /// The last reporter that was set counts, for the whole program. Without `std` there is no default.
    pub fn set_reporter(reporter: fn(&Report<'_>)) {
        REPORTER.set(reporter);
    }

    pub(super) fn deliver(report: &Report<'_>) {
        if let Some(reporter) = REPORTER.get() {
            reporter(report);
        }
    }
}

use hook::deliver;
pub use hook::set_reporter;
