//! A context that is made when it is entered, so that its type has no bounds.
//!
//! Where a bound of a function that returns `impl AsyncContext` is not met, rustc says so at each expression of that type: six
//! times for one use. A struct without bounds is a type in any case. Then rustc says once that this is no context.
//!
//! The resource and the error are known only where the bounds are met. So they are no part of the type, and what is entered is
//! kept as [`Any`]. The bounds that users miss most often are bounds of the functions nevertheless, since their messages are
//! better there: see [`Checked`](crate::context::Checked).

use alloc::boxed::Box;
use core::any::Any;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::cleanup::{Runtime, RuntimeId};
use crate::raw::Exclusive;
use crate::report::{Origin, PrintDebug, ReportSource, Source};
use crate::{AsyncContext, BoxContext, Outcome};

/// What a context is made of. Its reports name it after `N`.
pub(crate) trait Start<X, N: ?Sized> {
    /// The resource of the context.
    type Resource: ?Sized + 'static;
    /// The error of the context.
    type Error: fmt::Debug + 'static;

    /// Makes the context.
    fn start(
        self,
        origin: Origin<N, PrintDebug>,
    ) -> BoxContext<'static, Self::Resource, Self::Error, X>;
}

/// A context that `S` makes when it is entered.
pub(crate) struct StartedOnEnter<S, N: ?Sized> {
    /// `None` when it is started.
    start: Option<S>,
    /// The `BoxContext`, and where it was entered.
    entered: Option<(Exclusive<Box<dyn Any + Send>>, RuntimeId)>,
    origin: Origin<N, PrintDebug>,
}

impl<S, N: ?Sized> StartedOnEnter<S, N> {
    /// A context that is made by the caller.
    #[track_caller]
    pub(crate) fn new(start: S) -> Self {
        Self {
            start: Some(start),
            entered: None,
            origin: Origin::here(PrintDebug),
        }
    }

    fn entered<X>(
        self: Pin<&mut Self>,
    ) -> Option<&mut BoxContext<'static, S::Resource, S::Error, X>>
    where
        S: Start<X, N>,
        X: 'static,
    {
        let (entered, _) = self.get_mut().entered.as_mut()?;
        entered.get_mut().downcast_mut()
    }
}

// The context, which is pinned, is in a box of its own.
impl<S, N: ?Sized> Unpin for StartedOnEnter<S, N> {}

const NOT_ENTERED: &str = "a context was used that is not entered";

#[diagnostic::do_not_recommend]
impl<S, N, X> AsyncContext<X> for StartedOnEnter<S, N>
where
    S: Start<X, N>,
    N: ?Sized,
    X: 'static,
{
    type Resource = S::Resource;
    type Error = S::Error;

    fn poll_enter(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if let Some(start) = self.start.take() {
            let context = Box::new(start.start(self.origin));
            self.entered = Some((Exclusive::new(context), Runtime::current().id()));
        }
        let entered = self.entered().expect(NOT_ENTERED);
        entered.as_mut().poll_enter(cx)
    }

    fn resource(self: Pin<&mut Self>) -> &mut S::Resource {
        let entered = self.entered().expect(NOT_ENTERED);
        entered.as_mut().resource()
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), S::Error>> {
        let entered = self.entered().expect(NOT_ENTERED);
        entered.as_mut().poll_exit(cx, outcome)
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        match self.entered() {
            Some(entered) => entered.as_mut().tell(outcome),
            None => Some(outcome),
        }
    }

    fn runtime(&self) -> RuntimeId {
        match &self.entered {
            Some((_, runtime)) => *runtime,
            None => Runtime::current().id(),
        }
    }

    fn report_source(&self) -> ReportSource<S::Error> {
        self.origin.report_source()
    }
}

/// Implements the protocol for a struct around a [`StartedOnEnter`]. The bounds stand at this `impl` too, because rustc names
/// them where a method of the context is called.
macro_rules! started_on_enter {
    (impl<$($parameter:ident),+> AsyncContext<$X:ty> for $Context:ident<$($Of:ident),+> where { $($bounds:tt)+ } $Resource:ty, $Error:ty) => {
        #[diagnostic::do_not_recommend]
        impl<$($parameter),+> $crate::AsyncContext<$X> for $Context<$($Of),+>
        where
            $($bounds)+
        {
            type Resource = $Resource;
            type Error = $Error;

            fn poll_enter(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<Result<(), $Error>> {
                $crate::AsyncContext::<$X>::poll_enter(core::pin::Pin::new(&mut self.get_mut().0), cx)
            }

            fn resource(self: core::pin::Pin<&mut Self>) -> &mut $Resource {
                $crate::AsyncContext::<$X>::resource(core::pin::Pin::new(&mut self.get_mut().0))
            }

            fn poll_exit(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
                outcome: $crate::Outcome<$X>,
            ) -> core::task::Poll<Result<(), $Error>> {
                $crate::AsyncContext::<$X>::poll_exit(core::pin::Pin::new(&mut self.get_mut().0), cx, outcome)
            }

            fn tell(
                self: core::pin::Pin<&mut Self>,
                outcome: $crate::Outcome<$X>,
            ) -> Option<$crate::Outcome<$X>> {
                $crate::AsyncContext::<$X>::tell(core::pin::Pin::new(&mut self.get_mut().0), outcome)
            }

            fn runtime(&self) -> $crate::cleanup::RuntimeId {
                $crate::AsyncContext::<$X>::runtime(&self.0)
            }

            fn report_source(&self) -> $crate::report::ReportSource<$Error> {
                $crate::AsyncContext::<$X>::report_source(&self.0)
            }
        }

        impl<$($Of),+> core::fmt::Debug for $Context<$($Of),+> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($Context)).finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use started_on_enter;
