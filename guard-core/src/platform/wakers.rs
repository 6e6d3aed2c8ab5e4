//! The wakers of those who wait for one thing.

use core::mem;
use core::task::Waker;
use std::vec::Vec;

use super::panics::contained;

/// Each waiter has a number of its own, and at most one waker. They are kept in the order of the numbers, so that a waiter is
/// found quickly among many.
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

impl<N: Copy + Ord> Wakers<N> {
    /// Keeps the waker of a waiter. Returns the waker that it replaces, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn set(&mut self, waiter: N, waker: Waker) -> Option<Waker> {
        match self.find(waiter) {
            Ok(position) => Some(mem::replace(&mut self.0[position].1, waker)),
            Err(position) => {
                self.0.insert(position, (waiter, waker));
                None
            }
        }
    }

    /// Forgets a waiter. Returns its waker, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn remove(&mut self, waiter: N) -> Option<Waker> {
        let position = self.find(waiter).ok()?;
        Some(self.0.remove(position).1)
    }

    /// Where the waiter is, or where it is to be added.
    fn find(&self, waiter: N) -> Result<usize, usize> {
        self.0.binary_search_by_key(&waiter, |(other, _)| *other)
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
    fn waiters_are_told_apart_in_whatever_order_they_come() {
        let all = [false; 5].map(Counting::new);
        let mut wakers = Wakers::new();
        for waiter in [3, 0, 4, 1, 2] {
            assert!(wakers.set(waiter, all[waiter].waker()).is_none());
        }
        for (waiter, one) in all.iter().enumerate() {
            let removed = wakers.remove(waiter);
            assert!(removed.is_some_and(|waker| waker.will_wake(&one.waker())));
        }
        assert!(wakers.remove(0).is_none());
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
