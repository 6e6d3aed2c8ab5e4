//! Work that belongs to no use.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::nest::{CURRENT, Doing};
use super::settled::FutureItself;

pin_project_lite::pin_project! {
    /// The future of [`detached`].
    #[must_use = "nothing runs unless this is awaited: `detached(future).await`"]
    pub struct Detached<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Detached<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut future = this.project().future;
            if future.is_some() {
                apart(|| future.set(None));
            }
        }
    }
}

/// Awaits `future` as if no use were around it: no exit waits for the clean-ups of what is dropped in it.
///
/// The exit of a use waits for the clean-ups of everything that was dropped unfinished in its block. Work that is
/// polled there but is to outlive the block, such as a future that is kept across a loop of `select!`, is wrapped
/// in this. Its clean-ups go on in the background all the same, and [`drain`](crate::drain) waits for them.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::{AsyncContext, async_context, detached, drain, pending_cleanups, yield_resource};
/// use std::future::pending;
/// use std::time::Duration;
/// use tokio::time::{sleep, timeout};
///
/// #[async_context]
/// async fn slow() {
///     yield_resource!();
///     sleep(Duration::from_secs(5)).await;
/// }
/// #[async_context]
/// async fn quick() {
///     yield_resource!();
/// }
///
/// quick()
///     .run(async |()| {
///         let job = slow().run(async |()| pending::<()>().await);
///         let _ = detached(timeout(Duration::from_secs(1), job)).await;
///     })
///     .await;
/// assert_eq!(pending_cleanups().len(), 1); // the exit of `quick` has not waited for it
/// drain().await;
/// # }
/// ```
///
/// # Cancellation
///
/// Dropping the future drops `future`. The clean-ups that this hands off belong to no use either.
pub fn detached<F>(future: F) -> Detached<F>
where
    F: FutureItself,
{
    Detached {
        future: Some(future),
    }
}

/// Runs `action` as if no use were around it.
fn apart<T>(action: impl FnOnce() -> T) -> T {
    CURRENT.with(|current| current.apart(&Doing::Detached, action))
}

impl<F: Future> Future for Detached<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a future was polled after its end");
        };
        let polled = apart(|| future.poll(cx));
        if polled.is_ready() {
            apart(|| this.future.set(None));
        }
        polled
    }
}

impl<F> fmt::Debug for Detached<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").finish_non_exhaustive()
    }
}
