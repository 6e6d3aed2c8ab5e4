//! Limits that cannot be tested but by a process that hangs.

use std::any::type_name_of_val;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "GUARD_TESTS_HANGS";
const HERE: &str = "from here on it hangs";

/// To be said by the test before it hangs.
pub fn here() {
    eprintln!("{HERE}");
}

/// Runs `test`, a closure of a test function, in a new process, which is killed when it hangs.
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
    assert!(said, "it does not come so far");
    // Long enough for what does not hang.
    std::thread::sleep(Duration::from_millis(300));
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        ended, None,
        "the limit is gone: say so in the documentation"
    );
}
