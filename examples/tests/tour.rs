//! The tour, as a new user runs it.

#[path = "support/run_example.rs"]
mod support;

use support::run_example;

#[test]
fn the_tour_succeeds_and_every_check_passes() {
    let output = run_example("tour", &[]);
    let transcript = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = || transcript.lines().map(str::trim_start);

    assert!(output.status.success(), "{transcript}\n{errors}");
    assert_eq!(
        lines().filter(|line| line.starts_with("NO ")).count(),
        0,
        "{transcript}"
    );
    let held = lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(
        lines().next_back(),
        Some(format!("All {held} claims hold.").as_str())
    );
    // Reports and panics would be on the standard error stream, which is empty.
    assert_eq!(errors, "");

    for part in [
        "1. A transaction",
        "`?` meets an error   -> rolled back",
        "it panics            -> rolled back",
        "it is cancelled      -> rolled back",
        "2. Nested contexts",
        "3. HTTP",
        "4. A context written by hand",
        "5. Cancelled in the middle",
    ] {
        assert!(
            lines().any(|line| line.contains(part) && !line.starts_with("NO ")),
            "{part}\n{transcript}"
        );
    }
}
