//! Where a spawner stands for the runtime, the same order is kept. It belongs to the whole process.

use std::sync::Mutex;

use guard_core::{AsyncContext, Cleanup, async_with};
use guard_tests::{Log, poll_once};

use crate::own_process::in_own_process;
use crate::support::{forever, logs, never, poll_and_drop, step};

static TASKS: Mutex<Vec<std::pin::Pin<Box<Cleanup>>>> = Mutex::new(Vec::new());

fn keep(task: Cleanup) {
    TASKS.lock().unwrap().push(Box::pin(task));
}

/// Polls each task once.
fn turn() {
    let tasks = std::mem::take(&mut *TASKS.lock().unwrap());
    for mut task in tasks {
        if poll_once(task.as_mut()).is_pending() {
            TASKS.lock().unwrap().push(task);
        }
    }
}

async fn cut_in_a_block(log: Log, goes_on: bool) {
    async_with!(_outer = step(log.clone(), "outer", 0), {
        poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
        log.push("next");
        if !goes_on {
            forever().await;
        }
    });
}

#[test]
fn an_exit_in_place_waits() {
    in_own_process(|| {
        guard_core::set_spawner(keep);
        let (log, reports) = logs();
        let mut whole = Box::pin(cut_in_a_block(log.clone(), true));
        let mut turns = 0;
        while poll_once(whole.as_mut()).is_pending() {
            turns += 1;
            assert!(turns < 100, "it hangs: {}", log.line());
            turn();
        }
        assert_eq!(log.line(), "+outer +inner next -inner -outer");
        assert_eq!(reports.line(), "");
    });
}

#[test]
fn an_exit_in_the_background_waits() {
    in_own_process(|| {
        guard_core::set_spawner(keep);
        let (log, reports) = logs();
        poll_and_drop(cut_in_a_block(log.clone(), false));
        for _ in 0..100 {
            turn();
        }
        assert_eq!(log.line(), "+outer +inner next -inner -outer");
        assert_eq!(reports.line(), "");
    });
}

#[test]
fn one_that_drops_what_it_is_given_is_nowhere_to_go_on() {
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
fn one_that_drops_everything_later_finishes_from_the_inside_out() {
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
            assert_eq!(log.line(), "+a +c", "nothing is over");
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
fn one_that_panics_is_contained() {
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
