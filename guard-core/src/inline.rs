//! What `async_with!` expands to: the steps of a use whose body is an `async` block in place.

use core::convert::Infallible;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::{Context, Poll};

use crate::order::Order;
use crate::panics::{Panic, catch, poll_exit_after_panic};
use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};

/// The resource of an entered context.
pub fn resource<C: AsyncContext>(context: Pin<&mut C>) -> &mut C::Resource {
    context.resource()
}

/// Enters a pinned context.
///
/// # Errors
///
/// The context's.
pub async fn enter<C: AsyncContext>(mut context: Pin<&mut C>) -> Result<(), C::Error> {
    core::future::poll_fn(|cx| context.as_mut().poll_enter(cx)).await
}

/// An error that cannot happen, for a context without `?`.
#[diagnostic::on_unimplemented(
    message = "this context can fail, with `{Self}`: use it with `.with(…)`, whose body returns a `Result`",
    label = "its errors have nowhere to go"
)]
pub trait CannotFail {
    /// How [`run`](AsyncContext::run) ends.
    type NoError;

    /// Cannot be called.
    fn never(self) -> Infallible;
}

#[diagnostic::do_not_recommend]
// `!` too, which has no name on stable: it converts into everything.
impl<E: Into<Infallible>> CannotFail for E {
    type NoError = crate::scope::NoError;

    fn never(self) -> Infallible {
        self.into()
    }
}

/// What a body tells its driver beside its output.
#[derive(Default)]
pub struct Signal {
    /// How the body ended, as [`Signal`]'s constants say.
    end: AtomicU8,
    /// What a `yield_resource!` in the body was told, if there is one.
    told: AtomicU8,
}

impl Signal {
    const FINISHED: u8 = 1;
    const RETURNED: u8 = 2;

    /// Nothing happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            end: AtomicU8::new(0),
            told: AtomicU8::new(0),
        }
    }

    /// The body reached its end, or leaves by a jump. It is not polled again.
    pub async fn finish(&self) -> Infallible {
        self.end.store(Self::FINISHED, Ordering::Relaxed);
        core::future::pending().await
    }

    /// The body returns without an error.
    pub fn returned(&self) {
        self.end.store(Self::RETURNED, Ordering::Relaxed);
    }

    /// Passes on what a yield in the body was told, which the contexts in between are told too.
    pub fn told<X>(&self, outcome: Outcome<X>) -> Outcome<X> {
        let told = match outcome {
            Outcome::Completed => 1,
            Outcome::Failed(_) => 2,
            Outcome::Panicked => 3,
            Outcome::Cancelled => 4,
        };
        self.told.store(told, Ordering::Relaxed);
        outcome
    }

    /// [`told`](Self::told) in a context that catches: whether its body failed is then decided by what
    /// it returns.
    pub fn told_to_catch<X>(&self, outcome: Outcome<X>) -> Outcome<X> {
        if outcome.is_failed() {
            return outcome;
        }
        self.told(outcome)
    }

    fn is_finished(&self) -> bool {
        self.end.load(Ordering::Relaxed) == Self::FINISHED
    }

    fn has_returned(&self) -> bool {
        self.end.load(Ordering::Relaxed) == Self::RETURNED
    }

    /// How a body ended that did not fail by itself.
    fn outcome(&self) -> Outcome {
        match self.told.load(Ordering::Relaxed) {
            2 => Outcome::Failed(()),
            3 => Outcome::Panicked,
            4 => Outcome::Cancelled,
            _ => Outcome::Completed,
        }
    }
}

/// Stands for the return type of the enclosing function.
pub struct Returns<T>(PhantomData<fn() -> T>);

impl<T> Clone for Returns<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Returns<T> {}

impl<T> Returns<T> {
    /// Of which function is inferred.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// A value for a `return` that is never reached.
    #[must_use]
    pub fn never(self) -> T {
        unreachable!("this only tells the type")
    }

    /// `value`, of this type.
    pub fn typed(self, value: T) -> T {
        value
    }
}

/// Looks whether what a function returns is a failure.
///
/// The inherent methods know the types for which `?` fails; [`Success`] is for all others.
pub struct Returned<'a, T>(pub &'a T);

