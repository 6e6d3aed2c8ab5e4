//! Several tasks of a group fail or panic, or a destructor or a waker panics: which failure the use ends with, and that
//! no other one is lost.

use std::future::pending;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake};

use futures::FutureExt;
use guard_core::testing::reports;
use guard_core::{AsyncContext as _, GroupError, TaskGroup, async_with, task_group, try_settled};
use guard_tests::{CountingWaker, payload_message, poll_once};
use tokio::task::{block_in_place, yield_now};

type Group = TaskGroup<&'static str>;
type Failed = GroupError<&'static str>;
type End = Result<(), &'static str>;

/// Two tasks that are polled at the same time, so that to abort one comes too late for it. The second ends after the first.
fn spawn_in_order(group: &Group, first: fn() -> End, second: fn() -> End) {
    let barrier = Arc::new(Barrier::new(2));
    group.spawn({
        let barrier = barrier.clone();
        async move {
            // Another thread goes on with the worker's queue, where the other task may be.
            block_in_place(|| barrier.wait());
            first()
        }
    });
    let both = group.clone();
    group.spawn(async move {
        block_in_place(|| {
            barrier.wait();
            while both.len() == 2 {
                std::thread::yield_now();
            }
        });
        second()
    });
}

/// A block that is polled next when all tasks have ended.
async fn sleep_over_all_tasks(group: &Group) -> Result<(), Failed> {
    while !group.is_empty() {
        std::thread::yield_now();
    }
    pending().await
}

async fn panic_of(used: impl Future<Output = Result<(), Failed>>) -> String {
    payload_message(AssertUnwindSafe(used).catch_unwind().await.unwrap_err())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_errors_of_a_group_are_in_the_order_in_which_they_happened() {
    let used = async {
        async_with!(group = task_group()?, {
            spawn_in_order(group, || Err("first"), || Err("second"));
        });
        Ok::<(), Failed>(())
    };
    let error = used.await.unwrap_err();
    assert_eq!(
        error.clone().into_iter().collect::<Vec<_>>(),
        ["first", "second"]
    );
    assert_eq!(error.into_parts(), ("first", vec!["second"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_two_errors_is_what_the_use_fails_with() {
    let reports = reports();
    let used = task_group().with(async |group: &mut Group| {
        spawn_in_order(group, || Err("first"), || Err("second"));
        sleep_over_all_tasks(group).await
    });
    assert_eq!(used.await.unwrap_err().into_parts(), ("first", vec![]));
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].to_string().contains("second"), "{reported:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_two_panics_goes_on() {
    let used = task_group().with(async |group: &mut Group| {
        spawn_in_order(
            group,
            || resume_unwind(Box::new("first")),
            || resume_unwind(Box::new("second")),
        );
        sleep_over_all_tasks(group).await
    });
    assert_eq!(panic_of(used).await, "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_not_lost_when_the_next_task_ends_well() {
    let used = task_group().with(async |group: &mut Group| {
        spawn_in_order(group, || resume_unwind(Box::new("first")), || Ok(()));
        sleep_over_all_tasks(group).await
    });
    assert_eq!(panic_of(used).await, "first");
}

#[tokio::test]
async fn a_task_that_is_spawned_by_one_that_is_aborted_is_refused() {
    struct Spawns(Group, Arc<AtomicUsize>);

    impl Drop for Spawns {
        fn drop(&mut self) {
            let refused = self.0.spawn(async { Ok(()) }).is_finished();
            self.1.fetch_add(usize::from(refused), Relaxed);
        }
    }

    let refused = Arc::new(AtomicUsize::new(0));
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        let spawns = Spawns(group.clone(), refused.clone());
        group.spawn(async move {
            let _spawns = spawns;
            pending::<End>().await
        });
        group.spawn(async { Err::<(), _>("broken") });
        pending().await
    });
    assert!(used.await.is_err());
    assert_eq!(refused.load(Relaxed), 1);
}

/// Ends at its first poll, and panics when it is dropped.
struct Bomb(fn() -> Poll<Result<u32, &'static str>>);

impl Future for Bomb {
    type Output = Result<u32, &'static str>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        (self.0)()
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            resume_unwind(Box::new("destructor"));
        }
    }
}

#[tokio::test]
async fn a_task_whose_destructor_panics_has_no_value_and_ends_the_group() {
    let mut stopped = None;
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        stopped = Some(group.spawn(Bomb(|| Poll::Ready(Ok(7)))));
        pending().await
    });
    assert_eq!(panic_of(used).await, "destructor");
    assert!(stopped.unwrap().await.is_err());
}

