//! Counting the clean-ups in the background, and waiting until there are none.

#[cfg(feature = "std")]
mod tally {
    use crate::sync::{AtomicUsize, Mutex, Ordering, lock};
    use core::task::{Context, Poll, Waker};
    use std::vec::Vec;

    /// A count that can be awaited to be zero.
    pub(crate) struct Tally {
        count: AtomicUsize,
        waiting: Mutex<Vec<Waker>>,
    }

    impl Tally {
        #[cfg(not(loom))]
        pub(crate) const fn new() -> Self {
            Self {
                count: AtomicUsize::new(0),
                waiting: Mutex::new(Vec::new()),
            }
        }

        #[cfg(loom)]
        pub(crate) fn new() -> Self {
            Self {
                count: AtomicUsize::new(0),
                waiting: Mutex::new(Vec::new()),
            }
        }

        pub(crate) fn count(&self) -> usize {
            self.count.load(Ordering::SeqCst)
        }

        pub(crate) fn add(&self) {
            self.count.fetch_add(1, Ordering::SeqCst);
        }

        pub(crate) fn remove(&self) {
            if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
                let waiting = core::mem::take(&mut *lock(&self.waiting));
                waiting.into_iter().for_each(Waker::wake);
            }
        }

        pub(crate) fn poll_zero(&self, cx: &mut Context<'_>) -> Poll<()> {
            if self.count() == 0 {
                return Poll::Ready(());
            }
            // The waker first: whoever reaches zero after this looks for it, and whoever did before is
            // seen by the count.
            {
                let mut waiting = lock(&self.waiting);
                if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
            }
            if self.count() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }
    }
}

#[cfg(feature = "std")]
pub(crate) use tally::Tally;

#[cfg(feature = "std")]
mod global {
    use super::Tally;
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Poll};

    #[cfg(not(loom))]
    static TALLY: Tally = Tally::new();
    #[cfg(loom)]
    loom::lazy_static! {
        static ref TALLY: Tally = Tally::new();
    }

    /// One clean-up in the background, counted until it is dropped.
    pub(crate) struct Ticket(());

    impl Ticket {
        pub(crate) fn new() -> Self {
            TALLY.add();
            Self(())
        }
    }

    impl Drop for Ticket {
        fn drop(&mut self) {
            TALLY.remove();
        }
    }

    /// How many clean-ups are in the background now, in the whole process.
    pub fn pending_cleanups() -> usize {
        TALLY.count()
    }

    /// Waits until no clean-up is in the background, those included that start while it waits.
    ///
    /// Await it before the runtime ends: as the last line of `main`, or of a test. A runtime that is
    /// dropped drops its tasks, and clean-ups among them are [reported](crate::set_reporter) as
    /// abandoned. It counts the whole process, so it also waits for other runtimes.
    ///
    /// ```
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() {
    ///     // …
    ///     guard_core::drain().await;
    ///     assert_eq!(guard_core::pending_cleanups(), 0);
    /// }
    /// ```
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops the waiting, not the clean-ups; bound it with a timeout if one of
    /// them might hang.
    pub fn drain() -> Drain {
        Drain(())
    }

    /// The future of [`drain`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Drain(());

    impl Future for Drain {
        type Output = ();

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            TALLY.poll_zero(cx)
        }
    }
}

#[cfg(feature = "std")]
pub use global::{Drain, drain, pending_cleanups};

#[cfg(feature = "std")]
pub(crate) use global::Ticket;

/// Without `std` nothing is counted: there is no process to end.
#[cfg(not(feature = "std"))]
pub(crate) struct Ticket;

#[cfg(not(feature = "std"))]
impl Ticket {
    pub(crate) fn new() -> Self {
        Self
    }
}
