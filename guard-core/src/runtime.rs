//! The runtime in which a context was entered.

use crate::background::Chain;

/// Where a context was entered, and where its clean-up can go on.
#[derive(Clone)]
pub(crate) struct Runtime {
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Handle>,
}

#[cfg_attr(
    not(feature = "tokio"),
    allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "there is none"
    )
)]
impl Runtime {
    pub(crate) fn none() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }

    /// Whether a context was entered inside a runtime.
    pub(crate) fn is_some(&self) -> bool {
        #[cfg(feature = "tokio")]
        return self.tokio.is_some();
        #[cfg(not(feature = "tokio"))]
        false
    }

    /// The runtime of the current task, if there is one.
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            tokio: tokio::runtime::Handle::try_current().ok(),
        }
    }

    /// Whether [`inside`](Self::inside) works on this thread: not while its thread-locals are destroyed.
    pub(crate) fn is_reachable(&self) -> bool {
        #[cfg(feature = "tokio")]
        if self.tokio.is_some() {
            let current = tokio::runtime::Handle::try_current();
            return !current.is_err_and(|error| error.is_thread_local_destroyed());
        }
        true
    }

    /// Calls `action` where it finds this runtime's timers and sockets, on whatever thread this is.
    pub(crate) fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tokio")]
        let _entered = self.tokio.as_ref().map(tokio::runtime::Handle::enter);
        action()
    }

    /// Spawns the clean-ups, or gives them back if there is no runtime. One that is shutting down drops
    /// them, which reports them.
    pub(crate) fn spawn(&self, chain: Chain) -> Option<Chain> {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = &self.tokio {
            tokio.spawn(chain);
            return None;
        }
        Some(chain)
    }
}
