//! A hundred thousand uses do not grow the memory, and a use and an empty exit stack allocate no more than they must.
//!
//! The test is alone in its process, which has one allocator. The allocator counts by thread, because the
//! thread of the test harness allocates too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Waker};

use guard_core::{
    AsyncContext, AsyncExitStack, BoxContext, Cleanup, Guard, Outcome, ScopedExitStack,
    async_context, async_with, drain, exit_stack, task_group, yield_resource,
};
use guard_tests::{block_on, poll_once, yield_once};

/// The system's allocator, with counters.
struct Counting;

thread_local! {
    /// The number of bytes that are allocated.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// How many bytes were ever allocated.
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    let bytes = isize::try_from(bytes).expect("the size of a layout fits in an isize");
    LIVE.set(LIVE.get() + sign * bytes);
}

// SAFETY: every call is passed on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        ALLOCATED.set(ALLOCATED.get() + layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the pointer comes from `alloc`, which got it from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CYCLES: usize = 100_000;
/// The number of cycles for uses that are rare in practice.
const FEWER: usize = 10_000;

thread_local! {
    static BACKGROUND: RefCell<Vec<Cleanup>> = const { RefCell::new(Vec::new()) };
}

#[async_context]
async fn session() -> [u8; 64] {
    let mut resource = [1; 64];
    yield_once().await;
    yield_resource!(resource);
    yield_once().await;
    yield_once().await;
}

#[async_context]
async fn nothing() {
    yield_resource!();
    yield_once().await;
}

#[async_context(scoped)]
async fn borrowing(resource: &mut [u8; 64]) -> [u8; 64] {
    yield_resource!(*resource);
    yield_once().await;
}

/// A use that enters, runs its body and exits.
fn whole() {
    block_on(async {
        async_with!(outer = session(), {
            outer[0] += 1;
            borrowing(outer).run(async |inner| inner[1] += 1).await;
        });
    });
}

/// A use that is dropped after this many polls. The background finishes its clean-up.
fn cancelled(polls: usize) {
    {
        let mut using = pin!(session().run(async |outer| {
            outer[0] += 1;
            session().run(async |_| yield_once().await).await;
        }));
        for _ in 0..polls {
            assert!(poll_once(using.as_mut()).is_pending());
        }
    }
    finish_background();
}

fn finish_background() {
    let tasks = BACKGROUND.with_borrow_mut(std::mem::take);
    tasks.into_iter().for_each(block_on);
}

/// A use that is dropped, and whose clean-up is dropped too.
fn abandoned() {
    drop(block_on(session().enter()));
    let tasks = BACKGROUND.with_borrow_mut(std::mem::take);
    drop(tasks);
}

/// Polled once and dropped while it is set up or used. Its clean-up is then left to the background.
fn cut(using: impl Future) {
    assert!(poll_once(pin!(using)).is_pending());
}

/// The most that the cycles of one block add to what is allocated, the first ones excepted. Each cycle leaves a
/// clean-up and a set-up in the nest of the block's use; the background finishes them a few at a time.
fn growth_in_one_block(cycles: usize) -> isize {
    const AT_A_TIME: usize = 16;
    let most = Cell::new(0);
    block_on(async {
        async_with!(_server = borrowing(&mut [0; 64]), {
            let cycle = |round: usize| {
                cut(session().run(async |_| {}));
                cut(nothing().run(async |()| yield_once().await));
                if round.is_multiple_of(AT_A_TIME) {
                    finish_background();
                }
            };
            (0..1000).for_each(cycle);
            let before = LIVE.get();
            for round in 0..cycles / every() {
                cycle(round);
                most.set(most.get().max(LIVE.get() - before));
            }
            // The exit waits for them.
            finish_background();
        });
    });
    most.get()
}

/// How many bytes are allocated for one use that is cut while `going_on` others go on in the same nest. For each that
/// is cut, one ends that was cut long before: a list that is cleared of those each time would be copied each time.
fn bytes_to_cut_one_of_many(going_on: usize) -> usize {
    let bytes = Cell::new(0);
    block_on(async {
        async_with!(_server = borrowing(&mut [0; 64]), {
            let mut tasks = VecDeque::new();
            let mut cycle = || {
                cut(nothing().run(async |()| yield_once().await));
                tasks.extend(BACKGROUND.with_borrow_mut(std::mem::take));
                if tasks.len() > going_on {
                    block_on(tasks.pop_front().unwrap());
                }
            };
            (0..2 * going_on).for_each(|_| cycle());
            let before = ALLOCATED.get();
            (0..going_on).for_each(|_| cycle());
            bytes.set((ALLOCATED.get() - before) / going_on);
            tasks.into_iter().for_each(block_on);
        });
    });
    bytes.get()
}

