//! The context `deadline`: a time for the block.

use core::fmt;
use core::time::Duration;

use crate::AsyncContext;
use crate::macro_support::guaranteed;
use crate::raw::Yielder;
use crate::report::PrintDebug;

/// Ends its block when `after` has passed since it was entered.
///
/// The block is dropped where it waits. Contexts that stand behind the deadline in the same call exit in place, told
/// [`Cancelled`](crate::Outcome::Cancelled), before the error leaves: a transaction is rolled back by then. If one of
/// them is being entered, it is dropped, so its set-up is limited too. Uses deeper
/// in the block are dropped, and the exit waits for their clean-ups. Exits are not limited:
/// [`exit_timeout`](AsyncContext::exit_timeout) does that.
///
/// A guard of it limits what runs in [`Guard::drive`](crate::Guard::drive), and nothing else.
///
/// Python: `async with asyncio.timeout(after)`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::{async_context, async_with, deadline, yield_resource};
/// use std::{io, time::Duration};
///
/// #[async_context]
/// async fn transaction() -> io::Result<Vec<u32>> {
///     let mut rows = Vec::new();
///     let outcome = yield_resource!(rows);
///     assert!(outcome.is_cancelled());
///     Ok(())
/// }
///
/// async fn import() -> io::Result<()> {
///     async_with!(_limit = deadline(Duration::from_secs(5))?, rows = transaction()?, {
///         rows.push(1);
///         std::future::pending::<()>().await; // the server does not answer
///     });
///     Ok(())
/// }
///
/// let error = import().await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// assert_eq!(error.to_string(), "the deadline of 5s has passed");
/// # }
/// ```
///
/// # Errors
///
/// [`Elapsed`], if the block had not ended by then.
///
/// # Panics
///
/// Outside a tokio runtime, and in one that was built without timers (`enable_time`), if the block has to wait.
///
/// # Cancellation
///
/// There is nothing to clean up.
#[track_caller]
pub fn deadline(
    after: Duration,
) -> impl AsyncContext<Resource = (), Error = Elapsed> + Send + 'static {
    guaranteed(
        move |yielder: Yielder<(), (), Elapsed>| async move {
            let end = tokio::time::Instant::now().checked_add(after);
            let limit = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    // It is further away than time can be told.
                    None => core::future::pending().await,
                }
                Err(Elapsed { after })
            };
            let mut nothing = ();
            let lent = yielder.token().lend_beside(&yielder, limit, &mut nothing);
            let _ = lent.await;
            Ok(())
        },
        PrintDebug,
    )
}

/// The error of a block that a [`deadline`](crate::deadline) has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    after: Duration,
}

impl Elapsed {
    /// How much time the block had.
    #[must_use]
    pub fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the deadline of {:?} has passed", self.after)
    }
}

impl core::error::Error for Elapsed {}

/// [`TimedOut`](std::io::ErrorKind::TimedOut)
impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}
