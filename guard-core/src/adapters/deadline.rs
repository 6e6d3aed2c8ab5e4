//! Exits that may take only so long.

use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::boxed::Box;

use crate::background::{Chain, Unfinished, dispatch};
use crate::order::{Order, expire};
use crate::panics::{Panic, catch};
use crate::report::{Identity, ReportKind, describe_type};
use crate::{AsyncContext, Outcome};

/// The error of a context whose exit is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutError<E> {
    /// The context's own error.
    Context(E),
    /// The exit did not end in time, and was dropped.
    TimedOut,
}

impl<E: fmt::Display> fmt::Display for TimeoutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context(error) => error.fmt(f),
            Self::TimedOut => f.write_str("clean-up exceeded its time limit and was dropped"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for TimeoutError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Context(error) => error.source(),
            Self::TimedOut => None,
        }
    }
}

/// As that of the context itself; [`TimedOut`](std::io::ErrorKind::TimedOut) where the time was up.
impl<E> From<TimeoutError<E>> for std::io::Error
where
    Self: From<E>,
{
    fn from(error: TimeoutError<E>) -> Self {
        match error {
            TimeoutError::Context(error) => error.into(),
            TimeoutError::TimedOut => {
                let what = TimeoutError::<core::convert::Infallible>::TimedOut;
                Self::new(std::io::ErrorKind::TimedOut, what)
            }
        }
    }
}

/// When the time of an exit is up.
enum Clock<L> {
    /// The exit has not begun.
    Set(L),
    Running(Pin<Box<L>>),
    /// It panicked. That goes on when the exit is over, which has no limit then.
    Broken(Panic),
    /// Up, or not needed any more.
    Off,
}

impl<L: Future<Output = ()>> Clock<L> {
    fn start(&mut self) {
        if let Self::Set(_) = self {
            if let Self::Set(limit) = core::mem::replace(self, Self::Off) {
                *self = Self::Running(Box::pin(limit));
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The context of [`exit_until`](AsyncContext::exit_until).
    pub struct ExitUntil<C, L>
    where
        L: Future<Output = ()>,
        L: Send,
        L: 'static,
    {
        // Dropped before `rest`, which takes over what it leaves to do.
        #[pin]
        context: Option<C>,
        rest: Rest<L>,
    }

    impl<C, L> PinnedDrop for ExitUntil<C, L>
    where
        L: Future<Output = ()>,
        L: Send,
        L: 'static,
    {
        fn drop(this: Pin<&mut Self>) {
            this.rest.order.begin();
        }
    }
}

/// What remains of a bounded context that was dropped: its clean-up, still bounded.
struct Rest<L>
where
    L: Future<Output = ()> + Send + 'static,
{
    order: Order,
    clock: Clock<L>,
    /// Whose time it is, for a limit that panics.
    identity: Identity<Infallible>,
}

impl<L> Rest<L>
where
    L: Future<Output = ()> + Send + 'static,
{
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.clock.start();
        let Clock::Running(limit) = &mut self.clock else {
            return Poll::Pending;
        };
        catch(|| limit.as_mut().poll(cx)).unwrap_or_else(|panic| {
            let limit = core::mem::replace(&mut self.clock, Clock::Broken(panic));
            discard(limit, self.identity);
            Poll::Pending
        })
    }
}

impl<L> Drop for Rest<L>
where
    L: Future<Output = ()> + Send + 'static,
{
    fn drop(&mut self) {
        let mut cleanups = self.order.end();
        let is_over = cleanups.is_empty();
        if !is_over {
            self.clock.start();
        }
        match core::mem::replace(&mut self.clock, Clock::Off) {
            Clock::Running(limit) if !is_over => {
                let runtime = cleanups.runtime();
                let limited = Limited {
                    cleanups,
                    limit: Some(limit),
                    identity: self.identity,
                };
                cleanups = Chain::compound(Box::pin(limited), runtime);
            }
            Clock::Broken(panic) => panic.report_to(self.identity),
            clock => discard(clock, self.identity),
        }
        if !is_over {
            dispatch(cleanups);
        }
    }
}

/// Drops a limit. A panic of that is reported: neither what the clean-up ended with nor those that wait for
/// it are to be lost by it.
fn discard<L>(limit: L, identity: Identity<Infallible>) {
    if let Err(panic) = catch(|| drop(limit)) {
        panic.report_to(identity);
    }
}

/// Clean-ups in the background that have to end in time.
struct Limited {
    cleanups: Chain,
    /// None if it panicked.
    limit: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    identity: Identity<Infallible>,
}

impl Unfinished for Limited {
    fn poll_cleanup(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.cleanups).poll(cx).is_ready() {
            discard(self.limit.take(), self.identity);
            return Poll::Ready(());
        }
        let Some(limit) = &mut self.limit else {
            return Poll::Pending;
        };
        match catch(|| limit.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                let late = core::mem::take(&mut self.cleanups);
                expire(|| drop(late));
                discard(self.limit.take(), self.identity);
                Poll::Ready(())
            }
            // A clock that fails is no reason to lose the clean-up.
            Err(panic) => {
                panic.report_to(self.identity);
                discard(self.limit.take(), self.identity);
                Poll::Pending
            }
        }
    }
}

