//! Many at once: no recursion, on a stack of two mebibytes, and a cost in proportion.

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

use crate::support::{Block, ends, forever, logs, paused, poll_and_drop, workers};

const MANY: usize = 100_000;
const FEWER: usize = 10_000;
/// What a worker of tokio has.
const STACK: usize = 2 << 20;

/// How many have exited; the last one is the outer use.
#[derive(Clone, Default)]
struct Exits(Arc<AtomicUsize>);

impl Exits {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Its exit is pending so many times.
#[async_context]
async fn counted(exits: Exits, pending: usize) {
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    exits.0.fetch_add(1, Ordering::Relaxed);
}

/// Finds this many exited before its own exit.
#[async_context]
async fn comes_after(exits: Exits, count: usize) {
    yield_resource!();
    assert_eq!(exits.count(), count, "it waits for all");
    exits.0.fetch_add(1, Ordering::Relaxed);
}

fn on_a_small_stack(act: impl FnOnce() + Send + 'static) {
    ends(move || {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let result = thread.spawn(act).unwrap().join();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// How the runtime of a use ends.
#[derive(Clone, Copy, Debug)]
enum Then {
    Drained,
    ShutDown,
    None,
}

/// Polls the future once, drops it, and lets the background do what it can.
fn leave(future: Block, then: Then) {
    match then {
        Then::Drained => paused().block_on(async {
            poll_and_drop(future);
            drain().await;
        }),
        Then::ShutDown => paused().block_on(async { poll_and_drop(future) }),
        Then::None => poll_and_drop(future),
    }
}

fn in_one_drop(pending: usize, then: Then) {
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
fn uses_of_one_drop() {
    in_one_drop(2, Then::Drained);
}

#[test]
fn uses_of_one_drop_when_the_runtime_shuts_down() {
    in_one_drop(1, Then::ShutDown);
}

#[test]
fn uses_of_one_drop_without_a_runtime() {
    in_one_drop(0, Then::None);
}

fn cut_one_by_one(pending: usize, in_place: bool) {
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
fn uses_cut_in_one_block() {
    cut_one_by_one(3, true);
    cut_one_by_one(3, false);
}

type Entered = Guard<BoxContext<'static, (), Infallible>>;

/// The exit of the innermost guard is pending so many times, and all others wait for it.
fn tied_guards(pending: usize, outermost_first: bool, then: Then) {
    /// Drops the last one first.
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
fn guards_tied_to_one_another() {
    tied_guards(2, false, Then::Drained);
    tied_guards(2, true, Then::Drained);
}

#[test]
fn guards_tied_to_one_another_when_the_runtime_shuts_down() {
    tied_guards(1, false, Then::ShutDown);
    tied_guards(1, true, Then::ShutDown);
}

#[test]
fn guards_tied_to_one_another_without_a_runtime() {
    tied_guards(0, false, Then::None);
    tied_guards(0, true, Then::None);
}

#[test]
fn guards_tied_to_one_another_on_the_worker_of_a_runtime() {
    ends(|| {
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
                // The last one is dropped first.
                while all.pop().is_some() {}
            }
        });
        runtime.block_on(runtime.spawn(whole)).unwrap();
        assert_eq!(exits.count(), MANY + 1);
        assert_eq!(reports.take(), [""; 0]);
    });
}

/// Counts how often it is polled.
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

/// Ends at a moment of its own, and counts the polls of its exit.
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
fn guards_of_one_body_cost_polls_in_proportion() {
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
fn a_use_that_waits_for_many_is_polled_in_proportion() {
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
fn nested_uses_that_a_drop_leaves_are_finished_by_a_worker() {
    // Their drop recurses, as that of any nested futures does; what comes after it does not.
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
    ends(|| {
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
fn nested_uses_that_a_drop_leaves_when_the_runtime_shuts_down_on_a_small_stack() {
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
