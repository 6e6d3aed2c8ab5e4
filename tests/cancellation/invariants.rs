//! The invariants: rules that every run has to keep, whatever its plan was. They are checked against the log of the run,
//! not against the plan.

use guard_core::Outcome;

use crate::scenarios::{Kind, Way};
use crate::simulation::{End, Ending, Event, Fault, Lost, Run, Step, Who};

/// How the contexts of a run were used: the rules depend on that.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Case {
    pub way: Way,
    pub kind: Kind,
    /// Whether the contexts are those of one exit stack, which keeps their errors until it is unwound.
    pub is_stack: bool,
    /// Whether the stack is closed by hand, so that the body's error is with its owner.
    pub is_owned: bool,
    /// Whether set-ups and clean-ups run on threads of their own, so that a poll does not run them.
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

/// The number of the body: it is inside all levels.
const BODY: usize = usize::MAX;

/// Returns the level of an event, if the event is of the wanted kind.
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

    /// The place in the log where the whole use was dropped.
    fn dropped(&self) -> Option<usize> {
        self.at(|event| event == Event::Dropped)
    }

    /// The place in the log where a block dropped the use of a level in it, and that level.
    fn interrupted(&self) -> Option<(usize, usize)> {
        let found = self.log.iter().enumerate().find_map(|(at, &event)| {
            let Event::Interrupted(level) = event else {
                return None;
            };
            Some((at, level))
        });
        // After the drop of the whole use it was not the block that dropped the level.
        found.filter(|&(at, _)| self.dropped().is_none_or(|dropped| at < dropped))
    }

    /// The place in the log where the use of this level, or of one around it, was dropped.
    fn gone(&self, place: usize) -> Option<usize> {
        match self.interrupted() {
            Some((at, level)) if place >= level => Some(at),
            _ => self.dropped(),
        }
    }

    /// The level in whose set-up, block or clean-up the event happens.
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

    /// The events before `at` that the use of this level can know of. It is not told how a use ended that its block dropped.
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

    /// The place in the log where the set-up of the level failed, or its clean-up ended.
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

    /// The level that is joined with this one.
    fn beside(&self, level: usize) -> Option<usize> {
        let [one, other] = self.case.way.sides()?;
        match level {
            _ if level == one => Some(other),
            _ if level == other => Some(one),
            _ => None,
        }
    }

    /// The level whose use is in the block of this level.
    fn in_block_of(&self, level: usize) -> usize {
        match self.beside(level) {
            Some(other) => level.max(other) + 1,
            None => level + 1,
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

    /// Whether the level is used by a guard. A panic drops a guard; nobody exits it.
    fn is_guard(&self, level: usize) -> bool {
        match self.case.way {
            Way::Guards => true,
            Way::GuardsInside => level > 0,
            _ => false,
        }
    }

    /// Whether the library finishes each level by itself when its use is dropped.
    fn is_finished(&self) -> bool {
        match self.case.kind {
            Kind::Default | Kind::ScopedOfDefault => true,
            Kind::Scoped => false,
            Kind::DefaultOfScoped => self.case.is_stack,
        }
    }

    /// Each set-up and each clean-up begins at most once and ends at most once: the background carries on, and never
    /// restarts.
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

    /// Each level that has begun also ends, unless nothing can finish it. Then there is one report that it was abandoned,
    /// and only then.
    fn every_acquired_level_is_released_or_reported(&mut self) {
        for level in 0..3 {
            // A scoped level may be dropped in its set-up without a report.
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
            // The composed context itself was dropped, whatever became of the levels in it.
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
        // Scoped contexts are not finished after a drop: of the use, or of a guard by a panic.
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

    /// The clean-up of each level that was set up is polled at least once, even where no runtime can finish it. Scoped
    /// levels are an exception.
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

    /// When the background ends, each unfinished set-up or clean-up in it is polled once more. If that poll ends the
    /// set-up, the clean-up gets one poll too. A use that is dropped only after that is also polled once where it is dropped.
    fn each_unfinished_step_gets_one_last_poll(&mut self) {
        let Some(cut) = self.cut() else { return };
        // The context around them, or the stack, polls its levels itself.
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

    /// A clean-up begins when each level that was acquired later is over, even if a block dropped that level before.
    /// There are two exceptions. Nobody waits for a level that was dropped in its set-up. Guards that are dropped together,
    /// with no use around them, begin in that order, but do not wait for each other.
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

    /// Whether the use of the level was dropped in the set-up. A thread may have finished the set-up before the use was
    /// polled again: then nothing inside had begun.
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

    /// Nothing inside a use begins after the use was dropped. The exception is a context made of contexts: its set-up goes
    /// on, and enters them.
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

    /// Each clean-up gets the outcome of the use.
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

    /// Whether the use of the level was dropped after its block had ended, while it waited for a use that the block had
    /// dropped.
    fn was_waiting(&self, level: usize) -> bool {
        let Some(gone) = self.gone(level) else {
            return false;
        };
        let in_block = self.in_block_of(level);
        let rest_ended = self.log[..gone]
            .iter()
            .any(|event| matches!(event, Event::RestEnded(inner, _) if *inner == in_block));
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
            // A dropped guard cannot see that a panic drops it.
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

    /// Two joined exits run at the same time, so neither is told how the other ended.
    fn outcome_beside(&self, level: usize, other: usize, at: usize) -> Outcome {
        let at = self.release(other).map_or(at, |release| release.min(at));
        self.outcome(level, at)
    }

    /// In a composed context all levels get the outcome of its yield, unless a level inside them has failed or panicked.
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
        // If the composed context is dropped, so are the levels in it.
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

    /// The faults of the run, each with its place in the log.
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

    /// The place in the log where the use was dropped in which this fault arose.
    fn gone_around(&self, fault: Fault) -> Option<usize> {
        match fault.step {
            Step::Body => self.gone(BODY),
            Step::Rest => self.gone(fault.level - 1),
            Step::Enter | Step::Exit => self.gone(fault.level),
        }
    }

    /// Each error and each panic is seen exactly once: returned, resumed or reported. The exception is a fault that was being
    /// returned to a caller which was then dropped or panicked: it may be lost.
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
            // A report that only names the type of the error fits several faults. It counts for one that nothing else shows.
            if seen == 0 {
                unnamed += usize::from(end == End::Error);
                seen = by_type.len().min(1);
            }
            let gone = self.gone_around(fault);
            let interrupted = gone.is_some_and(|gone| at < gone)
                || self.cut().is_some_and(|cut| at < cut)
                || self.panicked_after(at);
            // After the drop each level reports by itself.
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

    /// The levels that held this fault when the use was dropped: they were in their exit, or waited to begin it, and would
    /// have passed the fault on after the exit.
    fn holders(&self, at: usize, fault: Fault) -> impl Iterator<Item = usize> {
        let gone = self.gone_around(fault).filter(|&gone| at < gone);
        let is_exiting = move |&level: &usize| {
            let begun = self.release(level);
            gone.is_some_and(|gone| {
                begun.is_some_and(|begun| at < begun && begun < gone)
                    && self.over(level).is_none_or(|over| gone < over)
                    || self.was_waiting(level)
                        // Else the fault was lost with a use that the block dropped before.
                        && self.gone(level) == Some(gone)
                        && (self.is_guard(level + 1) || self.in_block_of(level) == fault.level)
            })
        };
        (0..3).filter(is_exiting)
    }

    /// Whether a use has to report this fault, because the use was dropped in its exit. A guard never sees the fault, a
    /// catching context has got it as its outcome, and for `run` an error is a value like any other.
    fn has_no_caller_left(&self, at: usize, fault: Fault, end: End) -> bool {
        let is_bodys = matches!(fault.step, Step::Body | Step::Rest);
        let is_its_uses = match self.case.way {
            Way::Run => end == End::Panic,
            // The exit returns the error, or loses it where the context is abandoned.
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

    /// Whether the report is about this fault, with the right name.
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

    /// Whether the fault was kept until other exits were over, so that nobody had seen it before the drop.
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

    /// A caller that polls to the end gets the first panic, or else the first error. The ways of use that keep all errors
    /// return them in the order in which they happened.
    fn ending(&mut self) {
        // A fault of a use that the block dropped does not reach the caller.
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
            // The error of the body comes first, then those of the exits. A composed context has one error at most.
            (_, None) => Ending::Returned(Err(errors[..1].to_vec())),
        };
        let run = self.run;
        self.check(run.ending == expected, || {
            format!("ended with {:?}, not {expected:?}", run.ending)
        });
    }

    /// The panic hook runs once for each panic. To resume a panic does not call it again.
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
