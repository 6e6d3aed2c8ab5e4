//! The one algorithm behind every form of a use.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::form::{Form, Kept};
use crate::cleanup::{Nest, drop_block, drop_context, poll_settle, poll_settle_before_exit};
use crate::platform::panics::{KeptPanic, Panic, catch, catch_rare};
use crate::raw::{self, ASK, end_beside, poll_beside};
use crate::report::{ReportKind, ReportSource};
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

    /// Gives the resource of the entered context to the body. Whether something goes on beside the body.
    fn lend(self: Pin<&mut Self>) -> bool;

    /// Polls the body, to which the resource was lent.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;

    /// Goes on with what is beside the body. Ready when that ends the body.
    fn poll_beside(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<raw::Ended>;

    /// The future beside the body has ended it. `true`: the body goes on to its own end all the same, because it consists of
    /// the next use of the same call, which is told to exit, or because a yield in it is over, and what comes after a
    /// yield always runs.
    fn cut(self: Pin<&mut Self>) -> bool {
        false
    }

    /// Whether what is beside the body was driven, and has failed, while a yield in the body lent.
    fn ending(_: &Self::Output) -> Ending {
        Ending::Own
    }

    /// Whether the use of the former context of the same call ends this one.
    #[inline]
    fn is_cut(self: Pin<&mut Self>) -> bool {
        false
    }

    /// Tells that one that this one has ended.
    fn finish_outer(self: Pin<&mut Self>) {}
}

/// How the future beside a body has ended, when the body ended.
pub enum Ending {
    /// Nothing.
    Own,
    /// It has failed.
    Beside,
    /// It has failed when the outer use had ended.
    BesideLate,
}

pin_project_lite::pin_project! {
    /// The future of a use: enters, runs the body, exits.
    #[must_use = "the context is entered and the body run when this is awaited: `.await`"]
    pub struct Use<P, X, K, E, F>
    where
        P: Parts<X>,
        P::Context: AsyncContext<X, Error = E>,
        K: Kept,
    {
        #[pin]
        parts: P,
        // Emptied by the drop of an unfinished use, so that the compiler need not look at it again.
        stage: ManuallyDrop<Stage<X, K, E>>,
        // Dropped last: what is in it then belongs to the enclosing use.
        nest: Nest,
        _form: PhantomData<fn() -> F>,
    }

    impl<P, X, K, E, F> PinnedDrop for Use<P, X, K, E, F>
    where
        P: Parts<X>,
        P::Context: AsyncContext<X, Error = E>,
        K: Kept,
    {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            // A use that is over leaves its context to be dropped with what is around it.
            if !matches!(*this.stage, Stage::Over) {
                this.drop_unfinished();
            }
        }
    }
}

impl<P, X, K, E, F> fmt::Debug for Use<P, X, K, E, F>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    K: Kept,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Use").finish_non_exhaustive()
    }
}

/// How far a use has come, and what it keeps then.
#[repr(u8)] // Looked at by each poll, so a byte of its own, whatever is kept.
enum Stage<X, K, E> {
    /// It enters.
    Enter,
    /// The body runs.
    Body,
    /// The body runs, and something goes on beside it.
    Beside,
    /// The body has been ended like this, and goes on to its own end.
    Cut(Ended<K, E>),
    /// The body has ended, and has been dropped. The use exits.
    Exit(Ended<K, E>),
    /// The same, but the use waits for its nest before. The outcome is for the first poll of the exit.
    Before(Option<Outcome<X>>, Ended<K, E>),
    /// It has exited, and waits for its nest.
    After(Ended<K, E>, Result<(), E>),
    /// It could not be entered, and waits for its nest.
    NotEntered(E),
    /// It has ended, and leaves something in its nest.
    Left,
    /// It has ended, and leaves nothing.
    Over,
}

/// How the body ended.
enum Ended<K, E> {
    /// With a value that the use keeps.
    Kept(K),
    Panicked(KeptPanic),
    /// What goes on beside it has ended it, with this error. Without one, the error is what the exit fails with.
    Beside(Option<E>),
    /// The use of the former context of the same call has ended it.
    Outer,
}

impl<K, E> Ended<K, E> {
    #[cold]
    fn panicked(panic: Panic) -> Self {
        #[allow(unreachable_code, reason = "without `std` no panic is ever caught")]
        Self::Panicked(KeptPanic::new(panic))
    }
}

