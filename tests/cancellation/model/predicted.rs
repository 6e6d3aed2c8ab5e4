//! The model: what comes of a program.
//!
//! It runs a program from its beginning to its end, whatever is dropped on the way: then it says what is
//! left to do. Where two things go on beside each other it does one after the other, and turns the time
//! back in between.

use guard_core::Outcome;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::program::{Answer, Around, Ctx, Entry, Form, Node, Program};
use super::{DROP, Stop, fault};

/// How a run ended, what happened, and what was reported, the latter in no order.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) ending: Result<(), Stop>,
    pub(super) events: Vec<String>,
    pub(super) reports: Vec<String>,
}

/// The same as predicted: of some events it is not known which comes first.
#[derive(Debug)]
pub(super) struct Story {
    ending: Result<(), Stop>,
    events: Vec<Event>,
    reports: Vec<String>,
}

#[derive(Clone, Debug)]
struct Event {
    what: String,
    /// Which events it comes after; and after what those come after.
    after: Vec<usize>,
}

impl Story {
    /// Whether that is what happened.
    pub(super) fn is_told_by(&self, told: &Told) -> Result<(), TestCaseError> {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        let events: Vec<String> = self.events.iter().map(|event| event.what.clone()).collect();
        prop_assert_eq!(sorted(&told.events), sorted(&events), "{:#?}", self);
        for event in &self.events {
            let at = |what: &str| told.events.iter().position(|event| event == what);
            for &before in &event.after {
                let before = &self.events[before].what;
                let in_order = at(before) < at(&event.what);
                prop_assert!(in_order, "{before} after {}: {told:#?}", event.what);
            }
        }
        prop_assert_eq!(sorted(&told.reports), sorted(&self.reports), "{:#?}", told);
        prop_assert_eq!(told.ending, self.ending, "{:#?}", told);
        Ok(())
    }
}

/// What comes of a program that is dropped at its `drop_at`th pause, and how many pauses it came to.
pub(super) fn story(program: &Program, drop_at: Option<usize>) -> (Story, usize) {
    let mut model = Model {
        drop_at,
        ..Model::default()
    };
    if drop_at.is_some() {
        model.happens(DROP.into());
        model.now = Moment::default();
    }
    let ending = match drop_at {
        Some(0) => Err(Stop::Dropped),
        _ => model.run(program),
    };
    let story = Story {
        ending,
        events: model.events,
        reports: model.reports,
    };
    (story, model.now.pauses)
}

/// How far things have come, where one looks.
#[derive(Clone, Debug, Default)]
struct Moment {
    /// The events that come right before what happens now.
    after: Vec<usize>,
    pauses: usize,
    /// Whether the user has been dropped: the level of the outermost context that is finished. Its use and
    /// those around it are dropped, those inside it notice nothing.
    dropped: Option<usize>,
}

impl Moment {
    /// When both have come.
    fn and(mut self, other: Self) -> Self {
        self.after.extend(other.after);
        self.after.sort_unstable();
        self.after.dedup();
        Self {
            after: self.after,
            pauses: self.pauses.max(other.pauses),
            dropped: self.dropped.max(other.dropped),
        }
    }

    /// Whether a use of this level has been dropped.
    fn has_dropped(&self, level: usize) -> bool {
        self.dropped.is_some_and(|outermost| level <= outermost)
    }
}

/// How a use ended; an error is known by its number.
type Ended = Outcome<usize>;

/// What is done with contexts around it. There may be a yield in it: then it also says what that was told.
type Body<'a> = &'a mut dyn FnMut(&mut Model, &mut Option<Ended>) -> Result<(), Stop>;

/// How a context went from its beginning to its end.
#[derive(Clone, Copy, Debug)]
struct Course {
    entered: bool,
    ended: Result<(), Stop>,
}

/// How the closing of an exit stack goes.
struct Closing {
    /// What the next entry is told.
    outcome: Ended,
    errors: Vec<usize>,
    panic: Option<usize>,
}

