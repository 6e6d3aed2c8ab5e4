//! The state machine behind every `#[async_context]`: a body future that stops at its yield, and its slot.

use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::conclude::Conclude;
use crate::cleanup::Unfinished;
use crate::cleanup::dropped;
use crate::platform::panics::Panic;
use crate::platform::panics::catch_panic_rarely;
use crate::raw::{ASK_FOR_ALL, Ask, BesidePtr, Phase, Slot, Yielder};
use crate::report::ReportKind;
use crate::report::Span;
use crate::report::{ReportSource, Source};
use crate::{AsyncContext, Outcome};

pin_project_lite::pin_project! {
    /// A context made of one async function: entering runs it up to its yield, exiting to its end.
    ///
    /// This is the `scoped` form: it borrows what it likes, allocates nothing, and when it is dropped
    /// half-way, so is its body.
    pub(crate) struct Coroutine<R: ?Sized, E, X, F, Fut, O, G>
    where
        O: Source<E>,
        G: Guarantee,
    {
        // Before the slot, which it points to, also when dropped.
        #[pin]
        body: CoroutineFuture<F, Fut>,
        #[pin]
        slot: Slot<R, X, E>,
        origin: O,
        span: Span,
        _guarantee: PhantomData<fn() -> G>,
    }

    impl<R: ?Sized, E, X, F, Fut, O, G> PinnedDrop for Coroutine<R, E, X, F, Fut, O, G>
    where
        O: Source<E>,
        G: Guarantee,
    {
        fn drop(mut this: Pin<&mut Self>) {
            if this.as_mut().is_unfinished() {
                this.abandon();
            }
        }
    }
}

/// What becomes of a context that is dropped half-way.
pub(crate) trait Guarantee {
    /// Whether something finishes it. Then a drop during the set-up loses something too.
    const GUARANTEED: bool;
}

/// Nothing finishes it.
pub(crate) enum NotGuaranteed {}

impl Guarantee for NotGuaranteed {
    const GUARANTEED: bool = false;
}

/// It goes on in the background.
pub(crate) enum IsGuaranteed {}

impl Guarantee for IsGuaranteed {
    const GUARANTEED: bool = true;
}

