//! Fuzzing: random trees of contexts, with random faults and dropped at a random point, against a small model that
//! knows nothing of polls, wakers and threads. The model says what happens, and in which order as far as there is
//! one.
//!
//! `program` is what is tried, as data. `generate` makes random programs, `execute` runs one with guard, `model`
//! predicts what comes of it, and `compare` has what the two are compared by.

mod compare;
mod execute;
mod generate;
mod model;
mod program;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::simulation::{self, Fault, Step};

/// Why a program stops early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Error(usize),
    Panic(usize),
    /// Its user was dropped, and nobody finishes it.
    Dropped,
}

fn fault(number: usize) -> Fault {
    Fault {
        level: number,
        step: Step::Body,
    }
}

/// What the drop is called among the events.
const DROP: &str = "drop";

/// How many trees; fewer have to do where every run takes long.
fn trees() -> u32 {
    std::env::var("GUARD_RANDOM_TREES").map_or(4000, |trees| trees.parse().unwrap())
}

/// Whether that happens which the model says, or one of the things it says where it knows several.
fn as_predicted(program: &program::Program, drop_at: Option<usize>) -> Result<(), TestCaseError> {
    let told = execute::story(program, drop_at);
    let (story, _) = model::story(program, drop_at, 0);
    let first = story.is_told_by(&told);
    let others = 1..1_usize << story.ties.min(8);
    let mut others = others.map(|ties| model::story(program, drop_at, ties).0);
    if first.is_ok() || others.any(|other| other.is_told_by(&told).is_ok()) {
        Ok(())
    } else {
        first
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: trees(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_tree_of_contexts_does_what_the_model_says(
        program in generate::programs(),
        at in any::<prop::sample::Index>(),
    ) {
        simulation::install();
        let (_, pauses) = model::story(&program, None, 0);
        as_predicted(&program, None)?;
        // One of every three runs is dropped at a random pause, the others where it hurts most often.
        let drop_at = at.index(pauses + 1);
        for drop_at in [drop_at, 0, pauses] {
            as_predicted(&program, Some(drop_at))?;
        }
    }
}
