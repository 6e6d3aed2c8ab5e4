//! The one algorithm behind every form of a use.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::form::Form;
use super::panic::{Panic, catch, poll_exit_after_panic};
use crate::cleanup::{Nest, drop_block, drop_context, poll_settle, poll_settle_before_exit};
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
    {
        #[pin]
        parts: P,
        stage: Stage<X, K, E>,
        // Dropped last: what is in it then belongs to the enclosing use.
        nest: Nest,
        _form: PhantomData<fn() -> F>,
    }

    impl<P, X, K, E, F> PinnedDrop for Use<P, X, K, E, F>
    where
        P: Parts<X>,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let mut ending = EndContext { parts: this.parts, nest: this.nest, _outcome: PhantomData };
            if let Stage::Body = this.stage {
                let EndContext { parts, nest, .. } = &mut ending;
                drop_block(nest, || parts.as_mut().end_body());
            }
        }
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

enum Stage<X, K, E> {
    Enter,
    /// It could not be entered; what its set-up dropped is waited for.
    NotEntered(Option<E>),
    Body,
    /// The body has ended, and has been dropped. What it dropped is waited for.
    Before(Option<Outcome<X>>, Option<Result<K, Panic>>),
    Exit(Option<Result<K, Panic>>),
    /// It has exited; what its exit dropped is waited for.
    After(Option<Result<K, Panic>>, Option<Result<(), E>>),
    Ended,
}

impl<P, X, K, E, F> Use<P, X, K, E, F>
where
    P: Parts<X>,
{
    /// A use that has not begun.
    #[inline]
    pub(super) fn new(parts: P) -> Self {
        Self {
            parts,
            stage: Stage::Enter,
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
        let stage = this.stage;
        let nest = this.nest;

        let enters = matches!(stage, Stage::Enter);
        if enters {
            let entered = nest.during(|| this.parts.as_mut().context().poll_enter(cx));
            *stage = match ready!(entered) {
                Ok(()) => Stage::Body,
                Err(error) => Stage::NotEntered(Some(error)),
            };
        }
        if let Stage::NotEntered(error) = stage {
            ready!(poll_settle(this.parts.context(), nest, cx));
            let error = error.take();
            *stage = Stage::Ended;
            return Poll::Ready(F::not_entered(error.expect("it is taken once")));
        }

        // What the first poll of the exit tells.
        let mut outcome = Outcome::Cancelled;
        if let Stage::Body = stage {
            let polled = nest.during(|| {
                let mut parts = this.parts.as_mut();
                catch(|| {
                    if enters {
                        parts.as_mut().lend();
                    }
                    let polled = parts.as_mut().poll_body(cx);
                    if polled.is_ready() {
                        // The exit may need what the body holds.
                        parts.as_mut().end_body();
                    }
                    polled
                })
            });
            let kept = match polled {
                Ok(polled) => {
                    let (ended, kept) = F::split(ready!(polled));
                    outcome = ended;
                    Ok(kept)
                }
                Err(panic) => {
                    // Whatever panics while the body is dropped, the first panic goes on.
                    let dropped = nest.during(|| catch(|| this.parts.as_mut().end_body()));
                    if let Err(second) = dropped {
                        second.discard();
                    }
                    outcome = Outcome::Panicked;
                    Err(panic)
                }
            };
            *stage = if nest.is_empty() {
                Stage::Exit(Some(kept))
            } else {
                let told = core::mem::replace(&mut outcome, Outcome::Cancelled);
                Stage::Before(Some(told), Some(kept))
            };
        }
        if let Stage::Before(told, kept) = stage {
            let context = this.parts.as_mut().context();
            ready!(poll_settle_before_exit(context, nest, cx, told));
            outcome = told.take().unwrap_or(Outcome::Cancelled);
            *stage = Stage::Exit(kept.take());
        }

        let mut context = this.parts.context();
        if let Stage::Exit(kept) = stage {
            let exited = if let Some(Err(_)) = kept {
                let exited = nest.during(|| poll_exit_after_panic(context.as_mut(), cx, outcome));
                ready!(exited);
                Ok(())
            } else {
                ready!(nest.during(|| context.as_mut().poll_exit(cx, outcome)))
            };
            let kept = kept.take();
            if nest.is_empty() {
                *stage = Stage::Ended;
                return end::<_, _, _, F>(&context, kept, Some(exited));
            }
            *stage = Stage::After(kept, Some(exited));
        }
        let Stage::After(kept, exited) = stage else {
            panic!("a future was polled after its end")
        };
        ready!(poll_settle(context.as_mut(), nest, cx));
        let (kept, exited) = (kept.take(), exited.take());
        *stage = Stage::Ended;
        end::<_, _, _, F>(&context, kept, exited)
    }
}

/// What the use results in.
#[inline]
fn end<C, X, O, F>(
    context: &C,
    kept: Option<Result<F::Kept, Panic>>,
    exited: Option<Result<(), C::Error>>,
) -> Poll<F::Output>
where
    C: AsyncContext<X>,
    F: Form<C, X, O>,
{
    match (kept, exited) {
        (Some(Ok(kept)), Some(exited)) => Poll::Ready(F::finish(context, kept, exited)),
        (Some(Err(panic)), _) => panic.resume(),
        _ => unreachable!("they are taken once"),
    }
}
