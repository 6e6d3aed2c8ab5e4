//! Runs the examples as programs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The output of the example, and how it ended.
pub fn run_example(name: &str, arguments: &[&str]) -> Output {
    Command::new(built_example(name))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("the example `{name}` could not be started: {error}"))
}

/// The path of the example beside the tests. `cargo test` builds it, and `cargo test --test …` does not.
fn built_example(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("the path of the test is known");
    path.pop();
    path.set_file_name("examples");
    path.push(name);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    if !is_up_to_date(&path).unwrap_or(false) {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "guard-examples"])
            .args(["--example", name])
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the example `{name}` could not be built"
        );
    }
    path
}

/// Whether the program is newer than all its sources, which cargo lists in a file beside it.
fn is_up_to_date(program: &Path) -> io::Result<bool> {
    let built = program.metadata()?.modified()?;
    let sources = std::fs::read_to_string(program.with_extension("d"))?;
    for source in sources.split_whitespace().skip(1) {
        if std::fs::metadata(source)?.modified()? > built {
            return Ok(false);
        }
    }
    Ok(true)
}
