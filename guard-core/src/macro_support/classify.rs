//! Finding out what stands in the place of a context in `async_with!`.
//!
//! Generated code writes `probe(&context).__guard_asked().context(context)`, with `asked` if a `?` follows the context, and
//! `unasked` if not. The first method call finds out what the expression is. rustc looks for methods by value first,
//! then by `&`, then by `&mut`, and then the same behind a dereference; each kind of expression has its method at another of
//! these places. (This is *autoref-based specialization*.) The second method call accepts a context that is used
//! correctly. For everything else it has a bound that fails, whose message is the one error that the user reads.
//! A part of such an expression that is awaited, or followed by a `?`, is checked in the same way: is it a context?
//!
//! rustc finds methods of the user's own traits too. So those that are found by trait have names that no user has.

#![allow(
    clippy::must_use_candidate,
    clippy::unused_self,
    reason = "generated code calls these methods, and only their place matters"
)]

use core::convert::Infallible;
use core::future::{Future, IntoFuture};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::context::{Expect, MapErr};
use crate::{AsyncContext, Outcome};

/// The methods by which generated code asks what an expression is, each with its answer.
macro_rules! answers {
    ($($visibility:vis fn $question:ident($($receiver:tt)+) -> $Answer:ident;)+) => {$(
        /// Asked by generated code.
        #[inline]
        $visibility fn $question($($receiver)+) -> $Answer {
            $Answer
        }
    )+};
}

/// Stands for an expression of type `C`.
pub struct Probe<C>(PhantomData<fn() -> C>, Otherwise<C>);

/// Found behind a dereference of [`Probe`], so rustc looks at it last.
pub struct Otherwise<C>(PhantomData<fn() -> C>);

/// Starts to find out what an expression is.
#[inline]
pub const fn probe<C>(_: &C) -> Probe<C> {
    Probe(PhantomData, Otherwise(PhantomData))
}

impl<C> Deref for Probe<C> {
    type Target = Otherwise<C>;

    #[inline]
    fn deref(&self) -> &Otherwise<C> {
        &self.1
    }
}

impl<C> DerefMut for Probe<C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Otherwise<C> {
        &mut self.1
    }
}

/// The answer for a context that is used correctly.
pub struct Right;

impl Right {
    /// Accepts the context.
    #[inline]
    pub fn context<C>(self, context: C) -> C {
        context
    }
}

impl<C: AsyncContext> Probe<C> {
    answers! {
        pub fn __guard_asked(self) -> Right;
    }
}

/// The answer for a context that does not catch, in `catch(…)`.
pub struct OnlyTold;

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "this context does not catch: write it without `catch(…)`",
    label = "it is told that the body failed, but not handed the error",
    note = "a context that catches is made by `#[async_context(catch)]`; `attempt(name = context?)` handles errors where they stand, with any context",
    note = "`suppress` has to know which error it looks at: `suppress(|error: &Error| …)`"
)]
pub trait UsedInCatch {
    /// No type.
    type Context;
}

impl OnlyTold {
    /// Does not compile.
    #[inline]
    pub fn context<C: UsedInCatch>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

impl<C: AsyncContext> Probe<C> {
    answers! {
        pub fn __guard_asked_to_catch(self) -> OnlyTold;
        pub fn __guard_unasked_to_catch(self) -> OnlyTold;
    }
}

/// The answer for a context that is awaited.
pub struct IsAwaited;

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "a context is not awaited: leave out the `.await`",
    label = "this is a context, and no future",
    note = "what uses it awaits both that it is entered and that it is exited"
)]
pub trait Awaited {
    /// No type.
    type Output;
}

impl IsAwaited {
    /// Does not compile.
    #[inline]
    pub fn context<C: Awaited>(self, _: C) -> C::Output {
        unreachable!("the program does not compile")
    }
}

/// Found by value, and so before [`ProbeFallible`]: a context may be a future as well.
pub trait ProbeAwaited: Sized {
    answers! {
        fn __guard_awaited(self) -> Right;
    }
}

