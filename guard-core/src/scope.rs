//! Using a context for the time of an asynchronous closure: `with`, `try_with`, `run`, `catch`.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::cleanup::{Nest, drop_block, drop_context, poll_settle, poll_settle_before_exit};
use crate::context::Untyped;
use crate::inline::CannotFail;
use crate::panics::{Panic, catch, poll_exit_after_panic};
use crate::raw::{Borrowing, borrowing};
use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};

/// A closure that makes a future from an argument.
///
/// Every such closure is one. The trait is here to give the future a name, so that whether it is `Send`
/// can be asked where the closure also works for every lifetime.
pub trait Body<A>: FnOnce(A) -> Self::Fut {
    /// The closure's future.
    type Fut: Future<Output = Self::Out>;
    /// What it results in.
    type Out;
}

impl<A, F, Fut> Body<A> for F
where
    F: FnOnce(A) -> Fut,
    Fut: Future,
{
    type Fut = Fut;
    type Out = Fut::Output;
}

/// Everything that can go wrong when a context is used, with nothing lost: see
/// [`try_with`](AsyncContext::try_with).
///
/// `T` is the body's value, `X` its error, `E` the context's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryWithError<T, X, E> {
    /// The context could not be entered; the body did not run.
    Enter(E),
    /// The body failed; the clean-up succeeded.
    Body(X),
    /// The body succeeded; the clean-up failed.
    Exit {
        /// What the body returned.
        value: T,
        /// Why the clean-up failed.
        error: E,
    },
    /// The body failed, and then the clean-up did.
    BodyAndExit {
        /// Why the body failed.
        body: X,
        /// Why the clean-up failed.
        exit: E,
    },
}

impl<T, X: fmt::Display, E: fmt::Display> fmt::Display for TryWithError<T, X, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter(error) => write!(f, "could not enter: {error}"),
            Self::Body(error) => error.fmt(f),
            Self::Exit { error, .. } => write!(f, "could not clean up: {error}"),
            Self::BodyAndExit { body, exit } => {
                write!(f, "{body} (and could not clean up: {exit})")
            }
        }
    }
}

impl<T, X, E> core::error::Error for TryWithError<T, X, E>
where
    T: fmt::Debug,
    X: core::error::Error + 'static,
    E: core::error::Error + 'static,
{
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Their message is that of the whole; what follows is their own source.
            Self::Body(error) | Self::BodyAndExit { body: error, .. } => error.source(),
            Self::Enter(error) | Self::Exit { error, .. } => Some(error),
        }
    }
}

/// What becomes of a body's output and an exit's result: the difference between the forms.
pub trait Form<C, X, O>
where
    C: AsyncContext<X>,
{
    /// What is kept of the body's output during the exit.
    type Kept;
    /// What the use results in.
    type Output;

    /// Tells how the body ended.
    fn split(output: O) -> (Outcome<X>, Self::Kept);
    /// The context could not be entered.
    fn not_entered(error: C::Error) -> Self::Output;
    /// The context has exited.
    fn settle(context: &C, kept: Self::Kept, exited: Result<(), C::Error>) -> Self::Output;
}

pin_project_lite::pin_project! {
    /// The future of a use: enters, runs the body, exits.
    #[must_use = "the context is entered and the body run when this is awaited: `.await`"]
    pub struct Use<C, X, F, Fut, K, Form>
    where
        C: AsyncContext<X>,
    {
        #[pin]
        parts: Option<Borrowing<C, X, F, Fut>>,
        stage: Stage<X, K, C::Error>,
        // Dropped last: what is in it then belongs to the enclosing use.
        nest: Nest,
        _form: PhantomData<fn() -> Form>,
    }

    impl<C, X, F, Fut, K, Form> PinnedDrop for Use<C, X, F, Fut, K, Form>
    where
        C: AsyncContext<X>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Stage::Body = this.stage {
                let parts = this.parts.as_mut().as_pin_mut();
                drop_block(this.nest, || parts.expect("until it is dropped").end_body());
            }
            drop_context(this.nest, || this.parts.set(None));
        }
    }
}

enum Stage<X, K, E> {
    Enter,
    /// It could not be entered; what its set-up dropped is waited for.
    NotEntered(Option<E>),
    Body,
    /// The body has ended, and been dropped. The outcome is for the first poll of the exit.
    Before(Option<Outcome<X>>, Option<Result<K, Panic>>),
    Exit(Option<Outcome<X>>, Option<Result<K, Panic>>),
    /// It has exited; what its exit dropped is waited for.
    After(Option<(Result<K, Panic>, Result<(), E>)>),
    Ended,
}

