//! The one algorithm behind every form of a use.
//!
//! `dropping` has the drop of a use that has not ended, and `beside` what ends a body from outside of it.

mod beside;
mod dropping;
mod reporting;

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use self::beside::{end_beside_in, poll_after_block};
use self::dropping::end_panicked_body;
use self::reporting::{report_beside, report_ended};
use super::form::{Form, Kept, report_lost_value};
use crate::cleanup::{Nest, drop_context, poll_settle, poll_settle_before_exit};
use crate::context::lose_error;
use crate::platform::panics::{KeptPanic, Panic, catch_panic, catch_panic_rarely};
use crate::raw;
use crate::report::{ReportSource, drop_before};
use crate::{AsyncContext, Outcome};

/// The context of a use and its body, which borrows what the context lends.
pub trait Parts<X> {
    /// The context.
    type Context: AsyncContext<X>;

    /// The context, while the body does not borrow from it.
    fn context(self: Pin<&mut Self>) -> Pin<&mut Self::Context>;

    /// Whether the outer use of the same `async_with!` may end this one.
    #[inline]
    fn is_watched(&mut self) -> bool {
        false
    }

    /// Drops the body, if it is there. If a destructor in it panics, it is gone all the same.
    fn end_body(self: Pin<&mut Self>);

    /// Drops the context, if it is there. The body has been dropped.
    fn end_context(self: Pin<&mut Self>);
}

/// Parts whose body can run.
pub trait Runs<X>: Parts<X> {
    /// What the body ends with.
    type Output;

    /// Gives the resource of the entered context to the body. Returns whether something else may end the body: the future
    /// beside it, or the outer use of the same `async_with!`.
    fn lend(self: Pin<&mut Self>) -> bool;

    /// Polls the body, to which the resource was lent.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;

