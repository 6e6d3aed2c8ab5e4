//! What the user installs to go on with clean-ups where there is no tokio runtime.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;

/// What a [spawner](set_spawner) is given: run it to its end.
pub type Cleanup = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(feature = "std")]
mod installed {
    use super::{Box, Cleanup, Future};
    use crate::platform::sync::Installed;
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
    /// must not block; if it panics, or drops the clean-up, that is polled once more and, if this is not
    /// enough, [reported](crate::set_reporter) as abandoned.
    ///
    /// ```
    /// guard_core::set_spawner(|cleanup| {
    ///     std::thread::spawn(|| futures::executor::block_on(cleanup));
    /// });
    /// ```
    ///
    /// Under smol it is `|cleanup| smol::spawn(cleanup).detach()`, with a `ThreadPool` of the futures crate
    /// `move |cleanup| pool.spawn_ok(cleanup)`: the examples `runtime_smol` and `runtime_futures` do so.
    pub fn set_spawner(spawner: impl Fn(Cleanup) + Send + Sync + 'static) {
        drop(SPAWNER.replace(Arc::new(spawner)));
    }

    pub(in super::super) fn is_set() -> bool {
        SPAWNER.get().is_some()
    }

    pub(in super::super) fn spawn(cleanup: impl Future<Output = ()> + Send + 'static) {
        if let Some(spawner) = SPAWNER.get() {
            spawner(Box::pin(cleanup));
        }
    }
}

#[cfg(not(feature = "std"))]
mod installed {
    use super::{Box, Cleanup, Future};
    use crate::raw::FnCell;

    static SPAWNER: FnCell<fn(Cleanup)> = FnCell::new();

    /// Says how to go on with the clean-up of contexts that were dropped.
    ///
    /// The last spawner that was set counts, for the whole program.
    pub fn set_spawner(spawner: fn(Cleanup)) {
        SPAWNER.set(spawner);
    }

    pub(in super::super) fn spawn(cleanup: impl Future<Output = ()> + Send + 'static) {
        if let Some(spawner) = SPAWNER.get() {
            spawner(Box::pin(cleanup));
        }
    }
}

#[cfg(feature = "std")]
pub(super) use installed::is_set;
pub use installed::set_spawner;
pub(super) use installed::spawn;
