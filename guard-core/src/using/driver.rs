//! The one algorithm behind every form of a use.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::after_panic::poll_exit_after_panic;
use super::form::Form;
use crate::cleanup::{Nest, drop_block, drop_context, poll_settle, poll_settle_before_exit};
use crate::platform::panics::{Panic, catch};
use crate::report::{Identity, ReportKind};
use crate::{AsyncContext, Outcome};

/// The context of a use and its body, which borrows what the context lends.
pub trait Parts<X> {
    /// The context.
    type Context: AsyncContext<X>;

    /// The context, while the body does not borrow from it.
    fn context(self: Pin<&mut Self>) -> Pin<&mut Self::Context>;

    /// Drops the body, if it is there.
    fn end_body(self: Pin<&mut Self>);

    /// Drops the context, if it is there. The body has been dropped.
    fn end_context(self: Pin<&mut Self>);
}

/// Parts whose body can run.
pub trait Runs<X>: Parts<X> {
    /// What the body ends with.
    type Output;

    /// Gives the resource of the entered context to the body.
    fn lend(self: Pin<&mut Self>);

    /// Polls the body, to which the resource was lent.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;
}

pin_project_lite::pin_project! {
    /// The future of a use: enters, runs the body, exits.
    #[must_use = "the context is entered and the body run when this is awaited: `.await`"]
    pub struct Use<P, X, K, E, F>
    where
        P: Parts<X>,
        P::Context: AsyncContext<X, Error = E>,
    {
        #[pin]
        parts: P,
        stage: Stage,
        // Written only where the use has to wait.
        kept: Option<Kept<X, K, E>>,
        // Dropped last: what is in it then belongs to the enclosing use.
        nest: Nest,
        _form: PhantomData<fn() -> F>,
    }

    impl<P, X, K, E, F> PinnedDrop for Use<P, X, K, E, F>
    where
        P: Parts<X>,
        P::Context: AsyncContext<X, Error = E>,
    {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            if matches!(this.stage, Stage::Ended) && this.nest.is_empty() {
                this.project().parts.end_context();
            } else {
                drop_unfinished(this);
            }
        }
    }
}

/// Drops a use that has not ended, or that leaves something.
#[cold]
fn drop_unfinished<P, X, K, E, F>(this: Pin<&mut Use<P, X, K, E, F>>)
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
{
    let mut this = this.project();
    if let Stage::Body = this.stage {
        drop_with_body(this.parts, this.nest);
    } else if this.kept.is_some() && !matches!(this.stage, Stage::Ended) {
        drop_waiting(this.parts, this.nest, this.kept);
    } else {
        drop_context(this.nest, || this.parts.as_mut().end_context());
    }
}

/// Drops the body, then the context.
#[cold]
fn drop_with_body<P, X>(parts: Pin<&mut P>, nest: &mut Nest)
where
    P: Parts<X>,
{
    let mut ending = EndContext {
        parts,
        nest,
        _outcome: PhantomData,
    };
    let EndContext { parts, nest, .. } = &mut ending;
    drop_block(nest, || parts.as_mut().end_body());
}

/// Drops the context of a use that waits and has no body any more. What the body ended with has no caller now, so
/// it is reported.
#[cold]
fn drop_waiting<P, X, K, E>(
    mut parts: Pin<&mut P>,
    nest: &mut Nest,
    kept: &mut Option<Kept<X, K, E>>,
) where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
{
    let context = parts.as_mut().context();
    let identity = context.identity();
    let mut untold = None;
    let ended = match kept.take() {
        Some(Kept::Before(outcome, ended)) => {
            // Not every context takes it before its exit.
            if let Some(Outcome::Failed(error)) = outcome {
                untold = Some(error);
            }
            Some(ended)
        }
        Some(Kept::Exit(ended)) => Some(ended),
        Some(Kept::After(ended, exited)) => {
            if let Err(error) = exited {
                context.report(ReportKind::Failed(&error));
            }
            Some(ended)
        }
        Some(Kept::NotEntered(error)) => {
            context.report(ReportKind::SetUpFailed(&error));
            None
        }
        None => None,
    };
    drop(EndContext {
        parts,
        nest,
        _outcome: PhantomData,
    });
    match ended {
        Some(Ok(Output { kept, lost })) => lost(identity, kept, untold),
        Some(Err(panic)) => panic.report_body_to(identity),
        None => {}
    }
}

/// Drops the context when it is dropped: after the body, also when a destructor in that panics.
struct EndContext<'a, P, X>
where
    P: Parts<X>,
{
    parts: Pin<&'a mut P>,
    nest: &'a mut Nest,
    _outcome: PhantomData<fn(X)>,
}

impl<P, X> Drop for EndContext<'_, P, X>
where
    P: Parts<X>,
{
    fn drop(&mut self) {
        drop_context(self.nest, || self.parts.as_mut().end_context());
    }
}

#[derive(Clone, Copy)]
enum Stage {
    Enter,
    Body,
    /// The body has ended, and has been dropped.
    Exit,
    /// It waits for what is in its nest.
    Settle,
    Ended,
}

