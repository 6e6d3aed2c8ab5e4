//! The invariants: what may never happen in a run, whatever was planned. They look at its log alone.

use guard_core::Outcome;

use crate::scenarios::{Kind, Way};
use crate::simulation::{End, Ending, Event, Fault, Lost, Run, Step, Who};

/// What the judge knows about a run beside its log.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Case {
    pub way: Way,
    pub kind: Kind,
    /// Whether the contexts are those of one exit stack, which keeps their errors until it is unwound.
    pub is_stack: bool,
    /// Whether the stack is closed by hand, so that the body's error is with its owner.
    pub is_owned: bool,
    /// Whether set-ups and clean-ups run on threads of their own, so that what is polled is not what runs.
    pub is_on_threads: bool,
}

impl Case {
    pub const fn new(way: Way, kind: Kind) -> Self {
        Self {
            way,
            kind,
            is_stack: false,
            is_owned: false,
            is_on_threads: false,
        }
    }
}

/// Everything that is wrong with a run.
pub fn judge(case: Case, run: &Run) -> Vec<String> {
    let mut judge = Judge {
        case,
        run,
        log: &run.log,
        violations: run.violations.clone(),
    };
    judge.each_step_at_most_once();
    judge.every_acquired_level_is_released_or_reported();
    judge.every_clean_up_begins();
    judge.each_unfinished_step_gets_one_last_poll();
    judge.last_in_first_out();
    judge.body_is_gone_before_the_first_release();
    judge.nothing_starts_after_the_drop();
    judge.outcomes();
    judge.every_fault_is_seen_once();
    judge.ending();
    judge.hook_calls();
    judge.violations
}

/// The body is inside all levels.
const BODY: usize = usize::MAX;

/// The level that an event of some kind is about.
type LevelOf = fn(Event) -> Option<usize>;

struct Judge<'a> {
    case: Case,
    run: &'a Run,
    log: &'a [Event],
    violations: Vec<String>,
}