impl<P, X, K, E, F> Use<P, X, K, E, F>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    K: Kept,
{
    /// A use that has not begun.
    #[inline]
    pub(super) fn new(parts: P) -> Self {
        Self {
            parts,
            stage: ManuallyDrop::new(Stage::Enter),
            nest: Nest::new(),
            _form: PhantomData,
        }
    }

    /// Drops a use that has not ended, or that leaves something.
    #[cold]
    fn drop_unfinished(self: Pin<&mut Self>) {
        let mut this = self.project();
        match mem::replace(&mut **this.stage, Stage::Over) {
            Stage::Enter | Stage::Left | Stage::Over => {
                drop_context(this.nest, &mut || this.parts.as_mut().end_context());
            }
            Stage::Body | Stage::Beside => {
                let mut ending = EndContext::of(this.parts, this.nest);
                let EndContext { parts, nest, .. } = &mut ending;
                drop_block(nest, &mut || parts.as_mut().end_body());
            }
            Stage::Cut(ended) => {
                let mut ending = EndContext::of(this.parts, this.nest);
                let EndContext { parts, nest, .. } = &mut ending;
                drop_block(nest, &mut || parts.as_mut().end_body());
                let mut context = parts.as_mut().context();
                let source = context.report_source();
                let failure = failure_of(context.as_mut());
                drop(ending);
                report_failure(source, failure);
                report_ended(source, ended, None::<X>);
            }
            Stage::Exit(ended) => drop_waiting(this.parts, this.nest, ended, None),
            Stage::Before(outcome, ended) => {
                // Not every context takes it before its exit.
                let untold = match outcome {
                    Some(Outcome::Failed(error)) => Some(error),
                    _ => None,
                };
                drop_waiting(this.parts, this.nest, ended, untold);
            }
            Stage::After(ended, exited) => {
                if let Err(error) = exited {
                    let context = this.parts.as_mut().context();
                    context.report(ReportKind::Failed(&error));
                }
                drop_waiting(this.parts, this.nest, ended, None);
            }
            Stage::NotEntered(error) => {
                let context = this.parts.as_mut().context();
                context.report(ReportKind::SetUpFailed(&error));
                drop(EndContext::of(this.parts, this.nest));
            }
        }
    }
}

/// Drops the context of a use that waits and has no body any more. What the body ended with has no caller now, so
/// it is reported.
#[cold]
fn drop_waiting<P, X, K, E>(
    mut parts: Pin<&mut P>,
    nest: &mut Nest,
    ended: Ended<K, E>,
    untold: Option<X>,
) where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    K: Kept,
{
    let source = parts.as_mut().context().report_source();
    drop(EndContext::of(parts, nest));
    report_ended(source, ended, untold);
}

/// Reports what a body ended with, whose caller is gone.
fn report_ended<X, K, E>(source: ReportSource<E>, ended: Ended<K, E>, untold: Option<X>)
where
    K: Kept,
{
    match ended {
        Ended::Kept(kept) => kept.lost(source, untold),
        Ended::Panicked(panic) => {
            panic.inspect(|payload| source.report_body(ReportKind::Panicked(payload)));
        }
        Ended::Beside(Some(error)) => source.report(ReportKind::Failed(&error)),
        Ended::Beside(None) | Ended::Outer => {}
    }
}

/// Takes out the error with which what is beside has failed. To convert it may panic.
fn failure_of<C, X>(context: Pin<&mut C>) -> Result<Option<C::Error>, Panic>
where
    C: AsyncContext<X>,
{
    let (mut context, mut failure) = (context, None);
    catch_rare(&mut || failure = context.as_mut().failure(ASK))?;
    Ok(failure)
}

