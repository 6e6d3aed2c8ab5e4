//! What becomes of a body's output and of an exit's result: the difference between the forms of a use.

use core::convert::Infallible;

use super::block_end::{BlockEnd, BlockOutput};
use super::error::TryWithError;
use crate::is_err::is_err;
use crate::report::{ReportKind, ReportSource, describe_display, describe_type};
use crate::{AsyncContext, Outcome};

/// What becomes of a body's output and an exit's result: the difference between the forms.
pub trait Form<C, X, O>
where
    C: AsyncContext<X>,
{
    /// What is kept of the body's output during the exit.
    type Kept: Kept;
    /// What the use results in.
    type Output;

    /// Tells how the body ended.
    fn split(output: O) -> (Outcome<X>, Self::Kept);
    /// Whether the use returns the body's error alone, also if the exit fails. The error of the exit is then reported.
    const BODY_FIRST: bool = true;

    /// The context has exited.
    fn finish(kept: Self::Kept) -> Self::Output;
    /// The use fails with an error of the context. The three methods below return this, unless the form tells them apart.
    fn failed(error: C::Error) -> Self::Output;

    /// The context could not be entered.
    #[inline]
    fn not_entered(error: C::Error) -> Self::Output {
        Self::failed(error)
    }
    /// The context could not be exited, and the body's error does not come first.
    fn exit_failed(_: Self::Kept, error: C::Error) -> Self::Output {
        Self::failed(error)
    }
    /// What goes on beside the body has ended it with `error`.
    fn beside_failed(error: C::Error, _: Option<C::Error>) -> Self::Output {
        Self::failed(error)
    }

    /// Whether the result can hold both the error of the future beside the body and that of the exit. If not, the error of
    /// the exit is reported.
    const KEEPS_BOTH: bool = false;
    /// What goes on beside the body has ended it, and the context has swallowed the error.
    fn swallowed() -> Option<Self::Output> {
        None
    }
}

/// The part of a body's output that the use keeps until it ends.
pub trait Kept {
    /// Whether the body failed, and the use is to tell its caller.
    fn is_failure(&self) -> bool;

    /// Reports how the body failed: the caller that would have received it is gone. `untold` is an error that was meant
    /// for the context, and did not reach it.
    fn lost<E, X>(self, source: ReportSource<E>, untold: Option<X>);
}

/// Reports what a body failed with.
fn report_lost<E, T>(source: ReportSource<E>, error: T) {
    source.with_error(describe_type::<T>).lose_body(error);
}

/// [`report_lost`] for a block whose value is an `Err`. The value itself is in a variable of the function around it.
pub(super) fn report_lost_value<E>(source: ReportSource<E>) {
    let source = source.with_error(describe_display);
    source.report_body(ReportKind::Failed(&"with an `Err` as its value"));
}

#[inline]
fn outcome_of<T, E, X: Default>(result: &Result<T, E>) -> Outcome<X> {
    match result {
        Ok(_) => Outcome::Completed,
        Err(_) => Outcome::Failed(X::default()),
    }
}

impl<T, E> Kept for Result<T, E> {
    #[inline]
    fn is_failure(&self) -> bool {
        self.is_err()
    }

    fn lost<C, X>(self, source: ReportSource<C>, _: Option<X>) {
        if let Err(error) = self {
            report_lost(source, error);
        }
    }
}

/// The error of the body, or of the context.
pub enum BodyOrContext<E, C> {
    Body(E),
    Context(C),
}

/// The body's error first; an exit error that nobody sees is reported.
pub enum FirstError {}

