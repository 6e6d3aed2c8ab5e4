//! Finishing the clean-up of contexts whose user is gone.
//!
//! A guaranteed context that is dropped half-way arrives here as a [`Cleanup`]: the same coroutine, to
//! be driven to its end with the outcome `Cancelled`. It is polled once where it stands; if that is not
//! enough it goes to the runtime in which it was entered, or to what [`set_spawner`] installed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::order;
use crate::pending::Ticket;
use crate::runtime::Runtime;

/// A clean-up that can go on by itself. Dropping one that is not finished reports it as abandoned.
pub(crate) trait Cleanup: Send {
    /// Never panics: a panic of the clean-up is reported.
    fn poll_cleanup(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
}

/// What a [spawner](set_spawner) is given: run it to its end.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Clean-ups that run one after the other.
#[derive(Default)]
pub(crate) struct Chain(VecDeque<Item>);

struct Item {
    // Dropped first, so that whoever waits for the ticket finds the report sent.
    cleanup: Pin<Box<dyn Cleanup>>,
    runtime: Runtime,
    _ticket: Option<Ticket>,
}

impl Chain {
    pub(crate) fn push(&mut self, cleanup: Pin<Box<dyn Cleanup>>, runtime: Runtime) {
        self.0.push_back(Item {
            cleanup,
            runtime,
            _ticket: Some(Ticket::new()),
        });
    }

    /// Pushes a clean-up that is made of others, which are counted themselves.
    #[cfg(feature = "std")]
    pub(crate) fn push_compound(&mut self, cleanup: Pin<Box<dyn Cleanup>>, runtime: Runtime) {
        self.0.push_back(Item {
            cleanup,
            runtime,
            _ticket: None,
        });
    }

    #[cfg(feature = "std")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(feature = "std")]
    pub(crate) fn append(&mut self, mut later: Chain) {
        self.0.append(&mut later.0);
    }

    /// The runtime of the first clean-up, to go on in.
    pub(crate) fn runtime(&self) -> Runtime {
        self.0
            .front()
            .map_or_else(Runtime::none, |item| item.runtime.clone())
    }
}

impl Future for Chain {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(Item {
            cleanup, runtime, ..
        }) = self.0.front_mut()
        {
            if runtime
                .inside(|| cleanup.as_mut().poll_cleanup(cx))
                .is_pending()
            {
                return Poll::Pending;
            }
            self.0.pop_front();
        }
        Poll::Ready(())
    }
}

/// Takes over a clean-up from a destructor: finishes it here if one poll is enough, else later.
pub(crate) fn hand_off(mut cleanup: Pin<Box<dyn Cleanup>>, runtime: Runtime) {
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
        let mut chain = Chain::default();
        chain.push(cleanup, runtime);
        dispatch(chain);
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
    use super::{Box, Chain, Task};
    use crate::sync::Installed;
    use std::sync::Arc;

    type Spawner = dyn Fn(Task) + Send + Sync;

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
    pub fn set_spawner(spawner: impl Fn(Task) + Send + Sync + 'static) {
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
    use super::{Box, Chain, Task};
    use crate::raw::FnCell;

    static SPAWNER: FnCell<fn(Task)> = FnCell::new();

    /// Says how to go on with the clean-up of contexts that were dropped.
    ///
    /// The last spawner that was set counts, for the whole program.
    pub fn set_spawner(spawner: fn(Task)) {
        SPAWNER.set(spawner);
    }

    pub(super) fn spawn(chain: Chain) {
        if let Some(spawner) = SPAWNER.get() {
            spawner(Box::pin(chain));
        }
    }
}

pub use spawner::set_spawner;