/// Reports an error of what is beside, which is not what the use ends with.
fn report_failure<E>(source: ReportSource<E>, failure: Result<Option<E>, Panic>) {
    match failure {
        Ok(Some(error)) => source.report(ReportKind::Failed(&error)),
        Ok(None) => {}
        Err(panic) => panic.report_to(source),
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

impl<'a, P, X> EndContext<'a, P, X>
where
    P: Parts<X>,
{
    fn of(parts: Pin<&'a mut P>, nest: &'a mut Nest) -> Self {
        Self {
            parts,
            nest,
            _outcome: PhantomData,
        }
    }
}

impl<P, X> Drop for EndContext<'_, P, X>
where
    P: Parts<X>,
{
    fn drop(&mut self) {
        // It is there still if a destructor in it has panicked.
        self.parts.as_mut().end_body();
        let mut context = self.parts.as_mut().context();
        let mut ended = Ok(());
        drop_block(self.nest, &mut || ended = end_beside(context.as_mut()));
        if let Err(panic) = ended {
            panic.report_to(context.report_source());
        }
        drop_context(self.nest, &mut || self.parts.as_mut().end_context());
    }
}

/// Drops a body that has panicked. Whatever panics then, the first panic goes on.
#[cold]
fn end_panicked_body<P, X>(mut parts: Pin<&mut P>)
where
    P: Parts<X>,
{
    if let Err(second) = catch_rare(&mut || parts.as_mut().end_body()) {
        second.discard();
    }
}

/// How a poll of the set-up and the body went.
enum Polled<O, E> {
    NotEntered(E),
    Pending,
    Ended(O),
    Panicked(Panic),
}

impl<P, X, E, F> Future for Use<P, X, F::Kept, E, F>
where
    P: Runs<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, P::Output>,
{
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let outcome = match *self.stage {
            Stage::Enter | Stage::Body | Stage::Beside | Stage::Cut(_) => {
                match self.as_mut().run(cx) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => ready!(self.as_mut().wait(cx)),
                }
            }
            // It has been told how its use ended.
            Stage::Exit(_) => Some(Outcome::Cancelled),
            _ => None,
        };
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => match ready!(self.as_mut().settle(cx)) {
                ControlFlow::Continue(outcome) => outcome,
                ControlFlow::Break(output) => return output,
            },
        };
        self.exit(cx, outcome)
    }
}

