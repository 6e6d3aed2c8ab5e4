//! `set_local_spawner`: the function that gets the local clean-ups of a thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use guard_core::{AsyncContext, LocalCleanup, async_with, drain, set_local_spawner};
use guard_tests::poll_once;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::{cut_three, stays};
use crate::own_process::in_own_process;
use crate::support::{forever, logs, paused, poll_and_drop};

#[test]
fn a_use_dropped_outside_its_set_has_nowhere_to_go_on_but_by_a_spawner() {
    in_own_process(|| {
        let (log, reports) = logs();
        let runtime = paused();
        let set = Rc::new(LocalSet::new());
        let cut = || {
            runtime.block_on(async {
                let used = stays(log.clone(), "it", 3).run(async |()| forever().await);
                let second = Duration::from_secs(1);
                assert!(timeout(second, set.run_until(used)).await.is_err());
            });
            set.block_on(&runtime, drain());
        };
        cut();
        assert_eq!(log.line(), "+it");
        assert_eq!(reports.line(), "stays abandoned");
        let spawner = Rc::downgrade(&set);
        set_local_spawner(move |cleanup| {
            if let Some(set) = spawner.upgrade() {
                set.spawn_local(cleanup);
            }
        });
        cut();
        assert_eq!(log.line(), "+it -it");
        assert_eq!(reports.line(), "");
    });
}

thread_local! {
    static TASKS: RefCell<Vec<LocalCleanup>> = const { RefCell::new(Vec::new()) };
}

fn keep(task: LocalCleanup) {
    TASKS.with_borrow_mut(|tasks| tasks.push(task));
}

/// Polls each task once.
fn turn() {
    for mut task in TASKS.take() {
        if poll_once(task.as_mut()).is_pending() {
            keep(task);
        }
    }
}

#[test]
fn a_spawner_of_the_thread_keeps_the_order() {
    set_local_spawner(keep);
    let (log, reports) = logs();
    let whole = async |goes_on: bool| {
        async_with!(_outer = stays(log.clone(), "outer", 0), {
            poll_and_drop(stays(log.clone(), "inner", 3).run(async |()| forever().await));
            log.push("next");
            if !goes_on {
                forever().await;
            }
        });
    };
    {
        let mut whole = std::pin::pin!(whole(true));
        let mut turns = 0;
        while poll_once(whole.as_mut()).is_pending() {
            turns += 1;
            assert!(turns < 100, "it hangs: {}", log.line());
            turn();
        }
    }
    assert_eq!(log.line(), "+outer +inner next -inner -outer");
    poll_and_drop(whole(false));
    for _ in 0..100 {
        turn();
    }
    assert_eq!(log.line(), "+outer +inner next -inner -outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_spawner_that_drops_what_it_is_given_is_nowhere_to_go_on() {
    set_local_spawner(drop);
    let (log, reports) = logs();
    cut_three(&log, 1);
    assert_eq!(log.line(), "+a +c -c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_spawner_that_panics_is_contained() {
    set_local_spawner(|task| {
        drop(task);
        std::panic::resume_unwind(Box::new("the spawner"));
    });
    let (log, reports) = logs();
    poll_and_drop(async {
        async_with!(
            _a = stays(log.clone(), "a", 0),
            _b = stays(log.clone(), "b", 1),
            {
                forever().await;
            }
        );
    });
    assert_eq!(log.line(), "+a +b -b -a");
    assert_eq!(reports.line(), "stays panicked: the spawner");
}

#[test]
fn a_spawner_that_drops_everything_later_finishes_from_the_inside_out() {
    set_local_spawner(keep);
    for outermost_first in [false, true] {
        let (log, reports) = logs();
        cut_three(&log, 1);
        assert_eq!(log.line(), "+a +c", "nothing is over");
        let mut tasks = TASKS.take();
        if outermost_first {
            tasks.reverse();
        }
        drop(tasks);
        assert_eq!(log.line(), "-c ~b -a", "{outermost_first}");
        assert_eq!(
            reports.line(),
            "stays_forever abandoned",
            "{outermost_first}"
        );
    }
}

#[test]
fn a_spawner_may_set_another_one_and_own_a_clean_up() {
    let (log, reports) = logs();
    let owned = RefCell::new(Vec::new());
    set_local_spawner(move |task| owned.borrow_mut().push(task));
    poll_and_drop(stays(log.clone(), "it", 1).run(async |()| forever().await));
    assert_eq!(log.line(), "+it");
    set_local_spawner(|task| {
        set_local_spawner(keep);
        keep(task);
    });
    assert_eq!(
        log.line(),
        "-it",
        "the former spawner is dropped with its clean-up"
    );
    poll_and_drop(stays(log.clone(), "that", 1).run(async |()| forever().await));
    turn();
    assert_eq!(log.line(), "+that -that");
    assert_eq!(reports.line(), "");
}