impl Judge<'_> {
    fn check(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(violation());
        }
    }

    fn at(&self, wanted: impl Fn(Event) -> bool) -> Option<usize> {
        self.log.iter().position(|&event| wanted(event))
    }

    fn count(&self, wanted: Event) -> usize {
        self.log.iter().filter(|&&event| event == wanted).count()
    }

    /// Where the whole use was dropped.
    fn dropped(&self) -> Option<usize> {
        self.at(|event| event == Event::Dropped)
    }

    /// Where the block around some level dropped its use, and which level that was.
    fn interrupted(&self) -> Option<(usize, usize)> {
        let found = self.log.iter().enumerate().find_map(|(at, &event)| {
            let Event::Interrupted(level) = event else {
                return None;
            };
            Some((at, level))
        });
        // Else the block was dropped, with all that is in it.
        found.filter(|&(at, _)| self.dropped().is_none_or(|dropped| at < dropped))
    }

    /// Where what runs in the use of this level was dropped.
    fn gone(&self, place: usize) -> Option<usize> {
        match self.interrupted() {
            Some((at, level)) if place >= level => Some(at),
            _ => self.dropped(),
        }
    }

    /// In whose use, or as whose set-up or clean-up, something happens.
    fn place(event: Event) -> Option<usize> {
        match event {
            Event::Enter(level)
            | Event::Entered(level, _)
            | Event::Release(level, _)
            | Event::Released(level, _) => Some(level),
            Event::BodyStarted | Event::BodyStep | Event::BodyEnded(_) => Some(BODY),
            Event::RestEnded(level, _) => Some(level - 1),
            _ => None,
        }
    }

    /// What happened before that, as far as a use of this level can know: of what it dropped half-way it
    /// knows nothing.
    fn known(&self, level: usize, at: usize) -> impl Iterator<Item = Event> {
        let gone = self
            .interrupted()
            .filter(|&(gone, interrupted)| gone < at && level < interrupted);
        self.log[..at].iter().copied().filter(move |&event| {
            gone.is_none_or(|(_, interrupted)| {
                Self::place(event).is_none_or(|place| place < interrupted)
            })
        })
    }

    fn cut(&self) -> Option<usize> {
        self.at(|event| event == Event::Cut)
    }

    fn acquired(&self, level: usize) -> Option<usize> {
        self.at(|event| event == Event::Entered(level, End::Ok))
    }

    fn release(&self, level: usize) -> Option<usize> {
        self.at(|event| matches!(event, Event::Release(of, _) if of == level))
    }

    fn released(&self, level: usize) -> Option<usize> {
        self.at(|event| matches!(event, Event::Released(of, _) if of == level))
    }

    /// Where the level's set-up failed, or its clean-up ended.
    fn over(&self, level: usize) -> Option<usize> {
        self.at(|event| match event {
            Event::Entered(of, end) => of == level && end != End::Ok,
            Event::Released(of, _) => of == level,
            _ => false,
        })
    }

    fn abandoned(&self, who: Who) -> Option<usize> {
        self.at(|event| event == Event::Reported(who, Lost::Abandoned))
    }

    /// The level that is entered and exited beside this one.
    fn beside(&self, level: usize) -> Option<usize> {
        let [one, other] = self.case.way.sides()?;
        match level {
            _ if level == one => Some(other),
            _ if level == other => Some(one),
            _ => None,
        }
    }

    fn panicked_before(&self, level: usize, at: usize) -> bool {
        self.known(level, at).any(|event| {
            matches!(
                event,
                Event::Entered(_, End::Panic)
                    | Event::BodyEnded(End::Panic)
                    | Event::RestEnded(_, End::Panic)
                    | Event::Released(_, End::Panic)
            )
        })
    }

    /// Whether the level is a guard, which nobody exits after a panic: it is dropped.
    fn is_guard(&self, level: usize) -> bool {
        match self.case.way {
            Way::Guards => true,
            Way::GuardsInside => level > 0,
            _ => false,
        }
    }

    /// Whether the level is finished when its use is dropped: alone, not as a part of something else.
    fn is_finished(&self) -> bool {
        match self.case.kind {
            Kind::Default | Kind::ScopedOfDefault => true,
            Kind::Scoped => false,
            Kind::DefaultOfScoped => self.case.is_stack,
        }
    }

    /// Set-up and clean-up are begun once and ended once: what is handed on is never restarted.
    fn each_step_at_most_once(&mut self) {
        for level in 0..3 {
            let steps: [(&str, LevelOf); 4] = [
                ("set-up began", |event| match event {
                    Event::Enter(level) => Some(level),
                    _ => None,
                }),
                ("set-up ended", |event| match event {
                    Event::Entered(level, _) => Some(level),
                    _ => None,
                }),
                ("clean-up began", |event| match event {
                    Event::Release(level, _) => Some(level),
                    _ => None,
                }),
                ("clean-up ended", |event| match event {
                    Event::Released(level, _) => Some(level),
                    _ => None,
                }),
            ];
            for (name, of) in steps {
                let times = self.log.iter().filter(|&&e| of(e) == Some(level)).count();
                self.check(times <= 1, || format!("{name} {times} times at {level}"));
            }
            let (begin, end) = (self.release(level), self.released(level));
            self.check(end.is_none() || (begin.is_some() && begin < end), || {
                format!("the clean-up of {level} ended before it began")
            });
            let acquired = self.acquired(level);
            self.check(
                begin.is_none() || (acquired.is_some() && acquired < begin),
                || format!("{level} was cleaned up without having been set up"),
            );
        }
    }

    /// A level that was begun comes to its end, unless nobody is there to finish it: then it is
    /// reported, once, and nothing else is.
    fn every_acquired_level_is_released_or_reported(&mut self) {
        for level in 0..3 {
            // A scoped level promises nothing before it is acquired, wherever it is.
            let begun = if matches!(self.case.kind, Kind::Scoped | Kind::DefaultOfScoped) {
                self.acquired(level)
            } else {
                self.at(|event| event == Event::Enter(level))
            };
            let lost = begun.is_some() && self.over(level).is_none();
            self.expect_abandoned(Who::Level(level), lost);
        }
        if self.case.way == Way::Composed {
            let begun = if self.case.kind.finishes_composed() {
                self.at(|event| matches!(event, Event::Enter(0)))
            } else {
                self.at(|event| event == Event::BodyStarted)
            };
            // Whatever of it is finished by being dropped, it was dropped itself.
            let end = if self.case.kind.finishes_composed() {
                self.dropped()
                    .and_then(|dropped| Some(self.cut()?.max(dropped)))
            } else {
                self.dropped()
            };
            let over = self.over(0).unwrap_or(usize::MAX);
            let lost = begun.is_some() && end.is_some_and(|end| end < over);
            self.expect_abandoned(Who::Composed, lost);
        }
        // Scoped contexts are dropped where they stand: by their user's drop, and guards of them by a
        // panic.
        let drops = matches!(self.case.kind, Kind::Scoped | Kind::ScopedOfDefault);
        let by_panic = self.is_guard(1) && self.panicked_before(BODY, self.log.len());
        let by_drop = self.dropped().or(self.gone(BODY)).is_some();
        let may_lose = self.cut().is_some() || (drops && (by_panic || by_drop));
        let abandons = self
            .log
            .iter()
            .filter(|event| matches!(event, Event::Reported(_, Lost::Abandoned)))
            .count();
        self.check(may_lose || abandons == 0, || {
            "something was abandoned that could have been finished".into()
        });
    }

    fn expect_abandoned(&mut self, who: Who, lost: bool) {
        let reports = self.count(Event::Reported(who, Lost::Abandoned));
        self.check(reports == usize::from(lost), || {
            let lost = if lost { "lost" } else { "not lost" };
            format!("{who:?} was {lost}, and reported {reports} times")
        });
    }

    /// Whatever is lost, and wherever there is nowhere to go on: what was set up is polled at least once to
    /// clean up. Only what is scoped promises nothing.
    fn every_clean_up_begins(&mut self) {
        if !self.is_finished() || self.case.is_on_threads {
            return;
        }
        for level in 0..3 {
            let acquired = self.acquired(level).is_some();
            self.check(!acquired || self.release(level).is_some(), || {
                format!("the clean-up of {level} never began")
            });
        }
    }

    /// Where the background is cut, what is unfinished there is polled once more: a set-up, and a clean-up
    /// if it comes to that. There may be another poll in place, where it is dropped only after that.
    fn each_unfinished_step_gets_one_last_poll(&mut self) {
        let Some(cut) = self.cut() else { return };
        // Contexts within a context, or on a stack, are polled by that too.
        let is_within = self.case.way == Way::Composed || self.case.is_stack;
        if !self.is_finished() || is_within || self.case.is_on_threads {
            return;
        }
        for level in 0..3 {
            let Some(gone) = self.gone(level) else {
                continue;
            };
            let last = gone.max(cut);
            let begun = self.at(|event| event == Event::Enter(level));
            if begun.is_none_or(|begun| gone < begun)
                || self.over(level).is_some_and(|over| over < last)
                || self
                    .abandoned(Who::Level(level))
                    .is_some_and(|lost| lost < last)
            {
                continue;
            }
            let acquired = self.acquired(level);
            let is_entering = acquired.is_none_or(|acquired| last < acquired);
            let most = if gone < cut { 1 } else { 2 };
            for (step, expected) in [(Step::Enter, is_entering), (Step::Exit, acquired.is_some())] {
                let polls = self.log[last..]
                    .iter()
                    .filter(|&&event| event == Event::Polled(level, step))
                    .count();
                let is_right = if expected {
                    (1..=most).contains(&polls)
                } else {
                    polls == 0
                };
                self.check(is_right, || {
                    format!("{step:?} of {level} got {polls} last polls")
                });
            }
        }
    }

    /// A clean-up begins when everything that was acquired later is over: also what the block around it had
    /// dropped half-way. What was still being set up when it was dropped is waited for by nobody. Guards
    /// with no use around them, which are dropped together, only begin in that order.
    fn last_in_first_out(&mut self) {
        for outer in 0..3 {
            for inner in 0..3 {
                let (Some(first), Some(later), Some(release)) = (
                    self.acquired(outer),
                    self.acquired(inner),
                    self.release(outer),
                ) else {
                    continue;
                };
                let is_alone = self.was_entering(inner, later)
                    && !(self.case.way == Way::Composed && self.case.kind.finishes_composed());
                if first >= later || is_alone || self.beside(outer) == Some(inner) {
                    continue;
                }
                let only_begins = self.case.way == Way::Guards
                    && (self.gone(inner).is_some_and(|gone| gone < release)
                        || self.panicked_before(outer, release));
                let before = if only_begins {
                    self.release(inner)
                } else {
                    self.over(inner)
                };
                let before = before.or_else(|| self.abandoned(Who::Level(inner)));
                self.check(before.is_some_and(|before| before < release), || {
                    format!("{outer} was cleaned up before {inner} was over")
                });
            }
        }
        self.no_clean_up_while_its_block_goes_on();
    }

    /// Whether the level was still being set up when its use was dropped. A thread may have set it up by then,
    /// and its use does not know yet: nothing has begun in it.
    fn was_entering(&self, level: usize, acquired: usize) -> bool {
        self.gone(level).is_some_and(|gone| {
            let begun_inside = self.log[acquired.min(gone)..gone]
                .iter()
                .any(|&event| matches!(event, Event::Enter(_) | Event::BodyStarted));
            gone < acquired || self.case.is_on_threads && !begun_inside
        })
    }

    fn no_clean_up_while_its_block_goes_on(&mut self) {
        for (at, &event) in self.log.iter().enumerate() {
            if let Event::RestEnded(level, _) = event {
                let outer = (0..level)
                    .find(|&outer| self.release(outer).is_some_and(|release| release < at));
                self.check(outer.is_none(), || {
                    format!("{outer:?} was cleaned up while its block went on")
                });
            }
        }
    }

    fn body_is_gone_before_the_first_release(&mut self) {
        let started = self.count(Event::BodyStarted);
        let gone = self.count(Event::BodyGone);
        self.check(started <= 1 && started == gone, || {
            format!("the body started {started} times and was dropped {gone} times")
        });
        let release = self.at(|event| matches!(event, Event::Release(..)));
        if let Some(release) = release {
            let late = self.log[release..].iter().any(|event| {
                matches!(
                    event,
                    Event::BodyStarted | Event::BodyStep | Event::BodyEnded(_) | Event::BodyGone
                )
            });
            self.check(!late, || "the body was there during a clean-up".into());
        }
    }

    /// What was not begun when its use was dropped is never begun. Only the set-up of a context made of
    /// contexts goes on, in its parts.
    fn nothing_starts_after_the_drop(&mut self) {
        let goes_on = self.case.way == Way::Composed && self.case.kind.finishes_composed();
        let is_late = |(at, &event): (usize, &Event)| {
            let starts = match event {
                Event::Enter(_) => !goes_on,
                Event::BodyStarted | Event::BodyStep | Event::BodyEnded(_) => true,
                Event::RestEnded(..) => true,
                _ => false,
            };
            let gone = Self::place(event).and_then(|place| self.gone(place));
            starts && gone.is_some_and(|gone| gone < at)
        };
        let is_late = self.log.iter().enumerate().any(is_late);
        self.check(!is_late, || "something started after the drop".into());
    }

    /// Every clean-up is told how the use inside it ended.
    fn outcomes(&mut self) {
        for (at, &event) in self.log.iter().enumerate() {
            if let Event::Release(level, Some(told)) = event {
                let expected = if self.case.way == Way::Composed {
                    self.outcome_in_composed(at)
                } else if let Some(other) = self.beside(level) {
                    self.outcome_beside(level, other, at)
                } else {
                    self.outcome(level, at)
                };
                self.check(told == expected, || {
                    format!("{level} was told {told:?}, not {expected:?}")
                });
            }
        }
    }

    fn failed_before(&self, level: usize, at: usize) -> bool {
        self.known(level, at).any(|event| match event {
            Event::Entered(_, end)
            | Event::Released(_, end)
            | Event::BodyEnded(end)
            | Event::RestEnded(_, end) => end == End::Error,
            _ => false,
        })
    }

    /// Whether the level's use was dropped while it waited for what had been dropped in its block: the block
    /// was over by then.
    fn was_waiting(&self, level: usize) -> bool {
        let Some(gone) = self.gone(level) else {
            return false;
        };
        let rest_ended = self.log[..gone]
            .iter()
            .any(|event| matches!(event, Event::RestEnded(inner, _) if *inner == level + 1));
        // A panic ends the block and drops the guards in it.
        let guards_dropped =
            self.case.way == Way::GuardsInside && level == 0 && self.panicked_before(level, gone);
        let has_not_begun = self.release(level).is_none_or(|release| gone < release);
        has_not_begun && (rest_ended || guards_dropped)
    }

    fn outcome(&self, level: usize, at: usize) -> Outcome {
        let gone = self.gone(level).filter(|&gone| gone < at);
        if gone.is_some() && !self.was_waiting(level) {
            return Outcome::Cancelled;
        }
        let at = gone.unwrap_or(at);
        if self.panicked_before(level, at) {
            // A guard that is dropped by an unwind does not know of it.
            if self.is_guard(level) {
                Outcome::Cancelled
            } else {
                Outcome::Panicked
            }
        } else if self.failed_before(level, at) {
            Outcome::Failed(())
        } else {
            Outcome::Completed
        }
    }

    /// The exit of one does not wait for that of the other, and does not hear of it.
    fn outcome_beside(&self, level: usize, other: usize, at: usize) -> Outcome {
        let at = self.release(other).map_or(at, |release| release.min(at));
        self.outcome(level, at)
    }

    /// In a composed context all levels are told what its yield was told, unless one inside them fails
    /// in its own way.
    fn outcome_in_composed(&self, at: usize) -> Outcome {
        let before = &self.log[..at];
        let levels = |end| {
            before.iter().any(|&event| match event {
                Event::Entered(_, how) | Event::Released(_, how) => how == end,
                _ => false,
            })
        };
        let body = before.iter().find_map(|&event| match event {
            Event::BodyEnded(end) => Some(end),
            _ => None,
        });
        // What is inside a context that is dropped itself is dropped too.
        let dropped = if self.case.kind.finishes_composed() {
            self.dropped()
                .and_then(|dropped| Some(self.cut()?.max(dropped)))
        } else {
            self.dropped()
        };
        if dropped.is_some_and(|dropped| dropped < at) {
            return Outcome::Cancelled;
        }
        if levels(End::Panic) {
            return Outcome::Panicked;
        }
        if levels(End::Error) {
            return Outcome::Failed(());
        }
        match body {
            Some(End::Ok) => Outcome::Completed,
            Some(End::Error) => Outcome::Failed(()),
            Some(End::Panic) => Outcome::Panicked,
            None => Outcome::Cancelled,
        }
    }

    /// Where each fault arose.
    fn faults(&self) -> Vec<(usize, Fault, End)> {
        let fault = |level, step, end| {
            let fault = Fault { level, step };
            (end != End::Ok).then_some((fault, end))
        };
        self.log
            .iter()
            .enumerate()
            .filter_map(|(at, &event)| {
                let (fault, end) = match event {
                    Event::Entered(level, end) => fault(level, Step::Enter, end),
                    Event::BodyEnded(end) => fault(0, Step::Body, end),
                    Event::Released(level, end) => fault(level, Step::Exit, end),
                    Event::RestEnded(level, end) => fault(level, Step::Rest, end),
                    _ => None,
                }?;
                Some((at, fault, end))
            })
            .collect()
    }

    /// Where the use in which this arose was dropped.
    fn gone_around(&self, fault: Fault) -> Option<usize> {
        match fault.step {
            Step::Body => self.gone(BODY),
            Step::Rest => self.gone(fault.level - 1),
            Step::Enter | Step::Exit => self.gone(fault.level),
        }
    }

    /// No error and no panic of a context vanishes, and none is told twice: it is returned, resumed or
    /// reported. Only what was already on its way to somebody can go down with them.
    fn every_fault_is_seen_once(&mut self) {
        let mut violations = Vec::new();
        let mut unnamed = 0;
        for (at, fault, end) in self.faults() {
            let returned = match (&self.run.ending, end) {
                (Ending::Returned(Err(faults)), End::Error) => {
                    faults.iter().filter(|&&seen| seen == fault).count()
                }
                (Ending::Panicked(seen), End::Panic) => usize::from(*seen == fault),
                _ => 0,
            };
            let tells = |event: &&Event| match event {
                Event::Reported(who, lost) => self.tells_of(*who, *lost, at, fault, end),
                _ => false,
            };
            let by_type = |event: &&Event| matches!(event, Event::Reported(_, Lost::FailedWith));
            let reports = self.log.iter().filter(tells);
            let (by_type, by_name): (Vec<&Event>, Vec<&Event>) = reports.partition(by_type);
            let mut seen = returned + by_name.len();
            // A report by type does not say which error it is about: it counts where nothing else tells of it.
            if seen == 0 {
                unnamed += usize::from(end == End::Error);
                seen = by_type.len().min(1);
            }
            let gone = self.gone_around(fault);
            let interrupted = gone.is_some_and(|gone| at < gone)
                || self.cut().is_some_and(|cut| at < cut)
                || self.panicked_after(at);
            // After the drop each context of its own reports at once.
            let alone = self.case.way != Way::Composed && gone.is_some_and(|gone| gone < at);
            let waits = self.waits_for_others(at, fault);
            let held = self.has_no_caller_left(at, fault, end);
            let is_right = if alone || waits || held || !interrupted {
                seen == 1
            } else {
                seen <= 1
            };
            if !is_right {
                violations.push(format!("{fault} was seen {seen} times"));
            }
        }
        let by_type = self.log.iter();
        let by_type = by_type.filter(|event| matches!(event, Event::Reported(_, Lost::FailedWith)));
        if by_type.count() > unnamed {
            violations.push("more errors were told by type than arose".to_owned());
        }
        let told = self
            .log
            .iter()
            .filter(|event| matches!(event, Event::Reported(_, lost) if *lost != Lost::Abandoned));
        let known = self.faults();
        for event in told {
            let Event::Reported(_, lost) = event else {
                continue;
            };
            let (Lost::Failed(fault) | Lost::SetUpFailed(fault) | Lost::Panicked(fault)) = lost
            else {
                continue;
            };
            if !known.iter().any(|(_, known, _)| known == fault) {
                violations.push(format!("{fault} was reported but never happened"));
            }
        }
        self.violations.append(&mut violations);
    }

    /// The levels that were being exited, or waited for that, when the use in which this arose was dropped,
    /// after it had arisen: it would have gone on when their exits were over.
    fn holders(&self, at: usize, fault: Fault) -> impl Iterator<Item = usize> {
        let gone = self.gone_around(fault).filter(|&gone| at < gone);
        let is_exiting = move |&level: &usize| {
            let begun = self.release(level);
            gone.is_some_and(|gone| {
                begun.is_some_and(|begun| at < begun && begun < gone)
                    && self.over(level).is_none_or(|over| gone < over)
                    || self.was_waiting(level)
                        && (self.is_guard(level + 1) || level + 1 == fault.level)
            })
        };
        (0..3).filter(is_exiting)
    }

    /// Whether a use has to report this, because it was dropped during its exit. Guards do not know of it,
    /// what catches has been given it, and for `run` an error is a value like any other.
    fn has_no_caller_left(&self, at: usize, fault: Fault, end: End) -> bool {
        let is_bodys = matches!(fault.step, Step::Body | Step::Rest);
        let is_its_uses = match self.case.way {
            Way::Run => end == End::Panic,
            // It goes with a context that is given up, or is in what its exit ends with.
            Way::Catch => {
                let is_over = |level| self.over(level).is_some();
                end == End::Panic || self.cut().is_none() && self.holders(at, fault).all(is_over)
            }
            Way::Composed => is_bodys,
            _ => true,
        };
        let mut holders = self.holders(at, fault);
        let is_held = holders.any(|level| !self.is_guard(level));
        is_its_uses && is_held && !self.case.is_owned && !self.panicked_after(at)
    }

    /// Whether the report is about this fault, in the right name.
    fn tells_of(&self, who: Who, lost: Lost, at: usize, fault: Fault, end: End) -> bool {
        // In these ways a context may have ended with an error that is not its own.
        let is_passed_on = matches!(self.case.way, Way::Composed | Way::Catch);
        let is_its_own =
            who == Who::Level(fault.level) && matches!(fault.step, Step::Enter | Step::Exit);
        let mut holders = self.holders(at, fault);
        let is_held = holders.any(|holder| who == Who::Level(holder) || who == Who::Stack);
        let (seen, is_told_so) = match lost {
            Lost::Failed(seen) => (
                seen,
                end == End::Error && (is_passed_on || is_held || fault.step == Step::Exit),
            ),
            Lost::FailedWith => return end == End::Error && (is_passed_on || is_held),
            Lost::SetUpFailed(seen) => (seen, end == End::Error && fault.step == Step::Enter),
            Lost::Panicked(seen) => (seen, end == End::Panic),
            Lost::Abandoned => return false,
        };
        seen == fault && is_told_so && (is_passed_on || is_held || is_its_own)
    }

    /// Whether what failed was kept until others are over, so that nobody had been told by the drop.
    fn waits_for_others(&self, at: usize, fault: Fault) -> bool {
        let Some(dropped) = self.gone_around(fault).filter(|&dropped| at < dropped) else {
            return false;
        };
        let is_unwinding = |level| {
            let begun = self.at(|event| event == Event::Enter(level));
            begun.is_some_and(|begun| begun < dropped)
                && self.over(level).is_none_or(|over| dropped < over)
        };
        match fault.step {
            Step::Exit if self.case.is_stack => (0..3).any(is_unwinding),
            Step::Enter | Step::Exit => self.beside(fault.level).is_some_and(is_unwinding),
            Step::Body | Step::Rest => false,
        }
    }

    fn panicked_after(&self, at: usize) -> bool {
        self.log[at + 1..].iter().any(|event| {
            matches!(
                event,
                Event::Entered(_, End::Panic)
                    | Event::RestEnded(_, End::Panic)
                    | Event::Released(_, End::Panic)
            )
        })
    }

    /// Who polls to the end gets the first panic, else the first error; those that keep all errors
    /// keep them in the order in which they happened.
    fn ending(&mut self) {
        // Of what it dropped half-way it is told nothing.
        let is_known = |&(_, fault, _): &(usize, Fault, End)| self.gone_around(fault).is_none();
        let faults: Vec<_> = self.faults().into_iter().filter(is_known).collect();
        let panic = faults.iter().find(|(_, _, end)| *end == End::Panic);
        let errors: Vec<Fault> = faults
            .iter()
            .filter(|(_, _, end)| *end == End::Error)
            .map(|&(_, fault, _)| fault)
            .collect();
        let expected = match (&self.run.ending, panic) {
            (Ending::Dropped, _) => return,
            (_, Some(&(_, fault, _))) => Ending::Panicked(fault),
            (_, None) if errors.is_empty() => Ending::Returned(Ok(())),
            (_, None)
                if matches!(
                    self.case.way,
                    Way::TryWith | Way::Catch | Way::Guards | Way::GuardsInside
                ) =>
            {
                Ending::Returned(Err(errors))
            }
            // The body's error or, if that was fine, the first exit's; a composed context has but one
            // error, and the body's comes before it.
            (_, None) => Ending::Returned(Err(errors[..1].to_vec())),
        };
        let run = self.run;
        self.check(run.ending == expected, || {
            format!("ended with {:?}, not {expected:?}", run.ending)
        });
    }

    /// The panic hook runs once a panic: a panic that is resumed does not call it again.
    fn hook_calls(&mut self) {
        let panics = self
            .faults()
            .iter()
            .filter(|(_, _, end)| *end == End::Panic)
            .count();
        let calls = self.run.hook_calls;
        self.check(calls == panics, || {
            format!("{panics} panics, {calls} calls of the hook")
        });
    }
}
