//! How the unwinding of a stack goes: what entries are told, and what they answer.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::errors::ExitErrors;
use crate::Outcome;
use crate::platform::panics::Panic;
use crate::report::ReportSource;

/// What a stack wants to know of the error that its use failed with.
pub trait StackMode<E> {
    /// What [`Outcome::Failed`] carries.
    type Caught;

    #[doc(hidden)]
    fn begin(state: &mut UnwindState<E>, outcome: Outcome<Self::Caught>);
    #[doc(hidden)]
    fn go_on(state: &mut UnwindState<E>, outcome: Outcome<Self::Caught>);
    #[doc(hidden)]
    fn told(state: &mut UnwindState<E>) -> Outcome<Self::Caught>;
    #[doc(hidden)]
    fn answered(state: &mut UnwindState<E>, answer: Result<(), E>, source: ReportSource<E>);
}

/// The stack is told only that its use failed: the error is the caller's, and stays so.
#[derive(Clone, Copy, Debug)]
pub enum Plain {}

/// The stack is given the error, and entries can swallow it or replace it.
#[derive(Clone, Copy, Debug)]
pub enum Catching {}

/// The state of an unwinding.
pub struct UnwindState<E> {
    /// How things stand, without the error.
    outcome: Outcome,
    /// In the order in which they happened; the first is what a catching entry is offered.
    errors: VecDeque<Attributed<E, E>>,
    panic: Option<Attributed<Panic, E>>,
    /// The error was taken out of `errors` and offered to the current entry.
    offered: bool,
    /// The stack.
    source: ReportSource<E>,
}

/// An error or a panic, and the context that it came from.
struct Attributed<T, E> {
    cause: T,
    source: ReportSource<E>,
}

impl<E> UnwindState<E> {
    pub(super) fn new(source: ReportSource<E>) -> Self {
        Self {
            outcome: Outcome::Completed,
            errors: VecDeque::new(),
            panic: None,
            offered: false,
            source,
        }
    }

    /// Nobody is waiting any more: what has not begun is told so.
    pub(super) fn cancel(&mut self) {
        self.outcome = Outcome::Cancelled;
        self.offered = false;
    }

    /// How things stand.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// An entry failed.
    pub(super) fn failed(&mut self, cause: E, source: ReportSource<E>) {
        if self.outcome.is_completed() {
            self.outcome = Outcome::Failed(());
        }
        self.errors.push_back(Attributed { cause, source });
    }

    /// Replaces the outcome if it is still `Completed`.
    pub(super) fn worsen(&mut self, outcome: Outcome) {
        if self.outcome.is_completed() {
            self.outcome = outcome;
        }
    }

    /// An entry panicked. The first panic is the one to go on.
    pub(super) fn panicked(&mut self, panic: Panic, source: ReportSource<E>) {
        // A panic in the background does not make a cancelled use a panicked one.
        if !self.outcome.is_cancelled() {
            self.outcome = Outcome::Panicked;
        }
        self.offered = false;
        match &self.panic {
            None => {
                self.panic = Some(Attributed {
                    cause: panic,
                    source,
                });
            }
            Some(_) => panic.report_to(source),
        }
    }

    /// Takes back the note that the current entry was offered the error, while another one is polled.
    pub(super) fn take_offer(&mut self) -> bool {
        core::mem::take(&mut self.offered)
    }

    /// Notes again what [`take_offer`](Self::take_offer) took, unless the other one has panicked: that is not swallowed.
    pub(super) fn put_offer(&mut self, offered: bool) {
        self.offered = offered && !self.has_panicked();
    }

    /// Whether an entry has panicked.
    pub(super) fn has_panicked(&self) -> bool {
        self.panic.is_some()
    }

    /// Ends the unwinding. If an entry has panicked, reports the errors and resumes the panic. Adds to `sources` where the
    /// panic or the errors came from.
    pub(super) fn finish(
        mut self,
        mut sources: Option<&mut Vec<ReportSource<E>>>,
    ) -> Result<(), ExitErrors<E>> {
        self.resume_panic(sources.as_deref_mut());
        if let Some(sources) = sources {
            sources.extend(self.errors.iter().map(|error| error.source));
        }
        let errors = self.errors.into_iter().map(|error| error.cause).collect();
        ExitErrors::new(errors).map_or(Ok(()), Err)
    }

    /// [`finish`](Self::finish) for a caller who takes one error, the primary one: the others are
    /// reported.
    pub(super) fn finish_primary(
        mut self,
        mut sources: Option<&mut Vec<ReportSource<E>>>,
    ) -> Result<(), E> {
        self.resume_panic(sources.as_deref_mut());
        let first = self.errors.pop_front();
        self.report_errors();
        first.map_or(Ok(()), |error| {
            if let Some(sources) = sources {
                sources.push(error.source);
            }
            Err(error.cause)
        })
    }

    fn resume_panic(&mut self, sources: Option<&mut Vec<ReportSource<E>>>) {
        if let Some(panic) = self.panic.take() {
            self.report_errors();
            if let Some(sources) = sources {
                sources.push(panic.source);
            }
            panic.cause.resume();
        }
    }

    /// The end of an unwinding of which nobody will hear.
    pub(super) fn finish_unheard(mut self) {
        self.report_errors();
        if let Some(panic) = self.panic.take() {
            panic.cause.report_to(panic.source);
        }
    }

    fn report_errors(&mut self) {
        for Attributed { cause, source } in self.errors.drain(..) {
            // A panic of its destructor does not keep the others from being reported.
            source.lose(cause);
        }
    }
}

impl<E> StackMode<E> for Plain {
    type Caught = ();

    fn begin(state: &mut UnwindState<E>, outcome: Outcome) {
        state.outcome = outcome;
    }

    fn go_on(_: &mut UnwindState<E>, _: Outcome) {}

    fn told(state: &mut UnwindState<E>) -> Outcome {
        state.outcome
    }

    fn answered(state: &mut UnwindState<E>, answer: Result<(), E>, source: ReportSource<E>) {
        if let Err(error) = answer {
            state.failed(error, source);
        }
    }
}

impl<E> StackMode<E> for Catching {
    type Caught = E;

    fn begin(state: &mut UnwindState<E>, outcome: Outcome<E>) {
        state.outcome = outcome.without_error();
        if let Outcome::Failed(error) = outcome {
            let source = state.source;
            state.errors.push_back(Attributed {
                cause: error,
                source,
            });
        }
    }

    fn go_on(state: &mut UnwindState<E>, outcome: Outcome<E>) {
        // Whatever the unwinding began with, no error is lost.
        if let Outcome::Failed(error) = outcome {
            state.failed(error, state.source);
        }
    }

    fn told(state: &mut UnwindState<E>) -> Outcome<E> {
        state.outcome.map(|()| {
            state.offered = true;
            let error = state.errors.pop_front();
            error.expect("a failed stack knows its error").cause
        })
    }

    fn answered(state: &mut UnwindState<E>, answer: Result<(), E>, source: ReportSource<E>) {
        let offered = core::mem::take(&mut state.offered);
        match answer {
            Err(cause) if offered => state.errors.push_front(Attributed { cause, source }),
            Err(error) => state.failed(error, source),
            // The entry swallowed the error that it was offered. The other errors have no caller any more, so they are
            // reported.
            Ok(()) if offered => {
                state.outcome = Outcome::Completed;
                state.report_errors();
            }
            Ok(()) => {}
        }
    }
}