pin_project_lite::pin_project! {
    #[project = BodyProjection]
    #[project_replace = BodyReplaced]
    enum CoroutineFuture<F, Fut> {
        Start { start: F },
        Running { #[pin] future: Fut },
        Ended,
    }
}

impl Phase {
    #[cold]
    fn has_ended(self) -> ! {
        match self {
            Phase::Entering => panic!("a context was entered that has ended"),
            _ => panic!("a context was exited that has ended"),
        }
    }
}

impl<R: ?Sized, E, X, F, Fut, O, G> Coroutine<R, E, X, F, Fut, O, G>
where
    O: Source<E>,
    G: Guarantee,
{
    #[inline]
    pub(crate) fn new(start: F, origin: O) -> Self {
        Self {
            body: CoroutineFuture::Start { start },
            slot: Slot::new(),
            origin,
            span: Span::none(),
            _guarantee: PhantomData,
        }
    }

    /// Whether it has begun, and has not returned.
    #[inline]
    fn is_running(&self) -> bool {
        matches!(self.body, CoroutineFuture::Running { .. })
    }

    #[cold]
    fn cannot_enter(&self) -> ! {
        match self.body {
            CoroutineFuture::Running { .. } if self.slot.phase() != Phase::Panicked => {
                panic!("a context was entered that is already entered")
            }
            _ => panic!("a context was entered that has ended"),
        }
    }

    #[cold]
    fn cannot_exit(&self) -> ! {
        match self.slot.phase() {
            Phase::Entering if !matches!(self.body, CoroutineFuture::Ended) => {
                panic!("a context was exited that is not entered")
            }
            _ => panic!("a context was exited that has ended"),
        }
    }

    /// Whether dropping it now would lose something.
    #[inline]
    pub(crate) fn is_unfinished(self: Pin<&mut Self>) -> bool {
        self.is_running() && self.would_lose()
    }

    #[cold]
    fn would_lose(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        match this.slot.phase() {
            Phase::Panicked => false,
            Phase::Entering => G::GUARANTEED && !this.slot.in_window(),
            Phase::Lent | Phase::Exiting => true,
        }
    }

    /// Drops the body where it stands, and reports that. Reports the errors as well that the body was to be told.
    ///
    /// A panic of its destructors goes on. But if a guaranteed context loses its clean-up here, the panic is reported,
    /// because what drops such a clean-up must not panic.
    #[cold]
    fn abandon(mut self: Pin<&mut Self>) {
        /// Reports when the body is gone, also if one of its destructors panics.
        struct ReportOnDrop<E>(Option<ReportSource<E>>);

        impl<E> Drop for ReportOnDrop<E> {
            fn drop(&mut self) {
                if let Some(source) = self.0 {
                    source.report(dropped());
                }
            }
        }

        let unfinished = self.as_mut().is_unfinished();
        let (mut told, mut failure) = self.as_mut().take_untold();
        let mut this = self.project();
        let source = this.origin.report_source();
        let dropped = catch_panic_rarely(&mut || {
            let _report = ReportOnDrop(unfinished.then_some(source));
            this.span.inside(|| this.body.set(CoroutineFuture::Ended));
        });
        let lost = catch_panic_rarely(&mut || {
            if let Some(error) = told.take() {
                source.report_untold(&error);
            }
        });
        let failed = catch_panic_rarely(&mut || {
            if let Some(error) = failure.take() {
                source.report(ReportKind::Failed(&error));
            }
        });
        // Of the destructors of the errors.
        for panic in [lost, failed].into_iter().filter_map(Result::err) {
            panic.report_to(source);
        }
        if let Err(panic) = dropped {
            if unfinished && G::GUARANTEED {
                panic.report_to(source);
            } else {
                panic.resume();
            }
        }
    }

    /// Takes the errors that the body was to be told, and will not be: that of the block, and that of the future beside the
    /// block.
    fn take_untold(self: Pin<&mut Self>) -> (Option<X>, Option<E>) {
        if !self.is_running() || !matches!(self.slot.phase(), Phase::Lent | Phase::Exiting) {
            return (None, None);
        }
        let mut slot = self.project().slot;
        let told = match slot.as_mut().take_told() {
            Some(Outcome::Failed(error)) => Some(error),
            _ => None,
        };
        (told, slot.failure(ASK_FOR_ALL))
    }
}

impl<R: ?Sized, E, X, F, Fut, O, G> Coroutine<R, E, X, F, Fut, O, G>
where
    O: Source<E>,
    G: Guarantee,
    F: FnOnce(Yielder<R, X, E>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
{
    /// Starts the body.
    #[inline]
    fn start(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let BodyReplaced::Start { start } =
            this.body.as_mut().project_replace(CoroutineFuture::Ended)
        {
            let future = start(this.slot.as_mut().yielder());
            this.body.set(CoroutineFuture::Running { future });
            *this.span = Span::open(|| this.origin.report_source().path());
        }
    }

    /// Polls the body. If it panics, it is over, and so is the context.
    #[inline]
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        /// Forgotten where the body does not panic, so that nothing is written at a poll.
        struct MarkPanic<'a>(&'a Cell<Phase>);

        impl Drop for MarkPanic<'_> {
            fn drop(&mut self) {
                self.0.set(Phase::Panicked);
            }
        }

        let mut this = self.project();
        let BodyProjection::Running { future } = this.body.as_mut().project() else {
            this.slot.phase().has_ended();
        };
        let mark = MarkPanic(this.slot.phase_cell());
        let polled = this.span.inside(|| future.poll(cx));
        core::mem::forget(mark);
        if polled.is_ready() {
            this.body.set(CoroutineFuture::Ended);
        }
        polled.map(Conclude::conclude)
    }
}