#[derive(Default)]
struct Model {
    drop_at: Option<usize>,
    /// The drop is the first, if there is to be one.
    events: Vec<Event>,
    reports: Vec<String>,
    now: Moment,
    /// For each use that has begun, the outermost first, whether what happens now would be finished by it
    /// if everything around it were dropped. The position is the level.
    finishes: Vec<bool>,
}

impl Model {
    fn run(&mut self, program: &Program) -> Result<(), Stop> {
        for node in &**program {
            match node {
                Node::Pause => self.pause()?,
                Node::Step(number) => self.happens(format!("step {number}")),
                Node::Fail(number) => return Err(Stop::Error(*number)),
                Node::Panic(number) => return Err(Stop::Panic(*number)),
                Node::Attempt(program) => match self.run(program) {
                    Ok(()) | Err(Stop::Error(_)) => {}
                    stop => return stop,
                },
                Node::Use(around, body) => self.around(around, &mut |model, _| model.run(body))?,
                Node::Null(body) => self.run(body)?,
                Node::Suppress(body) => match self.run(body) {
                    Err(Stop::Error(number)) if number % 2 == 0 => {}
                    ended => ended?,
                },
            }
        }
        Ok(())
    }

    fn happens(&mut self, what: String) {
        let this = self.events.len();
        let after = std::mem::replace(&mut self.now.after, vec![this]);
        self.events.push(Event { what, after });
    }

    fn pause(&mut self) -> Result<(), Stop> {
        self.now.pauses += 1;
        if self.now.dropped.is_none() && self.drop_at == Some(self.now.pauses) {
            let outermost = self.finishes.iter().position(|&finishes| finishes);
            self.drop_comes(outermost.unwrap_or(usize::MAX));
            if outermost.is_none() {
                return Err(Stop::Dropped);
            }
        }
        Ok(())
    }

    fn drop_comes(&mut self, outermost: usize) {
        let before = std::mem::replace(&mut self.now.after, vec![0]);
        self.events[0].after.extend(before);
        self.now.dropped = Some(outermost);
    }

    fn around(&mut self, around: &Around, body: Body<'_>) -> Result<(), Stop> {
        match around {
            Around::One(form, context) => self.one(*form, context, body),
            Around::Join(first, second) => self.join(first, second, body),
            Around::Stack(entries) => self.stack(entries, body),
        }
    }

