//! What was reported on the thread of a test, so that tests can run beside each other.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static NAMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Collects from now on what this thread reports, without the place where it happened.
pub fn collect() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        guard_core::set_reporter(|report| {
            let line = match report.error() {
                Some(error) => format!("{:?}({error})", report.kind()),
                None => format!("{:?}", report.kind()),
            };
            REPORTS.with_borrow_mut(|reports| reports.push(line));
            NAMES.with_borrow_mut(|names| names.push(report.name().to_string()));
        });
    });
    take();
    take_names();
}

/// What was reported since the last call.
pub fn take() -> Vec<String> {
    REPORTS.take()
}

/// Whom the reports named since the last call.
pub fn take_names() -> Vec<String> {
    NAMES.take()
}
