//! Runs tests in a process of their own.

use std::env;
use std::process::Command;

/// Set in the processes that [`alone`] starts.
const ALONE: &str = "GUARD_TEST_ALONE";

/// A command that runs one test of this program in a new process.
pub fn alone(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of the test is known"));
    command
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, test);
    command
}

/// Whether this process was started by [`alone`].
pub fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}
