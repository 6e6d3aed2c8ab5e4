//! Each port prints, line for line, what its Python program prints.

#[path = "support/run_example.rs"]
mod run_example;

use std::path::Path;
use std::process::Command;

use run_example::run_example;

/// What the Python program prints.
fn python(name: &str) -> String {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_ports");
    let output = Command::new("python3")
        // Isolated from the settings of its user.
        .arg("-I")
        .arg(programs.join(name).with_extension("py"))
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "python3 could not be started: {error}\n\
                 On Debian and Ubuntu install it with: apt-get install python3"
            )
        });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3 failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compares both logs, and then what they must contain, so that two empty ones are not the same.
#[track_caller]
fn same_events(name: &str, essential: &[&str]) {
    let output = run_example("python_ports", &[name]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    let ours = String::from_utf8(output.stdout).unwrap();

    let ours: Vec<_> = ours.lines().collect();
    let theirs = python(name);
    let theirs: Vec<_> = theirs.lines().collect();
    assert_eq!(ours, theirs, "left: ours, right: Python's");

    let mut lines = ours.iter();
    for event in essential {
        assert!(
            lines.any(|line| line == event),
            "{event:?} is missing, or not in its place: {ours:#?}"
        );
    }
}

#[test]
fn transaction() {
    same_events(
        "transaction",
        &[
            "commit",
            "bob has 30",
            "roll back",
            "refused: ann cannot pay 500",
        ],
    );
}

#[test]
fn suppress() {
    same_events(
        "suppress",
        &[
            "undone",
            "skipped x: not a number",
            "undone",
            "not swallowed: no room for 10",
        ],
    );
}

#[test]
fn exit_stack() {
    same_events(
        "exit_stack",
        &[
            "goodbye to 3 members",
            "close a after 2 messages",
            "close a after 0 messages",
        ],
    );
}

#[test]
fn decorator() {
    same_events(
        "decorator",
        &[
            "exiting: inner",
            "exiting: outer",
            "refused: 4 are too many",
        ],
    );
}

#[test]
fn time_limit() {
    same_events(
        "time_limit",
        &[
            "slow was cancelled",
            "slow took too long",
            "chart was cancelled",
            "report has ended",
        ],
    );
}

#[test]
fn lifespan() {
    same_events(
        "lifespan",
        &[
            "session 2: roll back",
            "disconnected from db:main",
            "not started: no database at nowhere",
        ],
    );
}
