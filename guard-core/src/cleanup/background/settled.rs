//! Waiting for what was dropped inside a future.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;
use std::vec::Vec;

use super::dropping::drop_block;
use super::failures::Failures;
use super::nest::{CURRENT, Doing, Nest, listener};
use crate::cleanup::Runtime;
use crate::is_err::is_err;
use crate::report::{Identity, OwnedReport, ReportSource};

pin_project_lite::pin_project! {
    /// The future of [`settled`].
    #[must_use = "nothing runs unless this is awaited: `settled(future).await`"]
    pub struct Settled<F>
    where
        F: Future,
    {
        #[pin]
        future: Option<F>,
        output: Option<F::Output>,
        // What this is, for the report of an output that is lost.
        identity: Identity,
        // Dropped last. Its entries then go to the enclosing use.
        nest: Nest,
    }

    impl<F> PinnedDrop for Settled<F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                drop_block(this.nest, &mut || this.future.set(None));
            }
            if let Some(output) = this.output.take() {
                if is_err(&output) {
                    ReportSource::of(*this.identity).lose_body(output);
                }
            }
        }
    }
}

/// What [`settled`] and others await: every future. A type that is only there for a future, as `Checked`, is not for them: the
/// output may not be known yet.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this takes a future: write `async {{ … }}`, without the `||` of a closure",
    label = "no future"
)]
pub trait FutureItself: Future {}

#[diagnostic::do_not_recommend]
impl<F: Future> FutureItself for F {}

/// Awaits `future`, and then all clean-ups of what was dropped unfinished while it ran, set-ups included.
///
/// In Rust a future that is dropped is gone, while the clean-ups of the contexts in it may go on in the
/// background. Around a timeout this waits for them: `settled(timeout(limit, query)).await` cancels and waits, as
/// Python's `asyncio.timeout` does. To bound the wait too: `timeout(more, settled(…))`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::{AsyncContext, async_context, settled, yield_resource};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
/// use std::time::Duration;
/// use tokio::time::{sleep, timeout};
///
/// #[async_context]
/// async fn savepoint(rolled_back: Arc<AtomicBool>) {
///     yield_resource!();
///     sleep(Duration::from_millis(1)).await;
///     rolled_back.store(true, Relaxed);
/// }
///
/// let rolled_back = Arc::new(AtomicBool::new(false));
/// let query = savepoint(rolled_back.clone()).run(async |()| std::future::pending::<()>().await);
/// assert!(settled(timeout(Duration::from_secs(1), query)).await.is_err());
/// assert!(rolled_back.load(Relaxed));
/// # }
/// ```
///
/// It waits for the clean-ups that go on in the runtime in which it is polled, those of `local` contexts on its thread
/// included, without a limit. What failed is [reported](crate::set_reporter), and [`try_settled`] returns it.
///
/// # Cancellation
///
/// Dropped while it waits, it leaves what is not done to the use that encloses it, whose exit waits for it. If `future` has
/// ended with an `Err` by then, that has no caller any more, and is [reported](crate::set_reporter), as that of a block is.
#[track_caller]
pub fn settled<F>(future: F) -> Settled<F>
where
    F: FutureItself,
{
    Settled::new(future, Identity::named(|| "guard_core::settled"))
}

impl<F: Future> Settled<F> {
    fn new(future: F, identity: Identity) -> Self {
        Self {
            future: Some(future),
            output: None,
            identity,
            nest: Nest::new(),
        }
    }
}

impl<F: Future> Future for Settled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(future) = this.future.as_mut().as_pin_mut() {
            *this.output = Some(ready!(this.nest.during(|| future.poll(cx))));
            this.nest.during(|| this.future.set(None));
        }
        ready!(
            this.nest
                .poll_all_ended(Runtime::current().id_on_this_thread(), cx)
        );
        match this.output.take() {
            Some(output) => Poll::Ready(output),
            None => panic!("a future was polled after its end"),
        }
    }
}

impl<F: Future> fmt::Debug for Settled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`try_settled`].
    #[must_use = "nothing runs unless this is awaited: `try_settled(future).await`"]
    pub struct TrySettled<F>
    where
        F: Future,
    {
        #[pin]
        settled: Settled<F>,
        // From its first poll.
        failures: Option<Arc<Failures>>,
    }

    impl<F> PinnedDrop for TrySettled<F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            if let Some(failures) = this.project().failures {
                failures.pass_on();
            }
        }
    }
}

/// [`settled`] that fails if a clean-up did, so that an outer transaction need not commit after a rollback in it
/// went wrong.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::{AsyncContext, async_context, try_settled, yield_resource};
/// use std::time::Duration;
/// use tokio::time::timeout;
///
/// #[async_context]
/// async fn savepoint() -> Result<(), String> {
///     yield_resource!();
///     Err("the connection is gone".into())
/// }
///
/// # guard_core::set_reporter(|_| {});
/// let query = savepoint().with(async |()| Ok::<_, String>(std::future::pending::<()>().await));
/// let unsettled = try_settled(timeout(Duration::from_secs(1), query)).await.unwrap_err();
/// assert!(unsettled.output.is_err());
/// assert_eq!(unsettled.failures[0].error(), Some("the connection is gone"));
/// # }
/// ```
///
/// # Errors
///
/// What clean-ups that it waited for reported. They are [reported](crate::set_reporter) too.
///
/// # Cancellation
///
/// As for [`settled`]. What clean-ups report then, or have reported, goes to the `try_settled` around it, if there is one.
#[track_caller]
pub fn try_settled<F>(future: F) -> TrySettled<F>
where
    F: FutureItself,
{
    TrySettled {
        settled: Settled::new(future, Identity::named(|| "guard_core::try_settled")),
        failures: None,
    }
}

impl<F: Future> Future for TrySettled<F> {
    type Output = Result<F::Output, Unsettled<F::Output>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let failures = this
            .failures
            .get_or_insert_with(|| Failures::inside(listener()));
        let doing = Doing::Listening(failures.clone());
        let output = CURRENT.with(|current| current.framed(&doing, || this.settled.poll(cx)));
        let output = ready!(output);
        let failures = failures.take();
        Poll::Ready(if failures.is_empty() {
            Ok(output)
        } else {
            Err(Unsettled { output, failures })
        })
    }
}

impl<F: Future> fmt::Debug for TrySettled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySettled").finish_non_exhaustive()
    }
}

/// Not all clean-ups inside a future ended well: what [`try_settled`] returns.
#[derive(Clone, Debug)]
pub struct Unsettled<T> {
    /// What the future resulted in.
    pub output: T,
    /// What the clean-ups reported, in the order in which that happened. At least one.
    pub failures: Vec<OwnedReport>,
}

impl<T> fmt::Display for Unsettled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.failures.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{failure}")?;
        }
        Ok(())
    }
}

impl<T: fmt::Debug> core::error::Error for Unsettled<T> {}
