//! Tests that need a process of their own.

use std::env;
use std::process::Command;

/// Set in the processes that [`alone`] starts.
const ALONE: &str = "GUARD_TEST_ALONE";

/// One test of the same program, in a process of its own.
pub fn alone(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows where it is"));
    command
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, test);
    command
}

/// Whether this is such a process.
pub fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}
