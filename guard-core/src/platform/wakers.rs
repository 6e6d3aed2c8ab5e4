//! The wakers of those who wait for one thing.

use core::mem;
use core::task::Waker;
use std::vec::Vec;

use super::panics::contained;

/// Each waiter has a number of its own, and at most one waker.
///
/// Waking or dropping a waker runs code of the executor, and so must not happen under a lock. So every method gives the
/// wakers back that are not needed any more, and [`wake`](Self::wake) needs a list that was [taken](Self::take) out.
pub(crate) struct Wakers<N>(Vec<(N, Waker)>);

impl<N> Wakers<N> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }
}

impl<N> Default for Wakers<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Copy + Eq> Wakers<N> {
    /// Keeps the waker of a waiter. Returns the waker that it replaces, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn set(&mut self, waiter: N, waker: Waker) -> Option<Waker> {
        let slot = self.0.iter_mut().find(|(other, _)| *other == waiter);
        if let Some((_, old)) = slot {
            return Some(mem::replace(old, waker));
        }
        self.0.push((waiter, waker));
        None
    }

    /// Forgets a waiter. Returns its waker, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn remove(&mut self, waiter: N) -> Option<Waker> {
        let position = self.0.iter().position(|(other, _)| *other == waiter)?;
        Some(self.0.swap_remove(position).1)
    }

    /// Takes all wakers out, to be woken outside the lock. A waiter that is to be woken again has to set its waker again.
    #[must_use]
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// Wakes all. The panic of one does not keep the others from being woken.
    pub(crate) fn wake(self) {
        for (_, waker) in self.0 {
            contained(|| waker.wake());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wakers;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::task::Waker;
    use std::boxed::Box;
    use std::sync::Arc;
    use std::task::Wake;

    /// Counts how often it is woken, and panics if it is to.
    struct Counting {
        count: AtomicUsize,
        panics: bool,
    }

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.count.fetch_add(1, Ordering::Relaxed);
            if self.panics {
                // Without the panic hook, which would print it.
                std::panic::resume_unwind(Box::new(()));
            }
        }
    }

    impl Counting {
        fn new(panics: bool) -> Arc<Self> {
            Arc::new(Self {
                count: AtomicUsize::new(0),
                panics,
            })
        }

        fn waker(self: &Arc<Self>) -> Waker {
            Waker::from(self.clone())
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_the_others_asleep() {
        let all = [false, true, false].map(Counting::new);
        let mut wakers = Wakers::new();
        for (waiter, waker) in all.iter().enumerate() {
            assert!(wakers.set(waiter, waker.waker()).is_none());
        }
        wakers.take().wake();
        assert_eq!(all.each_ref().map(|waker| waker.count()), [1; 3]);
        // They were taken out.
        wakers.wake();
        assert_eq!(all.each_ref().map(|waker| waker.count()), [1; 3]);
    }

    #[test]
    fn a_waiter_has_the_waker_that_was_set_last() {
        let [first, second] = [false; 2].map(Counting::new);
        let mut wakers = Wakers::new();
        assert!(wakers.set(7, first.waker()).is_none());
        let replaced = wakers.set(7, second.waker());
        assert!(replaced.is_some_and(|waker| waker.will_wake(&first.waker())));
        wakers.wake();
        assert_eq!((first.count(), second.count()), (0, 1));
    }

    #[test]
    fn a_waiter_that_is_removed_is_not_woken() {
        let [gone, left] = [false; 2].map(Counting::new);
        let mut wakers = Wakers::new();
        let _ = wakers.set(1, gone.waker());
        let _ = wakers.set(2, left.waker());
        let removed = wakers.remove(1);
        assert!(removed.is_some_and(|waker| waker.will_wake(&gone.waker())));
        assert!(wakers.remove(1).is_none());
        wakers.wake();
        assert_eq!((gone.count(), left.count()), (0, 1));
    }
}