/// What is kept while a use waits that has no body any more.
enum Kept<X, K, E> {
    /// It could not be entered.
    NotEntered(E),
    /// It has not begun to exit. The outcome is for the first poll of that.
    Before(Option<Outcome<X>>, Result<Output<X, K, E>, Panic>),
    /// It exits.
    Exit(Result<Output<X, K, E>, Panic>),
    /// It has exited.
    After(Result<Output<X, K, E>, Panic>, Result<(), E>),
}

/// What is kept of a body's output, and what to do with it if its caller is gone.
struct Output<X, K, E> {
    kept: K,
    lost: fn(Identity<E>, K, Option<X>),
}

/// How a poll of the set-up and the body went.
enum Polled<O, E> {
    NotEntered(E),
    Pending,
    Ended(O),
    Panicked(Panic),
}

impl<P, X, K, E, F> Use<P, X, K, E, F>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
{
    /// A use that has not begun.
    #[inline]
    pub(super) fn new(parts: P) -> Self {
        Self {
            parts,
            stage: Stage::Enter,
            kept: None,
            nest: Nest::new(),
            _form: PhantomData,
        }
    }
}

impl<P, X, E, F> Future for Use<P, X, F::Kept, E, F>
where
    P: Runs<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, P::Output>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let (stage, nest) = (this.stage, this.nest);
        match stage {
            Stage::Enter | Stage::Body => {
                let mut parts = this.parts.as_mut();
                let polled = nest.during(|| {
                    let enters = matches!(stage, Stage::Enter);
                    if enters {
                        match parts.as_mut().context().poll_enter(cx) {
                            Poll::Pending => return Polled::Pending,
                            Poll::Ready(Err(error)) => return Polled::NotEntered(error),
                            Poll::Ready(Ok(())) => *stage = Stage::Body,
                        }
                    }
                    let polled = catch(|| {
                        if enters {
                            parts.as_mut().lend();
                        }
                        let polled = parts.as_mut().poll_body(cx);
                        if polled.is_ready() {
                            // The exit may need what the body holds.
                            parts.as_mut().end_body();
                        }
                        polled
                    });
                    match polled {
                        Ok(Poll::Pending) => Polled::Pending,
                        Ok(Poll::Ready(output)) => Polled::Ended(output),
                        Err(panic) => {
                            // Whatever panics while the body is dropped, the first panic goes on.
                            if let Err(second) = catch(|| parts.end_body()) {
                                second.discard();
                            }
                            Polled::Panicked(panic)
                        }
                    }
                });
                let (outcome, kept) = match polled {
                    Polled::Pending => return Poll::Pending,
                    Polled::Ended(output) => {
                        let (outcome, kept) = F::split(output);
                        (outcome, Ok(kept))
                    }
                    Polled::Panicked(panic) => (Outcome::Panicked, Err(panic)),
                    Polled::NotEntered(error) => {
                        if nest.is_empty() {
                            *stage = Stage::Ended;
                            return Poll::Ready(F::not_entered(error));
                        }
                        *stage = Stage::Settle;
                        *this.kept = Some(Kept::NotEntered(error));
                        return settle::<_, _, _, _, F>(this.parts, stage, this.kept, nest, cx);
                    }
                };
                if !nest.is_empty() {
                    *stage = Stage::Settle;
                    let kept = keep::<_, _, _, F>(kept);
                    *this.kept = Some(Kept::Before(Some(outcome), kept));
                    return settle::<_, _, _, _, F>(this.parts, stage, this.kept, nest, cx);
                }
                exit::<_, _, _, _, F>(this.parts, stage, this.kept, nest, cx, outcome, kept)
            }
            Stage::Exit => exit_again::<_, _, _, _, F>(this.parts, stage, this.kept, nest, cx),
            Stage::Settle | Stage::Ended => {
                settle::<_, _, _, _, F>(this.parts, stage, this.kept, nest, cx)
            }
        }
    }
}

/// Begins to exit.
#[inline]
fn exit<P, X, E, O, F>(
    mut parts: Pin<&mut P>,
    stage: &mut Stage,
    place: &mut Option<Kept<X, F::Kept, E>>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
    outcome: Outcome<X>,
    kept: Result<F::Kept, Panic>,
) -> Poll<F::Output>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, O>,
{
    let context = parts.as_mut().context();
    match poll_exit(context, stage, nest, cx, outcome, kept.is_err()) {
        Poll::Ready(exited) => {
            after_exit::<_, _, _, _, F>(parts, stage, place, nest, cx, kept, exited)
        }
        Poll::Pending => {
            *place = Some(Kept::Exit(keep::<_, _, _, F>(kept)));
            Poll::Pending
        }
    }
}

