//! Finishing the clean-up of contexts whose user is gone.
//!
//! A guaranteed context that is dropped half-way arrives here as a [`Unfinished`]: the same coroutine, to
//! be driven to its end with the outcome `Cancelled`. It is polled once where it stands; if that is not
//! enough it goes to the runtime in which it was entered, or to what [`set_spawner`] installed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::order;
use crate::pending::Ticket;
use crate::runtime::Runtime;

/// A clean-up that can go on by itself. Dropping one that is not finished reports it as abandoned.
pub(crate) trait Unfinished: Send {
    /// Never panics: a panic of the clean-up is reported.
    fn poll_cleanup(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
}

/// What a [spawner](set_spawner) is given: run it to its end.
pub type Cleanup = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Clean-ups in groups: those of a group go on together, and each group waits for the one before.
#[derive(Default)]
pub(crate) struct Chain(VecDeque<Vec<Member>>);

enum Member {
    Single(Item),
    /// What an inner use left to do.
    #[cfg(feature = "std")]
    Chain(Chain),
}

struct Item {
    // Dropped first, so that whoever waits for the ticket finds the report sent.
    cleanup: Pin<Box<dyn Unfinished>>,
    runtime: Runtime,
    _ticket: Option<Ticket>,
}

impl Chain {
    /// One clean-up.
    pub(crate) fn single(cleanup: Pin<Box<dyn Unfinished>>, runtime: Runtime) -> Self {
        Self::of(Item {
            cleanup,
            runtime,
            _ticket: Some(Ticket::new()),
        })
    }

    /// A clean-up that is made of others, which are counted themselves.
    #[cfg(feature = "std")]
    pub(crate) fn compound(cleanup: Pin<Box<dyn Unfinished>>, runtime: Runtime) -> Self {
        Self::of(Item {
            cleanup,
            runtime,
            _ticket: None,
        })
    }

    fn of(item: Item) -> Self {
        Self(VecDeque::from([Vec::from([Member::Single(item)])]))
    }

    #[cfg(feature = "std")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// Adds to the last group.
    #[cfg(feature = "std")]
    pub(crate) fn add(&mut self, chain: Chain) {
        if self.0.is_empty() {
            self.0.push_back(Vec::new());
        }
        if let Some(last) = self.0.back_mut() {
            last.push(Member::Chain(chain));
        }
    }

    /// Begins a new group, which waits for what there is.
    #[cfg(feature = "std")]
    pub(crate) fn advance(&mut self) {
        if self.0.back().is_some_and(|last| !last.is_empty()) {
            self.0.push_back(Vec::new());
        }
    }

    /// Whether what is added now has to wait.
    #[cfg(feature = "std")]
    pub(crate) fn has_advanced(&self) -> bool {
        self.0.len() > 1
    }

    /// The runtime to go on in: that of the first clean-up that has one.
    pub(crate) fn runtime(&self) -> Runtime {
        let members = self.0.iter().flatten();
        let mut runtimes = members.map(|member| match member {
            Member::Single(item) => item.runtime.clone(),
            #[cfg(feature = "std")]
            Member::Chain(chain) => chain.runtime(),
        });
        let runtime = runtimes.find(Runtime::is_some);
        runtime.unwrap_or_else(Runtime::none)
    }
}

impl Member {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Single(Item {
                cleanup, runtime, ..
            }) => runtime.inside(|| cleanup.as_mut().poll_cleanup(cx)),
            #[cfg(feature = "std")]
            Self::Chain(chain) => Pin::new(chain).poll(cx),
        }
    }
}

impl Future for Chain {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(group) = self.0.front_mut() {
            group.retain_mut(|member| member.poll(cx).is_pending());
            if !group.is_empty() {
                return Poll::Pending;
            }
            self.0.pop_front();
        }
        Poll::Ready(())
    }
}

/// Takes over a clean-up from a destructor: finishes it here if one poll is enough, else later.
pub(crate) fn hand_off(mut cleanup: Pin<Box<dyn Unfinished>>, runtime: Runtime) {
    contained(move || {
        if order::is_expiring() {
            return drop(cleanup);
        }
        if !order::must_wait() && runtime.is_reachable() {
            let mut cx = Context::from_waker(Waker::noop());
            if runtime
                .inside(|| cleanup.as_mut().poll_cleanup(&mut cx))
                .is_ready()
            {
                return;
            }
        }
        dispatch(Chain::single(cleanup, runtime));
    });
}

/// Gives clean-ups to whoever collects them, else to the background.
pub(crate) fn dispatch(chain: Chain) {
    if let Some(chain) = order::collect(chain) {
        contained(move || {
            if let Some(chain) = chain.runtime().spawn(chain) {
                spawner::spawn(chain);
            }
        });
    }
}

/// Nothing panics in `Drop`, whatever a runtime, a spawner or the last poll does there.
#[cfg(feature = "std")]
fn contained(action: impl FnOnce()) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
}

#[cfg(not(feature = "std"))]
fn contained(action: impl FnOnce()) {
    action();
}

#[cfg(feature = "std")]
mod spawner {
    use super::{Box, Chain, Cleanup};
    use crate::sync::Installed;
    use std::sync::Arc;

    type Spawner = dyn Fn(Cleanup) + Send + Sync;

    #[cfg(not(guard_loom))]
    static SPAWNER: Installed<Spawner> = Installed::nothing();
    #[cfg(guard_loom)]
    loom::lazy_static! {
        static ref SPAWNER: Installed<Spawner> = Installed::nothing();
    }

    /// Says how to go on with clean-ups whose context was not entered inside a tokio runtime, or
    /// without the feature `tokio`.
    ///
    /// The last spawner that was set counts, for the whole process. It is called from destructors, so it
    /// must not block; if it panics, or drops the task, the clean-ups in it are
    /// [reported](crate::set_reporter) as abandoned.
    ///
    /// ```
    /// guard_core::set_spawner(|task| {
    ///     std::thread::spawn(|| futures::executor::block_on(task));
    /// });
    /// ```
    pub fn set_spawner(spawner: impl Fn(Cleanup) + Send + Sync + 'static) {
        SPAWNER.set(Arc::new(spawner));
    }

    pub(super) fn spawn(chain: Chain) {
        if let Some(spawner) = SPAWNER.get() {
            spawner(Box::pin(chain));
        }
    }
}

#[cfg(not(feature = "std"))]
mod spawner {
    use super::{Box, Chain, Cleanup};
    use crate::raw::FnCell;

    static SPAWNER: FnCell<fn(Cleanup)> = FnCell::new();

    /// Says how to go on with the clean-up of contexts that were dropped.
    ///
    /// The last spawner that was set counts, for the whole program.
    pub fn set_spawner(spawner: fn(Cleanup)) {
        SPAWNER.set(spawner);
    }

    pub(super) fn spawn(chain: Chain) {
        if let Some(spawner) = SPAWNER.get() {
            spawner(Box::pin(chain));
        }
    }
}

pub use spawner::set_spawner;