impl<R: ?Sized, E, X, F, Fut, O, G> AsyncContext<X> for Coroutine<R, E, X, F, Fut, O, G>
where
    O: Source<E>,
    G: Guarantee,
    F: FnOnce(Yielder<R, X, E>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
{
    type Resource = R;
    type Error = E;

    #[inline]
    fn poll_enter(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if matches!(self.body, CoroutineFuture::Start { .. }) {
            self.as_mut().start();
        } else if self.slot.phase() != Phase::Entering {
            self.cannot_enter();
        }
        let polled = self.as_mut().poll_body(cx);
        let mut this = self.project();
        match polled {
            Poll::Pending if this.slot.as_mut().is_lent() => {
                this.slot.phase_cell().set(Phase::Lent);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => panic!(
                "the context `{}` returned without reaching its `yield_resource!`",
                this.origin.report_source().path()
            ),
        }
    }

    #[inline]
    fn resource(self: Pin<&mut Self>) -> &mut R {
        match self.project().slot.resource() {
            Some(resource) => resource,
            None => panic!("the resource of a context that is not entered was asked for"),
        }
    }

    #[inline]
    fn poll_exit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), E>> {
        if self.slot.phase() == Phase::Lent {
            let mut this = self.as_mut().project();
            this.slot.as_mut().phase_cell().set(Phase::Exiting);
            this.slot.tell(outcome);
        } else if self.slot.phase() != Phase::Exiting {
            self.cannot_exit();
        }
        self.poll_body(cx)
    }

    #[inline]
    fn tell(mut self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        if self.slot.phase() != Phase::Lent {
            return Some(outcome);
        }
        let mut this = self.as_mut().project();
        this.slot.as_mut().phase_cell().set(Phase::Exiting);
        this.slot.tell(outcome);
        None
    }

    #[inline]
    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        let mut this = self.project();
        let beside = this.slot.as_mut().beside()?;
        match this.slot.phase() {
            // It stays at its yield when it has been told, until it is polled.
            Phase::Lent | Phase::Exiting => Some(beside),
            Phase::Entering | Phase::Panicked => None,
        }
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        let this = self.project();
        match this.slot.phase() {
            Phase::Lent | Phase::Exiting => this.slot.failure(ask),
            Phase::Entering | Phase::Panicked => None,
        }
    }

    #[inline]
    fn report_source(&self) -> ReportSource<E> {
        self.origin.report_source()
    }
}

/// Goes on although nobody uses the context any more.
impl<R: ?Sized, E, X, F, Fut, O, G> Unfinished for Coroutine<R, E, X, F, Fut, O, G>
where
    O: Source<E>,
    G: Guarantee,
    F: FnOnce(Yielder<R, X, E>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
{
    fn is_in_set_up(&self) -> bool {
        self.is_running() && self.slot.phase() == Phase::Entering
    }

    fn has_begun(self: Pin<&mut Self>) -> bool {
        // Told how its use ended, it stays at its yield until it is polled.
        self.slot.phase() == Phase::Exiting && !self.project().slot.is_told()
    }

    fn poll_set_up(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        match self.as_mut().poll_enter(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(true),
            Poll::Ready(Err(error)) => {
                self.origin
                    .report_source()
                    .report(ReportKind::SetUpFailed(&error));
                Poll::Ready(false)
            }
            // It waits in a `cancellable!`, and its user is gone: the set-up ends here.
            Poll::Pending if self.as_mut().project().slot.in_window() => {
                self.abandon();
                Poll::Ready(false)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    #[inline]
    fn poll_exit(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let exited = AsyncContext::poll_exit(self.as_mut(), cx, Outcome::Cancelled);
        if let Err(error) = core::task::ready!(exited) {
            self.origin
                .report_source()
                .report(ReportKind::Failed(&error));
        }
        Poll::Ready(())
    }

    #[cfg(feature = "tracing")]
    fn dispatch(&self) -> Option<tracing::Dispatch> {
        self.span.dispatch().cloned()
    }

    fn panicked(&self, panic: Panic) {
        panic.report_to(self.origin.report_source());
    }
}

/// A context that borrows: `#[async_context(scoped)]`.
#[inline]
pub(crate) fn scoped<R, E, X, F, Fut, O>(
    start: F,
    origin: O,
) -> Coroutine<R, E, X, F, Fut, O, NotGuaranteed>
where
    O: Source<E>,
    R: ?Sized,
    F: FnOnce(Yielder<R, X, E>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
{
    Coroutine::new(start, origin)
}
