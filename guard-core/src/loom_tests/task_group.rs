//! What a task group, its tasks and its context share. There is no runtime here: a thread stands for each task.

use core::convert::Infallible;
use core::fmt;
use core::future::ready;
use core::task::{Context, Waker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::vec::Vec;

use loom::future::block_on;
use loom::thread;

use super::{Witness, entry, model_of_three, who};
use crate::cleanup::background::nest::leave;
use crate::cleanup::{Nest, WaitLimit, poll_settle_part};
use crate::report::{ReportSource, set_reporter};

// The same sources, compiled for the `AbortHandle` below.
#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../task_group/state.rs"]
mod state;
#[path = "../task_group/task.rs"]
mod task;

use state::{CloseOnDrop, Group};
use task::GroupTask;

/// Counts how often a task was aborted.
#[derive(Clone, Default)]
struct AbortHandle(Arc<AtomicUsize>);

impl AbortHandle {
    fn abort(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn aborts(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn new_group<E: fmt::Debug>() -> Arc<Group<E>> {
    Group::new(ReportSource::of_type::<Group<E>>())
}

#[test]
fn a_spawn_that_meets_the_last_look_is_refused_or_awaited() {
    static REFUSED: Witness = Witness::new("the last look came first");
    static AWAITED: Witness = Witness::new("the spawn came first");
    loom::model(|| {
        let group = new_group::<Infallible>();
        let done = Arc::new(AtomicBool::new(false));
        let spawning = thread::spawn({
            let (group, done) = (group.clone(), done.clone());
            move || {
                let Some(number) = group.begin() else {
                    return false;
                };
                let future = async move {
                    done.store(true, Ordering::Relaxed);
                    Ok(())
                };
                let task = GroupTask::new(future, number, group.clone());
                group.spawned(number, AbortHandle::default());
                block_on(task);
                true
            }
        });
        block_on(group.ended());
        let was_done = done.load(Ordering::Relaxed);
        let has_begun = spawning.join().unwrap();
        assert_eq!(was_done, has_begun, "a task outlives its group");
        assert_eq!(group.begin(), None);
        REFUSED.saw(!has_begun);
        AWAITED.saw(has_begun);
    });
    REFUSED.check();
    AWAITED.check();
}

#[test]
fn a_task_that_is_spawned_while_the_group_is_aborted_is_refused_or_aborted() {
    static REFUSED: Witness = Witness::new("the group was closed first");
    static BY_SPAWN: Witness = Witness::new("the spawn saw that the group was closed");
    static BY_GROUP: Witness = Witness::new("the group saw the task");
    loom::model(|| {
        let group = new_group::<Infallible>();
        let handle = AbortHandle::default();
        let spawning = thread::spawn({
            let (group, handle) = (group.clone(), handle.clone());
            move || {
                let number = group.begin()?;
                let before = handle.aborts();
                group.spawned(number, handle.clone());
                Some((number, before < handle.aborts()))
            }
        });
        group.abort();
        let by_group = handle.aborts() == 1;
        let spawned = spawning.join().unwrap();
        assert_eq!(handle.aborts(), usize::from(spawned.is_some()));
        assert_eq!(group.running(), handle.aborts());
        REFUSED.saw(spawned.is_none());
        BY_GROUP.saw(by_group);
        BY_SPAWN.saw(spawned.is_some_and(|(_, at_once)| at_once) && !by_group);
    });
    REFUSED.check();
    BY_SPAWN.check();
    BY_GROUP.check();
}

#[test]
fn the_last_of_two_tasks_wakes_the_exit_which_has_what_they_left() {
    static AT_ONCE: Witness = Witness::new("both had ended when the exit looked");
    static WAITED: Witness = Witness::new("the exit waited");
    model_of_three(|| {
        let group = new_group::<Infallible>();
        let left = [(); 2].map(|()| entry(Vec::new()));
        let running = left.each_ref().map(|left| {
            let left = left.clone();
            let number = group.begin().expect("the group is open");
            let future = async move {
                leave(left);
                Ok(())
            };
            let task = GroupTask::new(future, number, group.clone());
            thread::spawn(move || block_on(task))
        });
        let at_once = group.running() == 0;
        let mut nest = Nest::new();
        nest.during(|| block_on(group.ended()));
        AT_ONCE.saw(at_once);
        WAITED.saw(!at_once);
        for task in running {
            task.join().unwrap();
        }
        // The use around waits for what either has left.
        let mut waits = || {
            let mut cx = Context::from_waker(Waker::noop());
            poll_settle_part(&mut nest, &mut cx, who(), |_| WaitLimit::General).is_pending()
        };
        for left in left {
            assert!(waits());
            left.end(Vec::new());
        }
        assert!(!waits());
    });
    AT_ONCE.check();
    WAITED.check();
}

#[test]
fn of_two_tasks_that_fail_at_once_one_ends_the_block_and_the_other_is_kept() {
    static FIRST: Witness = Witness::new("the first one ended the block");
    static SECOND: Witness = Witness::new("the second one ended the block");
    model_of_three(|| {
        let group = new_group::<usize>();
        let running = [0, 1].map(|which| {
            let number = group.begin().expect("the group is open");
            let handle = AbortHandle::default();
            group.spawned(number, handle.clone());
            let task = GroupTask::new(ready(Err::<(), _>(which)), number, group.clone());
            (handle, task)
        });
        let running = running.map(|(handle, task)| (handle, thread::spawn(|| block_on(task))));
        let Ok(failure) = block_on(group.first_failure()) else {
            unreachable!("none of them panics");
        };
        block_on(group.ended());
        let (others, panic) = group.take_failures();
        assert_eq!((others, panic.is_some()), (Vec::from([1 - failure]), false));
        for (handle, task) in running {
            assert_eq!(task.join().unwrap(), None);
            assert!(handle.aborts() <= 1);
        }
        FIRST.saw(failure == 0);
        SECOND.saw(failure == 1);
    });
    FIRST.check();
    SECOND.check();
}

#[test]
fn a_task_that_fails_while_the_group_is_given_up_is_reported_once() {
    static BY_GROUP: Witness = Witness::new("the task had ended when the group was given up");
    static BY_TASK: Witness = Witness::new("the task ended later");
    loom::model(|| {
        let reports = Arc::new(AtomicUsize::new(0));
        set_reporter({
            let reports = reports.clone();
            move |_| {
                reports.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (group, left) = (new_group::<usize>(), entry(Vec::new()));
        let number = group.begin().expect("the group is open");
        let future = {
            let left = left.clone();
            async move {
                leave(left);
                Err::<(), _>(1)
            }
        };
        let task = GroupTask::new(future, number, group.clone());
        let running = thread::spawn(|| block_on(task));
        let mut nest = Nest::new();
        nest.during(|| drop(CloseOnDrop(group)));
        let had_ended = reports.load(Ordering::Relaxed) == 1;
        BY_GROUP.saw(had_ended);
        BY_TASK.saw(!had_ended);
        // Both the group and the task may report the failure. In either case the nest has the clean-ups that the task left.
        assert!(!nest.is_empty());
        assert_eq!(running.join().unwrap(), None);
        assert_eq!(reports.load(Ordering::Relaxed), 1);
        left.end(Vec::new());
    });
    BY_GROUP.check();
    BY_TASK.check();
}
