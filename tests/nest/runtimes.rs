//! Every clean-up runs in the runtime in which its context was entered, and waits for no clean-up of another
//! runtime.

use std::sync::{Arc, mpsc};

use guard_core::{
    AsyncContext, BoxContext, Guard, async_context, async_with, drain, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;

use crate::support::{
    WAYS, forever, gated, logs, never, paused, poll_and_drop, step, time_out, using, workers,
};

type Entered = Guard<BoxContext<'static, (), std::convert::Infallible>>;

fn enter_in(runtime: &Runtime, log: &Log, name: &'static str, pending: usize) -> Entered {
    let Ok(guard) = runtime.block_on(step(log.clone(), name, pending).boxed().enter());
    guard
}

#[test]
fn a_guard_whose_runtime_is_gone_does_not_stop_an_outer_exit() {
    let (log, reports) = logs();
    let guard = {
        let log = log.clone();
        let entering = std::thread::spawn(move || enter_in(&paused(), &log, "inner", 3));
        entering.join().unwrap()
    };
    paused().block_on(async {
        time_out(step(log.clone(), "outer", 5).run(async |()| {
            let _guard = guard;
            forever().await;
        }))
        .await;
        drain().await;
    });
    assert_eq!(log.line(), "+inner +outer -outer");
    assert_eq!(reports.line(), "step abandoned");
}

#[test]
fn a_guard_whose_runtime_is_not_driven_holds_up_neither_an_outer_exit_nor_drain() {
    for in_place in [true, false] {
        let (log, _) = logs();
        let idle = paused();
        let guard = enter_in(&idle, &log, "inner", 3);
        paused().block_on(async {
            let outer = step(log.clone(), "outer", 5).run(async |()| {
                let _guard = guard;
                if !in_place {
                    forever().await;
                }
            });
            if in_place {
                outer.await;
            } else {
                time_out(outer).await;
            }
            drain().await;
        });
        assert_eq!(log.line(), "+inner +outer -outer", "{in_place}");
        idle.block_on(drain());
        assert_eq!(log.line(), "-inner", "{in_place}");
    }
}

#[test]
fn a_use_whose_runtime_is_not_driven_holds_up_no_way_of_using() {
    for way in WAYS {
        let (log, _) = logs();
        let idle = paused();
        let mut inner = using(way, log.clone(), "inner", 3, Box::pin(forever()));
        {
            let _entered = idle.enter();
            assert!(poll_once(inner.as_mut()).is_pending());
        }
        paused().block_on(async {
            let block = Box::pin(async { drop(inner) });
            using(way, log.clone(), "outer", 0, block).await;
        });
        assert_eq!(log.line(), "+inner +outer -outer", "{way:?}");
        idle.block_on(drain());
        assert_eq!(log.line(), "-inner", "{way:?}");
    }
}

/// An outer use, entered in the current runtime, around an inner use that is entered in `live`.
fn with_an_inner_use_in(live: &Handle, log: &Log, gate: &Arc<Notify>) -> crate::support::Block {
    let (log, gate, live) = (log.clone(), gate.clone(), live.clone());
    Box::pin(async move {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let mut inner = Box::pin(gated(log, "inner", gate).run(async |()| forever().await));
            {
                let _entered = live.enter();
                assert!(poll_once(inner.as_mut()).is_pending());
            }
            forever().await;
            drop(inner);
        });
    })
}

#[test]
fn an_inner_clean_up_ends_in_its_own_runtime_when_the_outer_runtime_shuts_down() {
    for (what, outer_has_a_runtime) in [("shuts down", true), ("none", false)] {
        let (log, reports) = logs();
        let live = workers(1, &reports);
        let gate = Arc::new(Notify::new());
        let mut whole = with_an_inner_use_in(live.handle(), &log, &gate);
        if outer_has_a_runtime {
            let dying = paused();
            dying.block_on(async { assert!(poll_once(whole.as_mut()).is_pending()) });
            dying.block_on(async { drop(whole) });
            drop(dying);
        } else {
            poll_and_drop(whole);
        }
        assert_eq!(log.line(), "+outer -outer", "{what}");
        gate.notify_one();
        live.block_on(drain());
        assert_eq!(log.line(), "-inner", "{what}");
        assert_eq!(reports.line(), "", "{what}");
    }
}

#[test]
fn a_clean_up_of_another_runtime_runs_once_and_drain_waits_for_it() {
    #[async_context]
    async fn blocks(
        log: Log,
        begins: Arc<Notify>,
        is_polled: mpsc::Sender<()>,
        goes_on: mpsc::Receiver<()>,
    ) {
        yield_resource!();
        begins.notified().await;
        is_polled.send(()).unwrap();
        goes_on.recv().unwrap();
        log.push("-inner");
    }

    let (log, reports) = logs();
    let live = workers(1, &reports);
    let begins = Arc::new(Notify::new());
    let (is_polled, polled) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let mut outer = Box::pin(step(log.clone(), "outer", 0).run(async |()| {
        let inner = blocks(log.clone(), begins.clone(), is_polled, goes_on);
        {
            let _entered = live.enter();
            poll_and_drop(inner.run(async |()| forever().await));
        }
        forever().await;
    }));
    // The outer use is entered outside of any runtime.
    assert!(poll_once(outer.as_mut()).is_pending());
    begins.notify_one();
    polled.recv().unwrap();
    drop(outer);
    assert_eq!(log.line(), "+outer -outer");
    {
        // The inner clean-up is still pending.
        let _entered = live.enter();
        let mut draining = Box::pin(drain());
        assert!(poll_once(draining.as_mut()).is_pending());
    }
    go_on.send(()).unwrap();
    live.block_on(drain());
    assert_eq!(log.line(), "-inner");
    assert_eq!(reports.line(), "");
}

#[test]
fn each_clean_up_runs_in_its_own_runtime() {
    #[async_context]
    async fn where_am_i(log: Log, name: &'static str, home: Handle) {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        assert_eq!(Handle::current().id(), home.id());
        // `tokio::spawn` needs the runtime when it is called and when its handle is polled.
        tokio::spawn(async {}).await.unwrap();
        log.push(format_args!("-{name}"));
    }

    let (log, reports) = logs();
    let (here, there) = (paused(), paused());
    let whole = async {
        let outer = where_am_i(log.clone(), "outer", here.handle().clone());
        outer
            .run(async |()| {
                let inner = where_am_i(log.clone(), "inner", there.handle().clone());
                let mut inner = Box::pin(inner.run(async |()| forever().await));
                {
                    let _entered = there.enter();
                    assert!(poll_once(inner.as_mut()).is_pending());
                }
                forever().await;
                drop(inner);
            })
            .await;
    };
    here.block_on(async { poll_and_drop(whole) });
    there.block_on(drain());
    assert_eq!(log.line(), "-inner");
    here.block_on(drain());
    assert_eq!(log.line(), "-outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn clean_ups_of_two_runtimes_get_their_first_poll_from_the_inside_out() {
    let (log, _) = logs();
    let there = paused();
    let guard = enter_in(&there, &log, "inner", 0);
    paused().block_on(async {
        poll_and_drop(step(log.clone(), "outer", 0).run(async |()| {
            let _guard = guard;
            forever().await;
        }));
        assert_eq!(log.line(), "+inner +outer -inner -outer");
    });
}

#[test]
fn an_exit_does_not_wait_for_a_clean_up_of_another_runtime() {
    let (log, _) = logs();
    let there = paused();
    let Ok(hung) = there.block_on(never(log.clone(), "hung").boxed().enter());
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), { drop(hung) });
    });
    assert_eq!(log.line(), "+outer ~hung -outer");
}
