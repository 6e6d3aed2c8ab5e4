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
        fn beside(self: Pin<&mut Self>, ask: crate::raw::Ask) -> Option<crate::raw::BesidePtr> {
            self.project().context.beside(ask)
        }

        #[inline]
        fn runtime(&self) -> crate::cleanup::RuntimeId {
            self.context.runtime()
        }

        fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> crate::cleanup::WaitLimit {
            self.project().context.poll_wait(cx)
        }
    };
}
use forward_to_context;

mod expect;
mod map_err;
#[cfg(feature = "alloc")]
pub(crate) mod needs_alloc;
#[cfg(feature = "std")]
pub(crate) mod needs_std;
#[cfg(feature = "tokio")]
pub(crate) mod needs_tokio;
mod null;
mod suppress;
mod with_error;

pub use expect::Expect;
pub use map_err::MapErr;
pub use null::{NullContext, nullcontext};
pub use suppress::{Suppress, suppress};
pub use with_error::WithError;
