//! `local` contexts: what holds for default ones holds for them too, on one thread.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use guard_core::{
    AsyncContext, LocalBoxContext, LocalCleanup, Outcome, async_context, async_with, drain,
    drain_all, pending_cleanups, scoped_exit_stack, set_local_spawner, settled, try_settled,
    within, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::own_process::in_own_process;
use crate::support::{
    Failed, forever, gated, logs, must_end, paused, poll_and_drop, sleeps, step, time_out, workers,
};

/// Panics if it is used or dropped on another thread than the one that made it. It is not `Send`.
struct Here(ThreadId, Rc<()>);

impl Here {
    fn new() -> Self {
        Self(std::thread::current().id(), Rc::new(()))
    }

    fn check(&self) {
        assert_eq!(std::thread::current().id(), self.0);
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.check();
        assert_eq!(Rc::strong_count(&self.1), 1);
    }
}

/// Its exit is pending so many times.
#[async_context(local)]
async fn stays(log: Log, name: &'static str, pending: usize) {
    let here = Here::new();
    log.push(format_args!("+{name}"));
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
        here.check();
    }
    log.push(format_args!("-{name}"));
}

/// Its exit never ends.
#[async_context(local)]
async fn stays_forever(log: Log, name: &'static str) {
    let _here = Here::new();
    yield_resource!();
    log.push(format_args!("~{name}"));
    forever().await;
}

/// Its exit ends when it is told to.
#[async_context(local)]
async fn stays_gated(log: Log, name: &'static str, gate: Rc<Notify>) {
    let _here = Here::new();
    yield_resource!();
    gate.notified().await;
    log.push(format_args!("-{name}"));
}

/// Its exit takes so many milliseconds.
#[async_context(local)]
async fn stays_millis(log: Log, name: &'static str, millis: u64) {
    let _here = Here::new();
    yield_resource!();
    tokio::time::sleep(Duration::from_millis(millis)).await;
    log.push(format_args!("-{name}"));
}

type Local<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Where the uses run, and their clean-ups go on.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In `run_until`.
    Set,
    /// In a task of the set.
    TaskOfSet,
    Runtime,
    Pool,
}

const PLACES: [Place; 4] = [Place::Set, Place::TaskOfSet, Place::Runtime, Place::Pool];

impl Place {
    /// Runs the future there, and waits for all clean-ups.
    fn run<F: Future<Output = ()> + 'static>(self, future: F) {
        if let Self::Pool = self {
            // Outside tokio a drain waits for the whole process. The pool runs all its tasks anyway.
            return in_a_pool(future);
        }
        let future = async move {
            future.await;
            drain().await;
        };
        match self {
            Self::Set => LocalSet::new().block_on(&paused(), future),
            Self::TaskOfSet => paused().block_on(async {
                let set = LocalSet::new();
                let task = set.spawn_local(future);
                set.await;
                task.await.unwrap();
            }),
            Self::Runtime => Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build_local(LocalOptions::default())
                .unwrap()
                .block_on(future),
            Self::Pool => unreachable!("it was looked for first"),
        }
    }
}

/// Runs the future in a pool of this thread, with its clean-ups, on a thread of its own.
fn in_a_pool(future: impl Future<Output = ()> + 'static) {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    set_local_spawner(move |cleanup| spawner.spawn_local(cleanup).unwrap());
    pool.spawner().spawn_local(future).unwrap();
    pool.run();
}

#[test]
fn a_use_that_is_cut_is_cleaned_up_in_its_place() {
    for place in PLACES {
        let (log, reports) = logs();
        place.run({
            let log = log.clone();
            async move {
                poll_and_drop(stays(log.clone(), "it", 3).run(async |()| forever().await));
                log.push("next");
            }
        });
        assert_eq!(log.line(), "+it next -it", "{place:?}");
        assert_eq!(reports.line(), "", "{place:?}");
    }
}

