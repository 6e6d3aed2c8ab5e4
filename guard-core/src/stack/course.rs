//! How the unwinding of a stack goes: what entries are told, and what they answer.

use alloc::vec::Vec;

use super::errors::ExitErrors;
use crate::Outcome;
use crate::panics::Panic;
use crate::report::{Identity, Loss};

/// What a stack wants to know of the error that its use failed with.
pub trait StackMode<E> {
    /// What [`Outcome::Failed`] carries.
    type Caught;

    #[doc(hidden)]
    fn begin(course: &mut Course<E>, outcome: Outcome<Self::Caught>);
    #[doc(hidden)]
    fn told(course: &mut Course<E>) -> Outcome<Self::Caught>;
    #[doc(hidden)]
    fn answered(course: &mut Course<E>, answer: Result<(), E>);
}

/// The stack is told only that its use failed: the error is the caller's, and stays so.
#[derive(Clone, Copy, Debug)]
pub enum Plain {}

/// The stack is given the error, and entries can swallow it or replace it.
#[derive(Clone, Copy, Debug)]
pub enum Catching {}

/// The state of an unwinding.
pub struct Course<E> {
    /// How things stand, without the error.
    outcome: Outcome,
    /// In the order in which they happened; the first is what a catching entry is offered.
    errors: Vec<E>,
    panic: Option<Panic>,
    /// The error was taken out of `errors` and offered to the current entry.
    offered: bool,
    identity: Identity<E>,
}

impl<E> Course<E> {
    pub(super) fn new(identity: Identity<E>) -> Self {
        Self {
            outcome: Outcome::Completed,
            errors: Vec::new(),
            panic: None,
            offered: false,
            identity,
        }
    }

    pub(super) fn cancelled(identity: Identity<E>) -> Self {
        Self {
            outcome: Outcome::Cancelled,
            ..Self::new(identity)
        }
    }

    /// How things stand.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// An entry failed.
    pub(super) fn failed(&mut self, error: E) {
        if self.outcome.is_completed() {
            self.outcome = Outcome::Failed(());
        }
        self.errors.push(error);
    }

    /// An entry panicked. The first panic is the one to go on.
    pub(super) fn panicked(&mut self, panic: Panic) {
        self.outcome = Outcome::Panicked;
        self.offered = false;
        match &self.panic {
            None => self.panic = Some(panic),
            Some(_) => panic.report_to(self.identity),
        }
    }

    /// The end of the unwinding; a panic goes on, and then errors are reported.
    pub(super) fn finish(mut self) -> Result<(), ExitErrors<E>> {
        if let Some(panic) = self.panic.take() {
            self.report_errors();
            panic.resume();
        }
        ExitErrors::new(self.errors).map_or(Ok(()), Err)
    }

    /// The end of an unwinding of which nobody will hear.
    pub(super) fn finish_unheard(mut self) {
        self.report_errors();
        if let Some(panic) = self.panic.take() {
            panic.report_to(self.identity);
        }
    }

    fn report_errors(&mut self) {
        for error in self.errors.drain(..) {
            self.identity.report(Loss::Failed(&error));
        }
    }
}

impl<E> StackMode<E> for Plain {
    type Caught = ();

    fn begin(course: &mut Course<E>, outcome: Outcome) {
        course.outcome = outcome;
    }

    fn told(course: &mut Course<E>) -> Outcome {
        course.outcome
    }

    fn answered(course: &mut Course<E>, answer: Result<(), E>) {
        if let Err(error) = answer {
            course.failed(error);
        }
    }
}

impl<E> StackMode<E> for Catching {
    type Caught = E;

    fn begin(course: &mut Course<E>, outcome: Outcome<E>) {
        course.outcome = outcome.without_error();
        if let Outcome::Failed(error) = outcome {
            course.errors.push(error);
        }
    }

    fn told(course: &mut Course<E>) -> Outcome<E> {
        if course.outcome.is_failed() && !course.errors.is_empty() {
            course.offered = true;
            return Outcome::Failed(course.errors.remove(0));
        }
        course
            .outcome
            .map(|()| unreachable!("a failed stack knows its error"))
    }

    fn answered(course: &mut Course<E>, answer: Result<(), E>) {
        let offered = core::mem::take(&mut course.offered);
        match answer {
            Err(error) if offered => course.errors.insert(0, error),
            Err(error) => course.failed(error),
            // Swallowed; what failed besides is not part of that, and nobody else will hear of it.
            Ok(()) if offered => {
                course.outcome = Outcome::Completed;
                course.report_errors();
            }
            Ok(()) => {}
        }
    }
}