impl<P, X, E, F> Use<P, X, F::Kept, E, F>
where
    P: Runs<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, P::Output>,
{
    /// Enters, then runs the body. Ready with the outcome, if there is nothing to wait for before the exit.
    #[inline]
    fn run(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<X>>> {
        if self.as_mut().project().parts.is_cut() {
            if let Some(ended) = self.as_mut().cut_by_outer() {
                return ended;
            }
        }
        let this = self.as_mut().project();
        let (mut parts, stage) = (this.parts, this.stage);
        // The only place where a body is polled, so that it is inlined.
        let polled = this.nest.during(|| {
            let enters = matches!(**stage, Stage::Enter);
            if enters {
                match parts.as_mut().context().poll_enter(cx) {
                    Poll::Pending => return Polled::Pending,
                    Poll::Ready(Err(error)) => return Polled::NotEntered(error),
                    Poll::Ready(Ok(())) => stage.set(Stage::Body),
                }
            }
            let polled = catch(|| {
                if enters && parts.as_mut().lend() {
                    stage.set(Stage::Beside);
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
                    end_panicked_body(parts);
                    Polled::Panicked(panic)
                }
            }
        });
        let (outcome, ended) = match polled {
            Polled::Pending => return Poll::Pending,
            Polled::Ended(output) => {
                if !matches!(**stage, Stage::Body) {
                    return self.end_of_body(output);
                }
                let (outcome, kept) = F::split(output);
                (outcome, Ended::Kept(kept))
            }
            Polled::Panicked(panic) => return self.panic_of_body(panic),
            Polled::NotEntered(error) => {
                stage.set(Stage::NotEntered(error));
                return Poll::Ready(None);
            }
        };
        if this.nest.is_empty() {
            stage.set(Stage::Exit(ended));
            return Poll::Ready(Some(outcome));
        }
        stage.set(Stage::Before(Some(outcome), ended));
        Poll::Ready(None)
    }

    /// The use of the former context of the same call ends this one, whose body may be running. Ready as
    /// [`run`](Self::run) is, if the body is not to be polled any more.
    #[cold]
    fn cut_by_outer(mut self: Pin<&mut Self>) -> Option<Poll<Option<Outcome<X>>>> {
        let this = self.as_mut().project();
        let (mut parts, stage) = (this.parts, this.stage);
        match **stage {
            Stage::Enter => {
                // As any use that is dropped while it enters.
                drop_context(this.nest, &mut || parts.as_mut().end_context());
                stage.set(Stage::Left);
                parts.finish_outer();
                Some(Poll::Pending)
            }
            Stage::Cut(_) => None,
            _ if parts.cut() => {
                stage.set(Stage::Cut(Ended::Outer));
                None
            }
            _ => Some(self.cut_off(Ended::Outer)),
        }
    }

    /// Waits for the body, and goes on with what is beside it. Ready as [`run`](Self::run) is.
    #[inline]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<X>>> {
        match *self.stage {
            Stage::Beside => self.go_on_beside(cx),
            _ => Poll::Pending,
        }
    }

    /// Goes on with what is beside the body. Ready as [`run`](Self::run) is.
    #[cold]
    fn go_on_beside(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let (mut parts, stage) = (this.parts, this.stage);
        // The block has been polled first: if it has ended, that stands.
        let mut polled = Poll::Pending;
        let nest = this.nest;
        nest.during_rarely(&mut || polled = parts.as_mut().poll_beside(cx));
        let ended = ready!(polled);
        let ended = match ended.panic {
            Some(panic) => Ended::panicked(panic),
            None => Ended::Beside(None),
        };
        if !parts.cut() {
            return self.cut_off(ended);
        }
        stage.set(Stage::Cut(ended));
        // The next use of the same call has to see that.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The body has panicked, and is gone. Ready as [`run`](Self::run) is.
    #[cold]
    fn panic_of_body(mut self: Pin<&mut Self>, panic: Panic) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let ended = match mem::replace(&mut **this.stage, Stage::Beside) {
            Stage::Cut(Ended::Panicked(first)) => {
                panic.report_body_to(this.parts.context().report_source());
                Ended::Panicked(first)
            }
            _ => Ended::panicked(panic),
        };
        self.conclude(ended)
    }

    /// A body has ended beside which something goes on, or which was ended by something else. Ready as
    /// [`run`](Self::run) is.
    #[cold]
    fn end_of_body(mut self: Pin<&mut Self>, output: P::Output) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let (parts, stage) = (this.parts, this.stage);
        if let Stage::Cut(ended) = mem::replace(&mut **stage, Stage::Beside) {
            lose::<F, P::Context, _, _>(parts.context().report_source(), output);
            return self.conclude(ended);
        }
        match P::ending(&output) {
            Ending::Own => {}
            Ending::Beside => {
                lose::<F, P::Context, _, _>(parts.context().report_source(), output);
                return self.conclude(Ended::Beside(None));
            }
            Ending::BesideLate => {
                let mut context = parts.context();
                let failure = failure_of(context.as_mut());
                report_failure(context.report_source(), failure);
            }
        }
        let (outcome, kept) = F::split(output);
        self.begin_exit(outcome, Ended::Kept(kept))
    }

    /// Drops a body that was ended from outside of it.
    fn cut_off(mut self: Pin<&mut Self>, ended: Ended<F::Kept, E>) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let mut parts = this.parts;
        let mut dropped = Ok(());
        this.nest.during_rarely(&mut || {
            dropped = catch_rare(&mut || parts.as_mut().end_body());
        });
        if dropped.is_err() {
            // It is gone all the same.
            parts.as_mut().end_body();
        }
        let ended = match (ended, dropped) {
            (ended, Ok(())) => ended,
            (Ended::Panicked(first), Err(second)) => {
                second.discard();
                Ended::Panicked(first)
            }
            (_, Err(panic)) => Ended::panicked(panic),
        };
        self.conclude(ended)
    }

    /// Goes on with the exit of a use whose body, which is gone, did not end by itself.
    fn conclude(mut self: Pin<&mut Self>, ended: Ended<F::Kept, E>) -> Poll<Option<Outcome<X>>> {
        let mut context = self.as_mut().project().parts.context();
        let failure = failure_of(context.as_mut());
        let ended = match (ended, failure) {
            (Ended::Beside(_), Ok(error)) => Ended::Beside(error),
            (Ended::Beside(_), Err(panic)) => Ended::panicked(panic),
            (ended, failure) => {
                report_failure(context.report_source(), failure);
                ended
            }
        };
        let outcome = match ended {
            Ended::Panicked(_) => Outcome::Panicked,
            _ => Outcome::Cancelled,
        };
        self.begin_exit(outcome, ended)
    }

    /// Drops what is beside, if the exit can begin at once. Ready as [`run`](Self::run) is.
    fn begin_exit(
        self: Pin<&mut Self>,
        mut outcome: Outcome<X>,
        mut ended: Ended<F::Kept, E>,
    ) -> Poll<Option<Outcome<X>>> {
        let this = self.project();
        let (mut parts, stage, nest) = (this.parts, this.stage, this.nest);
        if nest.is_empty() {
            let mut context = parts.as_mut().context();
            if let Err(panic) = end_beside_in(nest, context.as_mut()) {
                let source = context.report_source();
                if let Ended::Panicked(_) = ended {
                    panic.report_to(source);
                } else {
                    let untold = match outcome {
                        Outcome::Failed(error) => Some(error),
                        _ => None,
                    };
                    report_ended(source, ended, untold);
                    ended = Ended::panicked(panic);
                    outcome = Outcome::Panicked;
                }
            }
        }
        if nest.is_empty() {
            stage.set(Stage::Exit(ended));
            return Poll::Ready(Some(outcome));
        }
        stage.set(Stage::Before(Some(outcome), ended));
        Poll::Ready(None)
    }

    /// Exits.
    #[inline]
    fn exit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<F::Output> {
        let this = self.as_mut().project();
        let context = this.parts.context();
        let polled = this
            .nest
            .during(|| catch(|| context.poll_exit(cx, outcome)));
        let exited = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => Ok(()),
            Ok(Poll::Ready(Err(error))) => self.as_mut().exit_failed(error),
            Err(panic) => self.as_mut().exit_panicked(panic),
        };
        let this = self.as_mut().project();
        let Stage::Exit(ended) = mem::replace(&mut **this.stage, Stage::Over) else {
            unreachable!("the stage says that it exits");
        };
        if this.nest.is_empty() {
            return self.end(ended, exited);
        }
        this.stage.set(Stage::After(ended, exited));
        match ready!(self.settle(cx)) {
            ControlFlow::Break(output) => output,
            ControlFlow::Continue(_) => unreachable!("it has exited"),
        }
    }

    /// The exit failed. After a panic of the body, which is what goes on, that is reported.
    #[cold]
    fn exit_failed(self: Pin<&mut Self>, error: E) -> Result<(), E> {
        let this = self.project();
        if let Stage::Exit(Ended::Panicked(_)) = **this.stage {
            this.parts.context().report(ReportKind::Failed(&error));
            return Ok(());
        }
        Err(error)
    }

    /// The exit panicked. After a panic of the body, which is what goes on, that is reported. Else it goes on, and
    /// what the body ended with has no caller.
    #[cold]
    fn exit_panicked(self: Pin<&mut Self>, panic: Panic) -> Result<(), E> {
        let this = self.project();
        let source = this.parts.context().report_source();
        if let Stage::Exit(Ended::Panicked(_)) = **this.stage {
            panic.report_to(source);
            return Ok(());
        }
        if let Stage::Exit(ended) = mem::replace(&mut **this.stage, Stage::Left) {
            report_ended(source, ended, None::<X>);
        }
        panic.resume()
    }

    /// Waits for what is in the nest.
    #[cold]
    fn settle(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<ControlFlow<Poll<F::Output>, Outcome<X>>> {
        let this = self.as_mut().project();
        let (mut parts, nest) = (this.parts, this.nest);
        match &mut **this.stage {
            Stage::Before(outcome, _) => {
                let mut context = parts.as_mut().context();
                let settled = poll_settle_before_exit(context.as_mut(), nest, cx, outcome);
                if settled.is_pending() {
                    poll_late(context, nest, cx);
                    return Poll::Pending;
                }
                if let Err(panic) = end_beside_in(nest, context.as_mut()) {
                    panic.report_to(context.report_source());
                }
                ready!(poll_settle_before_exit(context, nest, cx, outcome));
            }
            Stage::NotEntered(_) | Stage::After(..) => {
                ready!(poll_settle(parts.context(), nest, cx));
            }
            _ => panic!("a future was polled after its end"),
        }
        Poll::Ready(match mem::replace(&mut **this.stage, Stage::Left) {
            Stage::Before(outcome, ended) => {
                this.stage.set(Stage::Exit(ended));
                ControlFlow::Continue(outcome.unwrap_or(Outcome::Cancelled))
            }
            Stage::After(ended, exited) => ControlFlow::Break(self.end(ended, exited)),
            Stage::NotEntered(error) => ControlFlow::Break(Poll::Ready(F::not_entered(error))),
            _ => unreachable!("the stage says what is kept"),
        })
    }

    /// What the use results in.
    #[inline]
    fn end(
        self: Pin<&mut Self>,
        ended: Ended<F::Kept, E>,
        exited: Result<(), E>,
    ) -> Poll<F::Output> {
        let Ended::Kept(kept) = ended else {
            return self.end_otherwise(ended, exited);
        };
        Poll::Ready(match exited {
            Ok(()) => F::finish(kept),
            Err(error) => self.end_failed(kept, error),
        })
    }

    /// What the use results in, whose body did not end by itself.
    #[cold]
    fn end_otherwise(
        self: Pin<&mut Self>,
        ended: Ended<F::Kept, E>,
        exited: Result<(), E>,
    ) -> Poll<F::Output> {
        Poll::Ready(match ended {
            Ended::Kept(_) => unreachable!("it has ended by itself"),
            Ended::Panicked(panic) => panic.resume(),
            Ended::Beside(error) => self.end_beside(error, exited),
            Ended::Outer => {
                self.end_outer(exited);
                return Poll::Pending;
            }
        })
    }

    /// What the use results in, whose body was ended by what goes on beside it.
    #[cold]
    fn end_beside(self: Pin<&mut Self>, error: Option<E>, exited: Result<(), E>) -> F::Output {
        let mut parts = self.project().parts;
        let context = parts.as_mut().context();
        let (error, mut exit) = match (error, exited) {
            (Some(error), exited) => (error, exited.err()),
            (None, Err(error)) => (error, None),
            (None, Ok(())) => {
                let Some(swallowed) = F::swallowed() else {
                    panic!(
                        "what goes on beside the block of a context inside `{}` has ended the block, and that was \
                         swallowed: so there is no value to go on with",
                        context.report_source().path(),
                    );
                };
                return swallowed;
            }
        };
        let source = context.report_source();
        if !F::KEEPS_BOTH {
            if let Some(error) = exit.take() {
                context.report(ReportKind::Failed(&error));
            }
        }
        // As in `end_failed`.
        if let Err(panic) = catch_rare(&mut || parts.as_mut().end_context()) {
            source.report(ReportKind::Failed(&error));
            if let Some(error) = exit {
                source.report(ReportKind::Failed(&error));
            }
            panic.resume();
        }
        F::beside_failed(error, exit)
    }

    /// Ends for the use around it, which goes on with the error of what is beside that.
    #[cold]
    fn end_outer(self: Pin<&mut Self>, exited: Result<(), E>) {
        let mut parts = self.project().parts;
        if let Err(error) = exited {
            parts.as_mut().context().report(ReportKind::Failed(&error));
        }
        parts.finish_outer();
    }

    /// What the use results in, whose exit failed.
    #[cold]
    fn end_failed(self: Pin<&mut Self>, kept: F::Kept, error: E) -> F::Output {
        let mut parts = self.project().parts;
        let context = parts.as_mut().context();
        if F::comes_first(&kept) {
            context.report(ReportKind::Failed(&error));
            return F::finish(kept);
        }
        // If the destructor of the context panics, the caller is told that, and nobody would hear of the error.
        let source = context.report_source();
        if let Err(panic) = catch_rare(&mut || parts.as_mut().end_context()) {
            source.report(ReportKind::Failed(&error));
            panic.resume();
        }
        F::exit_failed(kept, error)
    }
}

