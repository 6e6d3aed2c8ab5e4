//! The exits run in order also when the uses are dropped with the thread-locals of a thread.

use std::cell::RefCell;

use guard_core::{AsyncContext, AsyncExitStack, async_with, drain};
use guard_tests::{Log, poll_once};

use crate::support::{
    Block, Failed, forever, logs, must_end, poll_and_drop, sleeps, step, workers,
};

thread_local! {
    static KEPT: RefCell<Option<Block>> = const { RefCell::new(None) };
}

fn nested(log: Log, pending: usize, shape: &str) -> Block {
    match shape {
        "macro" => Box::pin(async move {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                async_with!(_inner = step(log, "inner", pending), { forever().await });
            });
        }),
        "run" => Box::pin(step(log.clone(), "outer", 0).run(async move |()| {
            let inner = step(log, "inner", pending);
            inner.run(async |()| forever().await).await;
        })),
        "cancelled before" => Box::pin(step(log.clone(), "outer", 0).run(async move |()| {
            poll_and_drop(step(log, "inner", pending).run(async |()| forever().await));
            forever().await;
        })),
        "guards" => Box::pin(step(log.clone(), "outer", 0).run(async move |()| {
            let _inner = step(log, "inner", pending).enter().await;
            forever().await;
        })),
        _ => Box::pin(async move {
            let stack = AsyncExitStack::<Failed>::new();
            let _ = stack
                .enter(step(log.clone(), "outer", 0).with_error())
                .await;
            let inner = step(log, "inner", pending).with_error();
            let _ = stack.enter(inner).await;
            forever().await;
        }),
    }
}

const SHAPES: [&str; 5] = ["macro", "run", "cancelled before", "guards", "stack"];

/// Polls the future, and keeps it until the destructors of the thread's locals run.
fn keep(mut future: Block, used_before: Option<Log>) {
    KEPT.with(|kept| {
        assert!(poll_once(future.as_mut()).is_pending());
        *kept.borrow_mut() = Some(future);
    });
    if let Some(log) = used_before {
        poll_and_drop(step(log, "other", 0).run(async |()| forever().await));
    }
}

#[test]
fn uses_in_a_thread_local_exit_in_order_when_the_runtime_lives() {
    for shape in SHAPES {
        for used_before in [false, true] {
            must_end(move || {
                let (log, reports) = logs();
                let runtime = workers(2, &reports);
                let handle = runtime.handle().clone();
                let nested = nested(log.clone(), 5, shape);
                std::thread::spawn(move || {
                    let _entered = handle.enter();
                    keep(nested, used_before.then(Log::new));
                })
                .join()
                .unwrap();
                runtime.block_on(drain());
                let expected = "+outer +inner -inner -outer";
                assert_eq!(log.line(), expected, "{shape}, used before: {used_before}");
                assert_eq!(reports.line(), "");
            });
        }
    }
}

#[test]
fn uses_in_a_thread_local_exit_in_order_without_a_runtime() {
    for shape in SHAPES
        .into_iter()
        .filter(|shape| *shape != "cancelled before")
    {
        for used_before in [false, true] {
            let log = Log::new();
            let nested = nested(log.clone(), 0, shape);
            std::thread::spawn(move || keep(nested, used_before.then(Log::new)))
                .join()
                .unwrap();
            let expected = "+outer +inner -inner -outer";
            assert_eq!(log.line(), expected, "{shape}, used before: {used_before}");
        }
    }
}

#[test]
fn an_exit_that_needs_the_timer_is_not_polled_after_tokios_own_thread_locals() {
    must_end(|| {
        let (log, reports) = logs();
        let runtime = workers(1, &reports);
        let handle = runtime.handle().clone();
        let future = {
            let log = log.clone();
            Box::pin(step(log.clone(), "outer", 0).run(async move |()| {
                sleeps(log, "inner", 1)
                    .run(async |()| forever().await)
                    .await;
            }))
        };
        std::thread::spawn(move || {
            let _entered = handle.enter();
            keep(future, None);
        })
        .join()
        .unwrap();
        runtime.block_on(drain());
        assert_eq!(log.line(), "+outer -inner -outer");
        assert_eq!(reports.line(), "");
    });
}
