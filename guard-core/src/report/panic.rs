//! Reports of caught panics.

use super::{Identity, ReportKind};
use crate::platform::panics::Panic;

impl Panic {
    /// Reports the panic of a block whose caller is gone.
    pub(crate) fn report_body_to<E>(self, identity: Identity<E>) {
        self.inspect(|payload| identity.report_body(ReportKind::Panicked(payload)));
    }

    /// Reports the panic of a set-up, a clean-up or a destructor that goes to no caller.
    pub(crate) fn report_to<E>(self, identity: Identity<E>) {
        self.inspect(|payload| identity.report(ReportKind::Panicked(payload)));
    }
}
