//! Clean-ups are ordered in the same way when a spawner is used and not a runtime. The spawner is one for the
//! whole process.

use std::sync::Mutex;

use guard_core::{AsyncContext, Cleanup, async_with};
use guard_tests::{Log, poll_once};

use crate::own_process::in_own_process;
use crate::support::{forever, logs, never, poll_and_drop, step};

static TASKS: Mutex<Vec<std::pin::Pin<Box<Cleanup>>>> = Mutex::new(Vec::new());

fn keep(task: Cleanup) {
    TASKS.lock().unwrap().push(Box::pin(task));
}

/// Polls each task once, and drops those that have ended.
fn poll_all_tasks() {
    let tasks = std::mem::take(&mut *TASKS.lock().unwrap());
    for mut task in tasks {
        if poll_once(task.as_mut()).is_pending() {
            TASKS.lock().unwrap().push(task);
        }
    }
}

async fn cancel_in_a_block(log: Log, goes_on: bool) {
    async_with!(_outer = step(log.clone(), "outer", 0), {
        poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
        log.push("next");
        if !goes_on {
            forever().await;
        }
    });
}

#[test]
fn an_exit_waits_for_a_clean_up_in_the_spawner() {
    in_own_process(|| {
        guard_core::set_spawner(keep);
        let (log, reports) = logs();
        let mut whole = Box::pin(cancel_in_a_block(log.clone(), true));
        let mut turns = 0;
        while poll_once(whole.as_mut()).is_pending() {
            turns += 1;
            assert!(turns < 100, "the use hangs: {}", log.line());
            poll_all_tasks();
        }
        assert_eq!(log.line(), "+outer +inner next -inner -outer");
        assert_eq!(reports.line(), "");
    });
}

#[test]
fn a_clean_up_waits_for_another_in_the_spawner() {
    in_own_process(|| {
        guard_core::set_spawner(keep);
        let (log, reports) = logs();
        poll_and_drop(cancel_in_a_block(log.clone(), false));
        for _ in 0..100 {
            poll_all_tasks();
        }
        assert_eq!(log.line(), "+outer +inner next -inner -outer");
        assert_eq!(reports.line(), "");
    });
}

#[test]
fn a_clean_up_that_the_spawner_drops_gets_its_last_poll() {
    in_own_process(|| {
        guard_core::set_spawner(drop);
        let (log, reports) = logs();
        poll_and_drop(async {
            async_with!(
                _a = step(log.clone(), "a", 0),
                _b = never(log.clone(), "b"),
                _c = step(log.clone(), "c", 0),
                {
                    forever().await;
                }
            );
        });
        assert_eq!(log.line(), "+a +c -c ~b -a");
        assert_eq!(reports.line(), "never abandoned");
    });
}

#[test]
fn clean_ups_that_the_spawner_drops_later_get_their_last_polls_from_the_inside_out() {
    in_own_process(|| {
        guard_core::set_spawner(keep);
        for outermost_first in [false, true] {
            let (log, reports) = logs();
            poll_and_drop(async {
                async_with!(
                    _a = step(log.clone(), "a", 0),
                    _b = never(log.clone(), "b"),
                    _c = step(log.clone(), "c", 1),
                    {
                        forever().await;
                    }
                );
            });
            assert_eq!(log.line(), "+a +c", "no exit has ended");
            let mut tasks = std::mem::take(&mut *TASKS.lock().unwrap());
            if outermost_first {
                tasks.reverse();
            }
            drop(tasks);
            assert_eq!(log.line(), "-c ~b -a", "{outermost_first}");
            assert_eq!(reports.line(), "never abandoned", "{outermost_first}");
        }
    });
}

#[test]
fn a_panic_of_the_spawner_is_reported() {
    in_own_process(|| {
        guard_core::set_spawner(|task| {
            drop(task);
            std::panic::resume_unwind(Box::new("the spawner"));
        });
        let (log, reports) = logs();
        poll_and_drop(async {
            async_with!(
                _a = step(log.clone(), "a", 0),
                _b = step(log.clone(), "b", 1),
                {
                    forever().await;
                }
            );
        });
        assert_eq!(log.line(), "+a +b -b -a");
        let reports = reports.line();
        assert!(reports.contains("the spawner"), "{reports}");
    });
}
