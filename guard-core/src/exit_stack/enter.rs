//! Entering a context onto a stack.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::keyed::EntryKey;
use crate::AsyncContext;
use crate::cleanup::Nest;
use crate::using::entering::Entering;

/// The future of [`AsyncExitStack::enter`](crate::AsyncExitStack::enter).
pub type EnterLent<'s, S, C, X, E> = EnterOnStack<
    's,
    S,
    <<C as AsyncContext<X>>::Resource as LentBy<C>>::Context,
    X,
    &'s mut <C as AsyncContext<X>>::Resource,
    E,
>;

/// The future of [`AsyncExitStack::enter_keyed`](crate::AsyncExitStack::enter_keyed).
pub type EnterKeyed<'s, S, C, E> = EnterOnStack<
    's,
    S,
    <<C as AsyncContext>::Resource as LentBy<C>>::Context,
    (),
    EntryKey<<C as AsyncContext>::Resource>,
    E,
>;

/// The context that lends this resource. If what is entered is no context, the type does not exist: so rustc reports an
/// error at the call, and not again at the `.await`.
#[doc(hidden)]
pub trait LentBy<C> {
    /// The context.
    type Context;
}

#[diagnostic::do_not_recommend]
impl<C, R: ?Sized> LentBy<C> for R {
    type Context = C;
}

/// The future of the methods of a stack that enter a context.
///
/// It asks for none of the bounds that those methods have. Else each that is not met would be told again of the
/// call and of the `.await`.
#[must_use = "the context is entered when this is awaited: `.await`"]
pub struct EnterOnStack<'s, S, C, X, L, E>
where
    C: AsyncContext<X>,
{
    stack: &'s S,
    entering: Entering<C, X>,
    convert: fn(C::Error) -> E,
    /// Puts it on the stack.
    put: Put<'s, S, C, L>,
}

type Put<'s, S, C, L> = fn(&'s S, Pin<Box<C>>, Nest) -> L;

impl<'s, S, C, X, L, E> EnterOnStack<'s, S, C, X, L, E>
where
    C: AsyncContext<X>,
{
    pub(super) fn new(
        stack: &'s S,
        context: C,
        convert: fn(C::Error) -> E,
        put: Put<'s, S, C, L>,
    ) -> Self {
        Self {
            stack,
            entering: Entering::new(context),
            convert,
            put,
        }
    }
}

impl<S, C, X, L, E> Future for EnterOnStack<'_, S, C, X, L, E>
where
    C: AsyncContext<X>,
{
    type Output = Result<L, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<L, E>> {
        Poll::Ready(match ready!(Pin::new(&mut self.entering).poll(cx)) {
            Ok((context, nest)) => Ok((self.put)(self.stack, context, nest)),
            Err(error) => Err((self.convert)(error)),
        })
    }
}

impl<S, C, X, L, E> fmt::Debug for EnterOnStack<'_, S, C, X, L, E>
where
    C: AsyncContext<X>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterOnStack").finish_non_exhaustive()
    }
}
