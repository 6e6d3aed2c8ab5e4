//! The model of a context, and of a use of it.

use guard_core::Outcome;

use super::moment::{Dropped, Moment};
use super::{Body, Ended, Model, Stop, fault};
use crate::fuzz::program::{Answer, Ctx, Form};

/// How a context went from its beginning to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) entered: bool,
    pub(super) ended: Result<(), Stop>,
    /// After how many pauses, before it waited for what it had left.
    pub(super) at: usize,
    /// Whether it then waited for something in the background: the model does not know when in a poll that ends.
    pub(super) is_loose: bool,
}

/// Who exits a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exits {
    /// Its own use, through which a panic of its code goes at once, unless the body has panicked before: what it left
    /// then belongs to what is around it.
    Use,
    /// A join, which catches such a panic.
    Side,
    /// A stack, which catches one of the exit.
    Entry,
}

impl Course {
    /// It failed in its exit.
    pub(super) fn of_exit(stop: Stop) -> Self {
        Self {
            entered: true,
            ended: Err(stop),
            at: 0,
            is_loose: false,
        }
    }
}

impl Model {
    /// The code of a context. `lending` is what is done at its yield; it says how that ended, or that the
    /// context is dropped there.
    fn code(
        &mut self,
        context: &Ctx,
        catches: bool,
        lending: &mut dyn FnMut(&mut Self) -> Result<Ended, Stop>,
    ) -> Result<(), Stop> {
        let number = context.number;
        self.happens(format!("enter {number}"));
        let mut inside = |model: &mut Self, told: &mut Option<Ended>| {
            model.run(&context.set_up)?;
            model.happens(format!("entered {number}"));
            let outcome = lending(model)?;
            // Whether what catches has failed is for itself to say.
            if !(catches && outcome.is_failed()) {
                *told = Some(outcome);
            }
            model.clean_up(context, catches, outcome)
        };
        match &context.around {
            None => inside(self, &mut None)?,
            Some(around) => self.around(around, &mut inside)?,
        }
        self.happens(format!("exited {number}"));
        Ok(())
    }

    /// What a context does after its yield, and what it decides about the error if it catches.
    pub(super) fn clean_up(
        &mut self,
        context: &Ctx,
        catches: bool,
        outcome: Ended,
    ) -> Result<(), Stop> {
        let number = context.number;
        if catches {
            self.happens(format!("exit {number} {:?}", outcome.map(fault)));
        } else {
            self.happens(format!("exit {number} {:?}", outcome.without_error()));
        }
        self.run(&context.clean_up)?;
        match (outcome, context.answer) {
            (Outcome::Failed(error), Answer::Raise) if catches => Err(Stop::Error(error)),
            (Outcome::Failed(_), Answer::Replace) if catches => Err(Stop::Error(number)),
            _ => Ok(()),
        }
    }