impl<C, X, T, E> Form<C, X, Result<T, E>> for FirstError
where
    C: AsyncContext<X>,
    X: Default,
{
    type Kept = Result<T, E>;
    type Output = Result<T, BodyOrContext<E, C::Error>>;

    #[inline]
    fn split(output: Result<T, E>) -> (Outcome<X>, Self::Kept) {
        (outcome_of(&output), output)
    }

    #[inline]
    fn finish(kept: Self::Kept) -> Self::Output {
        kept.map_err(BodyOrContext::Body)
    }

    #[inline]
    fn failed(error: C::Error) -> Self::Output {
        Err(BodyOrContext::Context(error))
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

    const BODY_FIRST: bool = false;

    #[inline]
    fn split(output: Result<T, E>) -> (Outcome<X>, Self::Kept) {
        (outcome_of(&output), output)
    }

    #[inline]
    fn finish(kept: Self::Kept) -> Self::Output {
        kept.map_err(TryWithError::Body)
    }

    /// Only the set-up comes here: this form has its own answers to the two others.
    #[inline]
    fn failed(error: C::Error) -> Self::Output {
        Err(TryWithError::Enter(error))
    }

    fn exit_failed(kept: Self::Kept, error: C::Error) -> Self::Output {
        Err(match kept {
            Ok(value) => TryWithError::Exit { value, error },
            Err(body) => TryWithError::BodyAndExit { body, exit: error },
        })
    }

    const KEEPS_BOTH: bool = true;

    fn beside_failed(error: C::Error, exit: Option<C::Error>) -> Self::Output {
        Err(TryWithError::Beside { error, exit })
    }
}

/// A value that may be of any type.
pub struct Value<T>(pub(super) T);

impl<T> Value<T> {
    #[cfg(feature = "alloc")]
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Kept for Value<T> {
    #[inline]
    fn is_failure(&self) -> bool {
        is_err(&self.0)
    }

    fn lost<E, X>(self, source: ReportSource<E>, _: Option<X>) {
        if self.is_failure() {
            report_lost(source, self.0);
        }
    }
}

impl<T> Kept for Option<T> {
    #[inline]
    fn is_failure(&self) -> bool {
        false
    }

    fn lost<E, X>(self, source: ReportSource<E>, untold: Option<X>) {
        if let Some(error) = untold {
            report_lost(source, error);
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

    #[inline]
    fn split(output: Result<T, X>) -> (Outcome<X>, Option<T>) {
        match output {
            Ok(value) => (Outcome::Completed, Some(value)),
            Err(error) => (Outcome::Failed(error), None),
        }
    }

    #[inline]
    fn finish(kept: Option<T>) -> Self::Output {
        Ok(kept)
    }

    #[inline]
    fn failed(error: C::Error) -> Self::Output {
        Err(error)
    }

    fn swallowed() -> Option<Self::Output> {
        Some(Ok(None))
    }
}

/// How a block goes on after the exit.
pub enum Next<T, E> {
    /// Behind the block, or with its jump.
    Finished,
    /// With this: what it returns, or the error of a `?`.
    Returned(T),
    /// With the context's error.
    Failed(E),
}

impl<T, E> Next<T, E> {
    #[inline]
    fn after(ended: BlockEnd<T>) -> Self {
        match ended {
            BlockEnd::Finished | BlockEnd::FinishedFailed => Self::Finished,
            BlockEnd::Returned(value) | BlockEnd::ReturnedFailure(value) => Self::Returned(value),
        }
    }
}

impl<T> Kept for BlockEnd<T> {
    #[inline]
    fn is_failure(&self) -> bool {
        matches!(self, Self::FinishedFailed | Self::ReturnedFailure(_))
    }

    fn lost<E, X>(self, source: ReportSource<E>, _: Option<X>) {
        match self {
            Self::ReturnedFailure(value) => report_lost(source, value),
            Self::FinishedFailed => report_lost_value(source),
            Self::Finished | Self::Returned(_) => {}
        }
    }
}

/// A block whose `return` and `?` leave the function around it.
pub enum FunctionBlock {}

impl<C, T> Form<C, (), BlockOutput<T>> for FunctionBlock
where
    C: AsyncContext,
{
    type Kept = BlockEnd<T>;
    type Output = Next<T, C::Error>;

    #[inline]
    fn split(left: BlockOutput<T>) -> (Outcome, BlockEnd<T>) {
        if left.is_plain() {
            return (Outcome::Completed, BlockEnd::Finished);
        }
        let failed = match &left.output {
            Some(returned) => left.has_returned_failure(returned),
            None => left.has_failed(),
        };
        let outcome = if failed {
            Outcome::Failed(())
        } else {
            left.told()
        };
        (outcome, BlockEnd::new(left.output, failed))
    }

    #[inline]
    fn finish(ended: BlockEnd<T>) -> Self::Output {
        Next::after(ended)
    }

    #[inline]
    fn failed(error: C::Error) -> Self::Output {
        Next::Failed(error)
    }
}

/// A block whose `?` ends it with an error that is a value for the function around it.
pub enum AttemptBlock {}

impl<C, E> Form<C, (), BlockOutput<Result<Infallible, E>>> for AttemptBlock
where
    C: AsyncContext,
{
    type Kept = BlockEnd<E>;
    type Output = Next<E, C::Error>;

    #[inline]
    fn split(left: BlockOutput<Result<Infallible, E>>) -> (Outcome, BlockEnd<E>) {
        let failed = left.output.is_some() || left.has_failed();
        let outcome = if failed {
            Outcome::Failed(())
        } else {
            left.told()
        };
        let error = left.output.map(|Err(error)| error);
        (outcome, BlockEnd::new(error, failed))
    }

    #[inline]
    fn finish(ended: BlockEnd<E>) -> Self::Output {
        Next::after(ended)
    }

    #[inline]
    fn failed(error: C::Error) -> Self::Output {
        Next::Failed(error)
    }
}

/// How a block ended whose `?` hands its error to the context.
pub enum CatchEnd {
    /// It reached its end, or left by a jump, maybe with a failure.
    Finished { failed: bool },
    /// The context has received the error, and decides. An error of the exit is its decision.
    Handed,
}

impl Kept for CatchEnd {
    #[inline]
    fn is_failure(&self) -> bool {
        matches!(self, Self::Finished { failed: true })
    }

    fn lost<E, X>(self, source: ReportSource<E>, untold: Option<X>) {
        match self {
            Self::Finished { failed: true } => report_lost_value(source),
            Self::Finished { failed: false } => {}
            Self::Handed => {
                if let Some(error) = untold {
                    report_lost(source, error);
                }
            }
        }
    }
}

/// A block whose `?` hands its error to the context.
pub enum CatchBlock {}

impl<C, X> Form<C, X, BlockOutput<Result<Infallible, X>>> for CatchBlock
where
    C: AsyncContext<X>,
{
    type Kept = CatchEnd;
    type Output = Next<(), C::Error>;

    #[inline]
    fn split(left: BlockOutput<Result<Infallible, X>>) -> (Outcome<X>, CatchEnd) {
        let failed = left.has_failed();
        let told = left.told();
        match left.output {
            Some(Err(error)) => (Outcome::Failed(error), CatchEnd::Handed),
            Some(Ok(never)) => match never {},
            None => {
                let outcome = match told {
                    Outcome::Completed if !failed => Outcome::Completed,
                    Outcome::Panicked if !failed => Outcome::Panicked,
                    // The block failed, but there is no error that the context could receive.
                    _ => Outcome::Cancelled,
                };
                (outcome, CatchEnd::Finished { failed })
            }
        }
    }

    #[inline]
    fn finish(ended: CatchEnd) -> Self::Output {
        match ended {
            CatchEnd::Finished { .. } => Next::Finished,
            CatchEnd::Handed => Next::Returned(()),
        }
    }

    #[inline]
    fn failed(error: C::Error) -> Self::Output {
        Next::Failed(error)
    }

    fn swallowed() -> Option<Self::Output> {
        Some(Next::Returned(()))
    }
}
