//! Who receives the reports.

#[cfg(feature = "std")]
mod hook {
    use super::super::{OwnedReport, Report};
    use crate::platform::sync::Installed;
    use crate::raw::Current;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::vec::Vec;

    type Reporter = dyn Fn(&Report<'_>) + Send + Sync;

    #[cfg(not(guard_loom))]
    static REPORTER: Installed<Reporter> = Installed::nothing();
    #[cfg(guard_loom)]
    loom::lazy_static! {
        static ref REPORTER: Installed<Reporter> = Installed::nothing();
    }

    /// Receives every clean-up that was lost, and every clean-up error that no caller receives.
    ///
    /// The last reporter that was set counts, for the whole process. Without one, a report is a
    /// `tracing` event (feature `tracing`), else one line on the standard error stream.
    ///
    /// Reports are sent from wherever the loss happened, which may be a destructor, so the reporter
    /// should be quick. If it panics, the panic stops there.
    ///
    /// Returns the reporter that was set before, so that a test can put it back.
    ///
    /// # Examples
    ///
    /// ```
    /// guard_core::set_reporter(|report| eprintln!("lost: {report}"));
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

    pub(in super::super) fn deliver(report: &Report<'_>) {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            LISTENER.with(|listener| {
                listener.with(|kept| {
                    if let Some(kept) = kept {
                        kept.push(OwnedReport::from(report));
                    }
                });
            });
        }));
        #[cfg(feature = "testing")]
        if crate::testing::collect(report) {
            return;
        }
        let reporter = REPORTER.get();
        // A report may come from a destructor during an unwind, where a panic would abort.
        let _ = catch_unwind(AssertUnwindSafe(|| match reporter {
            Some(reporter) => reporter(report),
            None => by_default(report),
        }));
    }

    fn by_default(report: &Report<'_>) {
        use std::io::Write;
        #[cfg(feature = "tracing")]
        if sent_to_subscriber(report) {
            return;
        }
        // Not `eprintln!`, which panics if the stream is closed.
        let _ = writeln!(std::io::stderr(), "{report}");
    }

    /// Returns whether there is a subscriber, so that the report is not lost where there is none.
    #[cfg(feature = "tracing")]
    fn sent_to_subscriber(report: &Report<'_>) -> bool {
        let is_nobody =
            |current: &tracing::Dispatch| current.is::<tracing::subscriber::NoSubscriber>();
        if tracing::dispatcher::get_default(is_nobody) {
            return false;
        }
        tracing::error!(
            context = report.name(),
            location = report.location().map(tracing::field::display),
            error = report.error().map(tracing::field::display),
            "{report}",
        );
        true
    }
}

#[cfg(not(feature = "std"))]
mod hook {
    use super::super::Report;
    use crate::raw::FnCell;

    static REPORTER: FnCell<fn(&Report<'_>)> = FnCell::new();

    /// Receives every clean-up that was lost, and every clean-up error that no caller receives.
    ///
    /// The last reporter that was set counts, for the whole program. Without `std` there is no default.
    pub fn set_reporter(reporter: fn(&Report<'_>)) {
        REPORTER.set(reporter);
    }

    pub(in super::super) fn deliver(report: &Report<'_>) {
        if let Some(reporter) = REPORTER.get() {
            reporter(report);
        }
    }
}

pub(super) use hook::deliver;
#[cfg(feature = "std")]
pub(crate) use hook::listen;
pub use hook::set_reporter;