    /// A context in its use. `used` comes when it has been entered, and says how that ended: `None` if it was
    /// dropped.
    pub(super) fn context(
        &mut self,
        context: &Ctx,
        catches: bool,
        exits: Exits,
        used: &mut dyn FnMut(&mut Self) -> Option<Ended>,
    ) -> Course {
        let level = self.finishes.len();
        let guaranteed = !context.scoped;
        self.finishes.push(guaranteed);
        let nest = self.open_nest();
        let mut entered = false;
        let mut in_time = false;
        let mut body_panicked = false;
        let ended = self.inside(nest, |model| {
            model.code(context, catches, &mut |model| {
                entered = true;
                if model.now.has_dropped(level) {
                    // That was in its set-up, and nobody uses it any more.
                    model.wait_for(nest)?;
                    return Ok(Outcome::Cancelled);
                }
                in_time = true;
                model.finishes[level] = false;
                let outcome = model.inside(nest, &mut *used);
                body_panicked = model.body_panicked;
                model.finishes[level] = guaranteed;
                let outcome = match (outcome, model.now.dropped) {
                    (Some(outcome), _) => outcome,
                    (None, Some(dropped)) if guaranteed => {
                        model.now.dropped = Some(Dropped {
                            outermost: level,
                            ..dropped
                        });
                        Outcome::Cancelled
                    }
                    (None, _) => {
                        // The contexts that it is made of exit when that is over which was dropped inside it.
                        let _ = model.wait_for(nest);
                        return Err(Stop::Dropped);
                    }
                };
                if let Err(stop) = model.wait_for(nest) {
                    // It was given the error, and is dropped before it is polled.
                    if catches && outcome.is_failed() {
                        model.reports.push("the body failed".into());
                    }
                    return Err(stop);
                }
                Ok(outcome)
            })
        });
        // What a scoped one has entered in its set-up is like what anything else drops.
        let is_late = guaranteed && !in_time && self.now.has_dropped(level);
        let at = self.now.pauses;
        let is_loose = self.now.waited == Some(at);
        let waits = match ended {
            Err(Stop::Dropped) => false,
            // One that goes on in the background does, too.
            Err(Stop::Panic(_)) => match exits {
                Exits::Use => body_panicked || self.is_finished(level),
                Exits::Side => true,
                Exits::Entry => entered || self.is_finished(level),
            },
            Ok(()) | Err(Stop::Error(_)) => true,
        };
        if waits {
            // What failed to be set up has nothing to finish.
            self.finishes[level] = guaranteed && entered;
            let _ = self.wait_for(nest);
        }
        self.finishes.pop();
        self.pass_on(nest);
        if is_late {
            // Nobody waits for what was being set up when it was dropped.
            self.now = self.now.of_drop();
        }
        Course {
            entered,
            ended,
            at,
            is_loose,
        }
    }

    /// Whether the context of this level is finished in the background.
    fn is_finished(&self, level: usize) -> bool {
        let dropped = self.now.dropped;
        dropped.is_some_and(|dropped| dropped.outermost == level)
    }

    /// Does what there is to do in the use of a context, and says how that ended.
    pub(super) fn body(
        &mut self,
        body: Body<'_>,
        used: &mut Option<Result<(), Stop>>,
    ) -> Option<Ended> {
        let mut told = None;
        let ended = body(self, &mut told);
        *used = Some(ended);
        self.body_panicked = matches!(ended, Err(Stop::Panic(_)));
        match ended {
            Ok(()) => Some(told.unwrap_or(Outcome::Completed)),
            Err(stop) => failure(stop),
        }
    }

    pub(super) fn one(&mut self, form: Form, context: &Ctx, body: Body<'_>) -> Result<(), Stop> {
        if form == Form::Guard {
            return self.guard(context, body);
        }
        let level = self.finishes.len();
        let mut used = None;
        let course = self.context(context, form == Form::Catch, Exits::Use, &mut |model| {
            model.body(body, &mut used)
        });
        self.settle(form, level, used, &[course])
    }

    /// A guard has no block of its own: what is dropped while it is held belongs to the use around it. It is
    /// dropped by a panic too, and finished while that goes on.
    fn guard(&mut self, context: &Ctx, body: Body<'_>) -> Result<(), Stop> {
        let level = self.finishes.len();
        let around = self.nest;
        let mut used = None;
        let mut apart = None;
        let course = self.context(context, false, Exits::Use, &mut |model| {
            model.guards.push((around, model.nest));
            let outcome = model.inside(around, |model| model.body(body, &mut used));
            model.guards.pop();
            let alone = match used {
                Some(Err(Stop::Panic(_))) => Moment {
                    dropped: Some(Dropped {
                        from: level,
                        outermost: level,
                        event: usize::MAX,
                        at: model.now.pauses,
                    }),
                    ..model.now.clone()
                },
                Some(Err(Stop::Dropped)) => model.now.of_drop(),
                _ => return outcome,
            };
            apart = Some(std::mem::replace(&mut model.now, alone));
            None
        });
        if apart.is_none() && !(course.entered && self.now.has_dropped(level)) {
            return self.settle(Form::Guard, level, used, &[course]);
        }
        // It is waited for by the guard that was opened before it, or else by the use around it.
        let apart = apart.unwrap_or_else(|| self.now.of_drop());
        let left = std::mem::replace(&mut self.now, apart);
        let elder = self.guards.iter().rfind(|&&(nest, _)| nest == around);
        let nest = elder.map_or(around, |&(_, own)| own);
        self.nests[nest].push(left);
        self.unheard(course);
        match used {
            Some(Err(Stop::Panic(panic))) => Err(Stop::Panic(panic)),
            _ => Err(Stop::Dropped),
        }
    }

