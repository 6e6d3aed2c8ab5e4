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

#[cfg(all(feature = "std", feature = "tokio"))]
pub use blocking::{blocking, blocking_catch};
#[cfg(feature = "alloc")]
pub use closing::{AsyncClose, closing};
#[cfg(feature = "tokio")]
pub use deadline::{Elapsed, deadline};
#[cfg(feature = "std")]
pub use exit_limit::{Bounded, Clock, ExitUntil, TimeoutError, Until};
#[cfg(feature = "tokio")]
pub use exit_limit::{ExitTimeout, Timeout};
pub use expect::Expect;
#[cfg(feature = "alloc")]
pub use from_fns::from_fns;
#[cfg(feature = "alloc")]
pub use join::{Join, JoinError, join};
#[cfg(feature = "std")]
pub use lazy::{Lazy, LazyResource, lazy};
pub use map_err::MapErr;
pub use null::{NullContext, nullcontext};
#[cfg(feature = "alloc")]
pub use optional::{Optional, OptionalResource, optional};
pub use suppress::{Suppress, suppress};
#[cfg(feature = "std")]
pub use swap::{Current, ReplaceError, Swap, SwapResource, swap};
pub use with_error::WithError;
