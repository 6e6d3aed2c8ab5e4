//! Reports of caught panics.

use super::{ReportKind, ReportSource};
use crate::platform::panics::Panic;

impl Panic {
    /// Reports the panic of a block whose caller is gone.
    pub(crate) fn report_body_to<E>(self, source: ReportSource<E>) {
        self.inspect(|payload| source.report_body(ReportKind::Panicked(payload)));
    }

    /// Reports the panic of a set-up, a clean-up or a destructor that goes to no caller.
    pub(crate) fn report_to<E>(self, source: ReportSource<E>) {
        self.inspect(|payload| source.report(ReportKind::Panicked(payload)));
    }
}
