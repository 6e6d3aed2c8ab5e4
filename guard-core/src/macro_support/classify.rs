//! What `async_with!` is given: a context, or what was taken for one.
//!
//! Generated code writes `given(&context).__guard_asked().context(context)`. The first method call finds out what
//! there is, in the order in which rustc looks for methods: by value, by `&`, by `&mut`, and then the same
//! behind a dereference. The second takes what is right, and is an error for the rest: one error, about the
//! user's expression, that says what it is instead. Its value is then of no type, so nothing else is said.
//!
//! The user's traits are looked at as well, so what is found by trait has a name that they do not use.

#![allow(
    clippy::must_use_candidate,
    clippy::unused_self,
    reason = "generated code calls all of it, and it is dispatched on"
)]

use core::convert::Infallible;
use core::future::Future;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::AsyncContext;
use crate::context::MapErr;

/// What was given.
pub struct Given<C>(PhantomData<fn() -> C>, Otherwise<C>);

/// What is not looked at before all that [`Given`] itself can be.
pub struct Otherwise<C>(PhantomData<fn() -> C>);

/// Begins to ask what was given.
#[inline]
pub const fn given<C>(_: &C) -> Given<C> {
    Given(PhantomData, Otherwise(PhantomData))
}

impl<C> Deref for Given<C> {
    type Target = Otherwise<C>;

    #[inline]
    fn deref(&self) -> &Otherwise<C> {
        &self.1
    }
}

impl<C> DerefMut for Given<C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Otherwise<C> {
        &mut self.1
    }
}

/// A context.
pub struct Right;

impl Right {
    /// It.
    #[inline]
    pub fn context<C>(self, context: C) -> C {
        context
    }
}

impl<C: AsyncContext> Given<C> {
    /// A context with a `?` after it.
    #[inline]
    pub fn __guard_asked(self) -> Right {
        Right
    }
}

/// A context that does not catch, in `catch(…)`.
pub struct OnlyTold;

/// What the error of a context in `catch(…)` would have to be.
#[diagnostic::on_unimplemented(
    message = "this context does not catch: write it without `catch(…)`",
    label = "it is told that the body failed, but not handed the error",
    note = "a context that catches is made by `#[async_context(catch)]`; `attempt(name = context?)` handles errors where they stand, with any context"
)]
pub trait UsedInCatch {
    /// There is none.
    type Context;
}

impl OnlyTold {
    /// An error.
    #[inline]
    pub fn context<C: UsedInCatch>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

impl<C: AsyncContext> Given<C> {
    /// A context that does not catch.
    #[inline]
    pub fn __guard_asked_to_catch(self) -> OnlyTold {
        OnlyTold
    }

    /// A context that does not catch.
    #[inline]
    pub fn __guard_unasked_to_catch(self) -> OnlyTold {
        OnlyTold
    }
}

/// An exit stack whose errors are reported, because there is no `?` after it.
pub struct RightAndReporting;

impl RightAndReporting {
    /// It.
    #[inline]
    pub fn context<C: Reports>(self, stack: C) -> C::Reporting {
        stack.reporting()
    }
}

/// An exit stack.
pub trait Reports {
    /// One that reports its errors.
    type Reporting;

    /// It.
    fn reporting(self) -> Self::Reporting;
}

impl<C: Reports> Given<C> {
    /// An exit stack without a `?` after it.
    #[inline]
    pub fn __guard_unasked(self) -> RightAndReporting {
        RightAndReporting
    }
}

/// A context that cannot fail, without a `?` after it.
pub struct Safe;

/// See `Given`.
pub trait GivenSafe: Sized {
    /// A context that needs no `?`, without one.
    #[inline]
    fn __guard_unasked(self) -> Safe {
        Safe
    }
}

// The error may be `!`, which has no name on stable, such as that of `.map_err(|error| panic!("{error}"))`.
impl<C> GivenSafe for Given<C>
where
    C: AsyncContext,
    C::Error: Into<Infallible>,
{
}

impl Safe {
    /// It.
    #[inline]
    pub fn context<C>(self, context: C) -> MapErr<C, impl FnMut(C::Error) -> Infallible>
    where
        C: AsyncContext<Error: Into<Infallible>>,
    {
        context.map_err(Into::into)
    }
}

// From here on, what is wrong: none of it is ever called.

/// A context that can fail, without a `?` after it.
pub struct CanFail;

/// See `Given`.
pub trait GivenFallible {
    /// A context that can fail, without a `?` after it.
    #[inline]
    fn __guard_unasked(&self) -> CanFail {
        CanFail
    }
}

impl<C: AsyncContext> GivenFallible for Given<C> {}

/// What the error of a context without a `?` would have to be.
#[diagnostic::on_unimplemented(
    message = "this context can fail, with `{Self}`: write `?` after it",
    label = "its errors have nowhere to go",
    note = "in `name = context?` the `?` is where the context's own errors leave, of entering and of exiting"
)]
pub trait NeedsNoQuestionMark {}