#[test]
fn an_exit_that_ends_in_one_poll_needs_no_local_set() {
    let (log, reports) = logs();
    poll_and_drop(stays(log.clone(), "it", 0).run(async |()| forever().await));
    paused().block_on(async {
        poll_and_drop(stays(log.clone(), "that", 0).run(async |()| forever().await));
    });
    assert_eq!(log.line(), "+it -it +that -that");
    assert_eq!(reports.line(), "");
}

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
fn nested_uses_that_are_cut_together_exit_from_the_inside_out() {
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
fn every_way_of_using_a_local_context_waits_for_it() {
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
fn a_boxed_local_context_catches() {
    #[async_context(local, catch, boxed)]
    async fn swallows(seen: Rc<Cell<u32>>) -> Result<Rc<()>, Failed> {
        let mut lent = Rc::new(());
        if let Outcome::Failed(Failed) = yield_resource!(lent) {
            seen.set(seen.get() + 1);
        }
        Ok(())
    }

    let seen = Rc::new(Cell::new(0));
    let context: LocalBoxContext<'static, Rc<()>, Failed, Failed> = swallows(seen.clone());
    let result = guard_tests::block_on(context.catch(async |_| Err::<(), _>(Failed)));
    assert_eq!(result, Ok(None));
    assert_eq!(seen.get(), 1);
}

#[test]
fn a_local_context_owns_its_arguments() {
    struct Names(RefCell<Vec<String>>);

    #[derive(Clone)]
    struct Shared(Rc<Names>);

    impl Shared {
        #[async_context(local, owned)]
        async fn named(&self, name: &str) -> usize {
            self.0.0.borrow_mut().push(name.to_owned());
            let mut count = self.0.0.borrow().len();
            yield_resource!(count);
            yield_once().await;
            self.0.0.borrow_mut().retain(|other| other != name);
        }
    }

    let shared = Shared(Rc::new(Names(RefCell::default())));
    let inside = shared.clone();
    Place::Set.run(async move {
        poll_and_drop(inside.named("it").run(async |_| forever().await));
        assert_eq!(*inside.0.0.borrow(), ["it"]);
        drain().await;
        assert!(inside.0.0.borrow().is_empty());
    });
    assert_eq!(Rc::strong_count(&shared.0), 1);
}

#[test]
fn a_set_up_that_is_cut_is_finished_and_nobody_waits_but_settled_and_drain() {
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
fn settled_waits_and_try_settled_tells() {
    #[async_context(local)]
    async fn fails(message: &'static str) -> Result<(), String> {
        yield_resource!();
        yield_once().await;
        Err(message.to_owned())
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let query = stays_millis(log.clone(), "query", 5).run(async |()| forever().await);
            assert!(
                settled(timeout(Duration::from_secs(1), query))
                    .await
                    .is_err()
            );
            assert_eq!(log.line(), "-query");
            let query = fails("the connection is gone");
            let query = query.with(async |()| {
                forever().await;
                Ok::<_, String>(())
            });
            let unsettled = try_settled(timeout(Duration::from_secs(1), query)).await;
            let unsettled = unsettled.unwrap_err();
            assert_eq!(
                unsettled.failures[0].error(),
                Some("the connection is gone")
            );
        }
    });
    assert_eq!(reports.line(), "fails failed: the connection is gone");
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
fn an_exit_limit_holds_in_the_background() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let it = stays_forever(log.clone(), "it").exit_timeout(Duration::from_secs(1));
            let it = it.map_err(|_| Failed);
            poll_and_drop(it.with(async |()| {
                forever().await;
                Ok::<_, Failed>(())
            }));
            drain().await;
            log.push("drained");
        }
    });
    assert_eq!(log.line(), "~it drained");
    assert_eq!(reports.line(), "stays_forever timed out");
}

#[test]
fn a_panic_of_a_clean_up_is_reported_and_the_outer_ones_go_on() {
    #[async_context(local)]
    async fn panics() {
        yield_resource!();
        yield_once().await;
        std::panic::resume_unwind(Box::new("in the exit"));
    }

    for place in PLACES {
        let (log, reports) = logs();
        place.run({
            let log = log.clone();
            async move {
                poll_and_drop(async {
                    async_with!(_outer = stays(log.clone(), "outer", 1), _it = panics(), {
                        forever().await;
                    });
                });
            }
        });
        assert_eq!(log.line(), "+outer -outer", "{place:?}");
        assert_eq!(reports.line(), "panics panicked: in the exit", "{place:?}");
    }
}

