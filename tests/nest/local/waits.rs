//! Who waits for the clean-up of a cancelled local use, and who does not.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use guard_core::{
    AsyncContext, LocalBoxContext, async_context, async_with, drain, scoped_exit_stack, settled,
    within, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use super::{Here, Local, PLACES, Place, stays, stays_gated, stays_millis};
use crate::support::{
    Failed, forever, logs, must_end, paused, poll_and_drop, sleeps, step, time_out, workers,
};

#[test]
fn an_inner_use_that_is_timed_out_is_over_before_the_outer_one_exits() {
    for place in [Place::Set, Place::TaskOfSet, Place::Runtime] {
        let (log, reports) = logs();
        place.run({
            let log = log.clone();
            async move {
                async_with!(_outer = stays(log.clone(), "outer", 1), {
                    let inner = stays_millis(log.clone(), "inner", 5);
                    time_out(inner.run(async |()| forever().await)).await;
                    log.push("next");
                });
                log.push("after");
            }
        });
        let expected = "+outer next -inner -outer after";
        assert_eq!(log.line(), expected, "{place:?}");
        assert_eq!(reports.line(), "", "{place:?}");
    }
}

#[test]
fn nested_uses_that_are_cancelled_together_exit_from_the_inside_out() {
    for place in PLACES {
        let (log, reports) = logs();
        place.run({
            let log = log.clone();
            async move {
                poll_and_drop(async {
                    async_with!(
                        _a = stays(log.clone(), "a", 0),
                        _b = stays(log.clone(), "b", 4),
                        _c = stays(log.clone(), "c", 2),
                        {
                            forever().await;
                        }
                    );
                });
                log.push("next");
            }
        });
        assert_eq!(log.line(), "+a +b +c next -c -b -a", "{place:?}");
        assert_eq!(reports.line(), "", "{place:?}");
    }
}

#[test]
fn a_local_exit_waits_for_a_default_clean_up() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(_outer = stays(log.clone(), "outer", 0), {
                poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
                log.push("next");
            });
        }
    });
    assert_eq!(log.line(), "+outer +inner next -inner -outer");
    Place::Set.run({
        let log = log.clone();
        async move {
            poll_and_drop(async {
                async_with!(
                    _outer = stays(log.clone(), "outer", 0),
                    _inner = step(log.clone(), "inner", 3),
                    {
                        forever().await;
                    }
                );
            });
        }
    });
    assert_eq!(log.line(), "+outer +inner -inner -outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_local_exit_waits_for_a_default_clean_up_that_other_threads_run() {
    let (log, reports) = logs();
    let runtime = workers(2, &reports);
    LocalSet::new().block_on(&runtime, async {
        for _ in 0..20 {
            async_with!(_outer = stays(log.clone(), "outer", 0), {
                poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
            });
            assert_eq!(log.line(), "+outer +inner -inner -outer");
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn a_default_exit_does_not_wait_for_a_local_clean_up() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let gate = Rc::new(Notify::new());
            async_with!(_outer = step(log.clone(), "outer", 1), {
                let inner = stays_gated(log.clone(), "inner", gate.clone());
                poll_and_drop(inner.run(async |()| forever().await));
                log.push("next");
            });
            log.push("after");
            gate.notify_one();
        }
    });
    assert_eq!(log.line(), "+outer next -outer after -inner");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_default_exit_waits_for_a_default_clean_up_inside_a_local_one() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(_outer = step(log.clone(), "outer", 1), {
                poll_and_drop(async {
                    async_with!(
                        _between = stays(log.clone(), "between", 0),
                        _inner = sleeps(log.clone(), "inner", 2_000),
                        { forever().await }
                    );
                });
            });
        }
    });
    let line = log.line();
    assert!(line.starts_with("+outer +between -inner "), "{line}");
    assert_eq!(reports.line(), "");
}

