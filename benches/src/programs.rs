//! The list of the programs.

use crate::work::repeat;
use crate::{by_hand, peers, uses};

/// One program.
pub struct Program {
    /// Its name, unique.
    pub name: &'static str,
    /// The program by hand that it is compared with.
    pub base: &'static str,
    /// Runs this many uses, never suspended.
    pub never: fn(u64) -> u64,
    /// Runs this many uses, once suspended at each place.
    pub once: fn(u64) -> u64,
    /// The bytes of its future, suspended once.
    pub size: usize,
}

/// All programs, each after the one that it is compared with.
pub fn programs() -> Vec<Program> {
    macro_rules! programs {
        ($($name:literal, $base:literal: $module:ident::$program:ident $(, $entries:literal)?;)+) => {
            vec![$(Program {
                name: $name,
                base: $base,
                never: |count| repeat(count, $module::$program::<false $(, $entries)?>),
                once: |count| repeat(count, $module::$program::<true $(, $entries)?>),
                size: size_of_val(&$module::$program::<true $(, $entries)?>(0)),
            }),+]
        };
    }

    let mut programs = programs! {
        "by hand", "by hand": by_hand::scoped;
        "scoped, async_with!", "by hand": uses::scoped_block;
        "scoped, run", "by hand": uses::scoped_run;
        "scoped, with", "by hand": uses::scoped_with;
        "scoped, catch", "by hand": uses::scoped_catch;
        "scoped, within", "by hand": uses::scoped_within;
        "async-stream", "by hand": peers::async_stream;
        "genawaiter", "by hand": peers::genawaiter;
        "async-safe-defer", "by hand": peers::async_safe_defer;
        "boxed closure", "by hand": peers::boxed_closure;
        "three by hand", "three by hand": by_hand::scoped_3;
        "three scoped, one call", "three by hand": uses::scoped_3;
        "three scoped, nested", "three by hand": uses::scoped_3_nested;
        "two joined by hand", "two joined by hand": by_hand::joined;
        "two scoped, join", "two joined by hand": uses::joined;
        "boxed by hand", "boxed by hand": by_hand::boxed;
        "default, async_with!", "boxed by hand": uses::default_block;
        "default, run", "boxed by hand": uses::default_run;
        "default, guard", "boxed by hand": uses::default_guard;
        "default, guard.drive", "boxed by hand": uses::default_guard_drive;
        "three boxed by hand", "three boxed by hand": by_hand::boxed_3;
        "three default, one call", "three boxed by hand": uses::default_3;
        "closures of one", "closures of one": by_hand::stack, 1;
        "stack of one", "closures of one": uses::stack, 1;
        "closures of eleven", "closures of eleven": by_hand::stack, 11;
        "stack of eleven", "closures of eleven": uses::stack, 11;
    };
    for (name, run) in [
        (
            "dropped by hand",
            by_hand::cancelled_and_awaited as fn(u64) -> u64,
        ),
        ("dropped, drained", uses::cancelled_and_drained),
    ] {
        programs.push(Program {
            name,
            base: "dropped by hand",
            never: run,
            once: run,
            size: 0,
        });
    }
    programs
}
