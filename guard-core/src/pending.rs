//! Counting the clean-ups in the background, and waiting until there are none.

#[cfg(feature = "std")]
mod tally {
    use crate::sync::{AtomicUsize, Mutex, Ordering, lock};
    use core::task::{Context, Poll, Waker};
    use std::vec::Vec;

    /// A count that can be awaited to be zero.
    pub(crate) struct Tally {
        count: AtomicUsize,
        waiting: Mutex<Waiting>,
    }

    /// Those who wait, each with the number it was given.
    struct Waiting {
        next: u64,
        wakers: Vec<(u64, Waker)>,
    }

    /// Someone who waits for a [`Tally`]. To be [forgotten](Tally::forget) in the end.
    #[derive(Debug, Default)]
    pub(crate) struct Waiter(Option<u64>);

    impl Tally {
        #[cfg(not(guard_loom))]
        pub(crate) const fn new() -> Self {
            Self {
                count: AtomicUsize::new(0),
                waiting: Mutex::new(Waiting {
                    next: 0,
                    wakers: Vec::new(),
                }),
            }
        }

        #[cfg(guard_loom)]
        pub(crate) fn new() -> Self {
            Self {
                count: AtomicUsize::new(0),
                waiting: Mutex::new(Waiting {
                    next: 0,
                    wakers: Vec::new(),
                }),
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
                let woken = core::mem::take(&mut lock(&self.waiting).wakers);
                for (_, waker) in woken {
                    waker.wake();
                }
            }
        }

        pub(crate) fn poll_zero(&self, waiter: &mut Waiter, cx: &mut Context<'_>) -> Poll<()> {
            if self.count() == 0 {
                return Poll::Ready(());
            }
            // The waker first: whoever reaches zero after this looks for it, and whoever did before is
            // seen by the count.
            let replaced = {
                let mut waiting = lock(&self.waiting);
                let Waiting { next, wakers } = &mut *waiting;
                let number = *waiter.0.get_or_insert_with(|| {
                    *next += 1;
                    *next
                });
                let waker = cx.waker().clone();
                match wakers.iter_mut().find(|(other, _)| *other == number) {
                    Some((_, old)) => Some(core::mem::replace(old, waker)),
                    None => {
                        wakers.push((number, waker));
                        None
                    }
                }
            };
            drop(replaced);
            if self.count() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }

        /// Keeps nothing of someone who waits no more.
        pub(crate) fn forget(&self, waiter: &Waiter) {
            if let Some(number) = waiter.0 {
                let forgotten = {
                    let wakers = &mut lock(&self.waiting).wakers;
                    let at = wakers.iter().position(|(other, _)| *other == number);
                    at.map(|at| wakers.swap_remove(at))
                };
                drop(forgotten);
            }
        }

        #[cfg(all(test, guard_loom))]
        pub(crate) fn waiting(&self) -> usize {
            lock(&self.waiting).wakers.len()
        }
    }
}

#[cfg(feature = "std")]
pub(crate) use tally::{Tally, Waiter};

#[cfg(feature = "std")]
mod global {
    use super::{Tally, Waiter};
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Poll};

    #[cfg(not(guard_loom))]
    static TALLY: Tally = Tally::new();
    #[cfg(guard_loom)]
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
    /// Await it before the runtime ends, when everything that uses contexts has ended or been dropped:
    /// guards in local variables, and tasks that still run, have nothing in the background yet. So let
    /// `main` only call what does the work, and drain on every way out of it:
    ///
    /// ```
    /// # async fn run() -> std::io::Result<()> { Ok(()) }
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> std::io::Result<()> {
    ///     let result = run().await;
    ///     guard_core::drain().await;
    ///     result
    /// }
    /// ```
    ///
    /// A runtime that is dropped drops its tasks, and clean-ups among them are
    /// [reported](crate::set_reporter) as abandoned. It counts the whole process, so it also waits for other
    /// runtimes.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops the waiting, not the clean-ups; bound it with a timeout if one of
    /// them might hang.
    pub fn drain() -> Drain {
        Drain(Waiter::default())
    }

    /// The future of [`drain`].
    #[derive(Debug)]
    #[must_use = "nothing is waited for unless this is awaited: `drain().await`"]
    pub struct Drain(Waiter);

    impl Future for Drain {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            TALLY.poll_zero(&mut self.0, cx)
        }
    }

    impl Drop for Drain {
        fn drop(&mut self) {
            TALLY.forget(&self.0);
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