/// The most that the tasks of one group add to what is allocated, the first ones excepted. Each leaves a clean-up.
fn growth_in_one_group(tasks: usize) -> isize {
    let most = Cell::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        async_with!(
            group = task_group::<Infallible>().expect("no task fails"),
            {
                let mut before = 0;
                for round in 0..tasks / every() {
                    if round == 1000 {
                        before = LIVE.get();
                    }
                    let task = group.spawn(async {
                        cut(nothing().run(async |()| yield_once().await));
                        Ok(())
                    });
                    task.await.expect("it was not aborted");
                    drain().await;
                    if round >= 1000 {
                        most.set(most.get().max(LIVE.get() - before));
                    }
                }
            }
        );
    });
    most.get()
}

#[async_context]
async fn is_never_set_up() {
    std::future::pending::<()>().await;
    yield_resource!();
}

type Inner = BoxContext<'static, (), Infallible>;

/// A context that holds two guards, the younger one of a context that does so too, to this depth. The innermost one has
/// dropped a use during its set-up, for which no exit waits: each clean-up leaves it to those around it.
#[async_context]
async fn two_guards(levels: usize) {
    let guards: Option<(Guard<Inner>, Guard<Inner>)> = if levels == 0 {
        cut(is_never_set_up().run(async |()| {}));
        None
    } else {
        let Ok(older) = nothing().boxed().enter().await;
        let Ok(younger) = two_guards(levels - 1).boxed().enter().await;
        Some((older, younger))
    };
    yield_resource!();
    yield_once().await;
    drop(guards);
}

/// A context that holds so many guards, the youngest of which has dropped a use during its set-up.
#[async_context]
async fn guards_around_a_set_up(count: usize) {
    let mut guards: Vec<Guard<Inner>> = Vec::new();
    for _ in 0..count {
        let Ok(guard) = nothing().boxed().enter().await;
        guards.push(guard);
    }
    let Ok(innermost) = two_guards(0).boxed().enter().await;
    guards.push(innermost);
    yield_resource!();
    yield_once().await;
    while guards.pop().is_some() {}
}

/// A context whose exit drops a use, for which it waits at its end.
#[async_context]
async fn cuts_in_its_exit() {
    yield_resource!();
    cut(nothing().run(async |()| yield_once().await));
    yield_once().await;
}

/// A context whose exit enters so many guards, and drops them one by one.
#[async_context]
async fn guards_in_its_exit(count: usize, cut_in_exits: bool) {
    yield_resource!();
    let mut guards: Vec<Guard<Inner>> = Vec::new();
    for _ in 0..count {
        let inner = if cut_in_exits {
            cuts_in_its_exit().boxed()
        } else {
            nothing().boxed()
        };
        let Ok(guard) = inner.enter().await;
        guards.push(guard);
    }
    while guards.pop().is_some() {}
}

/// How many bytes are allocated for a use that is cut in its block, and for all that follows, but for `endless`
/// clean-ups that never end.
fn bytes_to_cut<C: AsyncContext<Error = Infallible>>(context: C, endless: usize) -> usize {
    let before = ALLOCATED.get();
    cut(context.run(async |_| std::future::pending::<()>().await));
    let mut tasks = Vec::new();
    loop {
        tasks.extend(BACKGROUND.with_borrow_mut(std::mem::take));
        if tasks.len() <= endless {
            break;
        }
        tasks.retain_mut(|task| poll_once(task.as_mut()).is_pending());
    }
    let bytes = ALLOCATED.get() - before;
    drop(tasks);
    bytes
}

/// Asserts that `bytes` of twice `count` is about twice as much.
#[track_caller]
fn assert_linear(count: usize, bytes: impl Fn(usize) -> usize) {
    let [once, twice] = [count, 2 * count].map(bytes);
    assert!(
        twice < 3 * once,
        "{once} bytes, and {twice} for twice as many"
    );
}