impl<C: IntoFuture> ProbeAwaited for Probe<C> {}

/// The answer for a context with a `?` after it, where something else follows the `?`.
pub struct IsAskedTooEarly;

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "the `?` of a context is the last thing: write `context.map_err(…)?`, or only `context?`",
    label = "this is a context, and no `Result`",
    note = "the methods that change a context, such as `.map_err(…)`, are those of the trait `AsyncContext`"
)]
pub trait AskedTooEarly {
    /// No type.
    type Result;
}

impl IsAskedTooEarly {
    /// Does not compile.
    #[inline]
    pub fn context<C: AskedTooEarly>(self, _: C) -> C::Result {
        unreachable!("the program does not compile")
    }
}

impl<C: AsyncContext> Probe<C> {
    answers! {
        pub fn __guard_asked_inside(self) -> IsAskedTooEarly;
    }
}

/// The answer for an exit stack without a `?` after it: its errors are reported.
pub struct RightAndReporting;

impl RightAndReporting {
    /// Accepts the stack.
    #[inline]
    pub fn context<C: IntoReporting>(self, stack: C) -> C::Reporting {
        stack.into_reporting()
    }
}

/// An exit stack, whose errors can be reported instead of returned.
pub trait IntoReporting {
    /// The stack that reports its errors.
    type Reporting;

    /// Makes the stack report its errors.
    fn into_reporting(self) -> Self::Reporting;
}

impl<C: IntoReporting> Probe<C> {
    answers! {
        pub fn __guard_unasked(self) -> RightAndReporting;
    }
}

/// The answer for a context that cannot fail, without a `?` after it.
pub struct Safe;

/// Found by reference: see the module.
pub trait ProbeSafe: Sized {
    answers! {
        fn __guard_unasked(self) -> Safe;
    }
}

// The error may be `!`, which has no name on stable, such as that of `.map_err(|error| panic!("{error}"))`.
impl<C> ProbeSafe for Probe<C>
where
    C: AsyncContext,
    C::Error: Into<Infallible>,
{
}

impl Safe {
    /// Accepts the context, with the error [`Infallible`].
    #[inline]
    pub fn context<C>(self, context: C) -> MapErr<C, impl FnMut(C::Error) -> Infallible>
    where
        C: AsyncContext<Error: Into<Infallible>>,
    {
        context.map_err(Into::into)
    }
}

// From here on: the answers for wrong uses. Nothing of this is ever called. What rustc shows with an error is not written by a
// macro, so that rustc does not show that macro too.

/// The answer for a context that can fail, without a `?` after it.
pub struct CanFail;

/// Found by reference: see the module.
pub trait ProbeFallible {
    answers! {
        fn __guard_unasked(&self) -> CanFail;
        fn __guard_awaited(&self) -> IsAwaited;
    }
}

impl<C: AsyncContext> ProbeFallible for Probe<C> {}

/// An error that cannot happen, so that no `?` is needed.
#[diagnostic::on_unimplemented(
    message = "this context can fail, with `{Self}`: write `?` after it",
    label = "its errors have nowhere to go",
    note = "in `name = context?` the `?` is where the context's own errors leave, of entering and of exiting"
)]
pub trait NeedsNoQuestionMark {
    /// Cannot be called.
    fn never(self) -> Infallible;
}

#[diagnostic::do_not_recommend]
impl NeedsNoQuestionMark for Infallible {
    #[inline]
    fn never(self) -> Infallible {
        self
    }
}

impl CanFail {
    /// Does not compile. It results in a context all the same, so that rustc checks the block too.
    #[inline]
    pub fn context<C>(self, context: C) -> MapErr<C, fn(C::Error) -> Infallible>
    where
        C: AsyncContext<Error: NeedsNoQuestionMark>,
    {
        context.map_err(|_| unreachable!("the program does not compile"))
    }
}

/// The answer for a context that catches, without `catch(…)`.
pub struct Catches;