#[test]
fn an_error_of_a_clean_up_is_reported() {
    #[async_context(local)]
    async fn fails() -> Result<(), Failed> {
        yield_resource!();
        yield_once().await;
        Err(Failed)
    }

    for place in PLACES {
        let (_, reports) = logs();
        place.run(async {
            poll_and_drop(fails().with(async |()| {
                forever().await;
                Ok::<_, Failed>(())
            }));
        });
        assert_eq!(reports.line(), "fails failed: it failed", "{place:?}");
    }
}

/// Cuts three nested uses, the one in the middle of which cannot end by one more poll.
fn cut_three(log: &Log, pending: usize) {
    poll_and_drop(async {
        async_with!(
            _a = stays(log.clone(), "a", 0),
            _b = stays_forever(log.clone(), "b"),
            _c = stays(log.clone(), "c", pending),
            {
                forever().await;
            }
        );
    });
}

#[test]
fn a_local_set_that_is_dropped_gives_each_its_last_poll_from_the_inside_out() {
    let (log, reports) = logs();
    let runtime = paused();
    let set = LocalSet::new();
    set.block_on(&runtime, async { cut_three(&log, 1) });
    assert_eq!(log.line(), "+a +c");
    assert_eq!(reports.line(), "");
    drop(set);
    assert_eq!(log.line(), "-c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_local_runtime_that_is_dropped_gives_each_its_last_poll_from_the_inside_out() {
    let (log, reports) = logs();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    runtime.block_on(async { cut_three(&log, 1) });
    assert_eq!(log.line(), "+a +c");
    drop(runtime);
    assert_eq!(log.line(), "-c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_task_of_a_local_set_that_is_dropped_leaves_its_uses_in_order() {
    let (log, reports) = logs();
    let runtime = paused();
    let set = LocalSet::new();
    let inside = log.clone();
    set.spawn_local(async move {
        async_with!(
            _a = stays(inside.clone(), "a", 0),
            _b = stays_forever(inside.clone(), "b"),
            _c = stays(inside.clone(), "c", 1),
            {
                forever().await;
            }
        );
    });
    set.block_on(&runtime, yield_once());
    assert_eq!(log.line(), "+a +c");
    drop(set);
    assert_eq!(log.line(), "-c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_task_that_is_aborted_is_cleaned_up_in_its_set() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = tokio::task::spawn_local(async move {
                stays(inside, "it", 3).run(async |()| forever().await).await;
            });
            yield_once().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            drain().await;
            assert_eq!(log.line(), "+it -it");
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn a_dropped_set_does_not_wait_for_a_default_clean_up_inside() {
    let (log, reports) = logs();
    let runtime = paused();
    let gate = Arc::new(Notify::new());
    let set = LocalSet::new();
    set.block_on(&runtime, async {
        poll_and_drop(async {
            async_with!(
                _outer = stays(log.clone(), "outer", 0),
                _inner = gated(log.clone(), "inner", gate.clone()),
                {
                    forever().await;
                }
            );
        });
    });
    drop(set);
    assert_eq!(log.line(), "+outer -outer");
    gate.notify_one();
    runtime.block_on(drain());
    assert_eq!(log.line(), "-inner");
    assert_eq!(reports.line(), "");
}

#[test]
fn with_nowhere_to_go_on_each_is_polled_once_from_the_inside_out() {
    let (log, reports) = logs();
    cut_three(&log, 0);
    assert_eq!(log.line(), "+a +c -c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
    cut_three(&log, 1);
    assert_eq!(log.line(), "+a +c ~b -a");
    assert_eq!(reports.line(), "stays abandoned stays_forever abandoned");
}

#[test]
fn a_runtime_without_a_local_set_is_nowhere_to_go_on() {
    let stderr = in_own_process(|| {
        let (log, reports) = logs();
        paused().block_on(async { cut_three(&log, 0) });
        assert_eq!(log.line(), "+a +c -c ~b -a");
        assert_eq!(reports.line(), "stays_forever abandoned");
        assert_eq!(pending_cleanups().len(), 0);
    });
    assert_eq!(stderr.matches("panicked").count(), 1, "{stderr}");
}

#[test]
fn a_use_dropped_outside_its_set_has_nowhere_to_go_on_but_by_a_spawner() {
    in_own_process(|| {
        let (log, reports) = logs();
        let runtime = paused();
        let set = Rc::new(LocalSet::new());
        let cut = || {
            runtime.block_on(async {
                let used = stays(log.clone(), "it", 3).run(async |()| forever().await);
                let second = Duration::from_secs(1);
                assert!(timeout(second, set.run_until(used)).await.is_err());
            });
            set.block_on(&runtime, drain());
        };
        cut();
        assert_eq!(log.line(), "+it");
        assert_eq!(reports.line(), "stays abandoned");
        let spawner = Rc::downgrade(&set);
        set_local_spawner(move |cleanup| {
            if let Some(set) = spawner.upgrade() {
                set.spawn_local(cleanup);
            }
        });
        cut();
        assert_eq!(log.line(), "+it -it");
        assert_eq!(reports.line(), "");
    });
}

thread_local! {
    static TASKS: RefCell<Vec<LocalCleanup>> = const { RefCell::new(Vec::new()) };
}

fn keep(task: LocalCleanup) {
    TASKS.with_borrow_mut(|tasks| tasks.push(task));
}

/// Polls each task once.
fn turn() {
    for mut task in TASKS.take() {
        if poll_once(task.as_mut()).is_pending() {
            keep(task);
        }
    }
}

#[test]
fn a_spawner_of_the_thread_keeps_the_order() {
    set_local_spawner(keep);
    let (log, reports) = logs();
    let whole = async |goes_on: bool| {
        async_with!(_outer = stays(log.clone(), "outer", 0), {
            poll_and_drop(stays(log.clone(), "inner", 3).run(async |()| forever().await));
            log.push("next");
            if !goes_on {
                forever().await;
            }
        });
    };
    {
        let mut whole = std::pin::pin!(whole(true));
        let mut turns = 0;
        while poll_once(whole.as_mut()).is_pending() {
            turns += 1;
            assert!(turns < 100, "it hangs: {}", log.line());
            turn();
        }
    }
    assert_eq!(log.line(), "+outer +inner next -inner -outer");
    poll_and_drop(whole(false));
    for _ in 0..100 {
        turn();
    }
    assert_eq!(log.line(), "+outer +inner next -inner -outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_spawner_that_drops_what_it_is_given_is_nowhere_to_go_on() {
    set_local_spawner(drop);
    let (log, reports) = logs();
    cut_three(&log, 1);
    assert_eq!(log.line(), "+a +c -c ~b -a");
    assert_eq!(reports.line(), "stays_forever abandoned");
}

#[test]
fn a_spawner_that_panics_is_contained() {
    set_local_spawner(|task| {
        drop(task);
        std::panic::resume_unwind(Box::new("the spawner"));
    });
    let (log, reports) = logs();
    poll_and_drop(async {
        async_with!(
            _a = stays(log.clone(), "a", 0),
            _b = stays(log.clone(), "b", 1),
            {
                forever().await;
            }
        );
    });
    assert_eq!(log.line(), "+a +b -b -a");
    assert_eq!(reports.line(), "stays panicked: the spawner");
}

#[test]
fn a_spawner_that_drops_everything_later_finishes_from_the_inside_out() {
    set_local_spawner(keep);
    for outermost_first in [false, true] {
        let (log, reports) = logs();
        cut_three(&log, 1);
        assert_eq!(log.line(), "+a +c", "nothing is over");
        let mut tasks = TASKS.take();
        if outermost_first {
            tasks.reverse();
        }
        drop(tasks);
        assert_eq!(log.line(), "-c ~b -a", "{outermost_first}");
        assert_eq!(
            reports.line(),
            "stays_forever abandoned",
            "{outermost_first}"
        );
    }
}

#[test]
fn a_spawner_may_set_another_one_and_own_a_clean_up() {
    let (log, reports) = logs();
    let owned = RefCell::new(Vec::new());
    set_local_spawner(move |task| owned.borrow_mut().push(task));
    poll_and_drop(stays(log.clone(), "it", 1).run(async |()| forever().await));
    assert_eq!(log.line(), "+it");
    set_local_spawner(|task| {
        set_local_spawner(keep);
        keep(task);
    });
    assert_eq!(
        log.line(),
        "-it",
        "the former spawner is dropped with its clean-up"
    );
    poll_and_drop(stays(log.clone(), "that", 1).run(async |()| forever().await));
    turn();
    assert_eq!(log.line(), "+that -that");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_thread_that_ends_gives_each_its_last_poll_from_the_inside_out() {
    let (log, reports) = logs();
    std::thread::spawn({
        let (log, reports) = (log.clone(), reports.clone());
        move || {
            crate::support::record_reports(&reports);
            let kept = RefCell::new(Vec::new());
            set_local_spawner(move |task| kept.borrow_mut().push(task));
            cut_three(&log, 1);
            assert_eq!(log.line(), "+a +c");
        }
    })
    .join()
    .unwrap();
    assert_eq!(log.line(), "-c ~b -a");
    // The reporter's list may be gone with the thread.
    assert!(
        pending_cleanups()
            .iter()
            .all(|it| !it.name().contains("local::stays_forever"))
    );
}

#[test]
fn a_use_that_lives_until_its_thread_ends() {
    thread_local! {
        static KEPT: RefCell<Option<Local<'static>>> = const { RefCell::new(None) };
    }

    for in_a_set in [false, true] {
        let (log, _) = logs();
        let thread = std::thread::spawn({
            let log = log.clone();
            move || {
                // Before tokio's thread-locals, so that it is dropped after them.
                KEPT.with(|kept| {
                    let log = log.clone();
                    let mut whole: Local<'static> = Box::pin(async move {
                        async_with!(
                            _a = stays(log.clone(), "a", 0),
                            _b = stays(log.clone(), "b", 0),
                            {
                                forever().await;
                            }
                        );
                    });
                    if in_a_set {
                        LocalSet::new().block_on(&paused(), async {
                            assert!(poll_once(whole.as_mut()).is_pending());
                        });
                    } else {
                        assert!(poll_once(whole.as_mut()).is_pending());
                    }
                    kept.replace(Some(whole));
                });
            }
        });
        thread.join().unwrap();
        assert_eq!(log.line(), "+a +b -b -a", "{in_a_set}");
    }
}

#[test]
fn a_drain_waits_for_the_local_clean_ups_of_its_runtime() {
    for everywhere in [false, true] {
        let (log, reports) = logs();
        LocalSet::new().block_on(&paused(), async {
            poll_and_drop(stays_millis(log.clone(), "it", 50).run(async |()| forever().await));
            if everywhere {
                drain_all().await;
            } else {
                drain().await;
            }
            log.push("drained");
        });
        assert_eq!(log.line(), "-it drained", "{everywhere}");
        assert_eq!(reports.line(), "");
    }
}

#[test]
fn a_drain_inside_a_local_clean_up_does_not_wait_for_itself() {
    #[async_context(local)]
    async fn drains(log: Log) {
        yield_resource!();
        yield_once().await;
        drain().await;
        log.push("drained");
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            poll_and_drop(drains(log.clone()).run(async |()| forever().await));
            poll_and_drop(stays(log.clone(), "beside", 5).run(async |()| forever().await));
        }
    });
    assert_eq!(log.line(), "+beside -beside drained");
    assert_eq!(reports.line(), "");
}

#[test]
fn pending_clean_ups_are_listed_with_what_they_wait_for() {
    in_own_process(|| {
        let gate = Rc::new(Notify::new());
        let (log, _) = logs();
        LocalSet::new().block_on(&paused(), async {
            poll_and_drop(async {
                async_with!(
                    _default = sleeps(log.clone(), "default", 0),
                    _outer = stays(log.clone(), "outer", 0),
                    _inner = stays_gated(log.clone(), "inner", gate.clone()),
                    {
                        forever().await;
                    }
                );
            });
            let listed: Vec<_> = pending_cleanups()
                .iter()
                .map(|it| format!("{} <- {}", it.name(), it.waits_for().join(",")))
                .collect();
            assert_eq!(
                listed
                    .iter()
                    .filter(|line| line.contains("local::"))
                    .collect::<Vec<_>>(),
                [
                    "nest::local::stays_gated <- ",
                    "nest::local::stays <- nest::local::stays_gated",
                ],
                "{listed:?}"
            );
            gate.notify_one();
            drain().await;
            assert_eq!(pending_cleanups().len(), 0);
        });
    });
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
