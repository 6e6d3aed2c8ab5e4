//! Contexts written by hand, as two async functions.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::future::Future;
#[cfg(feature = "alloc")]
use core::marker::PhantomData;

use crate::Outcome;
use crate::raw::Yielder;
use crate::report::{Origin, PrintDebug};
use crate::{AsyncContext, coroutine::scoped};
#[cfg(feature = "alloc")]
use crate::{
    BoxContext,
    context::Checked,
    coroutine::{
        guaranteed::guaranteed,
        started_on_enter::{Start, StartedOnEnter, started_on_enter},
    },
};

/// A context written by hand: the resource and its enter and exit in one type.
///
/// Implement it with plain `async fn`s, and use it through [`manage`]. Where the context is a matter of
/// one function, [`#[async_context]`](crate::async_context) is shorter.
///
/// Python: a class with `__aenter__` and `__aexit__`. As there, the resource may well be `Self`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{AsyncManager, Outcome, async_with, manage};
/// use std::convert::Infallible;
///
/// struct Session {
///     log: Vec<&'static str>,
/// }
///
/// impl AsyncManager for Session {
///     type Resource = Self;
///     type Error = Infallible;
///
///     async fn enter(&mut self) -> Result<&mut Self, Infallible> {
///         self.log.push("open");
///         Ok(self)
///     }
///
///     async fn exit(&mut self, outcome: Outcome) -> Result<(), Infallible> {
///         assert_eq!(self.log, ["open", "use"]);
///         assert_eq!(outcome, Outcome::Completed);
///         Ok(())
///     }
/// }
///
/// async_with!(session = manage(Session { log: Vec::new() }), {
///     session.log.push("use");
/// });
/// # }
/// ```
/// # A manager that catches
///
/// The parameter `X` is the type of the block's error that the manager is told, as for
/// [`AsyncContext`]. A manager that says it catches: after `Outcome::Failed(error)` an `exit` that returns `Ok(())`
/// swallows the error, and one that returns `Err` raises it or another. Python: a class whose `__aexit__` may
/// return true.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{AsyncContext, AsyncManager, Outcome, manage};
///
/// struct Forgiving {
///     forgiven: Option<String>,
/// }
///
/// impl AsyncManager<String> for Forgiving {
///     type Resource = Option<String>;
///     type Error = String;
///
///     async fn enter(&mut self) -> Result<&mut Option<String>, String> {
///         Ok(&mut self.forgiven)
///     }
///
///     async fn exit(&mut self, outcome: Outcome<String>) -> Result<(), String> {
///         match outcome {
///             Outcome::Failed(error) if Some(&error) == self.forgiven.as_ref() => Ok(()),
///             Outcome::Failed(error) => Err(error),
///             _ => Ok(()),
///         }
///     }
/// }
///
/// let forgiving = manage(Forgiving { forgiven: Some("late".into()) });
/// let value = forgiving.catch(async |_| Err::<u32, _>("late".to_owned())).await;
/// assert_eq!(value, Ok(None));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `AsyncManager`",
    label = "this type has no `enter` and `exit`",
    note = "implement `AsyncManager` for it, with `async fn enter` and `async fn exit`"
)]
pub trait AsyncManager<X: 'static = ()> {
    /// The resource that the context lends.
    type Resource: ?Sized;
    /// What can go wrong.
    type Error;

    /// Sets up and lends the resource. Python: `__aenter__`.
    ///
    /// # Errors
    ///
    /// Set-up failed. [`exit`](Self::exit) is not called then: what was set up already must be undone
    /// here, or by a destructor.
    fn enter(&mut self) -> impl Future<Output = Result<&mut Self::Resource, Self::Error>> + Send;

    /// Cleans up. Python: `__aexit__`.
    ///
    /// # Errors
    ///
    /// Cleaning up failed; or, in a manager that catches, what becomes of the block's error.
    fn exit(&mut self, outcome: Outcome<X>)
    -> impl Future<Output = Result<(), Self::Error>> + Send;
}

macro_rules! body {
    ($manager:ident) => {
        move |yielder: Yielder<M::Resource, X, M::Error>| async move {
            let mut manager = $manager;
            let resource = manager.enter().await?;
            let outcome = yielder.token().lend(&yielder, resource).await;
            manager.exit(outcome).await
        }
    };
}

