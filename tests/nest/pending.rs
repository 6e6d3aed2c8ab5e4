//! `pending_cleanups()` lists the clean-ups that have not ended, and `drain_all()` waits for all of them.

use std::pin::pin;
use std::sync::Arc;

use guard_core::{
    AsyncContext, PendingCleanup, async_context, async_with, drain, drain_all, pending_cleanups,
    yield_resource,
};
use guard_tests::{Log, poll_once};
use tokio::sync::Notify;

use crate::own_process::in_own_process;
use crate::support::{forever, gated, logs, paused, poll_and_drop, step, workers};

#[async_context]
async fn slow(gate: Arc<Notify>) {
    yield_resource!();
    gate.notified().await;
}

#[async_context]
async fn around() {
    yield_resource!();
}

#[async_context]
async fn never_enters() {
    forever().await;
    yield_resource!();
}

fn named(name: &str) -> PendingCleanup {
    let all = pending_cleanups().into_iter();
    let found: Vec<_> = all.filter(|it| it.name().ends_with(name)).collect();
    let [found] = found.try_into().unwrap_or_else(|_| panic!("{name}"));
    found
}

#[test]
fn a_pending_clean_up_has_a_name_a_location_an_age_and_what_it_waits_for() {
    in_own_process(|| {
        assert_eq!(pending_cleanups().len(), 0);
        let gate = Arc::new(Notify::new());
        paused().block_on(async {
            let whole = async {
                async_with!(_around = around(), _slow = slow(gate.clone()), {
                    forever().await;
                });
            };
            poll_and_drop(whole);
            assert_eq!(pending_cleanups().len(), 2);
            let inner = named("::slow");
            assert_eq!(inner.name(), "nest::pending::slow");
            let place = inner.location().unwrap();
            assert!(place.file().ends_with("pending.rs"));
            assert!(inner.waits_for().is_empty());
            let outer = named("::around");
            assert_eq!(outer.waits_for(), ["nest::pending::slow"]);
            assert!(outer.age() >= std::time::Duration::ZERO);

            gate.notify_one();
            drain().await;
            assert_eq!(pending_cleanups().len(), 0);
        });
    });
}

#[test]
fn a_set_up_in_the_background_is_a_pending_clean_up() {
    in_own_process(|| {
        let runtime = paused();
        runtime.block_on(async {
            poll_and_drop(never_enters().run(async |()| ()));
            assert_eq!(
                named("::never_enters").name(),
                "nest::pending::never_enters"
            );
        });
        drop(runtime);
        assert_eq!(pending_cleanups().len(), 0);
    });
}

#[test]
fn an_exit_that_ended_in_its_first_poll_is_no_pending_clean_up() {
    in_own_process(|| {
        paused().block_on(async {
            poll_and_drop(around().run(async |()| forever().await));
            assert_eq!(pending_cleanups().len(), 0);
        });
    });
}

#[test]
fn drain_all_waits_for_every_runtime() {
    in_own_process(|| {
        let (log, reports) = logs();
        let other = workers(1, &reports);
        let gate = Arc::new(Notify::new());
        {
            let _entered = other.enter();
            let elsewhere = gated(log.clone(), "elsewhere", gate.clone());
            poll_and_drop(elsewhere.run(async |()| forever().await));
        }
        paused().block_on(async {
            drain().await;
            let mut all = pin!(drain_all());
            assert!(poll_once(all.as_mut()).is_pending());
            gate.notify_one();
            all.await;
            assert_eq!(log.line(), "-elsewhere");
        });
    });
}

#[test]
fn drain_outside_of_a_runtime_waits_for_every_runtime() {
    in_own_process(|| {
        let (log, reports) = logs();
        let other = workers(1, &reports);
        let gate = Arc::new(Notify::new());
        {
            let _entered = other.enter();
            let elsewhere = gated(log.clone(), "elsewhere", gate.clone());
            poll_and_drop(elsewhere.run(async |()| forever().await));
        }
        let mut draining = Box::pin(drain());
        assert!(poll_once(draining.as_mut()).is_pending());
        gate.notify_one();
        futures::executor::block_on(draining);
        assert_eq!(log.line(), "-elsewhere");
    });
}

#[test]
fn drain_all_in_a_clean_up_waits_neither_for_itself_nor_in_a_cycle() {
    #[async_context]
    async fn drains_all(log: Log, name: &'static str) {
        yield_resource!();
        guard_tests::yield_once().await;
        drain_all().await;
        log.push(format_args!("-{name}"));
    }

    in_own_process(|| {
        let (log, _) = logs();
        paused().block_on(async {
            for name in ["a", "b"] {
                poll_and_drop(drains_all(log.clone(), name).run(async |()| forever().await));
            }
            poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
            drain_all().await;
            let all = log.take();
            assert_eq!(all[..2], ["+x", "-x"], "{all:?}");
            assert_eq!(all.len(), 4, "{all:?}");
        });
    });
}

#[test]
fn set_reporter_returns_the_former_reporter() {
    in_own_process(|| {
        let log = Log::new();
        let heard = log.clone();
        assert!(guard_core::set_reporter(move |_| heard.push("first")).is_none());
        let heard = log.clone();
        let former = guard_core::set_reporter(move |_| heard.push("second")).unwrap();
        let abandon = || {
            poll_and_drop(crate::support::never(Log::new(), "it").run(async |()| forever().await))
        };
        abandon();
        assert_eq!(log.line(), "second");
        guard_core::set_reporter(move |report| former(report));
        abandon();
        assert_eq!(log.line(), "first");
    });
}
