//! The tour, as a newcomer runs it.

#[path = "support/run_example.rs"]
mod support;

use support::run_example;

#[test]
fn the_tour_succeeds_and_every_claim_holds() {
    let output = run_example("tour", &[]);
    let story = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = || story.lines().map(str::trim_start);

    assert!(output.status.success(), "{story}\n{errors}");
    assert_eq!(
        lines().filter(|line| line.starts_with("NO ")).count(),
        0,
        "{story}"
    );
    let held = lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(
        lines().next_back(),
        Some(format!("All {held} claims hold.").as_str())
    );
    // Nothing went to the standard error stream, where reports and panics would be.
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
            "{part}\n{story}"
        );
    }
}
