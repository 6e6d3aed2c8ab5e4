//! What clean-ups have reported, for the `try_settled` that waits for them.

use std::sync::Arc;
use std::vec::Vec;

use crate::platform::sync::{Mutex, lock};
use crate::report::OwnedReport;

/// The reports of clean-ups, for the `try_settled` that waits for them.
pub(crate) struct Failures {
    reports: Mutex<Reports>,
    /// The failures of the `try_settled` around this one. If this one is dropped, that one waits for the clean-ups.
    outer: Option<Arc<Failures>>,
}

enum Reports {
    Kept(Vec<OwnedReport>),
    /// It has been dropped.
    Passed,
}

impl Failures {
    pub(super) fn inside(outer: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            reports: Mutex::new(Reports::Kept(Vec::new())),
            outer,
        })
    }

    pub(super) fn add(&self, reports: Vec<OwnedReport>) {
        if reports.is_empty() {
            return;
        }
        let passed = match &mut *lock(&self.reports) {
            Reports::Kept(kept) => {
                kept.extend(reports);
                return;
            }
            Reports::Passed => reports,
        };
        self.add_to_outer(passed);
    }

    pub(super) fn take(&self) -> Vec<OwnedReport> {
        match &mut *lock(&self.reports) {
            Reports::Kept(kept) => core::mem::take(kept),
            Reports::Passed => Vec::new(),
        }
    }

    /// The `try_settled` is dropped.
    pub(super) fn pass_on(&self) {
        let kept = core::mem::replace(&mut *lock(&self.reports), Reports::Passed);
        if let Reports::Kept(kept) = kept {
            self.add_to_outer(kept);
        }
    }

    fn add_to_outer(&self, reports: Vec<OwnedReport>) {
        if let Some(outer) = &self.outer {
            outer.add(reports);
        }
    }
}
