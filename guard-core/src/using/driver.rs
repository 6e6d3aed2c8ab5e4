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
    /// The body has ended, and has been dropped. The use exits.
    Exit(Ended<K>),
    /// The same, but the use waits for its nest before. The outcome is for the first poll of the exit.
    Before(Option<Outcome<X>>, Ended<K>),
    /// It has exited, and waits for its nest.
    After(Ended<K>, Result<(), E>),
    /// It could not be entered, and waits for its nest.
    NotEntered(E),
    /// It has ended, and leaves something in its nest.
    Left,
    /// It has ended, and leaves nothing.
    Over,
}

/// How the body ended: with a value that the use keeps, or with a panic.
type Ended<K> = Result<K, Panic>;

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
                drop_context(this.nest, || this.parts.as_mut().end_context());
            }
            Stage::Body => {
                let mut ending = EndContext::of(this.parts, this.nest);
                let EndContext { parts, nest, .. } = &mut ending;
                drop_block(nest, || parts.as_mut().end_body());
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
    ended: Ended<K>,
    untold: Option<X>,
) where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    K: Kept,
{
    let identity = parts.as_mut().context().identity();
    drop(EndContext::of(parts, nest));
    report_ended(identity, ended, untold);
}

/// Reports what a body ended with, whose caller is gone.
fn report_ended<X, K, E>(identity: Identity<E>, ended: Ended<K>, untold: Option<X>)
where
    K: Kept,
{
    match ended {
        Ok(kept) => kept.lost(identity, untold),
        Err(panic) => panic.report_body_to(identity),
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
        drop_context(self.nest, || self.parts.as_mut().end_context());
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
            Stage::Enter | Stage::Body => ready!(self.as_mut().run(cx)),
            // It has been told how its use ended.
            Stage::Exit(_) => Some(Outcome::Cancelled),
            _ => None,
        };
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => match ready!(self.as_mut().settle(cx)) {
                ControlFlow::Continue(outcome) => outcome,
                ControlFlow::Break(output) => return Poll::Ready(output),
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
    fn run(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome<X>>> {
        let this = self.project();
        let (mut parts, stage) = (this.parts, this.stage);
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
        let (outcome, ended) = match polled {
            Polled::Pending => return Poll::Pending,
            Polled::Ended(output) => {
                let (outcome, kept) = F::split(output);
                (outcome, Ok(kept))
            }
            Polled::Panicked(panic) => (Outcome::Panicked, Err(panic)),
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
            return Poll::Ready(self.end(ended, exited));
        }
        this.stage.set(Stage::After(ended, exited));
        match ready!(self.settle(cx)) {
            ControlFlow::Break(output) => Poll::Ready(output),
            ControlFlow::Continue(_) => unreachable!("it has exited"),
        }
    }

    /// The exit failed. After a panic of the body, which is what goes on, that is reported.
    #[cold]
    fn exit_failed(self: Pin<&mut Self>, error: E) -> Result<(), E> {
        let this = self.project();
        if let Stage::Exit(Ok(_)) = **this.stage {
            return Err(error);
        }
        this.parts.context().report(ReportKind::Failed(&error));
        Ok(())
    }

    /// The exit panicked. After a panic of the body, which is what goes on, that is reported. Else it goes on, and
    /// what the body ended with has no caller.
    #[cold]
    fn exit_panicked(self: Pin<&mut Self>, panic: Panic) -> Result<(), E> {
        let this = self.project();
        let identity = this.parts.context().identity();
        if let Stage::Exit(Err(_)) = **this.stage {
            panic.report_to(identity);
            return Ok(());
        }
        if let Stage::Exit(ended) = mem::replace(&mut **this.stage, Stage::Left) {
            report_ended(identity, ended, None::<X>);
        }
        panic.resume()
    }

    /// Waits for what is in the nest.
    #[cold]
    fn settle(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<ControlFlow<F::Output, Outcome<X>>> {
        let this = self.as_mut().project();
        let (parts, nest) = (this.parts, this.nest);
        match &mut **this.stage {
            Stage::Before(outcome, _) => {
                ready!(poll_settle_before_exit(parts.context(), nest, cx, outcome));
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
            Stage::NotEntered(error) => ControlFlow::Break(F::not_entered(error)),
            _ => unreachable!("the stage says what is kept"),
        })
    }

    /// What the use results in.
    #[inline]
    fn end(self: Pin<&mut Self>, ended: Ended<F::Kept>, exited: Result<(), E>) -> F::Output {
        match (ended, exited) {
            (Ok(kept), Ok(())) => F::finish(kept),
            (Ok(kept), Err(error)) => self.end_failed(kept, error),
            (Err(panic), _) => panic.resume(),
        }
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
        let identity = context.identity();
        if let Err(panic) = catch(|| parts.end_context()) {
            identity.report(ReportKind::Failed(&error));
            panic.resume();
        }
        F::exit_failed(kept, error)
    }
}

impl<X, K, E> Stage<X, K, E> {
    /// Goes on from a stage that keeps nothing. The compiler does not see that there is nothing to drop.
    #[inline]
    fn set(&mut self, next: Self) {
        mem::forget(mem::replace(self, next));
    }
}
