//! Not public API: what generated code names. Anything here may change in any release.

pub use core;

pub use crate::AsyncContext;
#[cfg(feature = "alloc")]
pub use crate::adapters::{JoinError, join};
pub use crate::given::{GivenAnything, GivenCatches, GivenFallible, GivenFuture, GivenSafe, given};
pub use crate::macro_support::{
    CannotFail, MayHaveFailed, Returns, Swallowed, attempted, how_failed, swallowed,
};
pub use crate::raw::{Anchor, Handle, Tie};
pub use crate::report::{Print, PrintDebug};
pub use crate::using::block::{Link, attempting, catching, in_function, tied};
pub use crate::using::form::Next;
pub use crate::{cancellable, yield_resource};
#[cfg(feature = "macros")]
pub use guard_macros::async_with;

use core::fmt;
use core::future::Future;

use crate::report::Origin;

/// The context of a function with `#[async_context(scoped)]`, named after the closure inside it.
#[track_caller]
#[inline]
pub fn scoped<R, E, X, F, Fut>(
    start: F,
    printer: impl Print<E>,
) -> impl AsyncContext<X, Resource = R, Error = E>
where
    R: ?Sized,
    F: FnOnce(Anchor<R, X>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
{
    crate::coroutine::scoped(start, Origin::here::<F, _>(printer))
}

/// The context of a function with `#[async_context]`.
#[cfg(feature = "alloc")]
#[track_caller]
#[inline]
pub fn guaranteed<R, E, X, F, Fut>(
    start: F,
    printer: impl Print<E>,
) -> impl AsyncContext<X, Resource = R, Error = E> + Send + 'static
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
    crate::guaranteed::guaranteed(start, Origin::here::<F, _>(printer))
}

/// Proof that a path has yielded.
#[derive(Clone, Copy)]
pub struct Yielded;

/// Consumes the proof where the function returns `value`.
#[inline]
pub fn finish<T>(value: T, _: Yielded) -> T {
    value
}

/// A `Result`, whatever alias it was written with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` looks like a `Result` but is not one",
    label = "a type named `…Result` is taken for an alias of `Result`",
    note = "a context that lends a `{Self}` and cannot fail returns `Result<{Self}, std::convert::Infallible>`"
)]
pub trait Fallible {
    /// What is lent.
    type Value;
    /// What can go wrong.
    type Error;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// Knows how to print an error of type `E`, as far as the definition of a context shows it.
///
/// `Describe::<E>` is asked by method call: the inherent method is found first, then the traits by
/// the number of references they take.
pub struct Describe<E>(pub core::marker::PhantomData<E>);

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
        Self(core::marker::PhantomData)
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

/// What a guaranteed context may be made of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a guaranteed context",
    label = "not `Send + 'static`",
    note = "its clean-up may go on in the background, so a guaranteed context owns what it uses and can be sent to another thread",
    note = "write `#[async_context(scoped)]` for a context that is dropped where it stands when its user is cancelled, or pass something that is `Send + 'static`, such as an `Arc`"
)]
pub trait Owned {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Owned for T {}

/// Asks for what a guaranteed context may be made of, where the error is the caller's.
pub fn owned<T: Owned>(_: &T) {}

/// [`owned`] for a generic argument, about which rustc itself knows which bound is missing.
pub fn owned_generic<T: Send + 'static>(_: &T) {}

/// What `#[async_context(owned)]` can make an owned value of: `ToOwned`, for references of any kind.
#[cfg(feature = "alloc")]
#[diagnostic::on_unimplemented(
    message = "`owned` cannot make an owned value of a `&{Self}`",
    label = "`{Self}` is neither `Clone` nor `ToOwned`",
    note = "derive `Clone` for it, or take it by value, such as in an `Arc`, or write `#[async_context(scoped)]` for a context that borrows"
)]
pub trait Keep {
    /// What is owned.
    type Owned;

    /// Makes one.
    fn keep(&self) -> Self::Owned;

    /// Lends it as what it was.
    fn lend(owned: &Self::Owned) -> &Self;
}

#[cfg(feature = "alloc")]
#[diagnostic::do_not_recommend]
impl<T: alloc::borrow::ToOwned + ?Sized> Keep for T {
    type Owned = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }

    fn lend(owned: &T::Owned) -> &T {
        core::borrow::Borrow::borrow(owned)
    }
}

/// What `#[async_context(owned)]` can make an owned value of as `&self`: `Clone`.
#[cfg(feature = "alloc")]
#[diagnostic::on_unimplemented(
    message = "`owned` cannot make an owned value of `&self`",
    label = "`{Self}` is not `Clone`",
    note = "derive `Clone` for it, or take `self: Arc<Self>`, or write `#[async_context(scoped)]` for a context that borrows"
)]
pub trait KeepSelf: Clone {}

#[cfg(feature = "alloc")]
#[diagnostic::do_not_recommend]
impl<T: Clone> KeepSelf for T {}

/// An owned value of what was `&self`.
#[cfg(feature = "alloc")]
pub fn keep_self<T: KeepSelf>(this: &T) -> T {
    this.clone()
}

/// An owned value of what was a reference.
///
/// Its methods ask for nothing, so that what cannot be kept is told once.
#[cfg(feature = "alloc")]
pub struct Kept<T: ?Sized, O> {
    owned: O,
    lend: fn(&O) -> &T,
}

/// An owned value of an argument.
#[cfg(feature = "alloc")]
pub fn keep<T: Keep + ?Sized>(argument: &T) -> Kept<T, T::Owned> {
    Kept {
        owned: argument.keep(),
        lend: T::lend,
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized, O> Kept<T, O> {
    /// What the body sees.
    #[must_use]
    pub fn lent(&self) -> &T {
        (self.lend)(&self.owned)
    }

    /// What the context owns.
    #[must_use]
    pub fn owned(&self) -> &O {
        &self.owned
    }
}

/// A value that was carried out of a body.
#[inline]
pub fn carried<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => unreachable!("a body that went on left its value"),
    }
}

/// Stands in for a yield about which an error has been told.
pub fn misplaced_yield<X>() -> crate::Outcome<X> {
    unreachable!("the program does not compile")
}

/// How the body of a context may end.
pub trait Conclude {
    /// What can go wrong.
    type Error;

    /// As a `Result`.
    fn conclude(self) -> Result<(), Self::Error>;
}

impl<E> Conclude for Result<(), E> {
    type Error = E;

    #[inline]
    fn conclude(self) -> Self {
        self
    }
}

impl Conclude for () {
    type Error = core::convert::Infallible;

    #[inline]
    fn conclude(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What a context that catches is told.
#[must_use = "to ignore the outcome is to swallow the body's error: match it, and return `Err(error)` to raise it"]
#[inline]
pub fn caught<X>(outcome: crate::Outcome<X>) -> crate::Outcome<X> {
    outcome
}