/// Found by reference: see the module.
pub trait ProbeCatches<X> {
    answers! {
        fn __guard_asked(&mut self) -> Catches;
        fn __guard_unasked(&mut self) -> Catches;
        fn __guard_asked_to_catch(&mut self) -> Right;
        fn __guard_unasked_to_catch(&mut self) -> Right;
        fn __guard_awaited(&mut self) -> IsAwaited;
        fn __guard_asked_inside(&mut self) -> IsAskedTooEarly;
    }
}

impl<C: AsyncContext<X>, X> ProbeCatches<X> for Probe<C> {}

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "this context catches the body's error: write `catch(name = context?)`",
    label = "a context that catches decides what becomes of the error",
    note = "the value of the whole is then an `Option`, `None` if the error was swallowed",
    note = "as an expression it is `context.catch(async |resource| …).await?`"
)]
pub trait UsedWithoutCatch {
    /// No type.
    type Context;
}

impl Catches {
    /// Does not compile.
    #[inline]
    pub fn context<C: UsedWithoutCatch>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// The answer for a future.
pub struct IsFuture;

/// Found by reference: see the module.
pub trait ProbeFuture {
    answers! {
        fn __guard_asked(&self) -> IsFuture;
        fn __guard_unasked(&self) -> IsFuture;
        fn __guard_asked_to_catch(&self) -> IsFuture;
        fn __guard_unasked_to_catch(&self) -> IsFuture;
    }
}

impl<C: Future> ProbeFuture for Otherwise<C> {}

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "this is a future, not a context",
    label = "`{Self}`",
    note = "an `async fn` makes a context if it is annotated with `#[async_context]` and yields its resource",
    note = "a future that results in a context is awaited first: `name = future.await`"
)]
pub trait FutureAndContext {
    /// No type.
    type Context;
}

impl IsFuture {
    /// Does not compile.
    #[inline]
    pub fn context<C: FutureAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// The answer for a `Result` of a context.
pub struct IsResultOfContext;

impl<C: AsyncContext, E> Otherwise<Result<C, E>> {
    answers! {
        pub fn __guard_asked(&self) -> IsResultOfContext;
        pub fn __guard_unasked(&self) -> IsResultOfContext;
        pub fn __guard_asked_to_catch(&self) -> IsResultOfContext;
        pub fn __guard_unasked_to_catch(&self) -> IsResultOfContext;
    }
}

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "this is a `Result` of a context: the `?` of the `Result` stands before that of the context, `name = make()??`",
    label = "a `Result`, which has a `?` of its own"
)]
pub trait ResultAndContext {
    /// No type.
    type Context;
}

impl IsResultOfContext {
    /// Does not compile.
    #[inline]
    pub fn context<C: ResultAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// The answer for an `Option` of a context.
pub struct IsOptionOfContext;

impl<C: AsyncContext> Otherwise<Option<C>> {
    answers! {
        pub fn __guard_asked(&self) -> IsOptionOfContext;
        pub fn __guard_unasked(&self) -> IsOptionOfContext;
    }
}

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "this is an `Option` of a context: write `name = optional(option)?` for a context that is entered if there is one",
    label = "an `Option`, which is no context"
)]
pub trait OptionAndContext {
    /// No type.
    type Context;
}

impl IsOptionOfContext {
    /// Does not compile.
    #[inline]
    pub fn context<C: OptionAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// The answer for a reference to a context.
pub struct IsReferenceToContext;

impl<C: AsyncContext> Otherwise<&C> {
    answers! {
        pub fn __guard_asked(&self) -> IsReferenceToContext;
        pub fn __guard_unasked(&self) -> IsReferenceToContext;
    }
}

impl<C: AsyncContext> Otherwise<&mut C> {
    answers! {
        pub fn __guard_asked(&self) -> IsReferenceToContext;
        pub fn __guard_unasked(&self) -> IsReferenceToContext;
    }
}

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "a context is used once, by value, and this is a reference to one: write it without the `&`",
    label = "a reference to a context"
)]
pub trait ReferenceAndContext {
    /// No type.
    type Context;
}

