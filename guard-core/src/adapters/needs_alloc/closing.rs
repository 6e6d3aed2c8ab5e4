//! Values with an asynchronous close.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;

use crate::BoxContext;
use crate::context::Checked;
use crate::coroutine::guaranteed::guaranteed;
use crate::coroutine::started_on_enter::{Start, StartedOnEnter, started_on_enter};
use crate::raw::Yielder;
use crate::report::{Origin, PrintDebug};

/// Something that is closed asynchronously, once, by value: see [`closing`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no asynchronous close",
    note = "implement `AsyncClose` for it, or use `from_fns(acquire, release)`"
)]
pub trait AsyncClose {
    /// What can go wrong.
    type Error;

    /// Closes it.
    ///
    /// # Errors
    ///
    /// It could not be closed properly.
    fn close(self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Lends a value, and closes it in the end, however its use ended.
///
/// A guaranteed context: it is closed also when its user is cancelled. Python: `aclosing`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{AsyncClose, async_with, closing};
///
/// struct Connection;
///
/// impl AsyncClose for Connection {
///     type Error = std::io::Error;
///
///     async fn close(self) -> std::io::Result<()> {
///         println!("goodbye");
///         Ok(())
///     }
/// }
///
/// async_with!(connection = closing(Connection)?, {
///     let _: &mut Connection = connection;
/// });
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The error of [`AsyncClose::close`].
///
/// # Panics
///
/// A panic of [`AsyncClose::close`] goes on in whoever polls.
///
/// # Cancellation
///
/// As for a context that a function with [`#[async_context]`](crate::async_context) returns. If the context was not entered, the
/// value is dropped, and not closed.
#[track_caller]
pub fn closing<T, E>(value: T) -> Checked<Closing<T>, E>
where
    T: AsyncClose<Error = E>,
{
    Closing(StartedOnEnter::new(Value(value)))
}

/// The context of [`closing`].
#[must_use = "a context does nothing until it is used: `async_with!(value = closing(value)?, { … })`"]
pub struct Closing<T>(StartedOnEnter<Value<T>, T>);

started_on_enter! {
    impl<T> AsyncContext<()> for Closing<T>
    where { T: AsyncClose<Error: fmt::Debug> + Send + 'static }
    T, T::Error
}

struct Value<T>(T);

impl<T> Start<(), T> for Value<T>
where
    T: AsyncClose<Error: fmt::Debug> + Send + 'static,
{
    type Resource = T;
    type Error = T::Error;

    fn start(self, origin: Origin<T, PrintDebug>) -> BoxContext<'static, T, T::Error> {
        Box::pin(guaranteed(
            move |yielder: Yielder<T, (), T::Error>| async move {
                let Self(mut value) = self;
                let _ = yielder.token().lend(&yielder, &mut value).await;
                value.close().await
            },
            origin,
        ))
    }
}
