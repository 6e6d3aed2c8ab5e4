//! Judges a run by its log alone: what may never happen, whatever was planned.

use guard_core::Outcome;

use crate::ways::{Kind, Way};
use crate::world::{End, Ending, Event, Fault, Lost, Run, Step, Who};

/// What the judge knows about a run beside its log.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub way: Way,
    pub kind: Kind,
    /// Whether the contexts are those of one exit stack, which keeps their errors until it is unwound.
    pub is_stack: bool,
}

impl Case {
    pub const fn new(way: Way, kind: Kind) -> Self {
        Self {
            way,
            kind,
            is_stack: false,
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
    judge.last_in_first_out();
    judge.body_is_gone_before_the_first_release();
    judge.nothing_starts_after_the_drop();
    judge.outcomes();
    judge.every_fault_is_seen_once();
    judge.ending();
    judge.hook_calls();
    judge.violations
}

/// The level that an event of some kind is about.
type LevelOf = fn(Event) -> Option<usize>;

struct Judge<'a> {
    case: Case,
    run: &'a Run,
    log: &'a [Event],
    violations: Vec<String>,
}

impl Judge<'_> {
    fn check(&mut self, law: bool, violation: impl FnOnce() -> String) {
        if !law {
            self.violations.push(violation());
        }
    }

    fn at(&self, wanted: impl Fn(Event) -> bool) -> Option<usize> {
        self.log.iter().position(|&event| wanted(event))
    }

    fn count(&self, wanted: Event) -> usize {
        self.log.iter().filter(|&&event| event == wanted).count()
    }

