//! Collects what was reported on the thread of a test, so that tests can run in parallel.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static NAMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Collects from now on the reports of this thread, without their location.
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

/// The names of the contexts that were reported since the last call.
pub fn take_names() -> Vec<String> {
    NAMES.take()
}
