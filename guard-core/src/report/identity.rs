//! Who a context is, in its reports.

use core::any::type_name;
use core::fmt;
use core::panic::Location;

use super::reporter::deliver;
use super::{Report, ReportKind};

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

/// Who a context is, without how to print its error.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    name: fn() -> &'static str,
    #[cfg(feature = "std")]
    pub(crate) location: Option<&'static Location<'static>>,
}

impl Who {
    /// The path of the function, or of the type.
    pub(crate) fn name(self) -> &'static str {
        let name = (self.name)();
        // Generated code knows its function only by the closure inside it.
        name.strip_suffix("::{{closure}}").unwrap_or(name)
    }
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

/// An [`Identity`] in two words: most contexts only carry it, and never report anything.
pub(crate) struct Origin<E> {
    identify: fn(&'static Location<'static>) -> Identity<E>,
    location: &'static Location<'static>,
}

impl<E> Clone for Origin<E> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Origin<E> {}

impl<E> Origin<E> {
    /// A context that is made by the caller, and named after `N`.
    #[inline]
    #[track_caller]
    pub(crate) fn here<N: ?Sized, P: Print<E>>(_: P) -> Self {
        fn identify<N: ?Sized, E, P: Print<E>>(
            location: &'static Location<'static>,
        ) -> Identity<E> {
            Identity {
                name: type_name::<N>,
                location: Some(location),
                describe: P::print,
                has_reported: false,
            }
        }

        Self {
            identify: identify::<N, E, P>,
            location: Location::caller(),
        }
    }

    /// Who it is.
    #[inline]
    pub(crate) fn identity(self) -> Identity<E> {
        (self.identify)(self.location)
    }
}

/// Who a context is, for its reports.
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
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn here<N: ?Sized>(describe: Describe<E>) -> Self {
        Self {
            name: type_name::<N>,
            location: Some(Location::caller()),
            describe,
            has_reported: false,
        }
    }

    /// The same context, whose error is now another.
    #[inline]
    pub(crate) fn with_error<F>(self, describe: Describe<F>) -> Identity<F> {
        Identity {
            name: self.name,
            location: self.location,
            describe,
            has_reported: self.has_reported,
        }
    }

    /// A context that is known by its type only.
    #[inline]
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
        self.who().name()
    }

    /// Without how to print its error.
    pub(crate) fn who(&self) -> Who {
        Who {
            name: self.name,
            #[cfg(feature = "std")]
            location: self.location,
        }
    }

    /// A context of which no error is to be printed.
    #[cfg(feature = "std")]
    pub(crate) fn of(who: Who) -> Self {
        Self {
            name: who.name,
            location: who.location,
            describe: describe_type::<E>,
            has_reported: false,
        }
    }

    /// Reports what concerns the clean-up.
    pub(crate) fn report(&self, kind: ReportKind<'_, E>) {
        self.send(kind, false);
    }

    /// Reports the error or the panic of a body whose caller is gone.
    pub(crate) fn report_body(&self, kind: ReportKind<'_, E>) {
        self.send(kind, true);
    }

    fn send(&self, kind: ReportKind<'_, E>, of_body: bool) {
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
            of_body,
        });
    }
}