/// What a number of cycles adds to what is allocated, the first ones excepted, which may fill caches.
fn growth(cycles: usize, cycle: impl Fn(usize)) -> isize {
    let cycles = cycles / every();
    (0..100).for_each(&cycle);
    let before = LIVE.get();
    (0..cycles).for_each(&cycle);
    LIVE.get() - before
}

/// Divides the number of cycles, where a few are enough, as for `.ci/seeded`.
fn every() -> usize {
    std::env::var("GUARD_MEMORY_EVERY").map_or(1, |every| every.parse().unwrap())
}

/// The number of allocations of `action`.
fn allocations(action: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

/// Exit stacks without entries: dropped, closed and used.
fn empty_stacks() {
    drop(AsyncExitStack::<()>::new());
    drop(ScopedExitStack::<()>::new());
    let mut stack = AsyncExitStack::<()>::new();
    assert!(poll_once(pin!(stack.close(Outcome::Completed))).is_ready());
    let using = pin!(async { async_with!(_stack = exit_stack::<()>(), {}) });
    assert!(poll_once(using).is_ready());
}

/// A complete use of a scoped context, which suspends in its block and its exit.
fn scoped_use() {
    let mut using = pin!(async {
        let mut resource = [0; 64];
        async_with!(lent = borrowing(&mut resource), {
            yield_once().await;
            lent[0] += 1;
        });
        borrowing(&mut resource)
            .run(async |lent| lent[1] += 1)
            .await;
    });
    while poll_once(using.as_mut()).is_pending() {}
}

/// A complete use of a guaranteed context, which suspends in its set-up, its block and its exit.
fn default_use() {
    let mut using = pin!(async {
        async_with!(lent = session(), {
            yield_once().await;
            lent[0] += 1;
        });
    });
    while poll_once(using.as_mut()).is_pending() {}
}

#[test]
fn many_uses_leave_memory_as_it_was_and_none_allocates_more_than_it_must() {
    guard_core::set_spawner(|task| BACKGROUND.with_borrow_mut(|tasks| tasks.push(task)));
    guard_core::set_reporter(|_| {});

    assert_eq!(growth(CYCLES, |_| whole()), 0, "entered and exited");
    // The polls reach the set-up, the body, the inner set-up, the inner body, the inner exit and the exit.
    assert_eq!(growth(CYCLES, |round| cancelled(round % 8)), 0, "cancelled");
    assert_eq!(growth(FEWER, |_| abandoned()), 0, "abandoned");
    // Some entries of clean-ups that have ended stay in the list of the use until it grows.
    let grown = growth_in_one_block(CYCLES);
    assert!(grown < 64 << 10, "cut in one block: {grown} bytes more");
    let grown = growth_in_one_group(FEWER);
    assert!(grown < 16 << 10, "tasks of one group: {grown} bytes more");
    for going_on in [4000, 4095, 4096, 4097] {
        let bytes = bytes_to_cut_one_of_many(going_on);
        assert!(bytes < 4000, "one of {going_on}: {bytes} bytes");
    }

    // What a clean-up leaves goes through all those around it.
    assert_linear(8, |levels| bytes_to_cut(two_guards(levels), 1));
    assert_linear(500, |count| bytes_to_cut(guards_around_a_set_up(count), 1));
    for cut_in_exits in [false, true] {
        assert_linear(500, |count| {
            bytes_to_cut(guards_in_its_exit(count, cut_in_exits), 0)
        });
    }

    // A drain that is polled once and dropped, as by a timeout, while a clean-up is pending.
    let guard = block_on(session().enter());
    drop(guard);
    assert_eq!(guard_core::pending_cleanups().len(), 1);
    let gives_up = |round: usize| {
        let waker = if round & 1 == 0 {
            Waker::noop()
        } else {
            futures::task::noop_waker_ref()
        };
        let mut draining = pin!(drain());
        let polled = draining.as_mut().poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    };
    assert_eq!(growth(FEWER, gives_up), 0, "drained in vain");
    BACKGROUND.with_borrow_mut(Vec::clear);
    assert_eq!(guard_core::pending_cleanups().len(), 0);

    // The nest of a use is on the heap only when a clean-up was handed off.
    assert_eq!(allocations(scoped_use), 0, "a scoped use");
    assert_eq!(allocations(default_use), 1, "a default use");
    assert_eq!(allocations(empty_stacks), 0, "empty stacks");
    let filled = || *AsyncExitStack::<()>::new().keep(1) += 1;
    assert!(allocations(filled) > 0, "a stack with an entry allocates");
}