    fn dropped(&self) -> Option<usize> {
        self.at(|event| event == Event::Dropped)
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

    fn panicked_before(&self, at: usize) -> bool {
        self.log[..at].iter().any(|event| {
            matches!(
                event,
                Event::Entered(_, End::Panic)
                    | Event::BodyEnded(End::Panic)
                    | Event::Released(_, End::Panic)
            )
        })
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
                self.cut()
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
        let by_panic = self.case.way == Way::Guards && self.panicked_before(self.log.len());
        let may_lose = self.cut().is_some() || (drops && (by_panic || self.dropped().is_some()));
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

    /// A clean-up begins when everything that was acquired later is over. Guards that are dropped
    /// together only begin in that order.
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
                if first >= later || self.beside(outer) == Some(inner) {
                    continue;
                }
                let together = self.case.way == Way::Guards
                    && (self.dropped().is_some_and(|dropped| dropped < release)
                        || self.panicked_before(release));
                let lawful = if together {
                    // One that was still being set up when it was dropped is nobody's elder.
                    self.dropped().is_some_and(|dropped| dropped < later)
                        || self.release(inner).is_some_and(|inner| inner < release)
                } else {
                    let over = self
                        .over(inner)
                        .or_else(|| self.abandoned(Who::Level(inner)));
                    over.is_some_and(|over| over < release)
                };
                self.check(lawful, || {
                    format!("{outer} was cleaned up before {inner} was over")
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

    /// What was not begun when the use was dropped is never begun. Only the set-up of a context made of
    /// contexts goes on, in its parts.
    fn nothing_starts_after_the_drop(&mut self) {
        let Some(dropped) = self.dropped() else {
            return;
        };
        let goes_on = self.case.way == Way::Composed && self.case.kind.finishes_composed();
        let started = self.log[dropped..].iter().any(|event| match event {
            Event::Enter(_) => !goes_on,
            Event::BodyStarted | Event::BodyStep | Event::BodyEnded(_) => true,
            _ => false,
        });
        self.check(!started, || "something started after the drop".into());
    }

    /// Every clean-up is told how the use inside it ended.
    fn outcomes(&mut self) {
        for (at, &event) in self.log.iter().enumerate() {
            if let Event::Release(level, Some(told)) = event {
                let expected = if self.case.way == Way::Composed {
                    self.outcome_in_composed(at)
                } else if let Some(other) = self.beside(level) {
                    self.outcome_beside(other, at)
                } else {
                    self.outcome(at)
                };
                self.check(told == expected, || {
                    format!("{level} was told {told:?}, not {expected:?}")
                });
            }
        }
    }

    fn failed_before(&self, at: usize, body_counts: bool) -> bool {
        self.log[..at].iter().any(|event| match event {
            Event::Entered(_, End::Error) | Event::Released(_, End::Error) => true,
            Event::BodyEnded(End::Error) => body_counts,
            _ => false,
        })
    }

    fn outcome(&self, at: usize) -> Outcome {
        if self.dropped().is_some_and(|dropped| dropped < at) {
            Outcome::Cancelled
        } else if self.panicked_before(at) {
            // A guard that is dropped by an unwind does not know of it.
            if self.case.way == Way::Guards {
                Outcome::Cancelled
            } else {
                Outcome::Panicked
            }
        } else if self.failed_before(at, true) {
            Outcome::Failed(())
        } else {
            Outcome::Completed
        }
    }

    /// The exit of one does not wait for that of the other, and does not hear of it.
    fn outcome_beside(&self, other: usize, at: usize) -> Outcome {
        let at = self.release(other).map_or(at, |release| release.min(at));
        self.outcome(at)
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
            self.cut()
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
                    _ => None,
                }?;
                Some((at, fault, end))
            })
            .collect()
    }

    /// No error and no panic of a context vanishes, and none is told twice: it is returned, resumed or
    /// reported. Only what was already on its way to somebody can go down with them.
    fn every_fault_is_seen_once(&mut self) {
        let interrupted = |from: usize| {
            self.log[from + 1..]
                .iter()
                .any(|event| matches!(event, Event::Dropped | Event::Cut))
                || self.panicked_after(from)
        };
        let mut violations = Vec::new();
        for (at, fault, end) in self.faults() {
            let returned = match (&self.run.ending, end) {
                (Ending::Returned(Err(faults)), End::Error) => {
                    faults.iter().filter(|&&seen| seen == fault).count()
                }
                (Ending::Panicked(seen), End::Panic) => usize::from(*seen == fault),
                _ => 0,
            };
            let reported = self
                .log
                .iter()
                .filter(|event| match event {
                    Event::Reported(who, lost) => self.tells_of(*who, *lost, fault, end),
                    _ => false,
                })
                .count();
            let seen = returned + reported;
            // After the drop each context of its own reports at once.
            let alone = self.case.way != Way::Composed
                && self.dropped().is_some_and(|dropped| dropped < at);
            let waits = self.waits_for_others(at, fault);
            let lawful = if alone || waits || !interrupted(at) {
                seen == 1
            } else {
                seen <= 1
            };
            if !lawful {
                violations.push(format!("{fault} was seen {seen} times"));
            }
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

    /// Whether the report is about this fault, in the right name.
    fn tells_of(&self, who: Who, lost: Lost, fault: Fault, end: End) -> bool {
        // In these ways a context may have ended with an error that is not its own.
        let is_passed_on = matches!(self.case.way, Way::Composed | Way::Catch);
        let is_its_own = who == Who::Level(fault.level) && fault.step != Step::Body;
        let (seen, is_told_so) = match lost {
            Lost::Failed(seen) => (
                seen,
                end == End::Error && (is_passed_on || fault.step == Step::Exit),
            ),
            Lost::SetUpFailed(seen) => (seen, end == End::Error && fault.step == Step::Enter),
            Lost::Panicked(seen) => (seen, end == End::Panic),
            Lost::Abandoned => return false,
        };
        seen == fault && is_told_so && (is_passed_on || is_its_own)
    }

    /// Whether what failed was kept until others are over, so that nobody had been told by the drop.
    fn waits_for_others(&self, at: usize, fault: Fault) -> bool {
        let Some(dropped) = self.dropped().filter(|&dropped| at < dropped) else {
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
            Step::Body => false,
        }
    }

    fn panicked_after(&self, at: usize) -> bool {
        self.log[at + 1..].iter().any(|event| {
            matches!(
                event,
                Event::Entered(_, End::Panic) | Event::Released(_, End::Panic)
            )
        })
    }

    /// Who polls to the end gets the first panic, else the first error; those that keep all errors
    /// keep them in the order in which they happened.
    fn ending(&mut self) {
        let faults = self.faults();
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
            (_, None) if matches!(self.case.way, Way::TryWith | Way::Catch | Way::Guards) => {
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
