//! Finding out that a `Box` of a context stands in the place of one in `async_with!`: see
//! [`classify`](crate::macro_support::classify).
//!
//! Where two branches make contexts of different types, rustc proposes a `Box<dyn AsyncContext>`.

#![allow(
    clippy::must_use_candidate,
    clippy::unused_self,
    reason = "as for the others that are found so"
)]

use alloc::boxed::Box;

use crate::AsyncContext;
use crate::macro_support::classify::Otherwise;

/// The answer for a `Box` of a context.
pub struct IsUnpinned;

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "a context in a `Box` is made by `.boxed()`, and not by `Box::new(…)`",
    label = "a `Box`, in which the context is not pinned",
    note = "the type is `BoxContext<'static, R, E>`, where `R` is what is lent: `if known {{ first().boxed() }} else {{ second().boxed() }}`",
    note = "a context that is used or not: `optional(known.then(|| first()))`"
)]
pub trait BoxAndContext {
    /// No type.
    type Context;
}

impl IsUnpinned {
    /// Does not compile.
    #[inline]
    pub fn context<C: BoxAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

// Found as a future is: by reference, before the methods of any trait.
impl<C: AsyncContext + ?Sized> Otherwise<Box<C>> {
    /// A `Box` of a context.
    #[inline]
    pub fn __guard_asked(&self) -> IsUnpinned {
        IsUnpinned
    }

    /// A `Box` of a context.
    #[inline]
    pub fn __guard_unasked(&self) -> IsUnpinned {
        IsUnpinned
    }
}
