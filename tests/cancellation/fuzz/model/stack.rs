//! The model of an exit stack with contexts and callbacks.

use guard_core::Outcome;

use super::context::{Course, Exits, failure};
use super::moment::Dropped;
use super::{Body, Ended, Model, Stop};
use crate::fuzz::program::{Entry, Form};

/// How the closing of an exit stack goes.
struct Closing {
    /// The level of the use of the stack, and its nest.
    level: usize,
    nest: usize,
    /// Whether it was dropped while it waited: then the outcome stands.
    has_waited: bool,
    /// Whether the stack is given the error of its use.
    catches: bool,
    /// What the next entry is told.
    outcome: Ended,
    /// In the order in which they happened.
    errors: Vec<usize>,
    panic: Option<usize>,
    /// Whether the current entry was given the first of the errors, and decides about it.
    is_asked: bool,
}

impl Closing {
    /// The use has ended like this, or was dropped.
    fn begins(&mut self, outcome: Option<Ended>) {
        self.outcome = outcome.unwrap_or(Outcome::Cancelled);
        if let (Outcome::Failed(number), true) = (self.outcome, self.catches) {
            self.errors.push(number);
        }
    }

    /// What an entry is told; if it catches, with the error.
    fn tells(&mut self, catches: bool) -> Ended {
        self.is_asked = catches && self.catches && self.outcome.is_failed();
        if self.is_asked {
            Outcome::Failed(self.errors.remove(0))
        } else {
            self.outcome
        }
    }
}

impl Model {
    pub(super) fn stack(
        &mut self,
        catches: bool,
        entries: &[Entry],
        body: Body<'_>,
    ) -> Result<(), Stop> {
        let mut closing = Closing {
            level: self.finishes.len(),
            nest: self.open_nest(),
            has_waited: false,
            catches,
            outcome: Outcome::Completed,
            errors: Vec::new(),
            panic: None,
            is_asked: false,
        };
        self.finishes.push(false);
        let nest = closing.nest;
        let used = self.inside(nest, |model| model.stacked(&mut closing, entries, body));
        let _ = self.wait_for(closing.nest);
        self.finishes.pop();
        self.pass_on(closing.nest);
        // It keeps all that its entries failed with.
        let errors = closing.errors.into_iter().map(Stop::Error);
        let stops = errors.chain(closing.panic.map(Stop::Panic));
        let courses: Vec<Course> = stops.map(Course::of_exit).collect();
        let form = if catches {
            Form::Catch
        } else {
            Form::AsyncWith
        };
        self.settle(form, closing.level, Some(used), &courses)
    }

    /// What is done with a stack to which these are still to be added. It ends when they are exited, and
    /// says how the use ended.
    fn stacked(
        &mut self,
        closing: &mut Closing,
        entries: &[Entry],
        body: Body<'_>,
    ) -> Result<(), Stop> {
        let mut used = None;
        let Some((entry, others)) = entries.split_first() else {
            let outcome = self.inside(closing.nest, |model| model.body(body, &mut used));
            self.begins(closing, outcome);
            return used.unwrap_or(Ok(()));
        };
        let mut others = |model: &mut Self, closing: &mut Closing| {
            let ended = model.inside(closing.nest, |model| model.stacked(closing, others, body));
            used = Some(ended);
            // The stack finishes all that is on it.
            model.finishes[closing.level] = true;
            let dropped = model.now.dropped;
            let is_gone = ended == Err(Stop::Dropped) || model.now.has_dropped(closing.level);
            if let (Some(dropped), true) = (dropped, is_gone && !closing.has_waited) {
                closing.outcome = Outcome::Cancelled;
                let outermost = closing.level;
                model.now.dropped = Some(Dropped {
                    outermost,
                    ..dropped
                });
            }
        };
        let ended = match entry {
            Entry::Enter(context) | Entry::Catch(context) => {
                let catches = closing.catches && matches!(entry, Entry::Catch(_));
                let course = self.context(context, catches, Exits::Entry, &mut |model| {
                    others(model, closing);
                    Some(closing.tells(catches))
                });
                if used.is_none() {
                    let ended = self.settle(Form::AsyncWith, closing.level, None, &[course]);
                    self.begins(closing, ended.err().and_then(failure));
                    return ended;
                }
                course.ended
            }
            Entry::Defer(program) | Entry::Late(program) => {
                others(self, closing);
                closing.tells(false);
                self.entry(|model| model.run(program))
            }
            Entry::PushExit(context) => {
                others(self, closing);
                let outcome = closing.tells(true);
                self.entry(|model| model.clean_up(context, closing.catches, outcome))
            }
            Entry::Callback(number) => {
                others(self, closing);
                closing.tells(false);
                self.happens(format!("step {number}"));
                Ok(())
            }
        };
        self.exited(closing, ended);
        used.unwrap_or(Ok(()))
    }

    /// What an entry does that is no context. The stack waits for what that leaves.
    fn entry(&mut self, exit: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        let nest = self.open_nest();
        let ended = self.inside(nest, exit);
        if ended != Err(Stop::Dropped) {
            let _ = self.wait_for(nest);
        }
        self.pass_on(nest);
        ended
    }

    /// The use has ended like this, or was dropped: it waits for what was dropped in it.
    fn begins(&mut self, closing: &mut Closing, outcome: Option<Ended>) {
        closing.begins(outcome);
        self.finishes[closing.level] = true;
        let _ = self.wait_for(closing.nest);
        closing.has_waited = outcome.is_some() && self.now.has_dropped(closing.level);
    }

    /// An entry has exited.
    fn exited(&mut self, closing: &mut Closing, ended: Result<(), Stop>) {
        match ended {
            // It has swallowed the error. Nobody will hear of what failed besides.
            Ok(()) if closing.is_asked => {
                closing.outcome = Outcome::Completed;
                for number in closing.errors.drain(..) {
                    self.unheard(Course::of_exit(Stop::Error(number)));
                }
            }
            Ok(()) => {}
            Err(Stop::Error(number)) if closing.is_asked => closing.errors.insert(0, number),
            Err(Stop::Error(number)) => {
                closing.errors.push(number);
                if closing.outcome.is_completed() {
                    closing.outcome = Outcome::Failed(number);
                }
            }
            Err(Stop::Panic(number)) => {
                if closing.panic.is_some() {
                    self.unheard(Course::of_exit(Stop::Panic(number)));
                } else {
                    closing.panic = Some(number);
                }
                if !closing.outcome.is_cancelled() {
                    closing.outcome = Outcome::Panicked;
                }
            }
            Err(Stop::Dropped) => unreachable!("a stack finishes its entries"),
        }
    }
}