#[test]
fn the_next_local_use_around_a_default_one_waits() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(
                _outer = stays(log.clone(), "outer", 0),
                _between = step(log.clone(), "between", 0),
                {
                    poll_and_drop(stays(log.clone(), "inner", 5).run(async |()| forever().await));
                }
            );
        }
    });
    assert_eq!(log.line(), "+outer +between +inner -between -inner -outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_scoped_exit_and_a_join_wait_for_a_local_clean_up() {
    #[async_context(scoped)]
    async fn borrows(log: &Log) {
        yield_resource!();
        log.push("-scoped");
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(_outer = borrows(&log), {
                poll_and_drop(stays(log.clone(), "inner", 3).run(async |()| forever().await));
            });
            assert_eq!(log.line(), "+inner -inner -scoped");
            async_with!(
                join(
                    _a = step(log.clone(), "a", 0),
                    _b = stays(log.clone(), "b", 0)
                ),
                {
                    poll_and_drop(stays(log.clone(), "inner", 3).run(async |()| forever().await));
                }
            );
            assert_eq!(log.line(), "+a +b +inner -inner -b -a");
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn an_exit_waits_for_every_way_of_using_a_local_context() {
    #[async_context(local, boxed)]
    async fn boxed(log: Log, name: &'static str) -> Rc<()> {
        let mut lent = Rc::new(());
        yield_resource!(lent);
        yield_once().await;
        log.push(format_args!("-{name}"));
    }
    #[async_context(local)]
    async fn composed(log: Log, name: &'static str) -> Rc<()> {
        async_with!(inside = boxed(log, name), {
            yield_resource!(*inside);
        });
    }
    #[within(_it = boxed(log.clone(), "within"))]
    async fn decorated(log: Log) {
        log.push("decorated");
        forever().await;
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(_outer = stays(log.clone(), "outer", 0), {
                let with = boxed(log.clone(), "with").with_error::<Failed>();
                poll_and_drop(with.with(async |_| {
                    forever().await;
                    Ok::<_, Failed>(())
                }));
                let tried = boxed(log.clone(), "try_with");
                poll_and_drop(tried.try_with(async |_| {
                    forever().await;
                    Ok::<_, Failed>(())
                }));
                poll_and_drop(composed(log.clone(), "composed").run(async |_| forever().await));
                poll_and_drop(decorated(log.clone()));
                drop(boxed(log.clone(), "guard").enter().await);
                let stack = scoped_exit_stack::<Failed>();
                poll_and_drop(stack.with(async |stack| {
                    stack
                        .enter(boxed(log.clone(), "stack").with_error())
                        .await?;
                    {
                        forever().await;
                        Ok::<_, Failed>(())
                    }
                }));
                log.push("next");
            });
        }
    });
    assert_eq!(
        log.line(),
        "+outer decorated next -with -try_with -composed -within -guard -stack -outer"
    );
    assert_eq!(reports.line(), "");
}

#[test]
fn only_settled_and_drain_wait_for_a_cancelled_set_up() {
    #[async_context(local)]
    async fn slow_set_up(log: Log) {
        let _here = Here::new();
        yield_once().await;
        yield_once().await;
        log.push("set up");
        yield_resource!();
        log.push("cleaned up");
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(_outer = stays(log.clone(), "outer", 0), {
                poll_and_drop(slow_set_up(log.clone()).run(async |()| forever().await));
            });
            log.push("after");
            drain().await;
            assert_eq!(log.line(), "+outer -outer after set up cleaned up");
            settled(async {
                poll_and_drop(slow_set_up(log.clone()).run(async |()| forever().await));
            })
            .await;
            assert_eq!(log.line(), "set up cleaned up");
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn guards_that_are_dropped_together_keep_their_order() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            async_with!(_outer = stays(log.clone(), "outer", 0), {
                let first = stays(log.clone(), "first", 0).enter().await;
                let second = stays(log.clone(), "second", 3).enter().await;
                let third = step(log.clone(), "third", 5).enter().await;
                drop(third);
                drop(second);
                let Ok(first) = first;
                let Ok(()) = first.exit().await;
                log.push("next");
            });
        }
    });
    let line = log.line();
    assert!(line.starts_with("+outer +first +second +third"), "{line}");
    assert!(
        line.ends_with("-third -second -first next -outer"),
        "{line}"
    );
    assert_eq!(reports.line(), "");
}

