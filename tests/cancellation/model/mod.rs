//! Random trees of contexts, with random faults and dropped at a random point, against a small model that
//! knows nothing of polls, wakers and threads: it says what happens, and in which order as far as there is
//! one.
//!
//! `program` is what is tried, as data; `real` does it with guard, `predicted` says what comes of it, and
//! `story` compares the two. `generate` thinks programs up.

mod generate;
mod predicted;
mod program;
mod real;
mod story;

use proptest::prelude::*;

use crate::world::{self, Fault, Step};

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

proptest! {
    #![proptest_config(ProptestConfig { cases: trees(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_tree_of_contexts_does_what_the_model_says(
        program in generate::programs(),
        at in any::<prop::sample::Index>(),
    ) {
        world::install();
        let (whole, pauses) = predicted::story(&program, None);
        whole.is_told_by(&real::story(&program, None))?;
        // One of every three runs is dropped at a random pause, the others where it hurts most often.
        let drop_at = at.index(pauses + 1);
        for drop_at in [drop_at, 0, pauses] {
            let (story, _) = predicted::story(&program, Some(drop_at));
            story.is_told_by(&real::story(&program, Some(drop_at)))?;
        }
    }
}
