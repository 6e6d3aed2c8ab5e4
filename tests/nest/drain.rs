//! `drain()` waits for the clean-ups of its own runtime, and never for the clean-up that calls it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use guard_core::{
    AsyncContext, BoxContext, Guard, async_context, async_with, detached, drain, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::support::{
    WAYS, forever, gated, logs, must_end, never, paused, poll_and_drop, sleeps, step, time_out,
    using,
};

#[test]
fn drain_does_not_wait_for_another_runtime() {
    must_end(|| {
        let (log, _) = logs();
        let other = paused();
        other.block_on(async {
            poll_and_drop(never(log.clone(), "hung").run(async |()| forever().await));
        });
        paused().block_on(async {
            poll_and_drop(step(log.clone(), "fine", 3).run(async |()| forever().await));
            drain().await;
            assert_eq!(log.line(), "~hung +fine -fine");
        });
        other.block_on(async { assert!(poll_once(pin!(drain())).is_pending()) });
    });
}

/// A context whose exit calls `drain`.
#[async_context]
async fn drains(log: Log, name: &'static str) {
    yield_resource!();
    yield_once().await;
    drain().await;
    log.push(format_args!("-{name}"));
}

#[test]
fn drain_in_an_exit_does_not_wait_for_that_exit() {
    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            time_out(drains(log.clone(), "app").run(async |()| forever().await)).await;
            drain().await;
            assert_eq!(log.line(), "-app");
            // An exit that its user waits for can drain too.
            drains(log.clone(), "app").run(async |()| ()).await;
            assert_eq!(log.line(), "-app");
        });
    });
}

/// The drain begins in place, and goes on in the background, where it is in the code of a clean-up.
#[test]
fn a_drain_that_is_cancelled_with_its_exit_or_set_up_does_not_wait_for_itself() {
    #[async_context]
    async fn drains_in_its_set_up(log: Log) {
        drain().await;
        yield_resource!();
        log.push("-set up");
    }

    #[async_context]
    async fn drains_detached(log: Log) {
        yield_resource!();
        detached(drain()).await;
        log.push("-detached");
    }

    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            let other = sleeps(log.clone(), "other", 5_000);
            poll_and_drop(other.run(async |()| forever().await));
            time_out(drains(log.clone(), "exit").run(async |()| ())).await;
            time_out(drains_in_its_set_up(log.clone()).run(async |()| ())).await;
            time_out(drains_detached(log.clone()).run(async |()| ())).await;
            drain().await;
        });
        let line = log.line();
        let mut ended: Vec<_> = line.split(" -").collect();
        assert_eq!(ended.remove(0), "-other");
        ended.sort_unstable();
        assert_eq!(ended, ["detached", "exit", "set up"]);
    });
}

#[test]
fn drain_in_an_exit_waits_for_the_other_clean_ups() {
    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            let gate = Arc::new(Notify::new());
            let other = gated(log.clone(), "other", gate.clone());
            poll_and_drop(other.run(async |()| forever().await));
            poll_and_drop(drains(log.clone(), "app").run(async |()| forever().await));
            for _ in 0..5 {
                yield_once().await;
            }
            assert_eq!(log.line(), "");
            gate.notify_one();
            drain().await;
            assert_eq!(log.line(), "-other -app");
        });
    });
}

#[test]
fn two_exits_that_drain_do_not_wait_for_each_other() {
    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            for name in ["a", "b", "c"] {
                poll_and_drop(drains(log.clone(), name).run(async |()| forever().await));
            }
            poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
            drain().await;
            let mut all = log.take();
            assert_eq!(all[..2], ["+x", "-x"], "both wait for `x`: {all:?}");
            all.sort_unstable();
            assert_eq!(all, ["+x", "-a", "-b", "-c", "-x"]);
        });
    });
}

#[test]
fn drain_does_not_wait_for_an_exit_that_waits_for_it() {
    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            for way in WAYS {
                let inner = drains(log.clone(), "inner").run(async |()| forever().await);
                let mut outer = using(way, log.clone(), "outer", 1, Box::pin(inner));
                assert!(poll_once(outer.as_mut()).is_pending());
                drop(outer);
                drain().await;
                assert_eq!(log.line(), "+outer -inner -outer", "{way:?}");
            }
        });
    });
}

#[test]
fn drain_does_not_wait_for_an_exit_that_waits_for_another_drain() {
    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            for name in [["a", "in a"], ["b", "in b"]] {
                let inner = drains(log.clone(), name[1]);
                poll_and_drop(
                    step(log.clone(), name[0], 1)
                        .run(async |()| inner.run(async |()| forever().await).await),
                );
            }
            drain().await;
            let mut all = log.take();
            all.sort_unstable();
            assert_eq!(all, ["+a", "+b", "-a", "-b", "-in a", "-in b"]);
        });
    });
}