#[tokio::test]
async fn a_panic_of_a_task_goes_on_not_that_of_its_destructor() {
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        group.spawn(Bomb(|| resume_unwind(Box::new("poll"))));
        pending().await
    });
    assert_eq!(panic_of(used).await, "poll");
}

/// The error has no caller then.
#[tokio::test]
async fn the_destructor_of_an_aborted_task_may_panic() {
    let reports = reports();
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        group.spawn(Bomb(|| Poll::Pending));
        yield_now().await;
        group.spawn(async { Err::<(), _>("broken") });
        pending().await
    });
    assert_eq!(panic_of(used).await, "destructor");
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].to_string().contains("broken"), "{reported:?}");
}

/// A task is not to blame for who waits for its group.
#[tokio::test]
async fn a_waker_of_the_use_that_panics_does_not_harm_the_task() {
    /// When the use has been polled.
    #[derive(Default)]
    struct Panics(AtomicBool);

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            if self.0.load(Relaxed) {
                resume_unwind(Box::new("waker"));
            }
        }
    }

    let mut value = None;
    let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
        value = Some(group.spawn(async {
            yield_now().await;
            Ok(7)
        }));
        Ok(())
    });
    let mut used = Box::pin(used);
    // The exit waits for the task.
    let panics = Arc::new(Panics::default());
    let waker = panics.clone().into();
    assert!(
        used.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    panics.0.store(true, Relaxed);
    for _ in 0..3 {
        yield_now().await;
    }
    assert_eq!(pin!(used).await, Ok(()));
    assert_eq!(value.unwrap().await, Ok(7));
}

/// Each poll of a use may come from another place.
#[tokio::test]
async fn the_waker_of_the_last_poll_is_woken() {
    for ends in [Ok(()), Err("broken")] {
        let used = task_group().with(async |group: &mut Group| -> Result<(), Failed> {
            group.spawn(async move {
                yield_now().await;
                ends
            });
            if ends.is_err() {
                pending().await
            }
            Ok(())
        });
        let mut used = Box::pin(used);
        let woken = [CountingWaker::new(), CountingWaker::new()];
        for woken in &woken {
            let waker = woken.clone().into();
            assert!(
                used.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        let woken = || woken.each_ref().map(|woken| woken.take());
        woken();
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(woken(), [0, 1]);
        assert_eq!(used.await.is_err(), ends.is_err());
    }
}

/// A task panics, and then its destructor does. Who waits with `try_settled` is told both.
#[tokio::test]
async fn both_panics_of_a_task_are_returned_by_try_settled() {
    let reports = reports();
    let settled = try_settled(async {
        let used = task_group().with(async |group: &mut Group| {
            group.spawn(Bomb(|| resume_unwind(Box::new("poll"))));
            pending::<Result<(), Failed>>().await
        });
        // It is dropped before it is told that the task has panicked.
        let mut used = Box::pin(used);
        assert!(poll_once(used.as_mut()).is_pending());
        yield_now().await;
    });
    let failures = settled.await.unwrap_err().failures;
    let texts: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].ends_with("destructor") && texts[1].ends_with("poll"));
    assert_eq!(reports.take().len(), 2);
}