impl CanFail {
    /// As if it could not, so that the block is checked all the same.
    #[inline]
    pub fn context<C>(self, context: C) -> MapErr<C, fn(C::Error) -> Infallible>
    where
        C: AsyncContext<Error: NeedsNoQuestionMark>,
    {
        context.map_err(|_| unreachable!("the program does not compile"))
    }
}

/// A context that catches.
pub struct Catches;

/// See `Given`.
pub trait GivenCatches<X> {
    /// A context that catches.
    #[inline]
    fn __guard_asked(&mut self) -> Catches {
        Catches
    }

    /// A context that catches.
    #[inline]
    fn __guard_unasked(&mut self) -> Catches {
        Catches
    }

    /// A context that catches, in `catch(…)`.
    #[inline]
    fn __guard_asked_to_catch(&mut self) -> Right {
        Right
    }

    /// A context that catches, in `catch(…)`.
    #[inline]
    fn __guard_unasked_to_catch(&mut self) -> Right {
        Right
    }
}

impl<C: AsyncContext<X>, X> GivenCatches<X> for Given<C> {}

/// What no context that catches is.
#[diagnostic::on_unimplemented(
    message = "this context catches the body's error: write `catch(name = context?)`",
    label = "a context that catches decides what becomes of the error",
    note = "the value of the whole is then an `Option`, `None` if the error was swallowed",
    note = "as an expression it is `context.catch(async |resource| …).await?`"
)]
pub trait UsedWithoutCatch {
    /// There is none.
    type Context;
}

impl Catches {
    /// An error.
    #[inline]
    pub fn context<C: UsedWithoutCatch>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// A future.
pub struct IsFuture;

/// See `Given`.
pub trait GivenFuture {
    /// A future.
    #[inline]
    fn __guard_asked(&self) -> IsFuture {
        IsFuture
    }

    /// A future.
    #[inline]
    fn __guard_unasked(&self) -> IsFuture {
        IsFuture
    }

    /// A future.
    #[inline]
    fn __guard_asked_to_catch(&self) -> IsFuture {
        IsFuture
    }

    /// A future.
    #[inline]
    fn __guard_unasked_to_catch(&self) -> IsFuture {
        IsFuture
    }
}

impl<C: Future> GivenFuture for Otherwise<C> {}

/// What no future is.
#[diagnostic::on_unimplemented(
    message = "this is a future, not a context",
    label = "`{Self}`",
    note = "an `async fn` makes a context if it is annotated with `#[async_context]` and yields its resource",
    note = "a future that results in a context is awaited first: `name = future.await`"
)]
pub trait FutureAndContext {
    /// There is none.
    type Context;
}

impl IsFuture {
    /// An error.
    #[inline]
    pub fn context<C: FutureAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// No context at all.
pub struct IsNone;

/// See `Given`.
pub trait GivenAnything {
    /// Anything else.
    #[inline]
    fn __guard_asked(&mut self) -> IsNone {
        IsNone
    }

    /// Anything else.
    #[inline]
    fn __guard_unasked(&mut self) -> IsNone {
        IsNone
    }

    /// Anything else.
    #[inline]
    fn __guard_asked_to_catch(&mut self) -> IsNone {
        IsNone
    }

    /// Anything else.
    #[inline]
    fn __guard_unasked_to_catch(&mut self) -> IsNone {
        IsNone
    }
}

impl<C> GivenAnything for Otherwise<C> {}

impl IsNone {
    /// An error, in which the protocol itself is named.
    #[inline]
    pub fn context<C: AsyncContext>(self, _: C) -> C::Error {
        unreachable!("the program does not compile")
    }
}
