//! Where a clean-up runs: in the runtime in which its context was entered, also if that runtime shuts down.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use guard_tests::{Log, poll_once, yield_once};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::own_process::in_own_process;
use crate::simulation;

/// A context whose clean-up needs several polls and the runtime's own things, and tells when it is over.
#[async_context]
async fn session(log: Log, over: oneshot::Sender<()>) {
    log.push("entered");
    let outcome = yield_resource!();
    log.push(format_args!("exiting({outcome:?})"));
    yield_once().await;
    // Needs a runtime to be in, both to be made and to be polled.
    let spawned = tokio::spawn(async { tokio::task::yield_now().await });
    spawned.await.unwrap();
    log.push("exited");
    let _ = over.send(());
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const WHOLE: &str = "entered exiting(Cancelled) exited";

/// Uses a session in a task, and aborts the task when it is in the body.
async fn abort_in_its_body() {
    let (log, (over, is_over), (inside, is_inside)) =
        (Log::new(), oneshot::channel(), oneshot::channel());
    let task = tokio::spawn({
        let log = log.clone();
        async move {
            async_with!(_session = session(log, over), {
                inside.send(()).unwrap();
                std::future::pending::<()>().await;
            });
        }
    });
    is_inside.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    is_over.await.unwrap();
    assert_eq!(log.line(), WHOLE);
}

#[test]
fn an_aborted_task_is_cleaned_up_on_a_multi_thread_runtime() {
    multi_thread().block_on(abort_in_its_body());
}

#[test]
fn an_aborted_task_is_cleaned_up_on_a_current_thread_runtime() {
    current_thread().block_on(abort_in_its_body());
}

#[test]
fn a_use_that_is_timed_out_is_cleaned_up() {
    current_thread().block_on(async {
        tokio::time::pause();
        let (log, (over, is_over)) = (Log::new(), oneshot::channel());
        let using = session(log.clone(), over).run(async |()| {
            std::future::pending::<()>().await;
        });
        let timeout = tokio::time::timeout(Duration::from_secs(3600), using);
        assert!(timeout.await.is_err());
        is_over.await.unwrap();
        assert_eq!(log.line(), WHOLE);
    });
}

#[test]
fn a_task_of_a_local_set_is_cleaned_up() {
    current_thread().block_on(async {
        let (log, (over, is_over), (inside, is_inside)) =
            (Log::new(), oneshot::channel(), oneshot::channel());
        let local = LocalSet::new();
        let task = local.spawn_local({
            let log = log.clone();
            async move {
                // Not `Send`, as is usual there.
                let _here = std::rc::Rc::new(());
                async_with!(_session = session(log, over), {
                    inside.send(()).unwrap();
                    std::future::pending::<()>().await;
                });
            }
        });
        local.run_until(is_inside).await.unwrap();
        task.abort();
        drop(local);
        is_over.await.unwrap();
        assert_eq!(log.line(), WHOLE);
    });
}

/// Enters on a runtime and gives the guard away.
fn enter_on(runtime: &Runtime) -> (impl Send + 'static, Log, oneshot::Receiver<()>) {
    let (log, (over, is_over)) = (Log::new(), oneshot::channel());
    let entering = session(log.clone(), over).enter();
    let Ok(guard) = runtime.block_on(entering);
    (guard, log, is_over)
}

#[test]
fn a_drop_as_the_last_act_of_block_on_is_finished_by_drain() {
    for runtime in [multi_thread(), current_thread()] {
        let (guard, log, _) = enter_on(&runtime);
        runtime.block_on(async move { drop(guard) });
        runtime.block_on(guard_core::drain());
        assert_eq!(log.line(), WHOLE);
    }
}

#[test]
fn a_drop_on_a_thread_without_a_runtime_goes_back_to_the_runtime() {
    let runtime = multi_thread();
    let (guard, log, is_over) = enter_on(&runtime);
    std::thread::spawn(move || drop(guard)).join().unwrap();
    is_over.blocking_recv().unwrap();
    assert_eq!(log.line(), WHOLE);
}

#[test]
fn a_drop_inside_another_runtime_goes_back_to_its_own() {
    let (own, other) = (multi_thread(), current_thread());
    let (guard, log, is_over) = enter_on(&own);
    other.block_on(async move { drop(guard) });
    // The other one is not polled any more.
    is_over.blocking_recv().unwrap();
    assert_eq!(log.line(), WHOLE);
}

/// What is reported of a context with this name, once it happened.
fn abandoned(name: &str) -> usize {
    let reports = simulation::reports_containing(name);
    assert!(reports.iter().all(|report| report.contains("abandoned")));
    reports.len()
}

/// Never finishes its clean-up.
macro_rules! endless {
    ($name:ident) => {
        #[async_context]
        async fn $name(log: Log) {
            yield_resource!();
            log.push("exiting");
            std::future::pending::<()>().await;
        }
    };
}

#[test]
fn a_clean_up_that_is_dropped_with_its_runtime_is_reported() {
    endless!(dropped_with_its_runtime);
    simulation::install();
    for (round, runtime) in [multi_thread(), current_thread()].into_iter().enumerate() {
        let log = Log::new();
        let Ok(guard) = runtime.block_on(dropped_with_its_runtime(log.clone()).enter());
        runtime.block_on(async move { drop(guard) });
        assert_eq!(abandoned("::dropped_with_its_runtime`"), round);
        drop(runtime);
        assert_eq!(abandoned("::dropped_with_its_runtime`"), round + 1);
        assert_eq!(log.line(), "exiting");
    }
}

#[test]
fn a_use_that_is_dropped_with_its_runtime_is_reported() {
    endless!(used_until_the_runtime_ends);
    simulation::install();
    for (round, runtime) in [multi_thread(), current_thread()].into_iter().enumerate() {
        let (log, (inside, is_inside)) = (Log::new(), oneshot::channel());
        runtime.spawn({
            let log = log.clone();
            async move {
                async_with!(_endless = used_until_the_runtime_ends(log), {
                    inside.send(()).unwrap();
                    std::future::pending::<()>().await;
                });
            }
        });
        runtime.block_on(is_inside).unwrap();
        drop(runtime);
        assert_eq!(abandoned("::used_until_the_runtime_ends`"), round + 1);
        assert_eq!(log.line(), "exiting", "it was polled once");
    }
}

#[test]
fn a_guard_that_outlives_its_runtime_is_polled_once_and_reported() {
    endless!(outlives_its_runtime);
    simulation::install();
    for (round, runtime) in [multi_thread(), current_thread()].into_iter().enumerate() {
        let log = Log::new();
        let Ok(guard) = runtime.block_on(outlives_its_runtime(log.clone()).enter());
        drop(runtime);
        drop(guard);
        assert_eq!(log.line(), "exiting");
        assert_eq!(abandoned("::outlives_its_runtime`"), round + 1);
    }
}

#[test]
fn without_any_runtime_the_spawner_is_asked() {
    #[async_context]
    async fn elsewhere(log: Log) {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        log.push("exited");
    }

    simulation::install();
    assert!(Handle::try_current().is_err());
    let log = Log::new();
    drop(guard_tests::block_on(elsewhere(log.clone()).enter()));
    assert_eq!(log.line(), "");
    simulation::finish_background();
    assert_eq!(log.line(), "exited");
}

#[test]
fn without_runtime_and_spawner_a_clean_up_is_polled_once_and_reported() {
    endless!(nowhere_to_go);
    in_own_process(|| {
        let reports = Arc::new(Mutex::new(Vec::new()));
        guard_core::set_reporter({
            let reports = reports.clone();
            move |report| reports.lock().unwrap().push(report.to_string())
        });
        let log = Log::new();
        drop(guard_tests::block_on(nowhere_to_go(log.clone()).enter()));
        assert_eq!(log.line(), "exiting");
        let reports = reports.lock().unwrap();
        assert_eq!(reports.len(), 1);
        assert!(reports[0].contains("nowhere_to_go"), "{reports:?}");
        assert_eq!(guard_core::pending_cleanups().len(), 0);
    });
}

#[test]
fn a_spawner_that_panics_is_contained_and_its_loss_reported() {
    endless!(given_to_a_panicking_spawner);
    let stderr = in_own_process(|| {
        guard_core::set_spawner(|_| panic!("no more tasks"));
        let guard = guard_tests::block_on(given_to_a_panicking_spawner(Log::new()).enter());
        drop(guard);
        assert_eq!(guard_core::pending_cleanups().len(), 0);
    });
    for told in ["clean-up abandoned", "clean-up panicked: no more tasks"] {
        let is_told =
            |line: &&str| line.contains("given_to_a_panicking_spawner`") && line.contains(told);
        assert_eq!(stderr.lines().filter(is_told).count(), 1, "{stderr}");
    }
}

#[test]
fn a_drop_during_an_unwind_is_cleaned_up() {
    let runtime = multi_thread();
    let (guard, log, is_over) = enter_on(&runtime);
    let payload = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _guard = guard;
        std::panic::resume_unwind(Box::new("the user's panic"));
    }));
    assert_eq!(
        payload.unwrap_err().downcast_ref(),
        Some(&"the user's panic")
    );
    is_over.blocking_recv().unwrap();
    assert_eq!(log.line(), WHOLE);
}

