//! Contexts that are entered when they are first asked for.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake};

use futures::future::{join, join_all};
use guard_core::testing::{cancel_at_every_poll, reports};
use guard_core::{
    AsyncContext, Outcome, async_context, async_with, drain, exit_stack, lazy, nullcontext,
    yield_resource,
};
use guard_tests::{Log, block_on, poll_once, yield_once};
use tokio::sync::Semaphore;

#[async_context]
async fn cache(log: Log, enter: Result<(), &'static str>) -> Result<Vec<u32>, &'static str> {
    log.push("enter");
    yield_once().await;
    enter?;
    let mut cache = vec![1];
    let outcome = yield_resource!(cache);
    yield_once().await;
    log.push(format_args!("exit({cache:?} {outcome:?})"));
    if cache.len() > 2 { Err("full") } else { Ok(()) }
}

#[test]
fn a_lazy_context_that_nobody_asks_for_is_neither_entered_nor_exited() {
    let log = Log::new();
    let used = block_on(async {
        async_with!(cache = lazy(|| cache(log.clone(), Ok(())))?, {
            assert!(cache.entered().is_none() && cache.entered_mut().is_none());
            assert_eq!(format!("{cache:?}"), "None");
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.line(), "");
}

#[test]
fn every_get_lends_the_same_resource_and_its_context_is_exited_once() {
    let log = Log::new();
    let used = block_on(async {
        async_with!(cache = lazy(|| cache(log.clone(), Ok(())))?, {
            cache.get_mut().await?.push(2);
            assert_eq!(cache.get().await?[..], [1, 2]);
            assert_eq!(cache.entered().unwrap()[..], [1, 2]);
            assert_eq!(format!("{cache:?}"), "Some([1, 2])");
            cache.entered_mut().unwrap()[0] = 0;
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.line(), "enter exit([0, 2] Completed)");
}

#[test]
fn concurrent_askers_enter_once() {
    let log = Log::new();
    let used = futures::executor::block_on(async {
        async_with!(cache = lazy(|| cache(log.clone(), Ok(())))?, {
            let asking = (0..10).map(|_| async { cache.get().await.map(Vec::len) });
            assert_eq!(join_all(asking).await, [Ok(1); 10]);
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.line(), "enter exit([1] Completed)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_askers_on_several_threads_enter_once() {
    for _ in 0..100 {
        let log = Log::new();
        let (made, kept) = (log.clone(), log.clone());
        let guard = lazy(move || cache(made.clone(), Ok(()))).enter().await;
        let guard = Arc::new(guard.unwrap());
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let guard = guard.clone();
                tokio::spawn(async move { guard.get().await.map(Vec::len) })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(1));
        }
        let guard = Arc::into_inner(guard).unwrap();
        assert_eq!(guard.exit().await, Ok(()));
        assert_eq!(kept.line(), "enter exit([1] Completed)");
    }
}

#[test]
fn a_waker_that_panics_does_not_keep_the_other_askers_asleep() {
    struct Woken {
        is_woken: AtomicBool,
        panics: bool,
    }
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.is_woken.store(true, Ordering::Relaxed);
            if self.panics {
                // Without the panic hook, which would print it.
                std::panic::resume_unwind(Box::new(()));
            }
        }
    }
    #[async_context]
    async fn behind(gate: Arc<Semaphore>) -> u32 {
        let _permit = gate.acquire().await;
        let mut number = 1;
        yield_resource!(number);
    }
    let gate = Arc::new(Semaphore::new(0));
    block_on(async {
        async_with!(number = lazy(|| behind(gate.clone())), {
            let wakers = [false, true, false].map(|panics| {
                Arc::new(Woken {
                    is_woken: AtomicBool::new(false),
                    panics,
                })
            });
            let mut asking = [number.get(), number.get(), number.get()].map(Box::pin);
            for (asks, waker) in asking.iter_mut().zip(&wakers) {
                let waker = waker.clone().into();
                let polled = asks.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            }
            gate.add_permits(1);
            for waker in &wakers {
                assert!(waker.is_woken.load(Ordering::Relaxed));
            }
            let [_, _, last] = asking;
            assert_eq!(last.await, Ok(&1));
        });
    });
}

#[test]
fn a_set_up_that_failed_is_tried_again() {
    let log = Log::new();
    let tries = Cell::new(0);
    let make = || {
        tries.set(tries.get() + 1);
        let first = if tries.get() < 3 {
            Err("refused")
        } else {
            Ok(())
        };
        cache(log.clone(), first)
    };
    let used = futures::executor::block_on(async {
        async_with!(cache = lazy(make)?, {
            assert_eq!(cache.get().await, Err("refused"));
            assert!(cache.entered().is_none());
            // One of the two has its error, the other one tries again.
            let (first, second) = join(cache.get(), cache.get()).await;
            assert_eq!(second, Err("refused"));
            assert_eq!(first, Ok(&vec![1]));
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(tries.get(), 3);
    assert_eq!(log.line(), "enter enter enter exit([1] Completed)");
}

#[test]
fn a_set_up_that_panicked_is_tried_again() {
    #[async_context]
    async fn panics(first: bool) -> u32 {
        yield_once().await;
        assert!(!first, "in the set-up");
        let mut number = 1;
        yield_resource!(number);
    }
    let first = Cell::new(true);
    block_on(async {
        async_with!(number = lazy(|| panics(first.replace(false))), {
            let asked =
                futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(number.get()));
            let panic = asked.await.unwrap_err();
            assert_eq!(*panic.downcast::<&str>().unwrap(), "in the set-up");
            assert_eq!(number.get().await, Ok(&1));
        });
    });
}

#[test]
fn a_lazy_context_gets_the_outcome_and_its_exit_error_fails_the_use() {
    let log = Log::new();
    let make = || cache(log.clone(), Ok(()));
    let full = lazy(make).with(async |cache| {
        cache.get_mut().await?.extend([2, 3]);
        Ok::<_, &str>(())
    });
    assert_eq!(block_on(full), Err("full"));
    let failed = lazy(make).with(async |cache| {
        cache.get().await?;
        Err::<(), _>("body")
    });
    assert_eq!(block_on(failed), Err("body"));
    assert_eq!(
        log.line(),
        "enter exit([1, 2, 3] Completed) enter exit([1] Failed(()))"
    );
}

#[tokio::test]
async fn an_exit_error_without_a_caller_is_reported_with_the_name_of_the_inner_context() {
    let reports = reports();
    let used = lazy(|| cache(Log::new(), Ok(()))).with(async |cache| {
        cache.get_mut().await?.extend([2, 3]);
        Err::<(), _>("body")
    });
    assert_eq!(used.await, Err("body"));
    let reported = reports.take();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].name().ends_with("::lazy::cache"));
    assert_eq!(reported[0].error(), Some("full"));
}

/// A use of a lazy context that waits in every phase.
async fn used(log: &Log) -> Result<usize, &'static str> {
    let log = log.clone();
    Ok(async_with!(
        cache = lazy(move || cache(log.clone(), Ok(())))?,
        {
            yield_once().await;
            let (first, second) = join(cache.get(), cache.get()).await;
            let length = first?.len() + second?.len();
            yield_once().await;
            length
        }
    ))
}

#[tokio::test]
async fn a_lazy_context_that_was_entered_is_exited_wherever_its_use_is_cancelled() {
    let log = Log::new();
    let reports = reports();
    let value = cancel_at_every_poll(
        || used(&log),
        async |cut| {
            let expected = match (cut.polls(), cut.is_end()) {
                (_, true) => "enter exit([1] Completed)",
                (0 | 1, _) => "",
                (2 | 3, _) => "enter exit([1] Cancelled)",
                // It exits by itself then, and is only finished.
                (_, _) => "enter exit([1] Completed)",
            };
            assert_eq!(log.line(), expected);
        },
    )
    .await;
    assert_eq!(value, Ok(2));
    reports.assert_none();
}

/// Enters when it is let in.
#[async_context]
async fn gated(log: Log, gate: Arc<Semaphore>) -> Result<(), &'static str> {
    log.push("waits");
    gate.acquire().await.unwrap().forget();
    log.push("enters");
    let outcome = yield_resource!();
    log.push(format_args!("exits({outcome:?})"));
    Ok(())
}

#[tokio::test]
async fn a_dropped_asker_leaves_the_set_up_to_the_others() {
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    let make = || gated(log.clone(), gate.clone());
    async_with!(gated = lazy(make).expect("a context"), {
        let mut stays = Box::pin(gated.get());
        {
            let mut gives_up = pin!(gated.get());
            assert!(poll_once(gives_up.as_mut()).is_pending());
            assert!(poll_once(stays.as_mut()).is_pending());
        }
        gate.add_permits(1);
        assert_eq!(stays.await, Ok(&()));
    });
    assert_eq!(log.line(), "waits enters exits(Completed)");
}

#[tokio::test]
async fn a_set_up_that_nobody_waits_for_any_more_is_finished_and_exited() {
    let (log, gate) = (Log::new(), Arc::new(Semaphore::new(0)));
    let make = || gated(log.clone(), gate.clone());
    async_with!(gated = lazy(make).expect("a context"), {
        {
            let mut first = pin!(gated.get());
            let mut second = pin!(gated.get());
            assert!(poll_once(first.as_mut()).is_pending());
            assert!(poll_once(second.as_mut()).is_pending());
        }
        gate.add_permits(1);
        drain().await;
        assert_eq!(log.line(), "waits enters exits(Cancelled)");
        gate.add_permits(1);
        assert_eq!(gated.get().await, Ok(&()));
    });
    assert_eq!(log.line(), "waits enters exits(Completed)");
}

#[test]
fn only_a_set_up_that_was_woken_is_polled() {
    #[async_context]
    async fn counting(polls: Log) -> u32 {
        let mut left = 3;
        std::future::poll_fn(|_| {
            polls.push("poll");
            left -= 1;
            if left == 0 {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        yield_resource!(left);
    }
    let polls = Log::new();
    block_on(async {
        async_with!(number = lazy(|| counting(polls.clone())), {
            let mut asking = pin!(number.get());
            for _ in 0..3 {
                assert!(poll_once(asking.as_mut()).is_pending());
            }
        });
    });
    // It was told of no wake-up, so only the first poll reached it; then it was finished in the background.
    assert!(polls.take().len() <= 2);
}

#[test]
fn a_lazy_context_may_be_entered_by_hand_or_on_a_stack() {
    block_on(async {
        let mut guard = lazy(|| nullcontext(1)).enter().await.unwrap();
        *guard.get_mut().await.unwrap() += 1;
        assert_eq!(guard.entered(), Some(&2));
        assert_eq!(guard.exit_with(Outcome::Cancelled).await, Ok(()));
        let log = Log::new();
        async_with!(stack = exit_stack::<&str>()?, {
            let made = log.clone();
            let cache = stack
                .enter(lazy(move || cache(made.clone(), Ok(()))))
                .await?;
            assert_eq!(cache.get().await?.len(), 1);
        });
        assert_eq!(log.line(), "enter exit([1] Completed)");
        Ok::<_, &str>(())
    })
    .unwrap();
}

#[test]
fn a_use_of_a_lazy_context_is_send_although_its_resource_is_not_sync() {
    fn sent(_: impl Future + Send) {}
    let make = || nullcontext(Cell::new(1));
    sent(async move {
        async_with!(number = lazy(make), {
            let Ok(number) = number.get_mut().await;
            yield_once().await;
            number.set(2);
        });
    });
}

#[test]
fn an_asker_that_leaves_does_not_wake_the_others() {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    block_on(async {
        let blocked = Arc::new(Semaphore::new(0));
        let set_up = || waits_for(blocked.clone());
        async_with!(lazy = lazy(set_up), {
            let lazy = &*lazy;
            let woken = Arc::new(Woken(AtomicUsize::new(0)));
            let waker = woken.clone().into();
            let mut askers: Vec<_> = (0..10).map(|_| Box::pin(lazy.get())).collect();
            for asker in &mut askers {
                let polled = asker.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            }
            let before = woken.0.load(Ordering::Relaxed);
            askers.truncate(1);
            assert_eq!(woken.0.load(Ordering::Relaxed), before);
            // The one that is left is woken by the set-up.
            blocked.add_permits(1);
            assert_eq!(woken.0.load(Ordering::Relaxed), before + 1);
            let Ok(()) = askers.remove(0).await;
        });
    });
}

#[async_context]
async fn waits_for(semaphore: Arc<Semaphore>) {
    semaphore.acquire().await.unwrap().forget();
    yield_resource!();
}