impl<T, E> Returned<'_, Result<T, E>> {
    /// Whether it is `Err`.
    #[must_use]
    pub fn __guard_is_failure(&self) -> bool {
        self.0.is_err()
    }
}

impl<T> Returned<'_, Option<T>> {
    /// Whether it is `None`.
    #[must_use]
    pub fn __guard_is_failure(&self) -> bool {
        self.0.is_none()
    }
}

/// See [`Returned`].
pub trait Success {
    /// It is not.
    fn __guard_is_failure(&self) -> bool {
        false
    }
}

impl<T> Success for Returned<'_, T> {}

/// How a body ended.
pub struct Ended<T> {
    outcome: Outcome,
    how: Result<Option<T>, Panic>,
}

impl<T> Ended<T> {
    /// Looks again at a body that was about to return a success: an inner use that failed to exit on
    /// the way turned it into a failure.
    #[must_use]
    pub fn unless(mut self, is_failure: impl FnOnce(&T) -> bool) -> Self {
        if let Ok(Some(returned)) = &self.how {
            if !self.outcome.is_failed() && is_failure(returned) {
                self.outcome = Outcome::Failed(());
            }
        }
        self
    }
}

pin_project_lite::pin_project! {
    /// Drives a body to its end, and drops it there.
    pub struct Drive<'a, F> {
        #[pin]
        body: Option<F>,
        signal: &'a Signal,
        order: &'a Order,
    }

    impl<F> PinnedDrop for Drive<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            if this.body.is_some() {
                let mut this = this.project();
                let _advance = this.order.begin_with_body();
                this.body.set(None);
            }
        }
    }
}

/// Drives `body`, which tells by `signal` what it cannot tell by its output.
pub fn drive<'a, F: Future>(order: &'a Order, signal: &'a Signal, body: F) -> Drive<'a, F> {
    Drive {
        body: Some(body),
        signal,
        order,
    }
}

impl<F: Future> Future for Drive<'_, F> {
    type Output = Ended<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = catch(|| {
            let polled = match this.body.as_mut().as_pin_mut() {
                Some(body) => body.poll(cx),
                None => panic!("a future was polled after its end"),
            };
            let is_over = polled.is_ready() || this.signal.is_finished();
            if is_over {
                // The exit may need what the body holds.
                this.body.set(None);
            }
            is_over.then_some(polled)
        });
        Poll::Ready(match polled {
            Ok(None) => return Poll::Pending,
            Ok(Some(Poll::Pending)) => Ended {
                outcome: this.signal.outcome(),
                how: Ok(None),
            },
            Ok(Some(Poll::Ready(returned))) => Ended {
                outcome: if this.signal.has_returned() {
                    this.signal.outcome()
                } else {
                    Outcome::Failed(())
                },
                how: Ok(Some(returned)),
            },
            Err(panic) => {
                // Whatever panics while the body is dropped, the first panic is the one to go on.
                let _ = catch(|| this.body.set(None));
                Ended {
                    outcome: Outcome::Panicked,
                    how: Err(panic),
                }
            }
        })
    }
}

/// What is to be done after the exit.
pub enum Left<T, E> {
    /// Go on after the block.
    Finished,
    /// Return this.
    Returned(T),
    /// Fail with the exit's error.
    Failed(E),
}

/// Exits a context after its body.
pub async fn leave<C: AsyncContext, T>(
    mut context: Pin<&mut C>,
    ended: Ended<T>,
) -> Left<T, C::Error> {
    let Ended { outcome, how } = ended;
    let how = match how {
        Ok(how) => how,
        Err(panic) => {
            core::future::poll_fn(|cx| poll_exit_after_panic(context.as_mut(), cx, outcome)).await;
            panic.resume()
        }
    };
    let exited = core::future::poll_fn(|cx| context.as_mut().poll_exit(cx, outcome)).await;
    match (how, exited) {
        (None, Ok(())) => Left::Finished,
        (Some(returned), Ok(())) => Left::Returned(returned),
        // The block's own error is the first.
        (Some(returned), Err(error)) if outcome.is_failed() => {
            context.report(ReportKind::Failed(&error));
            Left::Returned(returned)
        }
        (_, Err(error)) => Left::Failed(error),
    }
}
