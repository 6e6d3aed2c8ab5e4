//! Runs tests of documented limits: code that hangs, in a process of its own.

use std::any::type_name_of_val;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "GUARD_TESTS_HANGS";
const HERE: &str = "the next statement hangs";

/// A test calls this directly before the statement that hangs.
pub fn about_to_hang() {
    eprintln!("{HERE}");
}

/// Runs `test`, a closure in a test function, in a new process, checks that it hangs, and kills it.
pub fn hangs<F: FnOnce()>(test: F) {
    let name = type_name_of_val(&test);
    let name = name.trim_end_matches("::{{closure}}");
    let (_, name) = name.split_once("::").expect("a test has a path");
    if std::env::var_os(CHILD).is_some() {
        test();
        std::process::exit(0);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let said = stderr
        .lines()
        .map_while(Result::ok)
        .any(|line| line == HERE);
    assert!(said, "the test ended before `about_to_hang`");
    // A statement that does not hang ends within this time.
    std::thread::sleep(Duration::from_millis(300));
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        ended, None,
        "the code no longer hangs: remove the limit from the documentation"
    );
}
