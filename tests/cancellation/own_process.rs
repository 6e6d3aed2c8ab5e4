//! Runs a test in a process of its own, for tests of what belongs to the whole process.

use std::any::type_name_of_val;
use std::process::Command;

const CHILD: &str = "GUARD_TESTS_ALONE";

/// Runs `test`, a closure of a test function, in a new process, which runs nothing else. Returns what it
/// wrote to the standard error stream.
pub fn in_own_process<F: FnOnce()>(test: F) -> String {
    let name = type_name_of_val(&test);
    let name = name.trim_end_matches("::{{closure}}");
    let (_, name) = name.split_once("::").expect("a test has a path");
    if std::env::var_os(CHILD).is_some() {
        test();
        std::process::exit(0);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&child.stderr).into_owned();
    assert!(child.status.success(), "{name} failed alone:\n{stderr}");
    // `--exact` with a name that does not exist runs nothing, and succeeds.
    let stdout = String::from_utf8_lossy(&child.stdout);
    assert!(!stdout.contains("running 0 tests"), "there is no {name}");
    stderr
}