    /// The code of a context. `lending` is what is done at its yield; it says how that ended.
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
            if catches {
                model.happens(format!("exit {number} {:?}", outcome.map(fault)));
            } else {
                model.happens(format!("exit {number} {:?}", outcome.without_error()));
            }
            if !(catches && outcome.is_failed()) {
                *told = Some(outcome);
            }
            model.run(&context.clean_up)?;
            match (outcome, context.answer) {
                (Outcome::Failed(error), Answer::Raise) if catches => Err(Stop::Error(error)),
                (Outcome::Failed(_), Answer::Replace) if catches => Err(Stop::Error(number)),
                _ => Ok(()),
            }
        };
        match &context.around {
            None => inside(self, &mut None)?,
            Some(around) => self.around(around, &mut inside)?,
        }
        self.happens(format!("exited {number}"));
        Ok(())
    }

    /// A context in its use. `used` comes when it has been entered, and says how that ended: `None` if it was
    /// dropped.
    fn context(
        &mut self,
        context: &Ctx,
        catches: bool,
        used: &mut dyn FnMut(&mut Self) -> Option<Ended>,
    ) -> Course {
        let level = self.finishes.len();
        let guaranteed = !context.scoped;
        self.finishes.push(guaranteed);
        let mut entered = false;
        let ended = self.code(context, catches, &mut |model| {
            entered = true;
            if model.now.has_dropped(level) {
                return Ok(Outcome::Cancelled);
            }
            model.finishes[level] = false;
            let outcome = used(model);
            model.finishes[level] = guaranteed;
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            if context.scoped {
                return Err(Stop::Dropped);
            }
            model.now.dropped = Some(level);
            Ok(Outcome::Cancelled)
        });
        self.finishes.pop();
        Course { entered, ended }
    }

    /// Does what there is to do in the use of a context, and says how that ended.
    fn body(&mut self, body: Body<'_>, used: &mut Option<Result<(), Stop>>) -> Option<Ended> {
        let mut told = None;
        let ended = body(self, &mut told);
        *used = Some(ended);
        match ended {
            Ok(()) => Some(told.unwrap_or(Outcome::Completed)),
            Err(stop) => failure(stop),
        }
    }

    fn one(&mut self, form: Form, context: &Ctx, body: Body<'_>) -> Result<(), Stop> {
        let level = self.finishes.len();
        let mut used = None;
        let mut apart = None;
        let course = self.context(context, form == Form::Catch, &mut |model| {
            let outcome = model.body(body, &mut used);
            if form != Form::Guard {
                return outcome;
            }
            // A guard is dropped by a panic too, and nobody waits for it. Nor does it wait for what else
            // is dropped with it.
            let alone = match used {
                Some(Err(Stop::Panic(_))) => Moment {
                    dropped: Some(level),
                    ..model.now.clone()
                },
                Some(Err(Stop::Dropped)) => Moment {
                    after: vec![0],
                    ..model.now.clone()
                },
                _ => return outcome,
            };
            apart = Some(std::mem::replace(&mut model.now, alone));
            None
        });
        match (used, apart) {
            (Some(Err(Stop::Panic(panic))), Some(apart)) => {
                self.now = apart;
                self.unheard(course);
                return Err(Stop::Panic(panic));
            }
            (_, Some(apart)) => self.now = self.now.clone().and(apart),
            _ => {}
        }
        self.settle(form, level, used, &[course])
    }

    /// The sides are entered beside each other, and exited beside each other.
    fn join(&mut self, first: &Ctx, second: &Ctx, body: Body<'_>) -> Result<(), Stop> {
        let level = self.finishes.len();
        self.finishes.push(false);
        let start = self.now.clone();
        let mut used = None;
        let mut other = None;
        let one = self.context(first, false, &mut |model| {
            let entered = std::mem::replace(&mut model.now, start.clone());
            let mut parting = None;
            let two = model.context(second, false, &mut |model| {
                model.now = model.now.clone().and(entered.clone());
                let outcome = model.body(body, &mut used);
                parting = Some((model.now.clone(), outcome));
                outcome
            });
            let end = std::mem::take(&mut model.now);
            let outcome = if let Some((moment, outcome)) = parting {
                model.now = moment;
                outcome
            } else {
                model.now = entered;
                model.instead(level, &two, &end)
            };
            other = Some((two, end));
            outcome
        });
        let (two, end) = other.unwrap_or_else(|| {
            let end = std::mem::replace(&mut self.now, start.clone());
            let two = self.context(second, false, &mut |model| model.instead(level, &one, &end));
            (two, std::mem::replace(&mut self.now, end))
        });
        // What went wrong first: in each round the first side is the first to be entered, and the second
        // the first to be exited.
        let when_one = (one.entered, self.now.pauses, u8::from(one.entered));
        let when_two = (two.entered, end.pauses, u8::from(!two.entered));
        let courses = if when_one < when_two {
            [one, two]
        } else {
            [two, one]
        };
        self.now = self.now.clone().and(end);
        self.finishes.pop();
        self.settle(Form::AsyncWith, level, used, &courses)
    }

    /// What a side of a join is told that has been entered, when the other has not.
    fn instead(&mut self, level: usize, other: &Course, end: &Moment) -> Option<Ended> {
        if end.has_dropped(level) {
            self.drop_comes(usize::MAX);
            return None;
        }
        self.now = self.now.clone().and(end.clone());
        other.ended.err().and_then(failure)
    }

    fn stack(&mut self, entries: &[Entry], body: Body<'_>) -> Result<(), Stop> {
        let level = self.finishes.len();
        self.finishes.push(false);
        let mut closing = Closing {
            outcome: Outcome::Completed,
            errors: Vec::new(),
            panic: None,
        };
        let used = self.stacked(level, entries, &mut closing, body);
        self.finishes.pop();
        // It keeps all that its entries failed with.
        let errors = closing.errors.into_iter().map(Stop::Error);
        let courses: Vec<Course> = errors
            .chain(closing.panic.map(Stop::Panic))
            .map(|stop| Course {
                entered: true,
                ended: Err(stop),
            })
            .collect();
        self.settle(Form::AsyncWith, level, Some(used), &courses)
    }

    /// What is done with a stack to which these are still to be added. It ends when they are exited.
    fn stacked(
        &mut self,
        level: usize,
        entries: &[Entry],
        closing: &mut Closing,
        body: Body<'_>,
    ) -> Result<(), Stop> {
        let mut used = None;
        let Some((entry, others)) = entries.split_first() else {
            let outcome = self.body(body, &mut used);
            closing.outcome = outcome.unwrap_or(Outcome::Cancelled);
            return used.unwrap_or(Ok(()));
        };
        let mut others = |model: &mut Self| {
            let ended = model.stacked(level, others, closing, body);
            used = Some(ended);
            // The stack finishes all that is on it.
            model.finishes[level] = true;
            if ended == Err(Stop::Dropped) || model.now.has_dropped(level) {
                closing.outcome = Outcome::Cancelled;
                model.now.dropped = Some(level);
            }
            closing.outcome
        };
        let ended = match entry {
            Entry::Enter(context) => {
                let course = self.context(context, false, &mut |model| Some(others(model)));
                if used.is_none() {
                    let ended = self.settle(Form::AsyncWith, level, None, &[course]);
                    let outcome = ended.err().and_then(failure);
                    closing.outcome = outcome.unwrap_or(Outcome::Cancelled);
                    return ended;
                }
                course.ended
            }
            Entry::Defer(program) => {
                others(self);
                self.run(program)
            }
            Entry::PushExit(number, program) => {
                let outcome = others(self).without_error();
                self.happens(format!("exit {number} {outcome:?}"));
                self.run(program)
            }
            Entry::Callback(number) => {
                others(self);
                self.happens(format!("step {number}"));
                Ok(())
            }
        };
        match ended {
            Ok(()) => {}
            Err(Stop::Error(number)) => {
                closing.errors.push(number);
                if closing.outcome.is_completed() {
                    closing.outcome = Outcome::Failed(number);
                }
            }
            Err(Stop::Panic(number)) => {
                if closing.panic.is_some() {
                    self.panicked();
                } else {
                    closing.panic = Some(number);
                }
                if !closing.outcome.is_cancelled() {
                    closing.outcome = Outcome::Panicked;
                }
            }
            Err(Stop::Dropped) => unreachable!("a stack finishes its entries"),
        }
        used.unwrap_or(Ok(()))
    }

    /// What becomes of how a use ended, if it came to that, and of how its contexts did, in the order of
    /// time.
    fn settle(
        &mut self,
        form: Form,
        level: usize,
        used: Option<Result<(), Stop>>,
        courses: &[Course],
    ) -> Result<(), Stop> {
        if used == Some(Err(Stop::Dropped)) || self.now.has_dropped(level) {
            courses.iter().for_each(|&course| self.unheard(course));
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
            // The error of the use is lost.
            (Some(_), Err(Stop::Panic(_))) => leading.ended,
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

    /// Nobody is told how it went.
    fn unheard(&mut self, course: Course) {
        match course.ended {
            Ok(()) => {}
            Err(Stop::Error(number)) => {
                let step = if course.entered { "clean-up" } else { "set-up" };
                self.reports
                    .push(format!("{step} failed: {}", fault(number)));
            }
            Err(Stop::Panic(_)) => self.panicked(),
            Err(Stop::Dropped) if course.entered => {
                let what = "clean-up abandoned, the context was dropped";
                self.reports.push(what.into());
            }
            Err(Stop::Dropped) => {}
        }
    }

    fn panicked(&mut self) {
        let what = "clean-up panicked: (a payload that is not a string)";
        self.reports.push(what.into());
    }
}

/// What a context is told by which a failure passes; nothing by a drop.
fn failure(stop: Stop) -> Option<Ended> {
    match stop {
        Stop::Error(number) => Some(Outcome::Failed(number)),
        Stop::Panic(_) => Some(Outcome::Panicked),
        Stop::Dropped => None,
    }
}
