//! The drop of a use that has not ended.

use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;

use super::reporting::{report_beside, report_ended};
use super::{BodyEnd, Parts, Stage, Use};
use crate::cleanup::{Nest, drop_block, drop_context};
use crate::context::{lose_error, lose_set_up_error, report_failures};
use crate::platform::panics::catch_panic_rarely;
use crate::raw::{ASK, end_beside};
use crate::using::form::Kept;
use crate::{AsyncContext, Outcome};

impl<P, X, K, E, F> Use<P, X, K, E, F>
where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    K: Kept,
{
    /// Drops a use that has not ended, or that leaves something.
    #[cold]
    pub(super) fn drop_unfinished(self: Pin<&mut Self>) {
        let mut this = self.project();
        let nest = &mut mem::take(&mut **this.nest);
        match mem::replace(&mut **this.stage, Stage::Over) {
            Stage::Enter | Stage::EnterWatched | Stage::OverWithNest | Stage::Over => {
                drop_context(nest, &mut || this.parts.as_mut().end_context());
            }
            Stage::Body | Stage::Beside => {
                let mut ending = EndContext::of(this.parts, nest);
                ending.in_panic = true;
                let EndContext { parts, nest, .. } = &mut ending;
                drop_block(nest, &mut || parts.as_mut().end_body());
                ending.in_panic = false;
            }
            Stage::Interrupted(ended) | Stage::Exit(ended) => {
                drop_parts(this.parts, nest, ended, None);
            }
            Stage::Before(outcome, ended) => {
                // Not every context takes it before its exit.
                let untold = match outcome {
                    Some(Outcome::Failed(error)) => Some(error),
                    _ => None,
                };
                drop_parts(this.parts, nest, ended, untold);
            }
            Stage::After(ended, exited) => {
                if let Err(error) = exited {
                    let context = this.parts.as_mut().context();
                    lose_error(&*context, error);
                }
                drop_parts(this.parts, nest, ended, None);
            }
            Stage::NotEntered(error) => {
                let context = this.parts.as_mut().context();
                lose_set_up_error(&*context, error);
                drop_parts(this.parts, nest, BodyEnd::<K, E>::Outer, None);
            }
        }
    }
}

/// Drops the body, if it is there, and then the context. No caller receives what the body ended with, so that is reported, also
/// if a destructor panics. The first panic goes on.
#[cold]
fn drop_parts<P, X, K, E>(
    parts: Pin<&mut P>,
    nest: &mut Nest,
    ended: BodyEnd<K, E>,
    untold: Option<X>,
) where
    P: Parts<X>,
    P::Context: AsyncContext<X, Error = E>,
    K: Kept,
{
    let mut ending = EndContext::of(parts, nest);
    let EndContext { parts, nest, .. } = &mut ending;
    let body = catch_panic_rarely(&mut || drop_block(nest, &mut || parts.as_mut().end_body()));
    let context = parts.as_mut().context();
    let source = context.report_source();
    let ended = report_beside(&*context, ended);
    let mut ending = Some(ending);
    let context = catch_panic_rarely(&mut || ending = None);
    report_ended(source, ended, untold);
    match (body, context) {
        (Ok(()), Ok(())) => {}
        (Err(panic), Ok(())) | (Ok(()), Err(panic)) => panic.resume(),
        (Err(first), Err(second)) => {
            second.report_to(source);
            first.resume();
        }
    }
}

/// Drops the context when it is dropped: after the body, also when a destructor in that panics and no panic can be caught.
struct EndContext<'a, P, X>
where
    P: Parts<X>,
{
    parts: Pin<&'a mut P>,
    nest: &'a mut Nest,
    /// A destructor in the body panics. That panic goes on, and one that comes now is reported.
    in_panic: bool,
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
            in_panic: false,
            _outcome: PhantomData,
        }
    }
}

impl<P, X> Drop for EndContext<'_, P, X>
where
    P: Parts<X>,
{
    fn drop(&mut self) {
        let mut context = self.parts.as_mut().context();
        // The future beside the body may have failed while a yield in the body lent. The use was not polled after that, so
        // the error is still there.
        report_failures(context.as_mut(), ASK);
        let mut ended = Ok(());
        drop_block(self.nest, &mut || ended = end_beside(context.as_mut()));
        if let Err(panic) = ended {
            panic.report_to(context.report_source());
        }
        if !self.in_panic {
            return drop_context(self.nest, &mut || self.parts.as_mut().end_context());
        }
        let source = context.report_source();
        let (parts, nest) = (&mut self.parts, &mut *self.nest);
        let ended =
            catch_panic_rarely(&mut || drop_context(nest, &mut || parts.as_mut().end_context()));
        if let Err(panic) = ended {
            panic.report_to(source);
        }
    }
}

/// Drops a body that has panicked. That panic goes on, and one that comes now is reported.
#[cold]
pub(super) fn end_panicked_body<P, X>(mut parts: Pin<&mut P>)
where
    P: Parts<X>,
{
    if let Err(second) = catch_panic_rarely(&mut || parts.as_mut().end_body()) {
        second.report_body_to(parts.context().report_source());
    }
}
