//! How a context makes its reports: its name, its place, and how its errors are printed.

use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;

use super::identity::Identity;
use super::reporter::deliver;
use super::{Report, ReportKind};
use crate::platform::panics::{catch_panic, catch_panic_rarely};

/// How to print an error of a type about which nothing else is known.
pub(crate) type Describe<E> = fn(&E, &mut fmt::Formatter<'_>) -> fmt::Result;

/// The last resort of a [`Describe`].
pub(crate) fn describe_type<E>(_: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "an error of type `{}`", type_name::<E>())
}

pub(crate) fn describe_display<E: fmt::Display>(
    error: &E,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    error.fmt(f)
}

pub(crate) fn describe_debug<E: fmt::Debug>(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    error.fmt(f)
}

/// Whether a context that is told `X` is told an error: one that does not catch is told `()`, and the error stays with its
/// caller.
pub(crate) fn tells_error<X>() -> bool {
    type_name::<X>() != type_name::<()>()
}

/// How an error is printed, as a type, so that a context need not carry it.
pub trait Print<E> {
    /// Prints.
    #[doc(hidden)]
    fn print(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// `describe_debug` as a type.
pub struct PrintDebug;

impl<E: fmt::Debug> Print<E> for PrintDebug {
    fn print(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe_debug(error, f)
    }
}

/// Makes a [`ReportSource`] when there is something to report.
pub(crate) trait Source<E>: Copy {
    /// How the reports are made.
    fn report_source(self) -> ReportSource<E>;
}

/// A [`ReportSource`] in one word: most contexts only carry it, and never report anything. The context is named after `N`,
/// and `P` prints its errors.
pub(crate) struct Origin<N: ?Sized, P> {
    location: &'static Location<'static>,
    _types: PhantomData<fn(&N) -> P>,
}

impl<N: ?Sized, P> Clone for Origin<N, P> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: ?Sized, P> Copy for Origin<N, P> {}

impl<N: ?Sized, P> Origin<N, P> {
    /// A context that is made by the caller.
    #[inline]
    #[track_caller]
    pub(crate) fn here(_: P) -> Self {
        Self {
            location: Location::caller(),
            _types: PhantomData,
        }
    }
}

impl<N: ?Sized, E, P: Print<E>> Source<E> for Origin<N, P> {
    #[inline]
    fn report_source(self) -> ReportSource<E> {
        ReportSource::new(Identity::made_at::<N>(self.location), P::print)
    }
}

/// How the reports of a context are made: which context it is, and how its errors are printed.
pub struct ReportSource<E> {
    identity: Identity,
    pub(crate) describe: Describe<E>,
    /// What its exit fails with has been reported when it happened, and is not to be reported again.
    failure_is_known: bool,
}

impl<E> fmt::Debug for ReportSource<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportSource")
            .field("name", &self.path())
            .field("location", &self.identity.location)
            .finish_non_exhaustive()
    }
}

impl<E> Clone for ReportSource<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for ReportSource<E> {}

impl<E> ReportSource<E> {
    #[inline]
    fn new(identity: Identity, describe: Describe<E>) -> Self {
        Self {
            identity,
            describe,
            failure_is_known: false,
        }
    }

    /// A context that is made by the caller, and named after `N`.
    #[track_caller]
    #[inline]
    pub(crate) fn here<N: ?Sized>(describe: Describe<E>) -> Self {
        Self::new(Identity::made_at::<N>(Location::caller()), describe)
    }

    /// A context that is known by its type only.
    #[inline]
    pub(crate) fn of_type<C: ?Sized>() -> Self {
        Self::new(Identity::of_type::<C>(), describe_type::<E>)
    }

    /// A context of which no error is to be printed.
    pub(crate) fn of(identity: Identity) -> Self {
        Self::new(identity, describe_type::<E>)
    }

    /// The same context, whose error is now another.
    #[inline]
    pub(crate) fn with_error<F>(self, describe: Describe<F>) -> ReportSource<F> {
        ReportSource {
            identity: self.identity,
            describe,
            failure_is_known: self.failure_is_known,
        }
    }

    /// The same context, whose failure has been reported.
    pub(crate) fn with_known_failure(self) -> Self {
        Self {
            failure_is_known: true,
            ..self
        }
    }

    /// Which context it is.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// The path of the function, or of the type.
    pub(crate) fn path(&self) -> &'static str {
        self.identity.path()
    }

    /// Reports what concerns the clean-up.
    pub(crate) fn report(&self, kind: ReportKind<'_, E>) {
        self.send(kind, false);
    }

    /// Reports the error or the panic of a body whose caller is gone.
    pub(crate) fn report_body(&self, kind: ReportKind<'_, E>) {
        self.send(kind, true);
    }

    /// Reports an error of the clean-up that no caller receives, and drops it.
    pub(crate) fn lose(self, error: E) {
        self.report(ReportKind::Failed(&error));
        self.discard(error);
    }

    /// [`lose`](Self::lose) for an error of the set-up.
    pub(crate) fn lose_set_up(self, error: E) {
        self.report(ReportKind::SetUpFailed(&error));
        self.discard(error);
    }

    /// Reports the error of a body whose caller is gone, and drops it.
    pub(crate) fn lose_body(self, error: E) {
        self.report_body(ReportKind::Failed(&error));
        self.discard(error);
    }

    /// Drops what only the library owns by now. A panic of its destructor is reported: what goes on is not to be lost by it.
    pub(crate) fn discard<T>(self, value: T) {
        let mut value = Some(value);
        if let Err(panic) = catch_panic_rarely(&mut || value = None) {
            panic.report_to(self);
        }
    }

    /// Reports an error of a body that was meant for a context that catches, and did not reach it.
    pub(crate) fn report_untold<X>(&self, error: &X) {
        if tells_error::<X>() {
            let source = self.with_error(describe_type::<X>);
            source.report_body(ReportKind::Failed(error));
        }
    }

    fn send(&self, kind: ReportKind<'_, E>, of_body: bool) {
        struct Described<'a, E> {
            error: &'a E,
            describe: Describe<E>,
        }
        impl<E> fmt::Display for Described<'_, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // To print an error is the user's code. The report must not be lost by it.
                match catch_panic(|| (self.describe)(self.error, f)) {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(fmt::Error)) => {}
                    Err(panic) => panic.discard(),
                }
                f.write_str(" (to print this error failed)")
            }
        }

        // These reports are not about the failure of the exit, so they are made in any case: a panic of a destructor when
        // the context was dropped, the clean-ups for which it did not wait, and what the body ended with.
        let is_about_failure =
            !of_body && !matches!(kind, ReportKind::Panicked(_) | ReportKind::Overtook { .. });
        if self.failure_is_known && is_about_failure {
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
            location: self.identity.location,
            kind: kind.with_error(error),
            of_body,
        });
    }
}
