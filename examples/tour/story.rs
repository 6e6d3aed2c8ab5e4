//! Telling what happens, and checking it.

use std::fmt::Display;
use std::process::ExitCode;

/// What has been told so far.
#[derive(Default)]
pub(crate) struct Story {
    sections: usize,
    held: usize,
    broken: usize,
}

impl Story {
    pub(crate) fn section(&mut self, title: &str) {
        self.sections += 1;
        println!("\n{}. {title}\n", self.sections);
    }

    pub(crate) fn tell(&self, what: impl Display) {
        println!("     {what}");
    }

    /// Says what should be so, and whether it is.
    pub(crate) fn claim(&mut self, holds: bool, what: impl Display) {
        if holds {
            self.held += 1;
            println!("  ok {what}");
        } else {
            self.broken += 1;
            println!("  NO {what}");
        }
    }

    /// Sums up. A claim that did not hold fails the program.
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
