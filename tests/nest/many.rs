//! Many uses at once: the library does not recurse (the tests run on a stack of 2 MiB), and the cost is
//! linear.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use guard_core::{
    AsyncContext, BoxContext, Guard, async_context, async_with, drain, yield_resource,
};
use guard_tests::{poll_once, yield_once};

use crate::support::{Block, forever, logs, must_end, paused, poll_and_drop, workers};

const MANY: usize = 100_000;
const FEWER: usize = 10_000;
/// The stack size of a worker thread of tokio.
const STACK: usize = 2 << 20;

/// The number of exits that have ended.
#[derive(Clone, Default)]
struct Exits(Arc<AtomicUsize>);

impl Exits {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A context whose exit is pending `pending` times.
#[async_context]
async fn counted(exits: Exits, pending: usize) {
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    exits.0.fetch_add(1, Ordering::Relaxed);
}

/// A context that finds `count` others exited before its own exit.
#[async_context]
async fn comes_after(exits: Exits, count: usize) {
    yield_resource!();
    assert_eq!(exits.count(), count, "the exit waits for all the others");
    exits.0.fetch_add(1, Ordering::Relaxed);
}

fn on_a_small_stack(act: impl FnOnce() + Send + 'static) {
    must_end(move || {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let result = thread.spawn(act).unwrap().join();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// What happens to the runtime after the uses were dropped.
#[derive(Clone, Copy, Debug)]
enum Afterwards {
    Drained,
    ShutDown,
    None,
}

/// Polls the future once, drops it, and then runs the clean-ups as `then` says.
fn leave(future: Block, then: Afterwards) {
    match then {
        Afterwards::Drained => paused().block_on(async {
            poll_and_drop(future);
            drain().await;
        }),
        Afterwards::ShutDown => paused().block_on(async { poll_and_drop(future) }),
        Afterwards::None => poll_and_drop(future),
    }
}

fn drop_many_uses_at_once(pending: usize, then: Afterwards) {
    on_a_small_stack(move || {
        let (_, reports) = logs();
        let exits = Exits::default();
        let whole = comes_after(exits.clone(), MANY).run({
            let exits = exits.clone();
            async move |()| {
                let all: Vec<_> = (0..MANY)
                    .map(|_| {
                        let inner = counted(exits.clone(), pending);
                        let mut inner = Box::pin(inner.run(async |()| forever().await));
                        assert!(poll_once(inner.as_mut()).is_pending());
                        inner
                    })
                    .collect();
                forever().await;
                drop(all);
            }
        });
        leave(Box::pin(whole), then);
        assert_eq!(exits.count(), MANY + 1);
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn many_uses_that_are_dropped_at_once_exit() {
    drop_many_uses_at_once(2, Afterwards::Drained);
}

#[test]
fn many_uses_that_are_dropped_at_once_get_a_last_poll_when_the_runtime_shuts_down() {
    drop_many_uses_at_once(1, Afterwards::ShutDown);
}

#[test]
fn many_uses_that_are_dropped_at_once_get_a_last_poll_without_a_runtime() {
    drop_many_uses_at_once(0, Afterwards::None);
}

fn cancel_one_by_one(pending: usize, in_place: bool) {
    on_a_small_stack(move || {
        let exits = Exits::default();
        let whole = comes_after(exits.clone(), MANY).run({
            let exits = exits.clone();
            async move |()| {
                for _ in 0..MANY {
                    let inner = counted(exits.clone(), pending);
                    poll_and_drop(inner.run(async |()| forever().await));
                }
                if !in_place {
                    forever().await;
                }
            }
        });
        paused().block_on(async {
            if in_place {
                whole.await;
            } else {
                poll_and_drop(whole);
                drain().await;
            }
        });
        assert_eq!(exits.count(), MANY + 1);
    });
}

#[test]
fn an_exit_waits_for_many_uses_that_were_cancelled_in_its_block() {
    cancel_one_by_one(3, true);
    cancel_one_by_one(3, false);
}

type Entered = Guard<BoxContext<'static, (), Infallible>>;

/// The exit of the innermost guard is pending `pending` times, and the exits of all others wait for it.
fn drop_many_guards(pending: usize, outermost_first: bool, then: Afterwards) {
    /// Drops its guards in the reverse order of entering.
    struct Backwards(Vec<Entered>);
    impl Drop for Backwards {
        fn drop(&mut self) {
            while let Some(guard) = self.0.pop() {
                drop(guard);
            }
        }
    }

    on_a_small_stack(move || {
        let (_, reports) = logs();
        let exits = Exits::default();
        let whole = comes_after(exits.clone(), MANY).run({
            let exits = exits.clone();
            async move |()| {
                let mut all = Vec::new();
                for left in (0..MANY).rev() {
                    let pending = if left == 0 { pending } else { 0 };
                    let Ok(guard) = counted(exits.clone(), pending).boxed().enter().await;
                    all.push(guard);
                }
                if outermost_first {
                    let _all = all;
                    forever().await;
                } else {
                    let _all = Backwards(all);
                    forever().await;
                }
            }
        });
        leave(Box::pin(whole), then);
        let case = format!("outermost first: {outermost_first}, {then:?}");
        assert_eq!(exits.count(), MANY + 1, "{case}");
        assert_eq!(reports.take(), [""; 0], "{case}");
    });
}

#[test]
fn many_guards_exit_in_order() {
    drop_many_guards(2, false, Afterwards::Drained);
    drop_many_guards(2, true, Afterwards::Drained);
}

#[test]
fn many_guards_get_a_last_poll_when_the_runtime_shuts_down() {
    drop_many_guards(1, false, Afterwards::ShutDown);
    drop_many_guards(1, true, Afterwards::ShutDown);
}

#[test]
fn many_guards_get_a_last_poll_without_a_runtime() {
    drop_many_guards(0, false, Afterwards::None);
    drop_many_guards(0, true, Afterwards::None);
}

#[test]
fn many_guards_exit_in_order_on_a_worker_thread() {
    must_end(|| {
        let (_, reports) = logs();
        let exits = Exits::default();
        let runtime = workers(1, &reports);
        let whole = comes_after(exits.clone(), MANY).run({
            let exits = exits.clone();
            async move |()| {
                let mut all: Vec<Entered> = Vec::new();
                for _ in 0..MANY {
                    let Ok(guard) = counted(exits.clone(), 1).boxed().enter().await;
                    all.push(guard);
                }
                // The guard that was entered last is dropped first.
                while all.pop().is_some() {}
            }
        });
        runtime.block_on(runtime.spawn(whole)).unwrap();
        assert_eq!(exits.count(), MANY + 1);
        assert_eq!(reports.take(), [""; 0]);
    });
}

/// A context whose exit enters `count` guards, and drops them one by one, the last one first.
#[async_context]
async fn drops_guards_in_its_exit(exits: Exits, count: usize) {
    yield_resource!();
    let mut all: Vec<Entered> = Vec::new();
    for younger in (0..count).rev() {
        let Ok(guard) = comes_next(exits.clone(), younger).boxed().enter().await;
        all.push(guard);
    }
    while all.pop().is_some() {}
}

/// A context that finds `count` others exited. If there are none, its exit is pending for a while.
#[async_context]
async fn comes_next(exits: Exits, count: usize) {
    yield_resource!();
    if count == 0 {
        yield_once().await;
    }
    assert_eq!(exits.count(), count, "the younger guards come first");
    exits.0.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn many_guards_that_a_clean_up_drops_exit_in_order() {
    on_a_small_stack(|| {
        let (_, reports) = logs();
        let exits = Exits::default();
        paused().block_on(async {
            let whole = drops_guards_in_its_exit(exits.clone(), MANY);
            poll_and_drop(whole.run(async |()| forever().await));
            drain().await;
        });
        assert_eq!(exits.count(), MANY);
        assert_eq!(reports.take(), [""; 0]);
    });
}

/// A context that cannot be set up.
#[async_context]
async fn is_never_set_up() {
    forever().await;
    yield_resource!();
}

/// A context whose exit drops a use during the set-up of that, for which no exit waits.
#[async_context]
async fn leaves_a_set_up(exits: Exits) {
    yield_resource!();
    poll_and_drop(is_never_set_up().run(async |()| {}));
    yield_once().await;
    exits.0.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn what_the_innermost_of_many_guards_leaves_holds_up_none_of_them() {
    on_a_small_stack(|| {
        let (_, reports) = logs();
        let exits = Exits::default();
        paused().block_on(async {
            let body = async |_: &mut ()| {
                let mut all: Vec<Entered> = Vec::new();
                for _ in 0..MANY {
                    let Ok(guard) = counted(exits.clone(), 0).boxed().enter().await;
                    all.push(guard);
                }
                let Ok(guard) = leaves_a_set_up(exits.clone()).boxed().enter().await;
                all.push(guard);
                while all.pop().is_some() {}
            };
            comes_after(exits.clone(), MANY + 1).run(body).await;
        });
        assert_eq!(exits.count(), MANY + 2);
        assert_eq!(
            reports.take().len(),
            1,
            "the set-up is given up with its runtime"
        );
    });
}

/// A `local` context whose exit is pending once.
#[async_context(local)]
async fn local(exits: Exits) {
    yield_resource!();
    yield_once().await;
    exits.0.fetch_add(1, Ordering::Relaxed);
}

/// Each guard looks for the next older one whose exit waits for it. Half of them are others.
#[test]
fn many_guards_of_both_kinds_exit() {
    for oldest_first in [true, false] {
        must_end(move || {
            let (_, reports) = logs();
            let exits = Exits::default();
            tokio::task::LocalSet::new().block_on(&paused(), async {
                let body = async |_: &mut ()| {
                    let (mut defaults, mut locals) = (Vec::new(), Vec::new());
                    for _ in 0..MANY / 2 {
                        let Ok(guard) = counted(exits.clone(), 1).enter().await;
                        defaults.push(guard);
                    }
                    for _ in 0..MANY / 2 {
                        let Ok(guard) = local(exits.clone()).enter().await;
                        locals.push(guard);
                    }
                    if oldest_first {
                        drop(locals);
                        drop(defaults);
                    } else {
                        while locals.pop().is_some() {}
                        while defaults.pop().is_some() {}
                    }
                };
                counted(exits.clone(), 0).run(body).await;
                drain().await;
            });
            assert_eq!(exits.count(), MANY + 1);
            assert_eq!(reports.take(), [""; 0]);
        });
    }
}

/// A future that counts how often it is polled.
struct Polls<F> {
    future: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Future for Polls<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(cx)
    }
}

/// A context whose exit takes `millis` milliseconds, and counts its polls.
#[async_context]
async fn takes_a_while(polls: Arc<AtomicUsize>, millis: usize) {
    yield_resource!();
    let millis = u64::try_from(millis).unwrap();
    let mut sleep = pin!(tokio::time::sleep(Duration::from_millis(millis)));
    std::future::poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        sleep.as_mut().poll(cx)
    })
    .await;
}

#[test]
fn the_polls_of_many_guards_are_linear() {
    for inside in [true, false] {
        let polls = Arc::new(AtomicUsize::new(0));
        paused().block_on(async {
            let mut guards = Vec::new();
            for number in 0..FEWER {
                let millis = 1 + number * 7919 % 500;
                let Ok(guard) = takes_a_while(polls.clone(), millis).enter().await;
                guards.push(guard);
            }
            if inside {
                let outer = counted(Exits::default(), 0);
                poll_and_drop(outer.run(async |()| {
                    let _guards = guards;
                    forever().await;
                }));
            } else {
                drop(guards);
            }
            drain().await;
        });
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= 3 * FEWER, "inside a use: {inside}: {polls} polls");
    }
}

#[test]
fn the_polls_of_a_use_that_waits_for_many_are_linear() {
    let polls = Arc::new(AtomicUsize::new(0));
    paused().block_on(async {
        let quiet = Arc::new(AtomicUsize::new(0));
        let whole = counted(Exits::default(), 0).run(async |()| {
            for number in 0..FEWER {
                let inner = takes_a_while(quiet.clone(), 1 + number * 7919 % 500);
                poll_and_drop(inner.run(async |()| forever().await));
            }
        });
        let future = Box::pin(whole);
        let polls = polls.clone();
        Polls { future, polls }.await;
    });
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls <= FEWER + 2, "{polls} polls");
}

#[test]
fn many_nested_uses_that_are_dropped_exit_on_a_worker_thread() {
    // The drop of nested futures recurses, as in any Rust code. The clean-ups after it do not.
    fn nest(levels: usize, exits: &Exits) -> Block {
        let exits = exits.clone();
        Box::pin(async move {
            if levels == 0 {
                forever().await;
            }
            let pending = if levels == 1 { 2 } else { 0 };
            async_with!(_it = counted(exits.clone(), pending), {
                nest(levels - 1, &exits).await;
            });
        })
    }

    const LEVELS: usize = 8_000;
    must_end(|| {
        let (_, reports) = logs();
        let exits = Exits::default();
        let runtime = workers(1, &reports);
        let handle = runtime.handle().clone();
        let nested = nest(LEVELS, &exits);
        std::thread::Builder::new()
            .stack_size(1 << 30)
            .spawn(move || {
                let _entered = handle.enter();
                poll_and_drop(nested);
            })
            .unwrap()
            .join()
            .unwrap();
        runtime.block_on(drain());
        assert_eq!(exits.count(), LEVELS);
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn many_nested_uses_that_are_dropped_get_a_last_poll_on_a_small_stack() {
    fn nest(levels: usize, exits: &Exits) -> Block {
        let exits = exits.clone();
        Box::pin(async move {
            if levels == 0 {
                forever().await;
            }
            let pending = usize::from(levels == 1);
            async_with!(_it = counted(exits.clone(), pending), {
                nest(levels - 1, &exits).await;
            });
        })
    }

    const LEVELS: usize = 8_000;
    on_a_small_stack(|| {
        let (_, reports) = logs();
        let exits = Exits::default();
        let runtime = paused();
        let handle = runtime.handle().clone();
        let nested = nest(LEVELS, &exits);
        std::thread::Builder::new()
            .stack_size(1 << 30)
            .spawn(move || {
                let _entered = handle.enter();
                poll_and_drop(nested);
            })
            .unwrap()
            .join()
            .unwrap();
        drop(runtime);
        assert_eq!(exits.count(), LEVELS);
        assert_eq!(reports.take(), [""; 0]);
    });
}