impl<C, L> ExitUntil<C, L>
where
    L: Future<Output = ()> + Send + 'static,
{
    pub(crate) fn new<X>(context: C, limit: L) -> Self
    where
        C: AsyncContext<X>,
    {
        let identity = context.identity().with_error(describe_type);
        Self {
            context: Some(context),
            rest: Rest {
                order: Order::new(),
                clock: Clock::Set(limit),
                identity,
            },
        }
    }
}

const GONE: &str = "a context was used whose exit has timed out";

#[diagnostic::do_not_recommend]
impl<C, X, L> AsyncContext<X> for ExitUntil<C, L>
where
    C: AsyncContext<X>,
    L: Future<Output = ()> + Send + 'static,
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
            match core::mem::replace(&mut this.rest.clock, Clock::Off) {
                Clock::Broken(panic) => {
                    if let (Err(error), Some(context)) = (&exited, &*this.context) {
                        context.report(ReportKind::Failed(error));
                    }
                    panic.resume();
                }
                clock => discard(clock, this.rest.identity),
            }
            return Poll::Ready(exited.map_err(TimeoutError::Context));
        }
        if this.rest.poll_clock(cx).is_pending() {
            return Poll::Pending;
        }
        let clock = core::mem::replace(&mut this.rest.clock, Clock::Off);
        discard(clock, this.rest.identity);
        let identity = this
            .context
            .as_ref()
            .as_pin_ref()
            .map(|context| context.identity());
        // A context that reports its own end says more than this one could.
        let reported = expire(|| this.context.set(None));
        if let (false, Some(identity)) = (reported, identity) {
            identity.report(ReportKind::TimedOut);
        }
        Poll::Ready(Err(TimeoutError::TimedOut))
    }

    fn identity(&self) -> Identity<Self::Error> {
        match &self.context {
            Some(context) => context.identity().with_error(describe_type),
            // It was dropped when its time was up, and that was reported in its own name.
            None => Identity {
                has_reported: true,
                ..self.rest.identity.with_error(describe_type)
            },
        }
    }

    fn report(&self, kind: ReportKind<'_, Self::Error>) {
        match (&self.context, kind.error()) {
            // The context knows how to print its own error.
            (Some(context), Some(TimeoutError::Context(error))) => {
                context.report(kind.with_error(error));
            }
            _ => self.identity().report(kind),
        }
    }
}

#[cfg(feature = "tokio")]
pub use within::{Delay, ExitTimeout};

#[cfg(feature = "tokio")]
mod within {
    use super::{Box, Context, ExitUntil, Future, Pin, Poll};
    use core::time::Duration;

    /// The context of [`exit_timeout`](crate::AsyncContext::exit_timeout).
    pub type ExitTimeout<C> = ExitUntil<C, Delay>;

    /// A time that begins to run when it is first polled.
    ///
    /// Outside a tokio runtime there is no clock, and it never ends.
    #[derive(Debug)]
    pub struct Delay {
        duration: Duration,
        sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    }

    impl Delay {
        pub(crate) fn new(duration: Duration) -> Self {
            Self {
                duration,
                sleep: None,
            }
        }
    }

    impl Future for Delay {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if self.sleep.is_none() && tokio::runtime::Handle::try_current().is_err() {
                return Poll::Pending;
            }
            let duration = self.duration;
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(duration)));
            sleep.as_mut().poll(cx)
        }
    }
}
