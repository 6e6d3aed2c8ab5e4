//! `task_group`: tasks beside a block, none of which outlives it.

use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use guard_core::testing::{cancel_at_every_poll, reports};
use guard_core::{
    AsyncContext as _, GroupError, Outcome, TaskGroup, TaskHandle, TaskStopped, TimeoutError,
    TryWithError, async_context, async_with, drain, task_group, yield_resource,
};
use tokio::task::{block_in_place, yield_now};

type Group = TaskGroup<&'static str>;
type Failed = GroupError<&'static str>;

/// Counts the tasks that live.
#[derive(Clone, Default)]
struct Alive(Arc<AtomicUsize>);

struct Living(Alive);

impl Alive {
    fn begin(&self) -> Living {
        self.0.fetch_add(1, Relaxed);
        Living(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// A task that goes on until it is aborted.
    fn forever(&self) -> impl Future<Output = Result<(), &'static str>> + Send + 'static {
        let living = self.begin();
        async move {
            let _living = living;
            pending().await
        }
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

type Log = Arc<Mutex<Vec<&'static str>>>;

/// A context whose clean-up takes several polls.
#[async_context]
async fn slow(log: Log) {
    let outcome = yield_resource!();
    for _ in 0..3 {
        yield_now().await;
    }
    let end = if outcome == Outcome::Cancelled {
        "cancelled"
    } else {
        "completed"
    };
    log.lock().unwrap().push(end);
}

#[tokio::test]
async fn the_use_waits_for_all_tasks() -> Result<(), Failed> {
    let done = Arc::new(AtomicUsize::new(0));
    async_with!(group = task_group()?, {
        for rounds in 0..5 {
            let done = done.clone();
            group.spawn(async move {
                for _ in 0..rounds {
                    yield_now().await;
                }
                done.fetch_add(1, Relaxed);
                Ok(())
            });
        }
        assert_eq!(group.len(), 5);
    });
    assert_eq!(done.load(Relaxed), 5);
    Ok(())
}

#[tokio::test]
async fn a_handle_gives_the_value_of_its_task() -> Result<(), Failed> {
    async_with!(group = task_group()?, {
        let (one, two) = (
            group.spawn(async { Ok(1) }),
            group.spawn(async { Ok("two") }),
        );
        assert_eq!(two.await, Ok("two"));
        assert_eq!(one.await, Ok(1));
        assert!(group.is_empty());
    });
    Ok(())
}

#[tokio::test]
async fn who_awaits_the_handle_of_a_task_that_fails_ends_there() {
    #[async_context]
    async fn told(log: guard_tests::Log) {
        let outcome = yield_resource!();
        log.push(format_args!("{outcome:?}"));
    }

    let log = guard_tests::Log::new();
    for end in [|| Err("an error"), || resume_unwind(Box::new("a panic"))] {
        let used = async {
            async_with!(group = task_group()?, _told = told(log.clone()), {
                let fails: TaskHandle<()> = group.spawn(async move { end() });
                let other = group.spawn({
                    let log = log.clone();
                    async move {
                        let stopped = fails.await;
                        log.push(format_args!("{stopped:?}"));
                        stopped.map_err(|_| "the other")
                    }
                });
                // Also where a combinator polls what was woken in the same poll.
                let stopped = FuturesUnordered::from_iter([other]).next().await;
                log.push(format_args!("{stopped:?}"));
            });
            Ok::<(), Failed>(())
        };
        let ended = AssertUnwindSafe(used).catch_unwind().await;
        if let Ok(failed) = ended {
            assert_eq!(*failed.unwrap_err().first(), "an error");
        }
        assert_eq!(log.line(), "Cancelled");
    }

    // Where nobody drives the group, the handle is all that tells.
    let group = task_group::<&str>().enter().await.unwrap();
    let stopped = group.spawn(async { Err::<(), _>("an error") });
    assert!(stopped.await.is_err());
    assert!(group.exit().await.is_err());
}

#[test]
fn a_handle_can_be_shared_between_threads() {
    fn is_shared<T: Sync + std::panic::UnwindSafe>() {}

    is_shared::<TaskHandle<u32>>();
}

#[tokio::test]
async fn tasks_spawn_tasks_also_after_the_block() -> Result<(), Failed> {
    fn descend(group: Group, depth: usize, done: Arc<AtomicUsize>) {
        let next = group.clone();
        group.spawn(async move {
            yield_now().await;
            done.fetch_add(1, Relaxed);
            if depth > 0 {
                descend(next, depth - 1, done);
            }
            Ok(())
        });
    }

    let done = Arc::new(AtomicUsize::new(0));
    async_with!(group = task_group()?, {
        descend(group.clone(), 9, done.clone());
    });
    assert_eq!(done.load(Relaxed), 10);
    Ok(())
}

#[tokio::test]
async fn an_error_ends_the_block_and_the_other_tasks() {
    let alive = Alive::default();
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        group.spawn(alive.forever());
        group.spawn(async {
            yield_now().await;
            Err::<(), _>("broken")
        });
        let _living = alive.begin();
        pending().await
    });
    assert_eq!(used.await.unwrap_err().into_parts(), ("broken", vec![]));
    assert_eq!(alive.count(), 0);
}

#[tokio::test]
async fn an_error_after_the_block_aborts_the_other_tasks() {
    let alive = Alive::default();
    let used = async {
        async_with!(group = task_group()?, {
            group.spawn(alive.forever());
            group.spawn(async { Err::<(), _>("broken") });
        });
        Ok::<(), Failed>(())
    };
    assert_eq!(used.await.unwrap_err().into_first(), "broken");
    assert_eq!(alive.count(), 0);
}

#[tokio::test]
async fn an_exit_that_is_given_up_aborts_the_tasks() {
    let alive = Alive::default();
    let group = task_group::<&str>().exit_until(std::future::ready(()));
    let used = group.with(
        async |group: &mut Group| -> Result<(), TimeoutError<Failed>> {
            group.spawn(alive.forever());
            Ok(())
        },
    );
    assert_eq!(used.await, Err(TimeoutError::TimedOut));
    yield_now().await;
    assert_eq!(alive.count(), 0);
}

/// Two tasks that end at the same time, each on a thread of its own: to abort one comes too late for it.
fn spawn_two(group: &Group, ends: [fn() -> Result<(), &'static str>; 2]) {
    let barrier = Arc::new(Barrier::new(2));
    for end in ends {
        let barrier = barrier.clone();
        group.spawn(async move {
            // Another thread goes on with the worker's queue, where the other task may be.
            block_in_place(|| barrier.wait());
            end()
        });
    }
}

fn sorted(error: Failed) -> Vec<&'static str> {
    let mut errors: Vec<_> = error.into_iter().collect();
    errors.sort_unstable();
    errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_after_the_block_are_returned_together() {
    let used = async {
        async_with!(group = task_group()?, {
            spawn_two(group, [|| Err("one"), || Err("other")]);
        });
        Ok::<(), Failed>(())
    };
    let error = used.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}; then {}", error.first(), error.rest()[0])
    );
    assert_eq!(sorted(error), ["one", "other"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_after_the_one_that_ends_the_block_is_reported() {
    let reports = reports();
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        spawn_two(group, [|| Err("one"), || Err("other")]);
        pending().await
    });
    let seen = sorted(used.await.unwrap_err());
    let reported = reports.take();
    assert_eq!((seen.len(), reported.len()), (1, 1), "{reported:?}");
    let other = if seen == ["one"] { "other" } else { "one" };
    let expected = format!("{other:?}");
    assert!(reported[0].to_string().contains(&expected), "{reported:?}");
}

#[tokio::test]
async fn a_panic_ends_the_block_and_goes_on() {
    let alive = Alive::default();
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        group.spawn(alive.forever());
        group.spawn(async {
            resume_unwind(Box::new("the panic of a task"));
            #[allow(unreachable_code)]
            Ok(())
        });
        pending().await
    });
    let panic = AssertUnwindSafe(used).catch_unwind().await.unwrap_err();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "the panic of a task");
    assert_eq!(alive.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_goes_on_and_an_error_beside_it_is_reported() {
    let reports = reports();
    let used = async {
        async_with!(group = task_group()?, {
            spawn_two(
                group,
                [|| Err("an error"), || resume_unwind(Box::new("a panic"))],
            );
        });
        Ok::<(), Failed>(())
    };
    assert!(AssertUnwindSafe(used).catch_unwind().await.is_err());
    assert_eq!(reports.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_tasks_that_panic_the_second_is_reported() {
    let reports = reports();
    let used = async {
        async_with!(group = task_group()?, {
            spawn_two(
                group,
                [
                    || resume_unwind(Box::new("one panic")),
                    || resume_unwind(Box::new("another panic")),
                ],
            );
        });
        Ok::<(), Failed>(())
    };
    let panic = AssertUnwindSafe(used).catch_unwind().await.unwrap_err();
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    let other = match *panic.downcast::<&str>().unwrap() {
        "one panic" => "another panic",
        _ => "one panic",
    };
    let report = reported[0].to_string();
    assert!(report.ends_with(&format!("panicked: {other}")), "{report}");
}

#[tokio::test]
async fn an_error_of_the_block_aborts_the_tasks() {
    let alive = Alive::default();
    let used = task_group().try_with(async |group: &mut Group| {
        group.spawn(alive.forever());
        yield_now().await;
        Err::<(), _>("the block")
    });
    assert_eq!(used.await, Err(TryWithError::Body("the block")));
    assert_eq!(alive.count(), 0);
}

#[tokio::test]
async fn the_use_waits_for_the_clean_up_of_contexts_in_aborted_tasks() {
    let log = Log::default();
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        let log = log.clone();
        group.spawn(slow(log).run(async |()| pending::<Result<(), &str>>().await));
        yield_now().await;
        group.spawn(async { Err::<(), _>("broken") });
        pending().await
    });
    assert!(used.await.is_err());
    assert_eq!(*log.lock().unwrap(), ["cancelled"]);
}

#[tokio::test]
async fn the_use_waits_for_what_a_task_has_dropped_before_its_end() -> Result<(), Failed> {
    let log = Log::default();
    async_with!(group = task_group()?, {
        let log = log.clone();
        group.spawn(async move {
            let guard = slow(log).enter().await;
            drop(guard);
            Ok(())
        });
    });
    assert_eq!(*log.lock().unwrap(), ["cancelled"]);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_use_aborts_the_tasks_and_waits_in_the_background() {
    let (alive, log) = (Alive::default(), Log::default());
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        group.spawn(alive.forever());
        group.spawn(slow(log.clone()).run(async |()| pending::<Result<(), &str>>().await));
        yield_now().await;
        pending().await
    });
    tokio::select! {
        biased;
        _ = used => unreachable!("it is pending"),
        () = async { for _ in 0..5 { yield_now().await } } => {}
    }
    drain().await;
    assert_eq!(alive.count(), 0);
    assert_eq!(*log.lock().unwrap(), ["cancelled"]);
}

