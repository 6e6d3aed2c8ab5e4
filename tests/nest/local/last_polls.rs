//! A local clean-up that has nowhere to go on gets its last poll, from the inside out.

use std::cell::RefCell;
use std::sync::Arc;

use guard_core::{AsyncContext, async_with, drain, pending_cleanups, set_local_spawner};
use guard_tests::{poll_once, yield_once};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use super::{Local, cut_three, stays, stays_forever};
use crate::own_process::in_own_process;
use crate::support::{forever, gated, logs, paused, poll_and_drop};

#[test]
fn an_exit_that_ends_in_one_poll_needs_no_local_set() {
    let (log, reports) = logs();
    poll_and_drop(stays(log.clone(), "it", 0).run(async |()| forever().await));
    paused().block_on(async {
        poll_and_drop(stays(log.clone(), "that", 0).run(async |()| forever().await));
    });
    assert_eq!(log.line(), "+it -it +that -that");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_local_set_that_is_dropped_gives_each_its_last_poll_from_the_inside_out() {
    let (log, reports) = logs();
    let runtime = paused();
    let set = LocalSet::new();
    set.block_on(&runtime, async { cut_three(&log, 1) });
    assert_eq!(log.line(), "+a +c");
    assert_eq!(reports.line(), "");
    drop(set);
    assert_eq!(log.line(), "-c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_local_runtime_that_is_dropped_gives_each_its_last_poll_from_the_inside_out() {
    let (log, reports) = logs();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    runtime.block_on(async { cut_three(&log, 1) });
    assert_eq!(log.line(), "+a +c");
    drop(runtime);
    assert_eq!(log.line(), "-c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_task_of_a_local_set_that_is_dropped_leaves_its_uses_in_order() {
    let (log, reports) = logs();
    let runtime = paused();
    let set = LocalSet::new();
    let inside = log.clone();
    set.spawn_local(async move {
        async_with!(
            _a = stays(inside.clone(), "a", 0),
            _b = stays_forever(inside.clone(), "b"),
            _c = stays(inside.clone(), "c", 1),
            {
                forever().await;
            }
        );
    });
    set.block_on(&runtime, yield_once());
    assert_eq!(log.line(), "+a +c");
    drop(set);
    assert_eq!(log.line(), "-c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_dropped_set_does_not_wait_for_a_default_clean_up_inside() {
    let (log, reports) = logs();
    let runtime = paused();
    let gate = Arc::new(Notify::new());
    let set = LocalSet::new();
    set.block_on(&runtime, async {
        poll_and_drop(async {
            async_with!(
                _outer = stays(log.clone(), "outer", 0),
                _inner = gated(log.clone(), "inner", gate.clone()),
                {
                    forever().await;
                }
            );
        });
    });
    drop(set);
    assert_eq!(log.line(), "+outer -outer");
    gate.notify_one();
    runtime.block_on(drain());
    assert_eq!(log.line(), "-inner");
    assert_eq!(reports.line(), "");
}

#[test]
fn clean_ups_with_nowhere_to_go_on_are_polled_once_from_the_inside_out() {
    let (log, reports) = logs();
    cut_three(&log, 0);
    assert_eq!(log.line(), "+a +c -c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
    cut_three(&log, 1);
    assert_eq!(log.line(), "+a +c ~b -a");
    assert_eq!(reports.line(), "stays abandoned stays_forever abandoned");
}

#[test]
fn a_runtime_without_a_local_set_is_nowhere_to_go_on() {
    let stderr = in_own_process(|| {
        let (log, reports) = logs();
        paused().block_on(async { cut_three(&log, 0) });
        assert_eq!(log.line(), "+a +c -c ~b -a");
        assert_eq!(reports.line(), "stays_forever abandoned");
        assert_eq!(pending_cleanups().len(), 0);
    });
    assert_eq!(stderr.matches("panicked").count(), 1, "{stderr}");
}

#[test]
fn a_thread_that_ends_gives_each_its_last_poll_from_the_inside_out() {
    let (log, reports) = logs();
    std::thread::spawn({
        let (log, reports) = (log.clone(), reports.clone());
        move || {
            crate::support::record_reports(&reports);
            let kept = RefCell::new(Vec::new());
            set_local_spawner(move |task| kept.borrow_mut().push(task));
            cut_three(&log, 1);
            assert_eq!(log.line(), "+a +c");
        }
    })
    .join()
    .unwrap();
    assert_eq!(log.line(), "-c ~b -a");
    // The reporter's list may be gone with the thread.
    assert!(
        pending_cleanups()
            .iter()
            .all(|it| !it.name().contains("local::stays_forever"))
    );
}

#[test]
fn a_use_that_lives_until_its_thread_ends_exits_from_the_inside_out() {
    thread_local! {
        static KEPT: RefCell<Option<Local<'static>>> = const { RefCell::new(None) };
    }

    for in_a_set in [false, true] {
        let (log, _) = logs();
        let thread = std::thread::spawn({
            let log = log.clone();
            move || {
                // Before tokio's thread-locals, so that it is dropped after them.
                KEPT.with(|kept| {
                    let log = log.clone();
                    let mut whole: Local<'static> = Box::pin(async move {
                        async_with!(
                            _a = stays(log.clone(), "a", 0),
                            _b = stays(log.clone(), "b", 0),
                            {
                                forever().await;
                            }
                        );
                    });
                    if in_a_set {
                        LocalSet::new().block_on(&paused(), async {
                            assert!(poll_once(whole.as_mut()).is_pending());
                        });
                    } else {
                        assert!(poll_once(whole.as_mut()).is_pending());
                    }
                    kept.replace(Some(whole));
                });
            }
        });
        thread.join().unwrap();
        assert_eq!(log.line(), "+a +b -b -a", "{in_a_set}");
    }
}
