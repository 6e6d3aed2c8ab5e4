//! An error or a panic that no caller can receive is reported once, with the name and the place of its context.

use std::convert::Infallible;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use guard_core::{
    AsyncContext, AsyncManager, Outcome, OwnedReport, ReportKind, async_context, async_with,
    manage, yield_resource,
};
use guard_tests::{block_on, poll_once, yield_once};

use crate::own_process::in_own_process;
use crate::simulation;

/// An error with a source.
#[derive(Debug)]
struct Full(std::num::ParseIntError);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk is full")
    }
}

impl std::error::Error for Full {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn full() -> Full {
    Full("x".parse::<u8>().unwrap_err())
}

/// The only report that names this context.
#[track_caller]
fn the_report(name: &str) -> String {
    let mut reports = simulation::reports_containing(&format!("::{name}`"));
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

/// What a report says of a context of this file that was made at this line.
fn report_of(name: &str, line: u32, column: u32, what: &str) -> String {
    format!(
        "context `cancellation::reports::{name}` (tests/cancellation/reports.rs:{line}:{column}): {what}"
    )
}

#[test]
fn an_abandoned_clean_up_is_reported() {
    #[async_context(scoped)]
    async fn abandoned_here() {
        yield_resource!();
    }

    simulation::install();
    let entering = abandoned_here().enter();
    let line = line!() - 1;
    drop(block_on(entering));
    let report = the_report("abandoned_here");
    let name = "an_abandoned_clean_up_is_reported::abandoned_here";
    let what = "clean-up abandoned: its context is `scoped`, or there was nowhere to go on (await each task, also an aborted one, and then `guard_core::drain`)";
    assert_eq!(report, report_of(name, line, 20, what));
}

#[test]
fn a_scoped_context_that_is_dropped_in_its_exit_is_reported() {
    #[async_context(scoped)]
    async fn dropped_in_its_exit() {
        yield_resource!();
        yield_once().await;
    }

    simulation::install();
    let guard = block_on(dropped_in_its_exit().enter());
    let Ok(guard) = guard;
    let mut exiting = Box::pin(guard.exit());
    assert!(poll_once(exiting.as_mut()).is_pending());
    drop(exiting);
    assert!(the_report("dropped_in_its_exit").contains("clean-up abandoned: "));
}

#[test]
fn a_scoped_context_that_is_dropped_in_its_set_up_is_not_reported() {
    #[async_context(scoped)]
    async fn dropped_in_its_set_up() {
        yield_once().await;
        yield_resource!();
    }

    simulation::install();
    let mut entering = Box::pin(dropped_in_its_set_up().enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    drop(entering);
    assert_eq!(
        simulation::reports_containing("::dropped_in_its_set_up`"),
        [""; 0]
    );
}

#[test]
fn an_error_in_the_background_is_reported_with_its_sources() {
    #[async_context]
    async fn fails_in_the_background() -> Result<(), Full> {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        Err(full())
    }

    simulation::install();
    drop(block_on(fails_in_the_background().enter()));
    simulation::finish_background();
    let report = the_report("fails_in_the_background");
    let what = ": clean-up failed: the disk is full: invalid digit found in string";
    assert!(report.ends_with(what), "{report}");
}

#[test]
fn an_error_of_a_set_up_in_the_background_is_reported() {
    #[async_context]
    async fn set_up_fails_in_the_background() -> Result<(), Full> {
        yield_once().await;
        if true {
            return Err(full());
        }
        yield_resource!();
        Ok(())
    }

    simulation::install();
    let mut entering = Box::pin(set_up_fails_in_the_background().enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    drop(entering);
    let report = the_report("set_up_fails_in_the_background");
    let what = ": set-up failed: the disk is full: invalid digit found in string";
    assert!(report.ends_with(what), "{report}");
}

#[test]
fn an_exit_error_that_the_bodys_error_hides_is_reported() {
    #[async_context]
    async fn fails_too() -> Result<(), Full> {
        yield_resource!();
        Err(full())
    }

    async fn inline() -> Result<(), Box<dyn std::error::Error>> {
        async_with!(_fails = fails_too()?, {
            Err("the body's")?;
        });
        Ok(())
    }

    simulation::install();
    let hidden = || simulation::reports_containing("::fails_too`").len();
    assert_eq!(block_on(inline()).unwrap_err().to_string(), "the body's");
    assert_eq!(hidden(), 1);

    let with = fails_too().with(async |()| Err::<(), _>(Box::from("the body's")));
    let error: Box<dyn std::error::Error> = block_on(with).unwrap_err();
    assert_eq!(error.to_string(), "the body's");
    assert_eq!(hidden(), 2);

    // Here both are returned.
    let both = fails_too().try_with(async |()| Err::<(), _>("the body's"));
    assert!(block_on(both).is_err());
    assert_eq!(hidden(), 2);
}

#[test]
fn a_panic_in_the_background_is_reported_with_its_message() {
    #[async_context]
    async fn panics_in_the_background() {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        std::panic::resume_unwind(Box::new(format!("number {}", 7)));
    }

    simulation::install();
    drop(block_on(panics_in_the_background().enter()));
    simulation::finish_background();
    let report = the_report("panics_in_the_background");
    assert!(
        report.ends_with(": clean-up panicked: number 7"),
        "{report}"
    );
}

#[test]
fn a_set_up_that_is_cut_in_the_background_is_reported() {
    #[async_context]
    async fn cut_in_its_set_up() {
        std::future::pending::<()>().await;
        yield_resource!();
    }

    simulation::install();
    let mut entering = Box::pin(cut_in_its_set_up().enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    drop(entering);
    assert_eq!(
        simulation::reports_containing("::cut_in_its_set_up`"),
        [""; 0]
    );
    simulation::drop_background();
    the_report("cut_in_its_set_up");
}

#[test]
fn nothing_is_reported_of_a_use_that_went_well() {
    #[async_context]
    async fn goes_well() {
        yield_once().await;
        yield_resource!();
        yield_once().await;
    }

    simulation::install();
    block_on(goes_well().run(async |()| yield_once().await));
    drop(goes_well());
    drop(block_on(goes_well().enter()));
    simulation::finish_background();
    assert_eq!(simulation::reports_containing("::goes_well`"), [""; 0]);
}

#[test]
fn a_manager_is_named_by_its_type_and_located_where_it_was_managed() {
    struct Managed;

    impl AsyncManager for Managed {
        type Resource = Self;
        type Error = Infallible;

        async fn enter(&mut self) -> Result<&mut Self, Infallible> {
            Ok(self)
        }

        async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
            std::future::pending().await
        }
    }

    simulation::install();
    let entering = manage(Managed).enter();
    let line = line!() - 1;
    drop(block_on(entering));
    simulation::drop_background();
    let name = "a_manager_is_named_by_its_type_and_located_where_it_was_managed::Managed";
    let what = "clean-up abandoned: its context is `scoped`, or there was nowhere to go on (await each task, also an aborted one, and then `guard_core::drain`)";
    assert_eq!(the_report("Managed"), report_of(name, line, 20, what));
}

#[test]
fn a_method_is_named_by_its_path() {
    struct Pool;

    impl Pool {
        #[async_context(scoped)]
        async fn session(&self) {
            yield_resource!();
        }
    }

    simulation::install();
    drop(block_on(Pool.session().enter()));
    let report = the_report("session");
    let name = "`cancellation::reports::a_method_is_named_by_its_path::Pool::session`";
    assert!(report.contains(name), "{report}");
}

#[test]
fn a_report_can_be_asked_for_its_parts() {
    #[async_context]
    async fn asked() -> Result<(), Full> {
        yield_resource!();
        Err(full())
    }

    in_own_process(|| {
        guard_core::set_reporter(|report| {
            assert!(report.name().ends_with("::asked"));
            assert!(report.location().unwrap().file().ends_with("reports.rs"));
            assert!(matches!(report.kind(), ReportKind::Failed(_)));
            let error = report.error().unwrap().to_string();
            assert!(error.starts_with("the disk is full"), "{error}");
            assert!(!report.is_of_body());
            CALLS.fetch_add(1, Ordering::Relaxed);
        });
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        drop(block_on(asked().enter()));
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_report_says_whether_it_is_about_the_body() {
    #[async_context]
    async fn exits_slowly() -> Result<(), Full> {
        yield_resource!();
        std::future::pending().await
    }

    in_own_process(|| {
        static OF_BODY: Mutex<Vec<bool>> = Mutex::new(Vec::new());
        guard_core::set_reporter(|report| {
            let kept = OwnedReport::from(report);
            assert_eq!(kept.is_of_body(), report.is_of_body());
            OF_BODY.lock().unwrap().push(report.is_of_body());
        });
        let mut used = Box::pin(exits_slowly().with(async |()| Err::<(), _>(full())));
        assert!(poll_once(used.as_mut()).is_pending());
        drop(used);
        // First the error of the body, then the clean-up that has nowhere to go on.
        OF_BODY.lock().unwrap().sort_unstable();
        assert_eq!(*OF_BODY.lock().unwrap(), [false, true]);
    });
}

/// Nothing finishes its clean-up, so it is reported when it is dropped.
#[async_context]
async fn reported_to_a_panicking_reporter() {
    yield_resource!();
    std::future::pending::<()>().await;
}

#[test]
fn a_reporter_that_panics_is_contained() {
    in_own_process(|| {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        guard_core::set_reporter(|_| {
            CALLS.fetch_add(1, Ordering::Relaxed);
            panic!("the reporter's panic");
        });
        let enter = || block_on(reported_to_a_panicking_reporter().enter());
        drop(enter());
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);

        // Also where a second panic would abort the process.
        let guard = enter();
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = guard;
            std::panic::resume_unwind(Box::new("the user's panic"));
        }));
        assert_eq!(
            payload.unwrap_err().downcast_ref(),
            Some(&"the user's panic")
        );
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
        assert_eq!(guard_core::pending_cleanups().len(), 0);
    });
}

#[test]
fn a_reporter_whose_panic_has_a_destructor_that_panics_is_contained() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("the destructor's panic"));
        }
    }

    in_own_process(|| {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        guard_core::set_reporter(|_| {
            CALLS.fetch_add(1, Ordering::Relaxed);
            std::panic::panic_any(Bomb);
        });
        drop(block_on(reported_to_a_panicking_reporter().enter()));
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
        assert_eq!(guard_core::pending_cleanups().len(), 0);
    });
}

#[test]
fn a_reporter_may_set_another_one() {
    #[async_context(scoped)]
    async fn reported_twice() {
        yield_resource!();
    }

    in_own_process(|| {
        static SECOND: AtomicUsize = AtomicUsize::new(0);
        guard_core::set_reporter(|_| {
            guard_core::set_reporter(|_| {
                SECOND.fetch_add(1, Ordering::Relaxed);
            });
        });
        drop(block_on(reported_twice().enter()));
        assert_eq!(SECOND.load(Ordering::Relaxed), 0);
        drop(block_on(reported_twice().enter()));
        assert_eq!(SECOND.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn by_default_a_report_is_one_line_on_stderr() {
    #[async_context(scoped)]
    async fn told_on_stderr() {
        yield_resource!();
    }

    let stderr = in_own_process(|| drop(block_on(told_on_stderr().enter())));
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains("told_on_stderr"))
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(lines[0].starts_with("context `cancellation::reports::"));
    assert!(lines[0].contains("): clean-up abandoned: "));
}
