//! The reports of one test.

use core::fmt;
use std::panic::catch_unwind;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::vec::Vec;

use crate::cleanup::background::nest::owners;
use crate::cleanup::{Runtime, RuntimeId};
use crate::platform::panics::catch_panic;
use crate::report::{OwnedReport, Report};

static COLLECTORS: Mutex<Vec<Collector>> = Mutex::new(Vec::new());
/// How many there are, so that a report without any costs no lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Collector {
    place: Place,
    kept: Arc<Mutex<Vec<OwnedReport>>>,
    /// Whether nobody else is to receive what it collects.
    takes: bool,
}

/// Whose reports these are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Tokio(RuntimeId),
    /// Where there is no runtime that could be told from others.
    Thread(ThreadId),
}

impl Place {
    fn here() -> Self {
        // The runtime of the clean-up whose code runs on this thread, else of the current task.
        let mut runtime = match owners().first() {
            Some(cleanup) => cleanup.runtime,
            None => Runtime::current().id(),
        };
        // On any of its threads.
        runtime.thread = None;
        if runtime.tokio.is_some() {
            Self::Tokio(runtime)
        } else {
            Self::Thread(thread::current().id())
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the report to those who collect what is reported here. Whether one of them has taken it.
pub(crate) fn collect(report: &Report<'_>) -> bool {
    if COUNT.load(Ordering::Acquire) == 0 {
        return false;
    }
    // On a thread that ends there may be nothing left to ask.
    let Ok(here) = catch_unwind(Place::here) else {
        return false;
    };
    let mut taken = false;
    let mut receivers = Vec::new();
    for collector in lock(&COLLECTORS).iter() {
        if collector.place == here {
            taken |= collector.takes;
            receivers.push(collector.kept.clone());
        }
    }
    if receivers.is_empty() {
        return false;
    }
    // To print an error is the user's code, and a report may come from a destructor during an unwind.
    let owned = match catch_panic(|| OwnedReport::from(report)) {
        Ok(owned) => owned,
        Err(panic) => {
            panic.discard();
            return false;
        }
    };
    for receiver in receivers {
        lock(&receiver).push(owned.clone());
    }
    taken
}

/// Collects what is reported in the current tokio runtime, until the value is dropped.
///
/// Reports of other runtimes go where they went before: to the [reporter](crate::set_reporter), or to other
/// collectors. So a test sees its own reports and no others, and tests run beside each other. A report belongs to the
/// runtime in which its context was entered. Called outside a tokio runtime, it collects what its thread reports.
///
/// Of several collectors of one runtime each receives every report.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::testing::reports;
/// use guard_core::{AsyncContext, async_context, yield_resource};
///
/// #[async_context]
/// async fn connection() -> Result<(), String> {
///     yield_resource!();
///     Err("the server is gone".into())
/// }
///
/// let reports = reports();
/// // The body's error is returned, so the clean-up's has no caller.
/// let used = connection().with(async |()| Err::<(), _>("no such table".to_owned())).await;
/// assert_eq!(used, Err("no such table".into()));
/// let reported = reports.take();
/// assert_eq!(reported.len(), 1);
/// assert_eq!(reported[0].error(), Some("the server is gone"));
/// reports.assert_none();
/// # }
/// ```
///
/// Python: pytest's `caplog`, for the messages of one test.
pub fn reports() -> Reports {
    Reports::new(true)
}

/// The reports of the runtime of a test: see [`reports`].
#[must_use = "it collects until it is dropped"]
pub struct Reports {
    kept: Arc<Mutex<Vec<OwnedReport>>>,
}

impl Reports {
    /// One that only listens: whoever received the reports before still does.
    pub(super) fn listening() -> Self {
        Self::new(false)
    }

    fn new(takes: bool) -> Self {
        let kept = Arc::default();
        let mut collectors = lock(&COLLECTORS);
        collectors.push(Collector {
            place: Place::here(),
            kept: Arc::clone(&kept),
            takes,
        });
        COUNT.store(collectors.len(), Ordering::Release);
        drop(collectors);
        Self { kept }
    }

    /// The reports since the last call, in order.
    pub fn take(&self) -> Vec<OwnedReport> {
        core::mem::take(&mut lock(&self.kept))
    }

    /// Panics if something was reported since the last [`take`](Self::take).
    ///
    /// # Panics
    ///
    /// With all that was reported.
    #[track_caller]
    pub fn assert_none(&self) {
        let reported = self.take();
        assert!(reported.is_empty(), "reported:{}", lines(&reported));
    }
}

/// Each on a line of its own.
pub(super) fn lines(reports: &[OwnedReport]) -> String {
    let mut lines = String::new();
    for report in reports {
        lines.push_str("\n  ");
        lines.push_str(&report.to_string());
    }
    lines
}

impl Drop for Reports {
    fn drop(&mut self) {
        let mut collectors = lock(&COLLECTORS);
        collectors.retain(|collector| !Arc::ptr_eq(&collector.kept, &self.kept));
        COUNT.store(collectors.len(), Ordering::Release);
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.kept).iter()).finish()
    }
}
