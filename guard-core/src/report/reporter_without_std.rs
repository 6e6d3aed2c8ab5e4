//! The module `reporter` without `std`: who receives the reports.

use super::Report;
use crate::raw::without_std::FnCell;

static REPORTER: FnCell<fn(&Report<'_>)> = FnCell::new();

/// Receives each error and each panic that no caller can receive, also those of set-ups and of blocks. And it is told of each
/// clean-up that was abandoned, timed out, or was not waited for: see [`ReportKind`](crate::ReportKind).
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