#[test]
fn a_clean_up_that_panics_during_an_unwind_is_reported() {
    #[async_context]
    async fn panics_while_unwinding() {
        yield_resource!();
        std::panic::resume_unwind(Box::new("the clean-up's panic"));
    }

    simulation::install();
    let guard = guard_tests::block_on(panics_while_unwinding().enter());
    let payload = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _guard = guard;
        std::panic::resume_unwind(Box::new("the user's panic"));
    }));
    assert_eq!(
        payload.unwrap_err().downcast_ref(),
        Some(&"the user's panic")
    );
    let reports = simulation::reports_containing("::panics_while_unwinding`");
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("the clean-up's panic"), "{reports:?}");
}

#[test]
fn a_drop_while_thread_locals_are_destroyed_is_cleaned_up() {
    use std::any::Any;
    use std::cell::RefCell;

    type Kept = RefCell<Vec<Box<dyn Any>>>;
    thread_local! {
        // Destroyed in the reverse order of their first use, or in the same: so one on either side of
        // what the crate and tokio keep there.
        static EARLY: Kept = const { RefCell::new(Vec::new()) };
        static LATE: Kept = const { RefCell::new(Vec::new()) };
    }

    let runtime = multi_thread();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            EARLY.with_borrow_mut(|kept| kept.push(Box::new(())));
            let mut ends = Vec::new();
            for kept in [&EARLY, &LATE] {
                let (guard, log, is_over) = enter_on(&runtime);
                kept.with_borrow_mut(|kept| kept.push(Box::new(guard)));
                ends.push((log, is_over));

                // A use that is dropped in its body needs a thread-local to be waited for by what encloses it.
                let (log, (over, is_over)) = (Log::new(), oneshot::channel());
                let _entered = runtime.enter();
                let mut using: Pin<Box<dyn Future<Output = ()>>> = Box::pin({
                    let log = log.clone();
                    async move {
                        async_with!(_session = session(log, over), {
                            std::future::pending::<()>().await;
                        });
                    }
                });
                assert!(poll_once(using.as_mut()).is_pending());
                kept.with_borrow_mut(|kept| kept.push(Box::new(using)));
                ends.push((log, is_over));
            }
            ends
        });
        for (log, is_over) in thread.join().unwrap() {
            is_over.blocking_recv().unwrap();
            assert_eq!(log.line(), WHOLE);
        }
    });
}
