//! The protocol, [`AsyncContext`], with the futures and wrapped contexts behind its methods.

mod body;
mod bounds;
#[cfg(feature = "alloc")]
mod boxed;
mod lost;

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};

pub use self::body::{Body, DriveBody};
#[doc(hidden)]
pub use self::bounds::{Called, HasAlloc, HasStd, HasTokio, If, IsResult};
pub use self::bounds::{Checked, FailsInto, FromContext, HasNoError, Untyped};
pub(crate) use self::lost::{failure_of, lose_error, lose_set_up_error, report_failures};
pub use crate::adapters::{Expect, MapErr, NullContext, Suppress, WithError};
#[cfg(feature = "std")]
#[doc(hidden)]
pub use crate::cleanup::background::FutureItself;
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use crate::coroutine::guaranteed::LocalContextStaysOnItsThread;
pub use crate::using::{Catch, Run, TryWith, Use, With};
#[cfg(feature = "alloc")]
pub use crate::{
    adapters::needs_alloc::{Closing, FromFns, Join, JoinError, Optional, OptionalResource},
    context::boxed::{BoxContext, LocalBoxContext},
    guard::{Drive, Enter, Exit},
    manager::Managed,
    raw::JoinResource,
};
#[cfg(feature = "std")]
pub use crate::{
    adapters::needs_std::{Bounded, Clock, ExitUntil, Until},
    adapters::needs_std::{Current, Lazy, LazyResource, Swap, SwapResource},
    cleanup::background::{Detached, Drain, Settled, TrySettled},
};
#[cfg(feature = "tokio")]
pub use crate::{
    adapters::needs_tokio::{Blocking, BlockingCatch, ExitTimeout, Timeout},
    task_group::TaskError,
};

// Here because rustc names them in what it says: by this path, and not by that of what only generated code calls.
#[doc(hidden)]
pub use crate::macro_support::{
    AskedTooEarly, Awaited, AwaitedBefore, DeclaredAs, EndOfContext, ErrIsNotCaught, Fallible,
    FromFailed, FutureAndContext, GoesOnBeside, LentByItself, LentByReference, NeedsNoQuestionMark,
    Owned, Returns, Swallowed, TakesError, Undeclared, UsedWithoutCatch, caught, owned_generic,
    owned_locally,
};
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use crate::macro_support::{BoxAndContext, Keep, KeepSelf, StackAndContext, guaranteed, local};
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use crate::misnamed::{
    AskedForCompletion, EndedByAclose, EndedByExit, FilledByDefer, FilledByEnter,
    FilledByOtherNames, FilledByPushExit, LimitedBeforeEntering,
};
#[doc(hidden)]
pub use crate::raw::YieldToken;

use crate::Outcome;
use crate::cleanup::{Runtime, RuntimeId, WaitLimit};
use crate::raw::{Ask, BesidePtr};
use crate::report::{ReportKind, ReportSource};
#[doc(hidden)]
pub use crate::using::CannotFail;
use crate::using::closure::{Converting, closure};

/// Something that is entered, lends a resource, and is exited, each asynchronously.
///
/// Like [`Future`] it is driven by polls, does nothing until then, and can be made into an object:
/// see [`BoxContext`]. It is rarely implemented by hand: write a function with
/// [`#[async_context]`](crate::async_context) or implement [`AsyncManager`](crate::AsyncManager).
/// Use one with [`async_with!`](crate::async_with) or one of the methods below.
///
/// It is no future: `.await`, `join!` and `timeout` are for what uses or enters it. The guide has a list of
/// [what rustc says](crate::guide::using#what-rustc-says) of such mistakes.
///
/// Python: an *asynchronous context manager*, the object with `__aenter__` and `__aexit__`.
///
/// # The protocol
///
/// [`poll_enter`](Self::poll_enter) until it is ready; if it succeeded, [`resource`](Self::resource)
/// lends the resource, any number of times; then [`poll_exit`](Self::poll_exit) until it is ready.
/// A context that has failed to enter, or has exited, is not used again.
///
/// The parameter `X` is the type of the block's error as far as the context wants to know it: `()` for
/// ordinary contexts, the error itself for those that catch.
///
/// # Panics
///
/// Implementations panic when called out of this order. They are never unsound.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a context, or not one that can be used here",
    label = "not a context for this use",
    note = "a context is what a call of a function with `#[async_context]` makes, which declares what it lends: `-> Result<R, E>`; or `manage(value)` for a value that implements `AsyncManager`",
    note = "a future is not one: annotate the `async fn` with `#[async_context]`, or `.await` the future",
    note = "nor is a guard, which has been entered: leave out `.enter().await`, or use the guard itself, which is used as the resource is",
    note = "the type of a context is named `impl AsyncContext<Resource = R, Error = E>`; to store it, or to mix contexts: `.boxed()` makes a `BoxContext<'static, R, E>`, and `.boxed().enter()` a `Guard<BoxContext<'static, R, E>>`",
    note = "a context that catches errors is used with `.catch(…)`, or with `.enter_catch(…)` on a stack that catches"
)]
#[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
pub trait AsyncContext<
    X = (), // not `AsyncContext<R, E>`, but `AsyncContext<Resource = R, Error = E>`