#[tokio::test]
async fn no_task_outlives_the_block_wherever_the_use_is_cancelled() {
    let (alive, log) = (Alive::default(), Log::default());
    let begun = Arc::new(AtomicUsize::new(0));
    let make = async || {
        let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
            group.spawn(alive.forever());
            let (log, begun) = (log.clone(), begun.clone());
            group.spawn(async move {
                async_with!(_slow = slow(log), {
                    begun.fetch_add(1, Relaxed);
                    yield_now().await;
                });
                Err::<(), _>("the end")
            });
            pending().await
        });
        assert!(used.await.is_err());
    };
    let check = async |cut: guard_core::testing::Cut| {
        assert_eq!(alive.count(), 0, "{cut}");
        let ended = std::mem::take(&mut *log.lock().unwrap()).len();
        assert_eq!(ended, begun.swap(0, Relaxed), "{cut}");
    };
    cancel_at_every_poll(make, check).await;
}

#[tokio::test]
async fn a_handle_aborts_its_task_only() -> Result<(), Failed> {
    let alive = Alive::default();
    async_with!(group = task_group()?, {
        let stopped = group.spawn(alive.forever());
        let value = group.spawn(async { Ok(7) });
        stopped.abort();
        assert!(stopped.await.is_err());
        assert_eq!(value.await, Ok(7));
    });
    assert_eq!(alive.count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_group_that_has_ended_takes_no_task() -> Result<(), Failed> {
    let alive = Alive::default();
    let kept = async_with!(group = task_group()?, { group.clone() });
    let late = kept.spawn(alive.forever());
    assert!(late.is_finished());
    assert_eq!(alive.count(), 0);
    let stopped: TaskStopped = late.await.unwrap_err();
    assert!(stopped.to_string().contains("its group"));
    Ok(())
}

#[tokio::test]
async fn a_task_that_was_aborted_is_an_io_error_to_a_question_mark() {
    let total = async {
        async_with!(group = task_group().map_err(GroupError::into_first)?, {
            let task = group.spawn(pending::<io::Result<()>>());
            task.abort();
            task.await?;
        });
        io::Result::Ok(())
    };
    assert!(total.await.unwrap_err().to_string().contains("aborted"));
}

#[tokio::test]
async fn groups_nest() {
    let alive = Alive::default();
    let used = async {
        async_with!(outer = task_group()?, {
            let forever = alive.forever();
            outer.spawn(async move {
                async_with!(
                    inner = task_group::<&str>().map_err(GroupError::into_first)?,
                    {
                        inner.spawn(forever);
                        yield_now().await;
                        inner.spawn(async { Err::<(), _>("inner") });
                        pending::<()>().await;
                    }
                );
                Ok(())
            });
            outer.spawn(alive.forever());
            pending::<()>().await;
        });
        Ok::<(), Failed>(())
    };
    assert_eq!(used.await.unwrap_err().into_first(), "inner");
    assert_eq!(alive.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_on_several_threads_end_with_the_first_error() {
    let alive = Alive::default();
    for _ in 0..50 {
        let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
            for _ in 0..20 {
                group.spawn(alive.forever());
            }
            group.spawn(async { Err::<(), _>("broken") });
            pending().await
        });
        assert_eq!(used.await.unwrap_err().into_first(), "broken");
        assert_eq!(alive.count(), 0);
    }
}

#[test]
#[should_panic(expected = "has to be entered in a tokio runtime")]
fn without_a_runtime_the_set_up_says_what_is_missing() {
    let used = task_group().with(async |_: &mut Group| Ok::<(), Failed>(()));
    let _ = futures::executor::block_on(used);
}