/// Makes a context of a value that implements [`AsyncManager`].
///
/// It is a guaranteed context: a manager whose user is cancelled is still exited, in the background.
/// That is why it must own what it needs; [`manage_scoped`] is for one that borrows. Python: `async with value`.
///
/// A manager that catches (`AsyncManager<E>`) makes a context that is used with [`catch`](AsyncContext::catch).
///
/// # Errors
///
/// The error with which [`AsyncManager::enter`] or [`AsyncManager::exit`] fails.
///
/// # Panics
///
/// A panic of either goes on in whoever polls.
///
/// # Cancellation
///
/// As for a context that a function with [`#[async_context]`](crate::async_context) returns.
#[cfg(feature = "alloc")]
#[track_caller]
pub fn manage<M, X>(manager: M) -> Checked<Managed<M, X>, M::Error>
where
    M: AsyncManager<X>,
    X: 'static,
{
    Managed(StartedOnEnter::new(Manager(manager)), PhantomData)
}

/// The context of [`manage`].
#[cfg(feature = "alloc")]
#[must_use = "a context does nothing until it is used: `async_with!(resource = manage(value)?, { … })`"]
pub struct Managed<M, X = ()>(StartedOnEnter<Manager<M>, M>, PhantomData<fn(X)>);

#[cfg(feature = "alloc")]
started_on_enter! {
    impl<M, X> AsyncContext<X> for Managed<M, X>
    where {
        M: AsyncManager<X, Resource: Send + 'static, Error: core::fmt::Debug> + Send + 'static,
        X: Send + 'static
    }
    M::Resource, M::Error
}

#[cfg(feature = "alloc")]
struct Manager<M>(M);

#[cfg(feature = "alloc")]
impl<M, X> Start<X, M> for Manager<M>
where
    M: AsyncManager<X, Resource: Send + 'static, Error: core::fmt::Debug> + Send + 'static,
    X: Send + 'static,
{
    type Resource = M::Resource;
    type Error = M::Error;

    fn start(self, origin: Origin<M, PrintDebug>) -> BoxContext<'static, M::Resource, M::Error, X> {
        let Self(manager) = self;
        Box::pin(guaranteed(body!(manager), origin))
    }
}

/// [`manage`] for a manager that borrows, or where there is no allocator.
///
/// Python: `async with value`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{AsyncManager, Outcome, async_with, manage_scoped};
/// use std::convert::Infallible;
///
/// struct Savepoint<'a> {
///     rows: &'a mut Vec<u32>,
///     before: usize,
/// }
///
/// impl AsyncManager for Savepoint<'_> {
///     type Resource = Vec<u32>;
///     type Error = Infallible;
///
///     async fn enter(&mut self) -> Result<&mut Vec<u32>, Infallible> {
///         self.before = self.rows.len();
///         Ok(self.rows)
///     }
///
///     async fn exit(&mut self, outcome: Outcome) -> Result<(), Infallible> {
///         if !outcome.is_completed() {
///             self.rows.truncate(self.before);
///         }
///         Ok(())
///     }
/// }
///
/// let mut rows = vec![1];
/// let savepoint = Savepoint { rows: &mut rows, before: 0 };
/// async_with!(rows = manage_scoped(savepoint), {
///     rows.push(2);
/// });
/// assert_eq!(rows, [1, 2]);
/// # }
/// ```
///
/// # Errors
///
/// The error with which [`AsyncManager::enter`] or [`AsyncManager::exit`] fails.
///
/// # Panics
///
/// A panic of either goes on in whoever polls.
///
/// # Cancellation
///
/// Like every scoped context it is dropped where it stands when its user is cancelled: `exit` is not called, or not finished.
/// That is [reported](crate::set_reporter) if the manager had been entered.
#[track_caller]
pub fn manage_scoped<M, X>(
    manager: M,
) -> impl AsyncContext<X, Resource = M::Resource, Error = M::Error>
where
    M: AsyncManager<X, Error: core::fmt::Debug>,
    X: 'static,
{
    scoped(body!(manager), Origin::<M, _>::here(PrintDebug))
}