impl IsReferenceToContext {
    /// Does not compile.
    #[inline]
    pub fn context<C: ReferenceAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// The answer for another `Result`.
pub struct IsResult;

/// Found by reference: see the module.
pub trait ProbeResult {
    answers! {
        fn __guard_asked(&self) -> IsResult;
        fn __guard_unasked(&self) -> IsResult;
        fn __guard_asked_to_catch(&self) -> IsResult;
        fn __guard_unasked_to_catch(&self) -> IsResult;
    }
}

impl<T, E> ProbeResult for Otherwise<Result<T, E>> {}

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "this is a `Result`, not a context",
    label = "a `{Self}`",
    note = "a plain value is lent by `nullcontext`: `name = nullcontext(make()?)`, or made in the block: `let mut name = make()?;`",
    note = "a guard has been entered, and is no context: leave out `.enter().await`"
)]
pub trait ResultIsContext {
    /// No type.
    type Context;
}

impl IsResult {
    /// Does not compile.
    #[inline]
    pub fn context<C: ResultIsContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

/// The answer for everything else.
pub struct IsNone;

/// Found by reference: see the module.
pub trait ProbeAnything {
    answers! {
        fn __guard_asked(&mut self) -> IsNone;
        fn __guard_unasked(&mut self) -> IsNone;
        fn __guard_asked_to_catch(&mut self) -> IsNone;
        fn __guard_unasked_to_catch(&mut self) -> IsNone;
        fn __guard_awaited(&mut self) -> Right;
        fn __guard_asked_inside(&mut self) -> Right;
    }
}

impl<C> ProbeAnything for Otherwise<C> {}

impl IsNone {
    /// Does not compile: the message of [`AsyncContext`] is the error. It results in a context all the same, so that what is
    /// a context but for one bound has no further errors.
    #[inline]
    pub fn context<C: AsyncContext>(self, _: C) -> Instead<C::Resource, C::Error> {
        unreachable!("the program does not compile")
    }
}

/// The answer for an adapter that is no context, because a bound of the method that made it is not met: rustc tells of that.
pub struct IsTold;

/// An adapter of a context.
pub trait Adapted {
    /// What the context lends.
    type Resource: ?Sized;
}

impl<C: AsyncContext, F> Adapted for MapErr<C, F> {
    type Resource = C::Resource;
}

impl<C: AsyncContext, M> Adapted for Expect<C, M> {
    type Resource = C::Resource;
}

// Found as an exit stack is: by reference, before the methods of any trait.
macro_rules! is_told {
    ($Adapter:ident) => {
        impl<C: AsyncContext, T> Otherwise<$Adapter<C, T>> {
            answers! {
                pub fn __guard_asked(&self) -> IsTold;
                pub fn __guard_unasked(&self) -> IsTold;
            }
        }
    };
}

is_told! { MapErr }
is_told! { Expect }

impl IsTold {
    /// Does not compile, for a reason that is told elsewhere. It results in a context all the same.
    #[inline]
    pub fn context<A: Adapted, E>(self, _: A) -> Instead<A::Resource, E> {
        unreachable!("the program does not compile")
    }
}

/// Stands for a context that is none.
pub struct Instead<R: ?Sized, E>(PhantomData<(fn(E), R)>);

#[diagnostic::do_not_recommend]
impl<R: ?Sized, E> AsyncContext for Instead<R, E> {
    type Resource = R;
    type Error = E;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        unreachable!("the program does not compile")
    }

    fn resource(self: Pin<&mut Self>) -> &mut R {
        unreachable!("the program does not compile")
    }

    fn poll_exit(self: Pin<&mut Self>, _: &mut Context<'_>, _: Outcome) -> Poll<Result<(), E>> {
        unreachable!("the program does not compile")
    }
}
