//! Every plan, in every way, dropped after every number of polls; then its background cut after every
//! number of polls.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::invariants::{Case, judge};
use crate::scenarios::{Doing, Interrupt, Kind, Manner, Plan, WAYS, Way, using};
use crate::simulation::{DRIVERS, Driver, End, Run, Using, drive, drive_alone};

const ENDS: [End; 3] = [End::Ok, End::Error, End::Panic];

/// Every combination of faults that can be told apart: what comes after a failed set-up never happens.
fn faults(depth: usize) -> Vec<([End; 3], End, [End; 3])> {
    fn exits(levels: usize) -> Vec<[End; 3]> {
        (0..3_usize.pow(u32::try_from(levels).unwrap()))
            .map(|code| [0, 1, 2].map(|level| ENDS[code / 3_usize.pow(level) % 3]))
            .collect()
    }

    let mut all = Vec::new();
    for failing in 0..depth {
        for end in [End::Error, End::Panic] {
            let mut enter = [End::Ok; 3];
            enter[failing] = end;
            all.extend(
                exits(failing)
                    .into_iter()
                    .map(|exit| (enter, End::Ok, exit)),
            );
        }
    }
    for body in ENDS {
        all.extend(
            exits(depth)
                .into_iter()
                .map(|exit| ([End::Ok; 3], body, exit)),
        );
    }
    all
}

/// Every combination of pauses in set-up, body and clean-up.
fn pauses() -> impl Iterator<Item = [usize; 3]> {
    (0..27).map(|code| [code / 9, code / 3 % 3, code % 3])
}

/// Every so many of the plans are tried: what `GUARD_MATRIX_EVERY` says, or `default`. It has to have no factor 3, or
/// all plans would wait in the same places.
fn every(default: usize) -> usize {
    std::env::var("GUARD_MATRIX_EVERY").map_or(default, |every| every.parse().unwrap())
}

/// Every plan of one level, and a sample of those of two and three, unless `GUARD_MATRIX_EVERY` says otherwise: with 1,
/// every one, and where every run takes long, as under a sanitizer, fewer.
pub fn plans(depth: usize) -> Vec<Plan> {
    sample(depth, [1, 7, 50][depth - 1])
}

fn sample(depth: usize, default: usize) -> Vec<Plan> {
    all_plans(depth)
        .into_iter()
        .step_by(every(default))
        .collect()
}

/// Every plan of this depth.
pub fn all_plans(depth: usize) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (enter, body, exit) in faults(depth) {
        for [entering, using, exiting] in pauses() {
            let doing = |pauses, end| Doing { pauses, end };
            plans.push(Plan {
                depth,
                enter: enter.map(|end| doing(entering, end)),
                body: doing(using, body),
                exit: exit.map(|end| doing(exiting, end)),
                interrupt: None,
            });
        }
    }
    plans
}

/// These plans, with the use of each level but the first interrupted. How many polls after, and what comes
/// then, takes turns.
pub fn interrupted(plans: impl IntoIterator<Item = Plan>) -> impl Iterator<Item = Plan> {
    let interrupts = |(number, plan): (usize, Plan)| {
        (1..plan.depth).flat_map(move |level| {
            (0..4).map(move |shift| Plan {
                interrupt: Some(Interrupt {
                    level,
                    polls: (number + 3 * shift) % 11,
                    by: [Manner::Timeout, Manner::EndOfBlock][(number + shift) % 2],
                    rest: Doing {
                        pauses: number / 2 % 3,
                        end: ENDS[(number + shift + level) % 3],
                    },
                }),
                ..plan
            })
        })
    };
    plans.into_iter().enumerate().flat_map(interrupts)
}

/// Every plan of one and two levels, and some of three: for what adds nothing of its own there. `every`
/// has no factor 3, for the reason that [`plans`] gives.
pub fn plans_of_all_depths(every: usize) -> Vec<Plan> {
    let three = sample(3, 5).into_iter().step_by(every);
    plans(1).into_iter().chain(plans(2)).chain(three).collect()
}

/// How many runs there were, and what was wrong: of each kind how many times, and the first one.
#[derive(Default)]
pub struct Verdict {
    pub runs: usize,
    pub wrong: usize,
    kinds: BTreeMap<String, (usize, String)>,
    /// Hashes of the runs without a violation. Most runs are like one before, because they differ only in how long
    /// something takes, or in who polls it.
    known: HashSet<u64>,
}

impl Verdict {
    pub fn judge(&mut self, case: Case, run: &Run, what: impl FnOnce() -> String) {
        self.runs += 1;
        let mut hasher = DefaultHasher::new();
        case.hash(&mut hasher);
        run.hash_what_is_judged(&mut hasher);
        let hash = hasher.finish();
        if self.known.contains(&hash) {
            return;
        }
        let violations = judge(case, run);
        if violations.is_empty() {
            self.known.insert(hash);
            return;
        }
        self.wrong += 1;
        let what = what();
        for violation in violations {
            let kind = violation.replace(|digit: char| digit.is_ascii_digit(), "#");
            let first = || {
                let (log, ending) = (&run.log, &run.ending);
                let run = format!("{what}\n  log: {log:?}\n  ending: {ending:?}");
                (0, format!("{violation}, in\n  {run}"))
            };
            self.kinds.entry(kind).or_insert_with(first).0 += 1;
        }
    }

