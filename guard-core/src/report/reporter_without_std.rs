//! The module `reporter` without `std`: who receives the reports.

use super::Report;
use crate::raw::without_std::FnCell;

static REPORTER: FnCell<fn(&Report<'_>)> = FnCell::new();

/// Receives every clean-up that was lost, and every clean-up error that no caller receives.
///
/// The last reporter that was set counts, for the whole program. Without `std` there is no default.
pub fn set_reporter(reporter: fn(&Report<'_>)) {
    REPORTER.set(reporter);
}

pub(super) fn deliver(report: &Report<'_>) {
    if let Some(reporter) = REPORTER.get() {
        reporter(report);
    }
}