#[test]
fn two_threads_of_one_runtime_do_not_wait_for_each_other() {
    let (log, reports) = logs();
    let runtime = workers(1, &reports);
    let handle = runtime.handle().clone();
    let (blocks, blocked) = std::sync::mpsc::channel();
    let (ended, is_ended) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn({
        let log = log.clone();
        move || {
            handle.block_on(LocalSet::new().run_until(async {
                poll_and_drop(stays(log.clone(), "there", 1).run(async |()| forever().await));
                blocks.send(()).unwrap();
                // This set is not driven meanwhile.
                is_ended.recv().unwrap();
                settled(std::future::ready(())).await;
            }));
        }
    });
    blocked.recv().unwrap();
    LocalSet::new().block_on(&runtime, async {
        async_with!(_outer = stays(log.clone(), "outer", 0), {
            poll_and_drop(stays(log.clone(), "inner", 2).run(async |()| forever().await));
        });
    });
    assert_eq!(log.line(), "+there +outer +inner -inner -outer");
    ended.send(()).unwrap();
    other.join().unwrap();
    assert_eq!(log.line(), "-there", "by the drop of its set");
}

#[test]
fn two_clean_ups_do_not_wait_in_a_ring() {
    #[async_context(local)]
    async fn cancels_in_its_exit(log: Log, gate: Rc<RefCell<Option<Local<'static>>>>) {
        yield_resource!();
        yield_once().await;
        // The dropped use is the one in whose block this use was cancelled.
        drop(gate.take());
        yield_once().await;
        log.push("-cancels");
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let kept: Rc<RefCell<Option<Local<'static>>>> = Rc::default();
            let mut outer: Local<'static> = Box::pin({
                let (log, kept) = (log.clone(), kept.clone());
                async move {
                    async_with!(_outer = stays(log.clone(), "outer", 1), {
                        let it = cancels_in_its_exit(log.clone(), kept.clone());
                        poll_and_drop(it.run(async |()| forever().await));
                        forever().await;
                    });
                }
            });
            assert!(poll_once(outer.as_mut()).is_pending());
            kept.replace(Some(outer));
        }
    });
    assert_eq!(log.line(), "+outer -cancels -outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn many_uses_of_one_drop_need_no_deep_stack() {
    #[async_context(local)]
    async fn counted(exits: Rc<Cell<usize>>, pending: usize) {
        yield_resource!();
        for _ in 0..pending {
            yield_once().await;
        }
        exits.set(exits.get() + 1);
    }

    type Counted = LocalBoxContext<'static, (), Infallible>;

    const MANY: usize = 20_000;

    // Each waits for the one that was handed off before it, whichever the set drops first.
    fn chain(exits: &Rc<Cell<usize>>) {
        let mut inside: Option<Local<'static>> = None;
        for index in 0..MANY {
            let pending = usize::from(index == 0);
            let context: Counted = counted(exits.clone(), pending).boxed_local();
            let before = inside.take();
            let mut next: Local<'static> = Box::pin(context.run(async move |()| {
                drop(before);
                forever().await;
            }));
            assert!(poll_once(next.as_mut()).is_pending());
            inside = Some(next);
        }
        drop(inside);
    }

    must_end(|| {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let thread = thread.spawn(|| {
            let (_, reports) = logs();
            for drained in [true, false] {
                let exits = Rc::new(Cell::new(0));
                let runtime = paused();
                let set = LocalSet::new();
                set.block_on(&runtime, async {
                    chain(&exits);
                    if drained {
                        drain().await;
                    }
                });
                drop(set);
                assert_eq!(exits.get(), MANY, "{drained}");
            }
            assert_eq!(reports.line(), "");
        });
        thread.unwrap().join().unwrap();
    });
}
