//! The output of the tour, and its checks.

use std::fmt::Display;
use std::process::ExitCode;

/// Counts the sections and the checks that were printed.
#[derive(Default)]
pub(crate) struct Transcript {
    sections: usize,
    held: usize,
    broken: usize,
}

impl Transcript {
    pub(crate) fn section(&mut self, title: &str) {
        self.sections += 1;
        println!("\n{}. {title}\n", self.sections);
    }

    pub(crate) fn note(&self, what: impl Display) {
        println!("     {what}");
    }

    /// Prints what should hold, and whether it does.
    pub(crate) fn check(&mut self, holds: bool, what: impl Display) {
        if holds {
            self.held += 1;
            println!("  ok {what}");
        } else {
            self.broken += 1;
            println!("  NO {what}");
        }
    }

    /// Prints a summary. The program fails if a check failed.
    pub(crate) fn end(self) -> ExitCode {
        let Self { held, broken, .. } = self;
        if broken == 0 {
            println!("\nAll {held} claims hold.");
            ExitCode::SUCCESS
        } else {
            println!("\n{broken} of {} claims do not hold.", held + broken);
            ExitCode::FAILURE
        }
    }
}