    /// Goes on with what is beside the body. Ready when that ends the body.
    fn poll_beside(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<raw::EndedBeside>;

    /// Something else ends the body: the future beside it, or the outer use. Returns `true` if the body has to run to its
    /// own end all the same: because a yield in it has begun, and the code after a yield always runs, or because it
    /// consists of the inner use, which is now marked to exit.
    fn interrupt(self: Pin<&mut Self>) -> bool {
        false
    }

    /// Whether the future beside the body has failed while a yield in the body lent: the outer context's driver polled it
    /// then.
    fn ending(_: &Self::Output) -> Ending {
        Ending::Own
    }

    /// Whether the body, which has panicked and is gone, had ended with a failure before: a destructor in it panicked then.
    fn has_failed(self: Pin<&mut Self>) -> bool {
        false
    }

    /// Whether the outer use of the same `async_with!` ends this one.
    #[inline]
    fn is_interrupted(self: Pin<&mut Self>) -> bool {
        false
    }

    /// Tells the outer use that this one has ended.
    fn finish_outer(self: Pin<&mut Self>) {}
}

/// What a body that has ended says about the future beside it.
pub enum Ending {
    /// It did not fail: the body has ended by itself.
    Own,
    /// It has failed, and so ended the body.
    Beside,
    /// It has failed after the block of the outer context had ended, so its error is only reported.
    BesideAfterBlock,
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
        // `ManuallyDrop`: `drop_unfinished` takes it out, so the compiler generates no drop code for it.
        stage: ManuallyDrop<Stage<X, K, E>>,
        // `drop_unfinished` drops it last: its entries then go to the enclosing nest. In `Stage::Over` it is empty.
        nest: ManuallyDrop<Nest>,
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
            // A use that is over has nothing to exit or to hand off: its parts drop the context.
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
    /// It enters, and the outer use of the same `async_with!` may end it.
    EnterWatched,
    /// The body runs, and something else may end it: the future beside it, or the outer use.
    Beside,
    /// Something else has ended the body, as noted here, but the body still runs to its own end.
    Interrupted(BodyEnd<K, E>),
    /// The body has ended, and has been dropped. The use exits.
    Exit(BodyEnd<K, E>),
    /// The body has ended, and has been dropped. The use waits for its nest, and then exits. The outcome is for the first
    /// poll of the exit.
    Before(Option<Outcome<X>>, BodyEnd<K, E>),
    /// It has exited, and waits for its nest.
    After(BodyEnd<K, E>, Result<(), E>),
    /// It could not be entered, and waits for its nest.
    NotEntered(E),
    /// It has ended, and leaves something in its nest.
    OverWithNest,
    /// It has ended, and leaves nothing.
    Over,
}

/// How the body ended.
enum BodyEnd<K, E> {
    /// With a value that the use keeps.
    Kept(K),
    Panicked(KeptPanic),
    /// What goes on beside it has ended it, with this error. Without one, the error is what the exit fails with.
    Beside(Option<E>),
    /// The outer use of the same `async_with!` has ended it.
    Outer,
}

impl<K, E> BodyEnd<K, E> {
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
    pub(super) fn new(mut parts: P) -> Self {
        let stage = if parts.is_watched() {
            Stage::EnterWatched
        } else {
            Stage::Enter
        };
        Self {
            parts,
            stage: ManuallyDrop::new(stage),
            nest: ManuallyDrop::new(Nest::new()),
            _form: PhantomData,
        }
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
        let outcome = 'outcome: {
            // Most polls are in one of these two stages, so they are checked first.
            if !matches!(*self.stage, Stage::Enter | Stage::Body) {
                match *self.stage {
                    Stage::EnterWatched | Stage::Beside | Stage::Interrupted(_) => {
                        if let Some(ended) = self.as_mut().look_outside() {
                            break 'outcome ready!(ended);
                        }
                    }
                    // The first poll of the exit told the context the outcome. It ignores this one.
                    Stage::Exit(_) => break 'outcome Some(Outcome::Cancelled),
                    _ => break 'outcome None,
                }
            }
            match self.as_mut().run(cx) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending if matches!(*self.stage, Stage::Beside) => {
                    ready!(self.as_mut().go_on_beside(cx))
                }
                Poll::Pending => return Poll::Pending,
            }
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
        let this = self.as_mut().project();
        let (mut parts, stage) = (this.parts, this.stage);
        // The only place where a body is polled, so that it is inlined.
        let polled = this.nest.during(|| {
            if matches!(**stage, Stage::Enter | Stage::EnterWatched) {
                match parts.as_mut().context().poll_enter(cx) {
                    Poll::Pending => return Polled::Pending,
                    Poll::Ready(Err(error)) => return Polled::NotEntered(error),
                    Poll::Ready(Ok(())) => stage.set(Stage::Body),
                }
                match catch_panic(|| parts.as_mut().lend()) {
                    Ok(false) => {}
                    Ok(true) => stage.set(Stage::Beside),
                    Err(panic) => {
                        end_panicked_body(parts);
                        return Polled::Panicked(panic);
                    }
                }
            }
            // The closure captures few variables, because each one is stored at every poll.
            let polled = catch_panic(|| {
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
                (outcome, BodyEnd::Kept(kept))
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

    /// The body has panicked, and is gone. Returns what [`run`](Self::run) returns.
    #[cold]
    fn panic_of_body(mut self: Pin<&mut Self>, panic: Panic) -> Poll<Option<Outcome<X>>> {
        let mut this = self.as_mut().project();
        if this.parts.as_mut().has_failed() {
            report_lost_value(this.parts.as_mut().context().report_source());
        }
        let ended = match mem::replace(&mut **this.stage, Stage::Beside) {
            Stage::Interrupted(BodyEnd::Panicked(first)) => {
                panic.report_body_to(this.parts.context().report_source());
                BodyEnd::Panicked(first)
            }
            _ => BodyEnd::panicked(panic),
        };
        self.conclude(ended)
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
            .during(|| catch_panic(|| context.poll_exit(cx, outcome)));
        let exited = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => Ok(()),
            Ok(Poll::Ready(Err(error))) => self.as_mut().exit_failed(error),
            Err(panic) => self.as_mut().exit_panicked(panic),
        };
        let this = self.as_mut().project();
        let ended = this.stage.end_exit();
        if this.nest.is_empty() {
            return self.end(ended, exited);
        }
        this.stage.set(Stage::After(ended, exited));
        match ready!(self.settle(cx)) {
            ControlFlow::Break(output) => output,
            ControlFlow::Continue(_) => unreachable!("it has exited"),
        }
    }

    /// The exit failed. If the body has panicked, that panic is resumed, and this error is reported.
    #[cold]
    fn exit_failed(self: Pin<&mut Self>, error: E) -> Result<(), E> {
        let this = self.project();
        if let Stage::Exit(BodyEnd::Panicked(_)) = **this.stage {
            lose_error(&*this.parts.context(), error);
            return Ok(());
        }
        Err(error)
    }

    /// The exit panicked. If the body has panicked too, the panic of the body is resumed, and this one is reported. Else
    /// this one is resumed, and what the body ended with is reported.
    #[cold]
    fn exit_panicked(mut self: Pin<&mut Self>, panic: Panic) -> Result<(), E> {
        let this = self.as_mut().project();
        let context = this.parts.context();
        let source = context.report_source();
        if let Stage::Exit(BodyEnd::Panicked(_)) = **this.stage {
            panic.report_to(source);
            return Ok(());
        }
        if let Stage::Exit(ended) = mem::replace(&mut **this.stage, Stage::OverWithNest) {
            let ended = report_beside(&*context, ended);
            report_ended(source, ended, None::<X>);
        }
        self.end_context_of_panicked();
        panic.resume()
    }

    /// Drops the context before a panic goes on. One that comes now is reported.
    #[cold]
    fn end_context_of_panicked(self: Pin<&mut Self>) {
        let mut this = self.project();
        let (parts, nest) = (&mut this.parts, &mut **this.nest);
        let source = parts.as_mut().context().report_source();
        let ended =
            catch_panic_rarely(&mut || drop_context(nest, &mut || parts.as_mut().end_context()));
        if let Err(panic) = ended {
            panic.report_to(source);
        }
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
                    poll_after_block(context, nest, cx);
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
        Poll::Ready(match mem::replace(&mut **this.stage, Stage::OverWithNest) {
            Stage::Before(outcome, ended) => {
                this.stage.set(Stage::Exit(ended));
                ControlFlow::Continue(outcome.unwrap_or(Outcome::Cancelled))
            }
            Stage::After(ended, exited) => ControlFlow::Break(self.end(ended, exited)),
            Stage::NotEntered(error) => {
                let error = self.end_context(error, ReportSource::lose_set_up);
                ControlFlow::Break(Poll::Ready(F::not_entered(error)))
            }
            _ => unreachable!("the stage says what is kept"),
        })
    }

    /// The result of the use.
    #[inline]
    fn end(
        self: Pin<&mut Self>,
        ended: BodyEnd<F::Kept, E>,
        exited: Result<(), E>,
    ) -> Poll<F::Output> {
        let BodyEnd::Kept(kept) = ended else {
            return self.end_otherwise(ended, exited);
        };
        Poll::Ready(match exited {
            Ok(()) if kept.is_failure() => self.end_body_failed(kept),
            Ok(()) => F::finish(kept),
            Err(error) => self.end_failed(kept, error),
        })
    }

    /// The result of a use whose body did not end by itself.
    #[cold]
    fn end_otherwise(
        self: Pin<&mut Self>,
        ended: BodyEnd<F::Kept, E>,
        exited: Result<(), E>,
    ) -> Poll<F::Output> {
        Poll::Ready(match ended {
            BodyEnd::Kept(_) => unreachable!("it has ended by itself"),
            BodyEnd::Panicked(panic) => {
                self.end_context_of_panicked();
                panic.resume()
            }
            BodyEnd::Beside(error) => self.end_beside(error, exited),
            BodyEnd::Outer => {
                self.end_outer(exited);
                return Poll::Pending;
            }
        })
    }

    /// The result of a use whose exit failed.
    #[cold]
    fn end_failed(mut self: Pin<&mut Self>, kept: F::Kept, error: E) -> F::Output {
        if F::BODY_FIRST && kept.is_failure() {
            lose_error(&*self.as_mut().project().parts.context(), error);
            return self.end_body_failed(kept);
        }
        let (kept, error) = self.end_context((kept, error), |source, (kept, error)| {
            source.lose(error);
            kept.lost(source, None::<X>);
        });
        F::exit_failed(kept, error)
    }

    /// The result of a use whose body failed.
    #[cold]
    fn end_body_failed(self: Pin<&mut Self>, kept: F::Kept) -> F::Output {
        F::finish(self.end_context(kept, |source, kept| kept.lost(source, None::<X>)))
    }

    /// Drops the context before the caller is told `error`, and gives that back.
    #[cold]
    fn end_context<T>(self: Pin<&mut Self>, error: T, lose: fn(ReportSource<E>, T)) -> T {
        let mut parts = self.project().parts;
        let source = parts.as_mut().context().report_source();
        drop_before(error, source, lose, &mut || parts.as_mut().end_context())
    }
}

impl<X, K, E> Stage<X, K, E> {
    /// Goes on from a stage that keeps nothing. The compiler does not see that there is nothing to drop.
    #[inline]
    fn set(&mut self, next: Self) {
        mem::forget(mem::replace(self, next));
    }

    /// Goes on from [`Stage::Exit`] to [`Stage::Over`].
    #[inline]
    fn end_exit(&mut self) -> BodyEnd<K, E> {
        let Self::Exit(ended) = self else {
            unreachable!("the stage says that it exits");
        };
        let ended = mem::replace(ended, BodyEnd::Outer);
        self.set(Self::Over);
        ended
    }
}