/// A use that has not begun.
pub(crate) fn scope<'r, C, X, F, K, Form>(
    context: C,
    body: F,
) -> Use<C, X, F, <F as Body<&'r mut C::Resource>>::Fut, K, Form>
where
    C: AsyncContext<X>,
    C::Resource: 'r,
    F: for<'a> Body<&'a mut C::Resource>,
{
    Use {
        parts: Some(borrowing(context, body)),
        stage: Stage::Enter,
        nest: Nest::new(),
        _form: PhantomData,
    }
}

impl<C, X, F, Fut, S> Future for Use<C, X, F, Fut, S::Kept, S>
where
    C: AsyncContext<X>,
    Fut: Future,
    S: Form<C, X, Fut::Output>,
{
    type Output = S::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::Output> {
        let mut this = self.project();
        let nest = this.nest;
        let mut parts = match this.parts.as_mut().as_pin_mut() {
            Some(parts) => parts,
            None => panic!("a future was polled after its end"),
        };
        loop {
            match this.stage {
                Stage::Enter => {
                    let entered = nest.during(|| parts.as_mut().context().poll_enter(cx));
                    *this.stage = match ready!(entered) {
                        Err(error) => Stage::NotEntered(Some(error)),
                        Ok(()) => Stage::Body,
                    };
                }
                Stage::NotEntered(error) => {
                    ready!(poll_settle(parts.as_mut().context(), nest, cx));
                    let error = error.take();
                    *this.stage = Stage::Ended;
                    return Poll::Ready(S::not_entered(error.expect("it is taken once")));
                }
                Stage::Body => {
                    let polled = nest.during(|| {
                        catch(|| {
                            if parts.as_mut().body().is_none() {
                                parts.as_mut().start_body();
                            }
                            let polled = match parts.as_mut().body() {
                                Some(body) => body.poll(cx),
                                None => Poll::Pending,
                            };
                            if polled.is_ready() {
                                // The exit may need what the body holds.
                                parts.as_mut().end_body();
                            }
                            polled
                        })
                    });
                    *this.stage = match polled {
                        Ok(polled) => {
                            let (outcome, kept) = S::split(ready!(polled));
                            Stage::Before(Some(outcome), Some(Ok(kept)))
                        }
                        Err(panic) => {
                            // Whatever panics while the body is dropped, the first panic goes on.
                            if let Err(second) = nest.during(|| catch(|| parts.as_mut().end_body()))
                            {
                                second.discard();
                            }
                            Stage::Before(Some(Outcome::Panicked), Some(Err(panic)))
                        }
                    };
                }
                Stage::Before(outcome, kept) => {
                    let context = parts.as_mut().context();
                    ready!(poll_settle_before_exit(context, nest, cx, outcome));
                    *this.stage = Stage::Exit(outcome.take(), kept.take());
                }
                Stage::Exit(outcome, kept) => {
                    let outcome = outcome.take().unwrap_or(Outcome::Cancelled);
                    let mut context = parts.as_mut().context();
                    let panicked = matches!(kept, Some(Err(_)));
                    let exited = nest.during(|| {
                        if panicked {
                            poll_exit_after_panic(context, cx, outcome).map(Ok)
                        } else {
                            context.as_mut().poll_exit(cx, outcome)
                        }
                    });
                    let exited = ready!(exited);
                    let kept = kept.take();
                    *this.stage = Stage::After(kept.map(|kept| (kept, exited)));
                }
                Stage::After(ended) => {
                    ready!(poll_settle(parts.as_mut().context(), nest, cx));
                    let ended = ended.take();
                    *this.stage = Stage::Ended;
                    return match ended {
                        Some((Err(panic), _)) => panic.resume(),
                        Some((Ok(kept), exited)) => {
                            Poll::Ready(S::settle(parts.context_ref(), kept, exited))
                        }
                        None => unreachable!("it is taken once"),
                    };
                }
                Stage::Ended => panic!("a future was polled after its end"),
            }
        }
    }
}

// The form is a projection of the bound that the method has, so that it is of no type where the bound does
// not hold: else that is said again of the `.await`.

