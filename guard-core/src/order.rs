//! Keeping clean-ups in order while nested uses are dropped.
//!
//! A future that is dropped takes all its nested uses with it, from the inside out, in one go. An inner
//! clean-up that cannot be finished on the spot must still come before the outer ones. So while a use is
//! being dropped, what is handed off is collected: first what its body leaves to do, which goes on together,
//! for there it may have been concurrent; then what its context does, which waits for that. The use that
//! encloses it, if it is being dropped too, takes over the whole; else it goes to the background.
//!
//! The collecting is per thread, between the first and the last destructor of one use; nothing is polled
//! in between but the clean-ups themselves.

//!
//! Without `std` there are no threads to tell apart, and nothing is collected: each clean-up goes to the
//! spawner by itself, in the order of dropping.

#[cfg(feature = "std")]
pub use collecting::Order;
#[cfg(feature = "std")]
pub(crate) use collecting::{collect, expire, expiry_is_reported, is_expiring, must_wait};

#[cfg(feature = "std")]
mod collecting {
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::cell::RefCell;
    use std::vec::Vec;

    use crate::background::{Chain, dispatch};

    enum Dropping {
        /// A use whose body and context are being dropped, and what they left to do.
        Use(Chain),
        /// A context whose time is up: what it leaves to do is not done. Whether that was reported.
        Expired(bool),
    }

    std::thread_local! {
        static DROPPING: RefCell<Vec<Dropping>> = const { RefCell::new(Vec::new()) };
    }

    fn innermost<T>(look: impl FnOnce(Option<&mut Dropping>) -> T) -> Option<T> {
        DROPPING
            .try_with(|dropping| look(dropping.borrow_mut().last_mut()))
            .ok()
    }

    /// Whether the context being dropped has run out of time, or one that it is part of.
    pub(crate) fn is_expiring() -> bool {
        let is_expired = |dropping: &Dropping| matches!(dropping, Dropping::Expired(_));
        DROPPING
            .try_with(|dropping| dropping.borrow().iter().any(is_expired))
            .unwrap_or(false)
    }

    /// Notes that what expires has been reported.
    pub(crate) fn expiry_is_reported() {
        let _ = DROPPING.try_with(|dropping| {
            for dropping in dropping.borrow_mut().iter_mut() {
                if let Dropping::Expired(reported) = dropping {
                    *reported = true;
                }
            }
        });
    }

    /// Whether an inner clean-up is still to be done, so that the next one has to wait.
    pub(crate) fn must_wait() -> bool {
        let is_waiting =
            |dropping: &Dropping| matches!(dropping, Dropping::Use(inner) if inner.has_advanced());
        DROPPING
            .try_with(|dropping| dropping.borrow().iter().any(is_waiting))
            .unwrap_or(false)
    }

    /// Gives the clean-ups to the use that is being dropped, or back.
    pub(crate) fn collect(chain: Chain) -> Option<Chain> {
        let mut chain = Some(chain);
        innermost(|dropping| {
            if let Some(Dropping::Use(inner)) = dropping {
                inner.add(chain.take().unwrap_or_default());
            }
        });
        chain
    }

    /// Drops what `drop_context` drops without going on with its clean-up, and returns whether someone
    /// reported that.
    pub(crate) fn expire(drop_context: impl FnOnce()) -> bool {
        let begun = DROPPING
            .try_with(|dropping| dropping.borrow_mut().push(Dropping::Expired(false)))
            .is_ok();
        // A panicking destructor must not leave the thread in this state.
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(drop_context));
        let ended = DROPPING.try_with(|dropping| {
            begun
                .then(|| dropping.borrow_mut().pop())
                .is_some_and(|ended| matches!(ended, Some(Dropping::Expired(true))))
        });
        if let Err(panic) = dropped {
            std::panic::resume_unwind(panic);
        }
        ended.unwrap_or(false)
    }

    /// Collects what is handed off from `begin` until this is dropped.
    ///
    /// Declared before the context of a use, so that it is dropped after it; the use's body calls `begin`
    /// when it is dropped unfinished.
    #[derive(Default)]
    pub struct Order {
        collecting: AtomicBool,
    }

    impl Order {
        /// Nothing is collected yet.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                collecting: AtomicBool::new(false),
            }
        }

        pub(crate) fn begin(&self) {
            let begun = DROPPING
                .try_with(|dropping| dropping.borrow_mut().push(Dropping::Use(Chain::default())));
            self.collecting.store(begun.is_ok(), Ordering::Relaxed);
        }

        /// What is handed off from now on waits for what has been.
        pub(crate) fn advance(&self) {
            if self.collecting.load(Ordering::Relaxed) {
                innermost(|dropping| {
                    if let Some(Dropping::Use(inner)) = dropping {
                        inner.advance();
                    }
                });
            }
        }

        /// [`begin`](Self::begin), and [`advance`](Self::advance) when what this returns is dropped:
        /// around the dropping of a body.
        pub(crate) fn begin_with_body(&self) -> impl Drop {
            struct Advance<'a>(&'a Order);
            impl Drop for Advance<'_> {
                fn drop(&mut self) {
                    self.0.advance();
                }
            }

            self.begin();
            Advance(self)
        }

        /// Ends the collecting and returns what was collected.
        pub(crate) fn end(&self) -> Chain {
            if self.collecting.swap(false, Ordering::Relaxed) {
                let innermost = DROPPING.try_with(|dropping| dropping.borrow_mut().pop());
                if let Ok(Some(Dropping::Use(chain))) = innermost {
                    return chain;
                }
            }
            Chain::default()
        }
    }

    impl Drop for Order {
        fn drop(&mut self) {
            if *self.collecting.get_mut() {
                let chain = self.end();
                if !chain.is_empty() {
                    dispatch(chain);
                }
            }
        }
    }
}

#[cfg(not(feature = "std"))]
pub use unordered::Order;
#[cfg(all(feature = "alloc", not(feature = "std")))]
pub(crate) use unordered::{collect, is_expiring, must_wait};

#[cfg(not(feature = "std"))]
mod unordered {
    #[cfg(feature = "alloc")]
    use crate::background::Chain;

    /// Nothing is collected.
    #[derive(Default)]
    pub struct Order(());

    impl Order {
        /// Nothing is collected yet.
        #[must_use]
        pub const fn new() -> Self {
            Self(())
        }

        #[cfg(feature = "alloc")]
        #[allow(clippy::unused_self, reason = "as with `std`")]
        pub(crate) fn begin(&self) {}

        #[cfg(feature = "alloc")]
        #[allow(clippy::unused_self, reason = "as with `std`")]
        pub(crate) fn advance(&self) {}

        #[allow(clippy::unused_self, reason = "as with `std`")]
        pub(crate) fn begin_with_body(&self) -> impl Sized {
            Order::new()
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn is_expiring() -> bool {
        false
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn must_wait() -> bool {
        false
    }

    #[cfg(feature = "alloc")]
    #[allow(clippy::unnecessary_wraps, reason = "as with `std`")]
    pub(crate) fn collect(chain: Chain) -> Option<Chain> {
        Some(chain)
    }
}