/// Goes on with an exit.
#[inline]
fn exit_again<P, X, E, O, F>(
    mut parts: Pin<&mut P>,
    stage: &mut Stage,
    place: &mut Option<Kept<X, F::Kept, E>>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
) -> Poll<F::Output>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, O>,
{
    let panicked = matches!(place, Some(Kept::Exit(Err(_))));
    let context = parts.as_mut().context();
    // It has been told how its use ended.
    let outcome = Outcome::Cancelled;
    let exited = ready!(poll_exit(context, stage, nest, cx, outcome, panicked));
    let kept = match place.take() {
        Some(Kept::Exit(kept)) => kept.map(|output| output.kept),
        _ => unreachable!("the stage says what is kept"),
    };
    after_exit::<_, _, _, _, F>(parts, stage, place, nest, cx, kept, exited)
}

/// Polls the exit.
#[inline]
fn poll_exit<C, X>(
    mut context: Pin<&mut C>,
    stage: &mut Stage,
    nest: &mut Nest,
    cx: &mut Context<'_>,
    outcome: Outcome<X>,
    panicked: bool,
) -> Poll<Result<(), C::Error>>
where
    C: AsyncContext<X>,
{
    // If the exit panics, its caller is told that instead of what the body ended with.
    *stage = Stage::Ended;
    let exited = nest.during(|| {
        if panicked {
            poll_exit_after_panic(context.as_mut(), cx, outcome).map(Ok)
        } else {
            context.as_mut().poll_exit(cx, outcome)
        }
    });
    if exited.is_pending() {
        *stage = Stage::Exit;
    }
    exited
}

/// The exit is over.
#[inline]
fn after_exit<P, X, E, O, F>(
    mut parts: Pin<&mut P>,
    stage: &mut Stage,
    place: &mut Option<Kept<X, F::Kept, E>>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
    kept: Result<F::Kept, Panic>,
    exited: Result<(), E>,
) -> Poll<F::Output>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, O>,
{
    if !nest.is_empty() {
        *stage = Stage::Settle;
        let settled = poll_settle(parts.as_mut().context(), nest, cx);
        if settled.is_pending() {
            *place = Some(Kept::After(keep::<_, _, _, F>(kept), exited));
            return Poll::Pending;
        }
        *stage = Stage::Ended;
    }
    end::<_, _, _, _, F>(parts, kept, exited)
}

/// Waits for what is in the nest, and goes on.
#[cold]
fn settle<P, X, E, O, F>(
    mut parts: Pin<&mut P>,
    stage: &mut Stage,
    place: &mut Option<Kept<X, F::Kept, E>>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
) -> Poll<F::Output>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, O>,
{
    let context = parts.as_mut().context();
    match place {
        Some(Kept::Before(outcome, _)) => {
            ready!(poll_settle_before_exit(context, nest, cx, outcome));
        }
        Some(Kept::NotEntered(_) | Kept::After(..)) => ready!(poll_settle(context, nest, cx)),
        // Its exit may have panicked.
        Some(Kept::Exit(_)) | None => panic!("a future was polled after its end"),
    }
    *stage = Stage::Ended;
    match place.take() {
        Some(Kept::Before(outcome, kept)) => {
            let outcome = outcome.unwrap_or(Outcome::Cancelled);
            let kept = kept.map(|output| output.kept);
            exit::<_, _, _, _, F>(parts, stage, place, nest, cx, outcome, kept)
        }
        Some(Kept::After(kept, exited)) => {
            let kept = kept.map(|output| output.kept);
            end::<_, _, _, _, F>(parts, kept, exited)
        }
        Some(Kept::NotEntered(error)) => Poll::Ready(F::not_entered(error)),
        Some(Kept::Exit(_)) | None => unreachable!("the stage says what is kept"),
    }
}

/// What the use results in.
#[inline]
fn end<P, X, E, O, F>(
    parts: Pin<&mut P>,
    kept: Result<F::Kept, Panic>,
    exited: Result<(), E>,
) -> Poll<F::Output>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, O>,
{
    Poll::Ready(match (kept, exited) {
        (Ok(kept), Ok(())) => F::finish(kept),
        (Ok(kept), Err(error)) => end_failed::<_, _, _, _, F>(parts, kept, error),
        (Err(panic), _) => panic.resume(),
    })
}

/// What the use results in, whose exit failed.
#[cold]
fn end_failed<P, X, E, O, F>(mut parts: Pin<&mut P>, kept: F::Kept, error: E) -> F::Output
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, O>,
{
    let context = parts.as_mut().context();
    if F::comes_first(&kept) {
        context.report(ReportKind::Failed(&error));
        return F::finish(kept);
    }
    // If the destructor of the context panics, the caller is told that, and nobody would hear of the error.
    let identity = context.identity();
    if let Err(panic) = catch(|| parts.end_context()) {
        identity.report(ReportKind::Failed(&error));
        panic.resume();
    }
    F::exit_failed(kept, error)
}

/// Keeps what a body ended with, while the use waits.
#[inline]
fn keep<C, X, O, F>(kept: Result<F::Kept, Panic>) -> Result<Output<X, F::Kept, C::Error>, Panic>
where
    C: AsyncContext<X>,
    F: Form<C, X, O>,
{
    kept.map(|kept| Output {
        kept,
        lost: F::lost,
    })
}
