//! How the errors of a context are printed in reports.
//!
//! Generated code writes `(&&&Describe::<E>::new()).__guard_printer()`. rustc looks for the method by the number of
//! references: an `Error` is found first, then `Display`, then `Debug`, and last the inherent method, which
//! prints only the name of the type. (This is *autoref-based specialization*.)

use core::fmt;
use core::marker::PhantomData;

use crate::report::{Print, PrintDebug};

/// Finds the printer for an error of type `E`, as far as the definition of the context shows what `E` can do.
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

// `Copy`, so that the inherent method, which takes `self` by value, can be called through references.
impl<E> Clone for Describe<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Describe<E> {}

impl<E> Describe<E> {
    /// Starts to look for the printer.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only generated code makes one")]
    #[inline]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Nothing is known about `E`: the name of the type is printed.
    #[inline]
    #[must_use]
    pub fn __guard_printer(self) -> PrintType {
        PrintType
    }
}

/// `E` is an `Error`: it is printed with its sources.
pub trait DescribeError<E> {
    /// The printer.
    #[inline]
    fn __guard_printer(&self) -> PrintError {
        PrintError
    }
}

impl<E: core::error::Error> DescribeError<E> for &&Describe<E> {}

/// `E` is `Display`. The alternate form prints the sources too, for `anyhow`.
pub trait DescribeDisplay<E> {
    /// The printer.
    #[inline]
    fn __guard_printer(&self) -> PrintDisplay {
        PrintDisplay
    }
}

impl<E: fmt::Display> DescribeDisplay<E> for &Describe<E> {}

/// `E` is only `Debug`.
pub trait DescribeDebug<E> {
    /// The printer.
    #[inline]
    fn __guard_printer(&self) -> PrintDebug {
        PrintDebug
    }
}

impl<E: fmt::Debug> DescribeDebug<E> for Describe<E> {}