/// Goes on with what is beside a body that has ended, while its use waits.
#[cold]
fn poll_late<C, X>(mut context: Pin<&mut C>, nest: &mut Nest, cx: &mut Context<'_>)
where
    C: AsyncContext<X>,
{
    loop {
        let mut polled = Poll::Pending;
        nest.during_rarely(&mut || polled = poll_beside(context.as_mut(), cx, true));
        let Poll::Ready(ended) = polled else {
            return;
        };
        if let Some(panic) = ended.panic {
            panic.report_to(context.report_source());
        }
        let failure = failure_of(context.as_mut());
        report_failure(context.report_source(), failure);
    }
}

/// Drops what is beside a body that has ended.
fn end_beside_in<C, X>(nest: &mut Nest, mut context: Pin<&mut C>) -> Result<(), Panic>
where
    C: AsyncContext<X>,
{
    let mut ended = Ok(());
    nest.during_rarely(&mut || ended = end_beside(context.as_mut()));
    ended
}

/// Reports what a body ended with that was ended before by something else.
#[cold]
fn lose<F, C, X, O>(source: ReportSource<C::Error>, output: O)
where
    C: AsyncContext<X>,
    F: Form<C, X, O>,
{
    let (outcome, kept) = F::split(output);
    let untold = match outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    };
    kept.lost(source, untold);
}

impl<X, K, E> Stage<X, K, E> {
    /// Goes on from a stage that keeps nothing. The compiler does not see that there is nothing to drop.
    #[inline]
    fn set(&mut self, next: Self) {
        mem::forget(mem::replace(self, next));
    }
}
