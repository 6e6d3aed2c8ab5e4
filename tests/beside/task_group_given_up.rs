//! The exit of a group is given up while a task is stuck: no failure is lost, and nothing that a task has left is
//! forgotten.

use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use guard_core::testing::{Reports, reports};
use guard_core::{
    AsyncContext as _, GroupError, TaskGroup, TaskHandle, TimeoutError, async_context, async_with,
    drain, task_group, try_settled, yield_resource,
};
use guard_tests::{Log, poll_once};
use tokio::task::{block_in_place, yield_now};

type Group = TaskGroup<&'static str>;
type End = Result<(), &'static str>;

/// A group whose exit is given up when only the stuck task has not ended.
struct Stuck {
    release: Sender<End>,
    task: TaskHandle<()>,
}

/// A task that blocks its thread, so that it is not aborted, until its end is sent. It has begun.
async fn stuck(group: &Group) -> (Sender<End>, TaskHandle<()>) {
    let (release, released): (_, Receiver<End>) = mpsc::channel();
    let (begins, begun) = tokio::sync::oneshot::channel();
    let task = group.spawn(async move {
        begins.send(()).unwrap();
        match block_in_place(|| released.recv()).unwrap() {
            Err("panic") => resume_unwind(Box::new("a late panic")),
            end => end,
        }
    });
    begun.await.unwrap();
    (release, task)
}

/// Uses a group in which `spawn` spawns, beside a stuck task, a task that ends.
async fn give_up(spawn: impl AsyncFnOnce(&Group)) -> Stuck {
    let spawned = Arc::new(OnceLock::<Group>::new());
    let others_have_ended = {
        let spawned = spawned.clone();
        async move {
            while spawned.get().is_none_or(|group| group.len() > 1) {
                yield_now().await;
            }
        }
    };
    let mut left = None;
    let used = task_group().exit_until(others_have_ended).with(
        async |group: &mut Group| -> Result<(), TimeoutError<GroupError<&'static str>>> {
            left = Some(stuck(group).await);
            spawn(group).await;
            assert!(spawned.set(group.clone()).is_ok());
            Ok(())
        },
    );
    assert_eq!(used.await, Err(TimeoutError::TimedOut));
    let (release, task) = left.unwrap();
    Stuck { release, task }
}

impl Stuck {
    async fn ends(self, end: End) {
        self.release.send(end).unwrap();
        let ended = self.task.await;
        assert_eq!(ended.is_ok(), end.is_ok());
    }
}

const TIME_IS_UP: &str = "exceeded its time limit";

/// Asserts that these are the texts of the reports, all at the place of the group.
#[track_caller]
fn assert_reported(reports: &Reports, texts: &[&str]) {
    let reported = reports.take();
    assert_eq!(reported.len(), texts.len(), "{reported:?}");
    for (report, text) in reported.iter().zip(texts) {
        assert!(report.to_string().contains(text), "{reported:?}");
        assert_eq!(report.location().unwrap().file(), file!());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_task_that_has_ended_is_reported_when_the_exit_is_given_up() {
    let reports = reports();
    let stuck = give_up(async |group| drop(group.spawn(async { Err::<(), _>("broken") }))).await;
    assert_reported(&reports, &["broken", TIME_IS_UP]);
    stuck.ends(Ok(())).await;
    reports.assert_none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_panic_of_a_task_that_has_ended_is_reported_when_the_exit_is_given_up() {
    fn panics() -> End {
        resume_unwind(Box::new("a panic"))
    }

    let reports = reports();
    let stuck = give_up(async |group| drop(group.spawn(async { panics() }))).await;
    assert_reported(&reports, &["a panic", TIME_IS_UP]);
    stuck.ends(Ok(())).await;
    reports.assert_none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_fails_after_the_exit_was_given_up_is_reported() {
    for (end, text) in [(Err("late"), "late"), (Err("panic"), "a late panic")] {
        let reports = reports();
        let stuck = give_up(async |_| ()).await;
        assert_reported(&reports, &[TIME_IS_UP]);
        stuck.ends(end).await;
        assert_reported(&reports, &[text]);
    }
}

/// A context whose clean-up takes a while.
#[async_context]
async fn slow(log: Log) {
    yield_resource!();
    tokio::time::sleep(Duration::from_millis(20)).await;
    log.push("-slow");
}

#[async_context]
async fn outer(log: Log) {
    yield_resource!();
    log.push("-outer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_use_around_a_group_that_is_given_up_waits_for_what_its_tasks_have_left() {
    let log = Log::new();
    async_with!(_outer = outer(log.clone()), {
        give_up(async |group| {
            let log = log.clone();
            group.spawn(async move {
                let cut = slow(log).run(async |()| std::future::pending::<()>().await);
                assert!(poll_once(pin!(cut)).is_pending());
                Ok(())
            });
        })
        .await
        .ends(Ok(()))
        .await;
    });
    assert_eq!(log.line(), "-slow -outer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_use_around_a_group_that_is_given_up_waits_for_its_tasks() {
    let log = Log::new();
    let (send, sent) = tokio::sync::oneshot::channel();
    let used = async {
        async_with!(_outer = outer(log.clone()), {
            assert!(send.send(give_up(async |_| ()).await).is_ok());
        });
    };
    let release = async {
        let stuck = sent.await.unwrap();
        log.push("released");
        stuck.ends(Ok(())).await;
    };
    tokio::join!(used, release);
    assert_eq!(log.line(), "released -outer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_waits_for_the_tasks_of_a_group_that_is_given_up() {
    let stuck = give_up(async |_| ()).await;
    let mut draining = pin!(drain());
    assert!(poll_once(draining.as_mut()).is_pending());
    stuck.ends(Ok(())).await;
    draining.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_task_whose_group_is_given_up_is_returned_by_try_settled() {
    let settled = try_settled(async {
        let stuck = give_up(async |_| ()).await;
        stuck.release.send(Err("late")).unwrap();
    });
    let failures = settled.await.unwrap_err().failures;
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].error(), Some("\"late\""));
}