    #[track_caller]
    pub fn assert_no_violation(&self) {
        let kinds = self.kinds.values();
        let kinds: Vec<String> = kinds
            .map(|(times, first)| format!("{times} times {first}"))
            .collect();
        let (wrong, runs) = (self.wrong, self.runs);
        assert_eq!(
            wrong,
            0,
            "{wrong} of {runs} runs violate an invariant:\n{}",
            kinds.join("\n")
        );
    }
}

/// Polls to the end, and drops before every poll; cuts the background before every poll.
pub fn sweep(case: Case, plan: Plan, verdict: &mut Verdict, using: impl Fn() -> Using) {
    sweep_with(&DRIVERS, case, plan, verdict, using);
}

/// [`sweep`] with some of the drivers only.
fn sweep_with(
    drivers: &[Driver],
    case: Case,
    plan: Plan,
    verdict: &mut Verdict,
    using: impl Fn() -> Using,
) {
    for &driver in drivers {
        let mut try_drop = |drop_at: Option<usize>| {
            let run = drive(using(), driver, drop_at, None);
            verdict.judge(case, &run, || {
                format!("{case:?} {plan:?} {driver:?}, dropped after {drop_at:?} polls")
            });
            // That the background is polled in each way was just tried; where it is cut does not depend
            // on it.
            if driver == drivers[0] {
                for cut_at in 0..run.background_polls {
                    let run = drive(using(), driver, drop_at, Some(cut_at));
                    verdict.judge(case, &run, || {
                        format!("{case:?} {plan:?} {driver:?}, dropped after {drop_at:?} polls, cut after {cut_at}")
                    });
                }
                if run.background_polls > 0 {
                    let run = drive_alone(using(), driver, drop_at);
                    verdict.judge(case, &run, || {
                        format!("{case:?} {plan:?} {driver:?}, dropped after {drop_at:?} polls, with no background")
                    });
                }
            }
            run.polls
        };
        let polls = try_drop(None);
        for drop_at in 0..polls {
            try_drop(Some(drop_at));
        }
    }
}

/// Whether what is planned can be done in this way.
pub fn can_run(way: Way, plan: Plan) -> bool {
    let level = plan.interrupted();
    match way {
        // Between contexts of one call there is no block.
        Way::AsyncWithList | Way::Within if level == Some(1) => false,
        Way::Join if level.is_some_and(|level| level < 2) => false,
        Way::JoinInside if level == Some(2) => false,
        // Its body is the block: that is tried by the model.
        Way::Composed if level.is_some() => false,
        Way::GuardsInside if plan.depth < 2 => false,
        Way::Run => {
            let mut contexts = plan.enter.iter().chain(&plan.exit);
            contexts.all(|doing| doing.end != End::Error)
        }
        _ => way.sides().is_none_or(|[_, last]| last < plan.depth),
    }
}

fn matrix(kind: Kind, ways: &[Way], depth: usize) {
    // Three levels are millions of runs. The drivers take turns there.
    let whole = depth < 3;
    let mut verdict = Verdict::default();
    for (turn, &way) in ways.iter().enumerate() {
        let plans = plans(depth);
        let every = if depth < 3 { 35 } else { 200 };
        let interrupted = interrupted(plans.clone().into_iter().step_by(every));
        for (number, plan) in plans.into_iter().chain(interrupted).enumerate() {
            if can_run(way, plan) {
                let case = Case::new(way, kind);
                // There are 27 plans for each set of faults: that has to shift the turns too.
                let turn = (number + number / 27 + turn) % DRIVERS.len();
                let drivers = if whole {
                    &DRIVERS[..]
                } else {
                    &DRIVERS[turn..=turn]
                };
                sweep_with(drivers, case, plan, &mut verdict, || using(way, kind, plan));
            }
        }
    }
    verdict.assert_no_violation();
    println!("{} runs", verdict.runs);
}

macro_rules! matrices {
    ($($kind:ident $ways:expr => $one:ident $two:ident $three:ident;)+) => {$(
        #[test]
        fn $one() {
            matrix(Kind::$kind, &$ways, 1);
        }

        #[test]
        fn $two() {
            matrix(Kind::$kind, &$ways, 2);
        }

        #[test]
        fn $three() {
            matrix(Kind::$kind, &$ways, 3);
        }
    )+};
}

matrices! {
    Default WAYS => a_default_context two_default_contexts three_default_contexts;
    Scoped WAYS => a_scoped_context two_scoped_contexts three_scoped_contexts;
    DefaultOfScoped [Way::Composed] =>
        a_default_context_of_a_scoped_one
        a_default_context_of_two_scoped_ones
        a_default_context_of_three_scoped_ones;
    ScopedOfDefault [Way::Composed] =>
        a_scoped_context_of_a_default_one
        a_scoped_context_of_two_default_ones
        a_scoped_context_of_three_default_ones;
}