    /// What comes of a use in the end: of how it ended, if it came to that, and of how its contexts did, in
    /// the order of time. One failure goes on; of the others nobody is told.
    pub(super) fn settle(
        &mut self,
        form: Form,
        level: usize,
        used: Option<Result<(), Stop>>,
        courses: &[Course],
    ) -> Result<(), Stop> {
        if used == Some(Err(Stop::Dropped)) || self.now.has_dropped(level) {
            courses.iter().for_each(|&course| self.unheard(course));
            // Guards do not know of it, and what catches has been given it.
            match used {
                Some(Err(Stop::Error(_))) if matches!(form, Form::Guard | Form::Catch) => {}
                Some(used) => self.has_no_caller(used),
                None => {}
            }
            return Err(Stop::Dropped);
        }
        // What catches has been given the error.
        let used = match used {
            Some(Err(Stop::Error(_))) if form == Form::Catch => Some(Ok(())),
            used => used,
        };
        // A panic comes before all errors.
        let is_panic = |course: &&Course| matches!(course.ended, Err(Stop::Panic(_)));
        let is_error = |course: &&Course| matches!(course.ended, Err(Stop::Error(_)));
        let mut leading = courses.iter().find(is_panic);
        leading = leading.or_else(|| courses.iter().find(is_error));
        for course in courses {
            if !leading.is_some_and(|leading| std::ptr::eq(leading, course)) {
                self.unheard(*course);
            }
        }
        let Some(&leading) = leading else {
            return used.unwrap_or(Ok(()));
        };
        match (used, leading.ended) {
            (None | Some(Ok(())), ended) => ended,
            (Some(Err(Stop::Panic(first))), _) => {
                self.unheard(leading);
                Err(Stop::Panic(first))
            }
            (Some(used), Err(Stop::Panic(_))) => {
                // Guards do not know of it.
                if form != Form::Guard {
                    self.has_no_caller(used);
                }
                leading.ended
            }
            (Some(first), Err(Stop::Error(number))) => {
                match form {
                    Form::TryWith | Form::Guard => self.happens(format!("and {}", fault(number))),
                    _ => self.unheard(leading),
                }
                first
            }
            (Some(first), _) => first,
        }
    }

    /// A use was dropped when its block had ended like this.
    pub(super) fn has_no_caller(&mut self, used: Result<(), Stop>) {
        let what = match used {
            Err(Stop::Error(_)) => "the body failed",
            Err(Stop::Panic(_)) => "the body panicked",
            Ok(()) | Err(Stop::Dropped) => return,
        };
        self.reports.push(what.into());
    }

    /// Nobody is told how it went.
    pub(super) fn unheard(&mut self, course: Course) {
        match course.ended {
            Ok(()) => {}
            Err(Stop::Error(number)) => {
                let step = if course.entered { "clean-up" } else { "set-up" };
                self.reports
                    .push(format!("{step} failed: {}", fault(number)));
            }
            Err(Stop::Panic(_)) => {
                let what = "clean-up panicked: (a payload that is not a string)";
                self.reports.push(what.into());
            }
            Err(Stop::Dropped) if course.entered => {
                let what = "clean-up abandoned: its context is `scoped`, or there was nowhere to go on (await each task, also an aborted one, and then `guard_core::drain`)";
                self.reports.push(what.into());
            }
            Err(Stop::Dropped) => {}
        }
    }
}

/// What a context is told by which a failure passes; nothing by a drop.
pub(super) fn failure(stop: Stop) -> Option<Ended> {
    match stop {
        Stop::Error(number) => Some(Outcome::Failed(number)),
        Stop::Panic(_) => Some(Outcome::Panicked),
        Stop::Dropped => None,
    }
}