#[test]
fn drain_does_not_wait_for_the_exit_that_polls_it_through_other_futures() {
    #[async_context]
    async fn drains_within(log: Log, which: &'static str) {
        yield_resource!();
        yield_once().await;
        match which {
            "timeout" => timeout(Duration::from_secs(9), drain()).await.unwrap(),
            "select" => tokio::select! {
                () = drain() => {}
                () = forever() => {}
            },
            "join" => {
                tokio::join!(drain(), drain());
            }
            "use" => async_with!(_x = step(Log::new(), "x", 1), { drain().await }),
            "exit of a use" => drains(log.clone(), "in it").run(async |()| ()).await,
            _ => drain().boxed_here().await,
        }
        log.push(which);
    }
    trait Boxed: Future<Output = ()> + Send + Sized + 'static {
        fn boxed_here(self) -> crate::support::Block {
            Box::pin(self)
        }
    }
    impl<F: Future<Output = ()> + Send + 'static> Boxed for F {}

    for which in ["timeout", "select", "join", "use", "exit of a use", "box"] {
        must_end(move || {
            let (log, _) = logs();
            paused().block_on(async {
                poll_and_drop(drains_within(log.clone(), which).run(async |()| forever().await));
                drain().await;
                assert_eq!(log.take().last().unwrap(), which);
            });
        });
    }
}

#[test]
fn a_task_group_can_drain_after_it_aborted_its_tasks() {
    #[async_context]
    async fn workers(log: Log) -> JoinSet<()> {
        let mut set = JoinSet::new();
        yield_resource!(set);
        set.shutdown().await;
        drain().await;
        log.push("-workers");
    }
    async fn serve(log: Log, seconds: u64) {
        async_with!(workers = workers(log.clone()), {
            workers.spawn(async {
                async_with!(_job = step(log, "job", 3), { forever().await });
            });
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        });
    }

    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            serve(log.clone(), 1).await;
            assert_eq!(log.line(), "+job -job -workers", "exited");
            assert!(
                timeout(Duration::from_secs(1), serve(log.clone(), 9))
                    .await
                    .is_err()
            );
            drain().await;
            assert_eq!(log.line(), "+job -job -workers", "cancelled");
        });
    });
}

#[test]
fn a_server_that_is_cancelled_can_drain_in_its_exit() {
    #[async_context]
    async fn server(log: Log) {
        yield_resource!();
        tokio::time::sleep(Duration::from_millis(1)).await;
        drain().await;
        log.push("-server");
    }

    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            time_out(server(log.clone()).run(async |()| forever().await)).await;
            assert!(timeout(Duration::from_secs(3600), drain()).await.is_ok());
        });
        assert_eq!(log.line(), "-server");
    });
}

/// The outer clean-up exits a guard, and so waits for a younger guard that was dropped before.
#[test]
fn drain_in_the_clean_up_of_a_guard_does_not_wait_for_the_exit_that_waits_for_it() {
    #[async_context]
    async fn drains(log: Log) {
        yield_resource!();
        yield_once().await;
        drain().await;
        log.push("-drains");
    }

    #[async_context]
    async fn owner(log: Log, owned: Guard<BoxContext<'static, (), Infallible>>) {
        yield_resource!();
        let Ok(()) = owned.exit().await;
        log.push("-owner");
    }

    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(older) = step(log.clone(), "older", 1).boxed().enter().await;
            let Ok(younger) = drains(log.clone()).enter().await;
            drop(younger);
            poll_and_drop(owner(log.clone(), older).run(async |()| forever().await));
        });
    });
    assert_eq!(log.line(), "+use +older -drains -older -owner -use");
    assert_eq!(reports.line(), "");
}

/// The guard comes to a clean-up that goes on already, and for which the `drain` waits until then.
#[test]
fn a_drain_is_woken_when_the_exit_that_it_waits_for_begins_to_wait_for_it() {
    #[async_context]
    async fn exits_a_guard(
        log: Log,
        receiver: oneshot::Receiver<Guard<BoxContext<'static, (), Infallible>>>,
    ) {
        yield_resource!();
        let Ok(()) = receiver.await.unwrap().exit().await;
        log.push("-exits_a_guard");
    }

    let (log, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(older) = step(log.clone(), "older", 1).boxed().enter().await;
            let Ok(younger) = drains(log.clone(), "younger").enter().await;
            let (sender, receiver) = oneshot::channel();
            poll_and_drop(exits_a_guard(log.clone(), receiver).run(async |()| forever().await));
            drop(younger);
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(sender.send(older).is_ok());
        });
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    });
    assert_eq!(
        log.line(),
        "+use +older -younger -older -exits_a_guard -use"
    );
    assert_eq!(reports.line(), "");
}

#[test]
fn the_report_about_a_task_that_is_aborted_and_not_awaited_says_what_to_do() {
    for awaited in [false, true] {
        let runtime = paused();
        let reports = runtime.block_on(async {
            let reports = guard_core::testing::reports();
            let used = step(Log::new(), "it", 3).run(async |()| forever().await);
            let task = tokio::spawn(used);
            tokio::task::yield_now().await;
            task.abort();
            if awaited {
                assert!(task.await.unwrap_err().is_cancelled());
            }
            drain().await;
            reports
        });
        drop(runtime);
        let reported = reports.take();
        if awaited {
            assert!(reported.is_empty(), "{reported:?}");
            continue;
        }
        let [report] = reported.as_slice() else {
            panic!("{reported:?}")
        };
        let what = "await each task, also an aborted one, and then `guard_core::drain`";
        assert!(report.to_string().contains(what), "{report}");
    }
}