/// The future of [`with`](AsyncContext::with).
pub type With<C, X, F, Fut, T, E> = Use<C, X, F, Fut, Result<T, E>, <X as Untyped>::FirstError>;
/// The future of [`try_with`](AsyncContext::try_with).
pub type TryWith<C, X, F, Fut, T, E> = Use<C, X, F, Fut, Result<T, E>, <X as Untyped>::BothErrors>;
/// The future of [`run`](AsyncContext::run).
pub type Run<C, X, F, Fut, T> =
    Use<C, X, F, Fut, T, <<C as AsyncContext<X>>::Error as CannotFail>::NoError>;
/// The future of [`catch`](AsyncContext::catch).
pub type Catch<C, X, F, Fut, T> = Use<C, X, F, Fut, Option<T>, Decision>;

fn outcome_of<T, E, X: Default>(result: &Result<T, E>) -> Outcome<X> {
    match result {
        Ok(_) => Outcome::Completed,
        Err(_) => Outcome::Failed(X::default()),
    }
}

/// The body's error first; an exit error that nobody sees is reported.
pub enum FirstError {}

impl<C, X, T, E> Form<C, X, Result<T, E>> for FirstError
where
    C: AsyncContext<X>,
    X: Default,
    E: From<C::Error>,
{
    type Kept = Result<T, E>;
    type Output = Result<T, E>;

    fn split(output: Result<T, E>) -> (Outcome<X>, Self::Kept) {
        (outcome_of(&output), output)
    }

    fn not_entered(error: C::Error) -> Self::Output {
        Err(error.into())
    }

    fn settle(context: &C, kept: Self::Kept, exited: Result<(), C::Error>) -> Self::Output {
        match (kept, exited) {
            (kept, Ok(())) => kept,
            (Ok(_), Err(error)) => Err(error.into()),
            (Err(error), Err(lost)) => {
                context.report(ReportKind::Failed(&lost));
                Err(error)
            }
        }
    }
}

/// Everything is returned.
pub enum BothErrors {}

impl<C, X, T, E> Form<C, X, Result<T, E>> for BothErrors
where
    C: AsyncContext<X>,
    X: Default,
{
    type Kept = Result<T, E>;
    type Output = Result<T, TryWithError<T, E, C::Error>>;

    fn split(output: Result<T, E>) -> (Outcome<X>, Self::Kept) {
        (outcome_of(&output), output)
    }

    fn not_entered(error: C::Error) -> Self::Output {
        Err(TryWithError::Enter(error))
    }

    fn settle(_: &C, kept: Self::Kept, exited: Result<(), C::Error>) -> Self::Output {
        match (kept, exited) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(body), Ok(())) => Err(TryWithError::Body(body)),
            (Ok(value), Err(error)) => Err(TryWithError::Exit { value, error }),
            (Err(body), Err(exit)) => Err(TryWithError::BodyAndExit { body, exit }),
        }
    }
}

/// There is no error to return.
pub enum NoError {}

impl<C, X, T> Form<C, X, T> for NoError
where
    C: AsyncContext<X>,
    C::Error: CannotFail,
{
    type Kept = T;
    type Output = T;

    fn split(output: T) -> (Outcome<X>, T) {
        (Outcome::Completed, output)
    }

    fn not_entered(error: C::Error) -> T {
        #[allow(unreachable_code, reason = "which is to be shown")]
        match error.never() {}
    }

    fn settle(_: &C, kept: T, exited: Result<(), C::Error>) -> T {
        match exited {
            Ok(()) => kept,
            Err(error) => <Self as Form<C, X, T>>::not_entered(error),
        }
    }
}

/// The context is given the body's error and decides.
pub enum Decision {}

impl<C, X, T> Form<C, X, Result<T, X>> for Decision
where
    C: AsyncContext<X>,
{
    type Kept = Option<T>;
    type Output = Result<Option<T>, C::Error>;

    fn split(output: Result<T, X>) -> (Outcome<X>, Option<T>) {
        match output {
            Ok(value) => (Outcome::Completed, Some(value)),
            Err(error) => (Outcome::Failed(error), None),
        }
    }

    fn not_entered(error: C::Error) -> Self::Output {
        Err(error)
    }

    fn settle(_: &C, kept: Option<T>, exited: Result<(), C::Error>) -> Self::Output {
        exited.map(|()| kept)
    }
}
