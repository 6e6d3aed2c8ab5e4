//! Values with an asynchronous close.

use core::fmt;
use core::future::Future;

use crate::AsyncContext;
use crate::coroutine::guaranteed::guaranteed;
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
#[track_caller]
pub fn closing<T>(value: T) -> impl AsyncContext<Resource = T, Error = T::Error> + Send + 'static
where
    T: AsyncClose<Error: fmt::Debug> + Send + 'static,
{
    guaranteed(
        move |yielder: Yielder<T, (), T::Error>| async move {
            let mut value = value;
            let _ = yielder.token().lend(&yielder, &mut value).await;
            value.close().await
        },
        Origin::<T, _>::here(PrintDebug),
    )
}
