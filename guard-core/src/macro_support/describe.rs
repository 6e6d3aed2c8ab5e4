//! How the errors of a context are printed in reports.
//!
//! Generated code writes `(&&&Describe::<E>::new()).__guard_printer()`. rustc looks for the method by the number of
//! references: an `Error` is found first, then `Display`, then `Debug`, and last the inherent method, which
//! prints only the name of the type. (This is *autoref-based specialization*.)

use core::fmt;
use core::marker::PhantomData;

use crate::report::{Print, PrintDebug};

/// Knows how to print an error of type `E`, as far as the definition of a context shows it.
///
/// `Describe::<E>` is asked by method call: the inherent method is found first, then the traits by
/// the number of references they take.
pub struct Describe<E>(pub PhantomData<E>);

/// A printer: prints the name of the error's type.
pub struct PrintType;

/// A printer: prints the error with its sources.
pub struct PrintError;

/// A printer: displays the error.
pub struct PrintDisplay;

impl<E> Print<E> for PrintType {
    fn print(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::report::describe_type(error, f)
    }
}

impl<E: core::error::Error> Print<E> for PrintError {
    fn print(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(error, f)?;
        let mut source = error.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl<E: fmt::Display> Print<E> for PrintDisplay {
    fn print(error: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{error:#}")
    }
}

// So that the inherent method, which takes it by value, can be found behind references.
impl<E> Clone for Describe<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Describe<E> {}

impl<E> Describe<E> {
    /// Asks.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only generated code makes one")]
    #[inline]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Nothing but the type's name can be told.
    #[inline]
    #[must_use]
    pub fn __guard_printer(self) -> PrintType {
        PrintType
    }
}

/// Errors are printed with their sources.
pub trait DescribeError<E> {
    /// The printer.
    #[inline]
    fn __guard_printer(&self) -> PrintError {
        PrintError
    }
}

impl<E: core::error::Error> DescribeError<E> for &&Describe<E> {}

/// What can be shown is shown. The alternate form is what `anyhow` prints its sources in.
pub trait DescribeDisplay<E> {
    /// The printer.
    #[inline]
    fn __guard_printer(&self) -> PrintDisplay {
        PrintDisplay
    }
}

impl<E: fmt::Display> DescribeDisplay<E> for &Describe<E> {}

/// What can only be debugged is debugged.
pub trait DescribeDebug<E> {
    /// The printer.
    #[inline]
    fn __guard_printer(&self) -> PrintDebug {
        PrintDebug
    }
}

impl<E: fmt::Debug> DescribeDebug<E> for Describe<E> {}