>
{
    /// What the context lends.
    type Resource: ?Sized;
    /// What can go wrong in entering or exiting; [`Infallible`] if nothing can.
    type Error;

    /// Sets up. Python: `__aenter__`.
    ///
    /// # Errors
    ///
    /// Set-up failed; there is nothing to exit.
    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// The resource of an entered context.
    fn resource(self: Pin<&mut Self>) -> &mut Self::Resource;

    /// Cleans up. Python: `__aexit__`.
    ///
    /// The first call tells how the use ended; later calls only carry on, and what they tell is
    /// ignored.
    ///
    /// # Errors
    ///
    /// Cleaning up failed. For a context that catches (`X` is not `()`), `Ok` after
    /// [`Outcome::Failed`] means that the block's error is swallowed.
    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), Self::Error>>;

    /// Tells how the use ended, before the exit begins, so that a context which is dropped in between goes on with
    /// that. Gives it back if the context only learns of it by [`poll_exit`](Self::poll_exit).
    #[doc(hidden)]
    #[inline]
    fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        Some(outcome)
    }

    /// What goes on beside the block, if anything does. A driver asks before it borrows the resource.
    ///
    /// The answer is valid until the context is polled, asked again, or dropped. An implementation that returns `Some`
    /// guarantees that.
    ///
    /// Provided: nothing.
    #[doc(hidden)]
    #[inline]
    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        None
    }

    /// Takes out the error of the future beside the block, once that future has ended the block. With `None` the exit returns
    /// the error.
    #[doc(hidden)]
    fn failure(self: Pin<&mut Self>, _: Ask) -> Option<Self::Error> {
        None
    }

    /// Where it was entered: its exit waits for the clean-ups that go on there.
    ///
    /// Provided: the runtime and the thread on which this is called. A context that does not say where it was entered has no
    /// clean-up in the background: its exit runs where its use is polled, or not at all.
    #[doc(hidden)]
    #[inline]
    fn runtime(&self) -> RuntimeId {
        Runtime::current().id_on_this_thread()
    }

    /// Called at each poll while the exit waits for the clean-ups of its nest. Goes on with what of the exit has begun, and
    /// returns how long the exit waits.
    #[doc(hidden)]
    fn poll_wait(self: Pin<&mut Self>, _: &mut Context<'_>) -> WaitLimit {
        WaitLimit::General
    }

    /// How the [reports](crate::set_reporter) about what no caller hears of are made.
    ///
    /// Provided: its type. Contexts that know their name, the place where they were made and how to
    /// print their error say so; one that wraps another passes on what that says.
    #[inline]
    #[doc(hidden)]
    fn report_source(&self) -> ReportSource<Self::Error> {
        ReportSource::of_type::<Self>()
    }

    /// Tells the [reporter](crate::set_reporter) about a loss that no caller will hear of.
    ///
    /// Provided: by its `report_source`.
    #[inline]
    #[doc(hidden)]
    fn report(&self, kind: ReportKind<'_, Self::Error>) {
        self.report_source().report(kind);
    }

    /// Uses the context for the time of `body`, whose error `E` can take the context's.
    ///
    /// `body` is an async closure, `async |resource| …`: the future of another closure cannot borrow the resource.
    ///
    /// Python: `async with`. [`async_with!`](crate::async_with) is the form in which `return` and
    /// `break` reach the enclosing function; this is the form that is an expression.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, async_context, yield_resource};
    ///
    /// #[async_context]
    /// async fn numbers() -> Result<Vec<u32>, std::io::Error> {
    ///     let mut numbers = vec![1, 2];
    ///     yield_resource!(numbers);
    ///     Ok(())
    /// }
    ///
    /// let sum: Result<u32, std::io::Error> = numbers()
    ///     .with(async |numbers| {
    ///         numbers.push(3);
    ///         Ok(numbers.iter().sum())
    ///     })
    ///     .await;
    /// assert_eq!(sum.unwrap(), 6);
    /// # }
    /// ```
    ///
    /// If nothing else tells the type of the body's error, say it at the body's value, `Ok::<_, Error>(value)`: a `?`
    /// alone does not tell it, neither in the body nor after the `.await`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use guard_core::{AsyncContext, async_context, yield_resource};
    /// # #[async_context]
    /// # async fn numbers() -> Result<Vec<u32>, std::io::Error> {
    /// #     let mut numbers = vec![1, 2];
    /// #     yield_resource!(numbers);
    /// #     Ok(())
    /// # }
    /// let first = numbers()
    ///     .with(async |numbers| {
    ///         tokio::task::yield_now().await;
    ///         Ok::<_, std::io::Error>(numbers[0])
    ///     })
    ///     .await?;
    /// assert_eq!(first, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// A context that cannot fail takes an error type with [`with_error`](Self::with_error):
    /// `lock().with_error::<Error>().with(…)`.
    ///
    /// # Errors
    ///
    /// The body's error; else the exit's; or the enter's, and then the body did not run. If body and
    /// exit both fail, the exit's error is [reported](crate::set_reporter): [`try_with`](Self::try_with)
    /// returns both.
    ///
    /// # Panics
    ///
    /// A panic of the body goes on after the exit. A panic of the exit goes on too; if the body had failed, its error
    /// is [reported](crate::set_reporter).
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the body, then the context: see [`async_context`](crate::async_context).
    #[inline]
    fn with<'r, T, E, F>(
        self,
        body: F,
    ) -> With<Self, X, F, <F as Body<&'r mut Self::Resource>>::Fut, T, E>
    where
        Self: Sized, // not `Box<dyn AsyncContext<…>>`: `.boxed()` makes a `BoxContext`
        Self::Resource: 'r,
        X: Untyped,
        E: FromContext<Self::Error>, // its type is not known? let the body end in `Ok::<_, Error>(value)`
        F: for<'a> Body<&'a mut Self::Resource, Out = Result<T, E>>
            + for<'a> AsyncFnOnce(&'a mut Self::Resource) -> Result<T, E>,
        (F, &'r mut Self::Resource): Called,
    {
        Converting::new(closure(self, body), E::from)
    }

    /// [`with`](Self::with) that loses nothing: every combination of failures is a variant of
    /// [`TryWithError`](crate::TryWithError), and a value that the body returned before a failing exit is in it too.
    /// Panics and cancellation are as there.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, TryWithError, async_context, yield_resource};
    ///
    /// #[async_context]
    /// async fn file() -> Result<(), &'static str> {
    ///     yield_resource!();
    ///     Err("the disk is full")
    /// }
    ///
    /// let used = file().try_with(async |()| Ok::<_, ()>("written")).await;
    /// let error = "the disk is full";
    /// assert_eq!(used, Err(TryWithError::Exit { value: "written", error }));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TryWithError`](crate::TryWithError) says.
    #[inline]
    fn try_with<'r, T, E, F>(
        self,
        body: F,
    ) -> TryWith<Self, X, F, <F as Body<&'r mut Self::Resource>>::Fut, T, E>
    where
        Self: Sized,
        Self::Resource: 'r,
        X: Untyped,
        F: for<'a> Body<&'a mut Self::Resource, Out = Result<T, E>>
            + for<'a> AsyncFnOnce(&'a mut Self::Resource) -> Result<T, E>,
        (F, &'r mut Self::Resource): Called,
    {
        closure(self, body)
    }

    /// [`with`](Self::with) for a context that cannot fail and a body that may return anything.
    ///
    /// A value that is an `Err` has failed, as everywhere: the context is told so, and the value is returned as it is.
    /// Panics and cancellation are as there.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, nullcontext};
    ///
    /// assert_eq!(nullcontext(41).run(async |number| *number + 1).await, 42);
    /// # }
    /// ```
    #[inline]
    fn run<'r, T, F>(self, body: F) -> Run<Self, X, F, <F as Body<&'r mut Self::Resource>>::Fut, T>
    where
        Self: Sized,
        Self::Error: CannotFail,
        Self::Resource: 'r,
        X: Untyped,
        F: for<'a> Body<&'a mut Self::Resource, Out = T>
            + for<'a> AsyncFnOnce(&'a mut Self::Resource) -> T,
        (F, &'r mut Self::Resource): Called,
    {
        closure(self, body)
    }

    /// Uses a context that catches: it is given the body's error, and decides.
    ///
    /// `Ok(Some(value))`: the body succeeded. `Ok(None)`: it failed and the context swallowed the
    /// error. Panics and cancellation are as for [`with`](Self::with): they cannot be swallowed. Python:
    /// `async with` around a context manager whose `__aexit__` may return true.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, Outcome, async_context, yield_resource};
    ///
    /// #[async_context(catch)]
    /// async fn forgiving() -> Result<(), String> {
    ///     match yield_resource!() {
    ///         Outcome::Failed(error) if error != "late" => Err(error),
    ///         _ => Ok(()),
    ///     }
    /// }
    ///
    /// let late = forgiving().catch(async |()| Err::<u32, _>("late".to_owned())).await;
    /// assert_eq!(late, Ok(None));
    /// let done = forgiving().catch(async |()| Ok(42)).await;
    /// assert_eq!(done, Ok(Some(42)));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the context raised: the body's error, or another.
    #[inline]
    fn catch<'r, T, F>(
        self,
        body: F,
    ) -> Catch<Self, X, F, <F as Body<&'r mut Self::Resource>>::Fut, T>
    where
        Self: Sized,
        Self::Resource: 'r,
        F: for<'a> Body<&'a mut Self::Resource, Out = Result<T, X>>
            + for<'a> AsyncFnOnce(&'a mut Self::Resource) -> Result<T, X>,
        (F, &'r mut Self::Resource): Called,
    {
        closure(self, body)
    }

    /// Enters the context and gives a [`Guard`](crate::Guard), to be exited by hand.
    ///
    /// For the cases that no block can express, such as a resource in a struct. Costs one heap
    /// allocation.
    ///
    /// A context that cannot fail needs no `?`, and its error may convert into nothing: a pattern takes the
    /// guard.
    ///
    /// What the context does [beside a block](crate::yield_resource#beside-the-block) goes on in
    /// [`Guard::drive`](crate::Guard::drive) only, and stands still while the guard is only held.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, nullcontext};
    ///
    /// let Ok(mut guard) = nullcontext(41).enter().await;
    /// *guard += 1;
    /// assert_eq!(*guard, 42);
    /// let Ok(()) = guard.exit().await;
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Set-up failed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being entered.
    #[cfg(feature = "alloc")]
    fn enter(self) -> Enter<Self, X>
    where
        Self: Sized,
    {
        Enter::new(self)
    }

    /// Not there without the feature `alloc`.
    #[cfg(not(feature = "alloc"))]
    #[doc(hidden)]
    fn enter(self) -> core::future::Pending<Result<Self, Self::Error>>
    where
        Self: HasAlloc + Sized,
    {
        unreachable!("the feature `alloc` is missing")
    }

    /// Not there without the feature `alloc`.
    #[cfg(not(feature = "alloc"))]
    #[doc(hidden)]
    #[must_use]
    fn boxed(self) -> Self
    where
        Self: HasAlloc + Sized,
    {
        unreachable!("the feature `alloc` is missing")
    }

    /// Not there without the feature `std`.
    #[cfg(not(feature = "std"))]
    #[doc(hidden)]
    #[must_use]
    fn exit_until<L>(self, _limit: L) -> Self
    where
        Self: HasStd + Sized,
    {
        unreachable!("the feature `std` is missing")
    }

    /// Not there without the feature `tokio`.
    #[cfg(not(feature = "tokio"))]
    #[doc(hidden)]
    #[must_use]
    fn exit_timeout(self, _duration: core::time::Duration) -> Self
    where
        Self: HasTokio + Sized,
    {
        unreachable!("the feature `tokio` is missing")
    }

    /// Not there: a context is no `Result`. It says what to write instead.
    #[doc(hidden)]
    fn ok(self) -> MapErr<Self, fn(Self::Error) -> Infallible>
    where
        Self: IsResult + Sized,
    {
        unreachable!("no context is a `Result`")
    }

    /// Not there, as [`ok`](Self::ok).
    #[doc(hidden)]
    fn unwrap(self) -> MapErr<Self, fn(Self::Error) -> Infallible>
    where
        Self: IsResult + Sized,
    {
        unreachable!("no context is a `Result`")
    }

    /// The same context, which panics where it fails, with `message` and the error.
    ///
    /// For tests, and for what a program cannot go on without: its error is
    /// [`Infallible`], so [`async_with!`](crate::async_with) needs no `?` and works in functions
    /// that return `()`. A test under `#[should_panic]` may use it too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, async_context, async_with, yield_resource};
    /// use std::io;
    ///
    /// #[async_context]
    /// async fn database() -> io::Result<Vec<&'static str>> {
    ///     let mut rows = vec!["first"];
    ///     yield_resource!(rows);
    ///     Ok(())
    /// }
    ///
    /// // As in a `#[tokio::test] async fn` without a return type.
    /// async_with!(rows = database().expect("a database"), {
    ///     assert_eq!(rows.len(), 1);
    /// });
    /// # }
    /// ```
    ///
    /// Python: an exception in a fixture.
    ///
    /// # Panics
    ///
    /// Where the context fails, in its set-up or its clean-up. After a panic of the block, that one goes on and
    /// the clean-up's is [reported](crate::set_reporter).
    ///
    /// # Cancellation
    ///
    /// What fails in the background does not panic: it is reported as the context's error.
    #[track_caller]
    fn expect<M>(self, message: M) -> Expect<Self, M>
    where
        Self: Sized,
        Self::Error: core::fmt::Debug,
        M: core::fmt::Display,
    {
        Expect::new(self, message)
    }

    /// The same context with its errors converted.
    ///
    /// A `convert` that never returns (`|error| panic!("{error}")`, from edition 2024 on) makes a context that
    /// cannot fail; [`expect`](Self::expect) is shorter.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, async_context, yield_resource};
    ///
    /// #[async_context]
    /// async fn port(text: &'static str) -> Result<u16, std::num::ParseIntError> {
    ///     let mut port = text.parse()?;
    ///     yield_resource!(port);
    ///     Ok(())
    /// }
    ///
    /// let port = port("http")
    ///     .map_err(|error| format!("the port: {error}"))
    ///     .with(async |port| Ok::<_, String>(*port))
    ///     .await;
    /// assert_eq!(port.unwrap_err(), "the port: invalid digit found in string");
    /// # }
    /// ```
    #[inline]
    fn map_err<F, E>(self, convert: F) -> MapErr<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Error) -> E,
        E: core::fmt::Debug,
    {
        MapErr::new(self, convert)
    }

    /// The same context, which cannot fail, as one that might fail with whatever error is asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, nullcontext};
    ///
    /// // `with` asks for an error that the context's error converts into.
    /// let parsed = nullcontext("42")
    ///     .with_error()
    ///     .with(async |text| text.parse::<u8>())
    ///     .await;
    /// assert_eq!(parsed, Ok(42));
    /// # }
    /// ```
    fn with_error<E>(self) -> Checked<WithError<Self, E>, <Self::Error as HasNoError>::NoError>
    where
        Self: Sized,
        Self::Error: HasNoError,
    {
        WithError::new(self)
    }

    /// The same context on the heap, its type hidden: see [`BoxContext`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, BoxContext, async_context, nullcontext, yield_resource};
    /// use std::convert::Infallible;
    ///
    /// #[async_context]
    /// async fn two() -> u32 {
    ///     let mut two = 2;
    ///     yield_resource!(two);
    /// }
    ///
    /// let contexts: [BoxContext<'static, u32, Infallible>; 2] = [nullcontext(1).boxed(), two().boxed()];
    /// let mut sum = 0;
    /// for context in contexts {
    ///     sum += context.run(async |number| *number).await;
    /// }
    /// assert_eq!(sum, 3);
    /// # }
    /// ```
    #[cfg(feature = "alloc")]
    fn boxed<'a>(self) -> BoxContext<'a, Self::Resource, Self::Error, X>
    where
        Self: Sized + Send + 'a,
    {
        alloc::boxed::Box::pin(self)
    }

    /// [`boxed`](Self::boxed) for a context that is not `Send`, such as one with `#[async_context(local)]`.
    #[cfg(feature = "alloc")]
    fn boxed_local<'a>(self) -> LocalBoxContext<'a, Self::Resource, Self::Error, X>
    where
        Self: Sized + 'a,
    {
        alloc::boxed::Box::pin(self)
    }

    /// The same context, whose exit may take no longer than `duration`.
    ///
    /// An exit that is not done by then is dropped and [reported](crate::set_reporter), and the caller
    /// gets [`TimeoutError::TimedOut`](crate::TimeoutError); the context's own errors are
    /// [`TimeoutError::Context`](crate::TimeoutError), and [`map_err`](Self::map_err) makes both what the caller
    /// has. In the background the limit holds for all that is left to do there, which may include the rest of
    /// the set-up. Time is tokio's; outside a tokio runtime nothing measures it.
    ///
    /// The same time is given to each wait: before the exit for what was dropped unfinished in the block, and after it
    /// for what the exit dropped. When it is up, the use goes on, and the use around it waits for the rest. Contexts in a
    /// `join(…)` wait together before their exits, as long as the most patient of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use guard_core::{AsyncContext, TryWithError, TimeoutError, async_context, yield_resource};
    /// use std::time::Duration;
    ///
    /// #[async_context]
    /// async fn stubborn() {
    ///     yield_resource!();
    ///     std::future::pending().await
    /// }
    ///
    /// # guard_core::set_reporter(|_| {});
    /// let used = stubborn()
    ///     .exit_timeout(Duration::from_secs(5))
    ///     .try_with(async |()| Ok::<_, ()>("used"))
    ///     .await;
    /// let error = TimeoutError::TimedOut;
    /// assert_eq!(used, Err(TryWithError::Exit { value: "used", error }));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// In a tokio runtime that was built without timers (`enable_time`), as for [`exit_until`](Self::exit_until),
    /// unless the first poll of the exit is enough.
    #[cfg(feature = "tokio")]
    fn exit_timeout(self, duration: core::time::Duration) -> ExitTimeout<Self>
    where
        Self: Sized,
    {
        Bounded::new(self, Timeout::new(duration))
    }

    /// The same context, whose exit may take no longer than `limit`, which is any future: it is first
    /// polled when the exit begins, and its end is the limit.
    ///
    /// For other clocks than tokio's, and for other limits than time. Otherwise as
    /// [`exit_timeout`](Self::exit_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use guard_core::{AsyncContext, TimeoutError, TryWithError, async_context, yield_resource};
    /// use tokio::sync::oneshot;
    ///
    /// #[async_context]
    /// async fn stubborn() {
    ///     yield_resource!();
    ///     std::future::pending().await
    /// }
    ///
    /// # guard_core::set_reporter(|_| {});
    /// let (give_up, given_up) = oneshot::channel::<()>();
    /// let used = stubborn()
    ///     .exit_until(async { drop(given_up.await) })
    ///     .try_with(async move |()| {
    ///         drop(give_up);
    ///         Ok::<_, ()>("used")
    ///     })
    ///     .await;
    /// let error = TimeoutError::TimedOut;
    /// assert_eq!(used, Err(TryWithError::Exit { value: "used", error }));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of `limit` goes on when the exit, which has no limit then, is over. In the background, and after the exit,
    /// it is reported. The waits then have the limit of [`set_wait_limit`](crate::set_wait_limit).
    #[cfg(feature = "std")]
    fn exit_until<L>(self, limit: L) -> Checked<ExitUntil<Self, L>, L::Output>
    where
        Self: Sized,
        L: Future<Output = ()> + Send + 'static,
    {
        Bounded::new(self, Until::new(limit))
    }
}
