//! Who receives the reports.

mod owned;

use std::io::Write;
use std::sync::Arc;
use std::vec::Vec;

use super::Report;
use super::span::sent_to_subscriber;
use crate::platform::panics::contained;
use crate::platform::sync::{Installed, Mutex, global};
use crate::raw::Current;
pub use owned::OwnedReport;

type Reporter = dyn Fn(&Report<'_>) + Send + Sync;

global! {
    static REPORTER: Installed<Reporter> = Installed(Mutex::new(None));
}

/// Receives each error and each panic that no caller can receive, also those of set-ups and of blocks. And it is told of each
/// clean-up that was abandoned, timed out, or was not waited for: see [`ReportKind`](crate::ReportKind).
///
/// The last reporter that was set counts, for the whole process. Without one, a report is a
/// `tracing` event (feature `tracing`, where a subscriber is set), else one line on the standard error stream.
///
/// Reports are sent from wherever the loss happened, which may be a destructor, so the reporter
/// should be quick. If it panics, the panic stops there.
///
/// Returns the reporter that was set before, so that a test can put it back.
///
/// # Examples
///
/// ```
/// guard_core::set_reporter(|report| eprintln!("{report}"));
/// ```
pub fn set_reporter(
    reporter: impl Fn(&Report<'_>) + Send + Sync + 'static,
) -> Option<Arc<Reporter>> {
    REPORTER.replace(Arc::new(reporter))
}

std::thread_local! {
    static LISTENER: Current<Vec<OwnedReport>, ()> = const { Current::nothing() };
}

/// Keeps a copy of what is reported on this thread while `action` runs.
pub(crate) fn listen<T>(kept: &mut Vec<OwnedReport>, action: impl FnOnce() -> T) -> T {
    LISTENER.with(|listener| listener.during(kept, action))
}

pub(super) fn deliver(report: &Report<'_>) {
    contained(|| {
        LISTENER.with(|listener| {
            listener.with(|kept| {
                if let Some(kept) = kept {
                    kept.push(OwnedReport::from(report));
                }
            });
        });
    });
    #[cfg(feature = "testing")]
    if crate::testing::collect(report) {
        return;
    }
    let reporter = REPORTER.get();
    // A report may come from a destructor during an unwind, where a panic would abort.
    contained(|| match reporter {
        Some(reporter) => reporter(report),
        None => by_default(report),
    });
}

fn by_default(report: &Report<'_>) {
    if sent_to_subscriber(report) {
        return;
    }
    // Not `eprintln!`, which panics if the stream is closed.
    let _ = writeln!(std::io::stderr(), "{report}");
}
