//! Exits that may take only so long.

mod contained;
mod error;
mod until;

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::rc::Rc;

use crate::cleanup::{LimitedPart, RuntimeId, SharedLimit, WaitLimit, drop_bounded, expire};
use crate::context::lose_error;
use crate::raw::{Ask, BesidePtr};
use crate::report::{ReportKind, ReportSource, describe_type};
use crate::{AsyncContext, Outcome};
use contained::ContainedClock;
pub use error::TimeoutError;
pub use until::Until;

/// The context of [`exit_until`](AsyncContext::exit_until).
pub type ExitUntil<C, L> = Bounded<C, Until<L>>;

/// What bounds an exit: a time, or a future.
pub trait Clock {
    /// Ready when the time is up. It runs since the first call for this part.
    #[doc(hidden)]
    fn poll_over(&mut self, part: LimitedPart, cx: &mut Context<'_>) -> Poll<()>;

    /// Goes on in the background, for all that is left to do there.
    #[doc(hidden)]
    fn into_limit(self, who: ReportSource<Infallible>) -> Rc<dyn SharedLimit>;
}

pin_project_lite::pin_project! {
    /// A context whose exit may take only so long.
    #[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
    pub struct Bounded<C, K>
    where
        K: Clock,
    {
        #[pin]
        context: Option<C>,
        clock: ContainedClock<K>,
        source: ReportSource<Infallible>,
    }

    impl<C, K> PinnedDrop for Bounded<C, K>
    where
        K: Clock,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // It has ended, or was given up: there is nothing to bound any more.
            if this.clock.has_exited() || this.context.is_none() {
                this.context.set(None);
                return this.clock.end(*this.source);
            }
            match this.clock.take_over(*this.source) {
                Some(limit) => {
                    drop_bounded(&limit, || this.context.set(None));
                    this.source.discard(limit);
                }
                None => this.context.set(None),
            }
        }
    }
}

impl<C: fmt::Debug, K: Clock> fmt::Debug for Bounded<C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl<C, K: Clock> Bounded<C, K> {
    pub(crate) fn new<X>(context: C, clock: K) -> Self
    where
        C: AsyncContext<X>,
    {
        let source = context.report_source().with_error(describe_type);
        Self {
            context: Some(context),
            clock: ContainedClock::new(clock),
            source,
        }
    }
}

const GONE: &str = "a context was used whose exit has timed out";

#[diagnostic::do_not_recommend]
impl<C, X, K> AsyncContext<X> for Bounded<C, K>
where
    C: AsyncContext<X>,
    K: Clock,
{
    type Resource = C::Resource;
    type Error = TimeoutError<C::Error>;

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let context = self.project().context.as_pin_mut();
        let entered = context.expect(GONE).poll_enter(cx);
        entered.map_err(TimeoutError::Context)
    }

    fn resource(self: Pin<&mut Self>) -> &mut C::Resource {
        self.project().context.as_pin_mut().expect(GONE).resource()
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), Self::Error>> {
        let mut this = self.project();
        let context = this.context.as_mut().as_pin_mut().expect(GONE);
        if let Poll::Ready(exited) = context.poll_exit(cx, outcome) {
            if let Some(panic) = this.clock.exited() {
                if let (Err(error), Some(context)) = (exited, &*this.context) {
                    lose_error(context, error);
                }
                panic.resume();
            }
            return Poll::Ready(exited.map_err(TimeoutError::Context));
        }
        ready!(this.clock.poll_exit_over(cx));
        let source = this.context.as_ref().as_pin_ref();
        let source = source.map(|context| context.report_source());
        // A context that reports its own end says more than this one could.
        let reported = expire(|| this.context.set(None));
        if let (false, Some(source)) = (reported, source) {
            source.report(ReportKind::TimedOut);
        }
        Poll::Ready(Err(TimeoutError::TimedOut))
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        match self.project().context.as_pin_mut() {
            Some(context) => context.tell(outcome),
            None => Some(outcome),
        }
    }

    fn beside(self: Pin<&mut Self>, ask: Ask) -> Option<BesidePtr> {
        self.project().context.as_pin_mut()?.beside(ask)
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<Self::Error> {
        let failure = self.project().context.as_pin_mut()?.failure(ask);
        failure.map(TimeoutError::Context)
    }

    fn runtime(&self) -> RuntimeId {
        match &self.context {
            Some(context) => context.runtime(),
            None => crate::cleanup::Runtime::current().id(),
        }
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        let this = self.project();
        let Some(context) = this.context.as_pin_mut() else {
            return WaitLimit::GivenUp;
        };
        // This limit holds instead of the context's own.
        let _ = context.poll_wait(cx);
        this.clock.poll_wait_limit(cx)
    }

    fn report_source(&self) -> ReportSource<Self::Error> {
        match &self.context {
            Some(context) => context.report_source().with_error(describe_type),
            // It was dropped when its time was up, and that was reported in its own name.
            None => self.source.with_error(describe_type).with_known_failure(),
        }
    }

    fn report(&self, kind: ReportKind<'_, Self::Error>) {
        match (&self.context, kind.error()) {
            // The context knows how to print its own error.
            (Some(context), Some(TimeoutError::Context(error))) => {
                context.report(kind.with_error(error));
            }
            _ => self.report_source().report(kind),
        }
    }
}
