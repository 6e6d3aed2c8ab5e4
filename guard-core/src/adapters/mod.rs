//! Contexts made of values, functions and other contexts.

/// The methods of the protocol that an adapter passes on to the field `context`. What it does not pass on is what it
/// changes: entering, exiting, and how its reports are made.
macro_rules! forward_to_context {
    ($X:ident) => {
        #[inline]
        fn resource(self: Pin<&mut Self>) -> &mut C::Resource {
            self.project().context.resource()
        }

        #[inline]
        fn tell(self: Pin<&mut Self>, outcome: Outcome<$X>) -> Option<Outcome<$X>> {
            self.project().context.tell(outcome)
        }

        #[inline]
        fn beside(self: Pin<&mut Self>, ask: crate::raw::Ask) -> Option<crate::raw::Beside> {
            self.project().context.beside(ask)
        }

        #[cfg(feature = "std")]
        #[inline]
        fn runtime(&self) -> crate::cleanup::RuntimeId {
            self.context.runtime()
        }

        #[cfg(feature = "std")]
        fn poll_wait_limit(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> crate::cleanup::WaitLimit {
            self.project().context.poll_wait_limit(cx)
        }
    };
}
use forward_to_context;

#[cfg(all(feature = "std", feature = "tokio"))]
mod blocking;
#[cfg(feature = "alloc")]
mod closing;
#[cfg(feature = "tokio")]
mod deadline;
#[cfg(feature = "std")]
mod entered;
#[cfg(feature = "std")]
mod exit_limit;
mod expect;
#[cfg(feature = "alloc")]
mod from_fns;
#[cfg(feature = "alloc")]
mod join;
#[cfg(feature = "std")]
mod lazy;
mod map_err;
mod null;
#[cfg(feature = "alloc")]
mod optional;
mod suppress;
#[cfg(feature = "std")]
mod swap;
mod with_error;

#[cfg(feature = "alloc")]
pub use self::{
    closing::{AsyncClose, closing},
    from_fns::from_fns,
    join::{Join, JoinError, join},
    optional::{Optional, OptionalResource, optional},
};
#[cfg(feature = "tokio")]
pub use self::{
    deadline::{Elapsed, deadline},
    exit_limit::{ExitTimeout, Timeout},
};
#[cfg(feature = "std")]
pub use self::{
    exit_limit::{Bounded, Clock, ExitUntil, TimeoutError, Until},
    lazy::{Lazy, LazyResource, lazy},
    swap::{Current, ReplaceError, Swap, SwapResource, swap},
};
#[cfg(all(feature = "std", feature = "tokio"))]
pub use blocking::{blocking, blocking_catch};
pub use expect::Expect;
pub use map_err::MapErr;
pub use null::{NullContext, nullcontext};
pub use suppress::{Suppress, suppress};
pub use with_error::WithError;
