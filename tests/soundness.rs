//! The arguments of the `unsafe` code in `guard-core/src/raw`, one by one, in programs in which a sanitizer
//! or valgrind notices when one does not hold (see `.ci/sanitize`; that they do is shown by `.ci/seeded`).
//!
//! What exists only without `std`, the lock that spins among it, is tried in `fixtures/no-std`.

use std::cell::{Cell, UnsafeCell};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::task::{Context, Poll};
use std::thread;

use guard_core::{
    AsyncContext, AsyncExitStack, AsyncManager, Cleanup, Outcome, ScopedExitStack, async_context,
    async_with, cancellable, exit_stack, manage, manage_scoped, nullcontext, optional,
    yield_resource,
};
use guard_tests::{Dropped, Log, block_on, poll_once, poll_times, yield_once};

/// What is lent: a place in the coroutine itself, which was moved if the coroutine was.
type Array = [u8; 64];

#[async_context]
async fn array() -> Array {
    let mut array = [0; 64];
    yield_once().await;
    yield_resource!(array);
    yield_once().await;
    assert_eq!(array, [7; 64], "what was written there is found");
}

#[async_context(scoped)]
async fn array_here() -> Array {
    let mut array = [0; 64];
    yield_once().await;
    yield_resource!(array);
    yield_once().await;
    assert_eq!(array, [7; 64], "what was written there is found");
}

/// Lends a part of itself.
struct Manager {
    array: Array,
}

impl AsyncManager for Manager {
    type Resource = Array;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Array, Infallible> {
        yield_once().await;
        Ok(&mut self.array)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
        yield_once().await;
        assert_eq!(self.array, [7; 64], "what was written there is found");
        Ok(())
    }
}

const MANAGER: Manager = Manager { array: [0; 64] };

/// Bytes that say in the log what they are when they are dropped: then they can no longer be written to.
struct Bytes(Vec<u8>, Log);

impl Drop for Bytes {
    fn drop(&mut self) {
        self.1.push(format_args!("dropped at {}", self.0[0]));
    }
}

#[async_context]
async fn bytes(log: Log) -> Vec<u8> {
    let mut bytes = Bytes(vec![0], log);
    yield_resource!(bytes.0);
}

#[async_context(scoped)]
async fn bytes_here(log: &Log) -> Vec<u8> {
    let mut bytes = Bytes(vec![0], log.clone());
    yield_resource!(bytes.0);
}

/// Writes to what it borrows when it is dropped.
struct Writes<'a>(&'a mut [u8]);

impl Drop for Writes<'_> {
    fn drop(&mut self) {
        self.0.fill(7);
    }
}

/// Half of what there is to write, before the handle moves, and the other half after.
fn moves_the_handle(context: impl AsyncContext<Resource = Array, Error = Infallible>) {
    let Ok(mut guard) = block_on(context.enter());
    guard[..32].fill(7);
    let mut place = Box::new([Some(guard)]);
    let there = place[0].as_mut().unwrap();
    assert_eq!(there[..32], [7; 32]);
    there[32..].fill(7);
    let back = place[0].take().unwrap();
    drop(place);
    assert_eq!(*back, [7; 64]);
    let mut exiting = back.exit();
    let _ = poll_once(pin!(&mut exiting));
    // A half-run exit can be moved too.
    let moved = Box::new(exiting);
    let Ok(()) = block_on(*moved);
}

/// The context stays in its box, and the resource borrows from it.
#[test]
fn a_lent_local_stays_in_place_while_its_handle_is_moved_about() {
    moves_the_handle(array_here());
    moves_the_handle(manage_scoped(MANAGER));
    moves_the_handle(array());
    moves_the_handle(manage(MANAGER));
    moves_the_handle(array().boxed());
}

/// The future of a body, and the context beside it.
#[test]
fn a_body_is_dropped_before_what_it_borrows() {
    fn dropped_in_its_body(log: &Log, using: impl Future) {
        {
            let mut using = pin!(using);
            assert!(poll_times(using.as_mut(), 3).is_pending());
            assert_eq!(log.line(), "");
        }
        assert_eq!(log.line(), "dropped at 7");
    }
    #[allow(clippy::ptr_arg, reason = "it is what is lent")]
    async fn writes_at_its_end(bytes: &mut Vec<u8>) {
        let _writes = Writes(bytes);
        pending::<()>().await;
    }

    let log = &Log::new();
    dropped_in_its_body(log, bytes_here(log).run(writes_at_its_end));
    dropped_in_its_body(log, bytes(log.clone()).run(writes_at_its_end));
    let used = bytes(log.clone()).boxed().run(writes_at_its_end);
    dropped_in_its_body(log, used);
    let in_place = async {
        async_with!(bytes = bytes_here(log), { writes_at_its_end(bytes).await });
    };
    dropped_in_its_body(log, in_place);
    let stacked = exit_stack::<Infallible>().run(async |stack| {
        let Ok(bytes) = stack.enter(bytes(log.clone())).await;
        writes_at_its_end(bytes).await;
    });
    dropped_in_its_body(log, stacked);
}

#[test]
fn a_body_that_panics_is_dropped_before_what_it_borrows() {
    let log = &Log::new();
    for scoped in [true, false] {
        let panics = async |bytes: &mut Vec<u8>| {
            let _writes = Writes(bytes);
            yield_once().await;
            panic!("in the body")
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if scoped {
                block_on(bytes_here(log).run(panics))
            } else {
                block_on(bytes(log.clone()).run(panics))
            }
        }));
        assert!(caught.is_err());
        assert_eq!(log.line(), "dropped at 7");
    }
}

/// What the guard of a context owns is the context; what it lends is not freed by itself.
#[test]
fn a_guard_that_is_dropped_frees_what_it_owns_once() {
    let log = &Log::new();
    let Ok(guard) = block_on(bytes_here(log).enter());
    drop(guard);
    assert_eq!(log.line(), "dropped at 0");
    let Ok(guard) = block_on(bytes(log.clone()).enter());
    drop(guard);
    assert_eq!(log.line(), "dropped at 0");
    let Ok(guard) = block_on(bytes(log.clone()).enter());
    // Dropped before it is polled.
    drop(guard.exit());
    assert_eq!(log.line(), "dropped at 0");
}

/// A context of nothing but numbers: freed twice, only the allocator would know.
struct Plain(u8);

impl AsyncContext for Plain {
    type Resource = u8;
    type Error = Infallible;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut u8 {
        &mut self.get_mut().0
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_context_without_a_destructor_is_freed_once() {
    let Ok(mut guard) = block_on(Plain(1).enter());
    *guard += 1;
    assert_eq!(*guard, 2);
    drop(guard);
    let Ok(guard) = block_on(Plain(1).enter());
    let Ok(()) = block_on(guard.exit());
}

/// Has nothing to lend after all.
struct Hostile {
    _dropped: Dropped,
}

impl AsyncContext for Hostile {
    type Resource = u8;
    type Error = Infallible;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut u8 {
        panic!("no resource")
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_context_whose_resource_panics_is_dropped_all_the_same() {
    type Entering = fn(Hostile);
    let ways: [Entering; 3] = [
        |hostile| drop(block_on(hostile.enter())),
        |hostile| block_on(hostile.run(async |_| ())),
        |hostile| {
            let stack = ScopedExitStack::<Infallible>::new();
            let _ = block_on(stack.enter(hostile));
        },
    ];
    for way in ways {
        let log = Log::new();
        let _dropped = Dropped(log.clone(), "context");
        let hostile = Hostile { _dropped };
        let entered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| way(hostile)));
        assert!(entered.is_err());
        assert_eq!(log.line(), "drop(context)");
    }
}

/// The list moves when it grows; what its entries lend does not.
#[test]
fn what_a_stack_lends_stays_in_place_while_the_stack_grows() {
    const ENTRIES: usize = 70;

    let stack = AsyncExitStack::<Infallible>::new();
    block_on(async {
        let mut lent: Vec<&mut Array> = Vec::new();
        for _ in 0..ENTRIES {
            let Ok(array) = stack.enter(array()).await;
            lent.push(array);
        }
        lent.into_iter().for_each(|array| array.fill(7));
        let kept = stack.keep(1);
        for _ in 0..ENTRIES {
            stack.callback(|| ());
        }
        *kept += 1;
    });
    // Moved as a whole, with all that is on it.
    let mut stack = { stack }.pop_all();
    assert!(block_on(stack.close(Outcome::Completed)).is_ok());
}

/// What is had by a key lies in a box, and may be looked at by several threads while the list grows.
#[test]
fn what_is_had_by_a_key_stays_in_place_while_the_stack_grows() {
    let stack = AsyncExitStack::<Infallible>::new();
    let key = block_on(stack.enter_keyed(array())).unwrap();
    let had: &Array = &stack[&key];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..10 {
                    let Ok(lent) = block_on(stack.enter(nullcontext([0; 64])));
                    *lent = [number; 64];
                    let Ok(other) = block_on(stack.enter_keyed(nullcontext([number; 64])));
                    assert_eq!(stack[&key], *had);
                    assert_eq!(stack[&other], *lent);
                }
            });
        }
    });
    assert_eq!(*had, [0; 64]);
    let mut moved = { stack }.pop_all();
    moved[&key] = [7; 64];
    assert_eq!(block_on(moved.release(key)), Ok(true));
    assert!(block_on(moved.aclose()).is_ok());
}

/// An open window is shut by its destructor, in a place beside the body that is being dropped.
#[test]
fn a_window_that_is_dropped_open_finds_its_slot() {
    async fn forever(log: &Log) {
        let _dropped = Dropped(log.clone(), "wait");
        pending().await
    }
    #[async_context]
    async fn waits(log: Log) {
        cancellable!(forever(&log));
        yield_resource!();
    }
    #[async_context(scoped)]
    async fn waits_here(log: &Log) {
        cancellable!(forever(log));
        yield_resource!();
    }

    let log = &Log::new();
    assert!(poll_times(pin!(waits(log.clone()).run(async |()| ())), 2).is_pending());
    assert_eq!(log.line(), "drop(wait)");
    assert!(poll_times(pin!(waits_here(log).run(async |()| ())), 2).is_pending());
    assert_eq!(log.line(), "drop(wait)");
}

/// Calls on another thread.
fn elsewhere<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(call).join().unwrap()
}

/// What goes on in the background goes on in a thread, which tells nobody when it is through.
fn finish_elsewhere() {
    static WORKER: LazyLock<mpsc::Sender<Cleanup>> = LazyLock::new(|| {
        let (sender, tasks) = mpsc::channel();
        thread::spawn(|| tasks.into_iter().for_each(block_on));
        sender
    });
    guard_core::set_spawner(|task| WORKER.send(task).unwrap());
}

#[async_context]
async fn counter() -> Cell<u32> {
    let mut counter = Cell::new(1);
    yield_resource!(counter);
    yield_once().await;
    assert_eq!(counter.get(), 4);
}

/// All that is `Send` by an `unsafe impl`: a coroutine, what it has lent, and its guard.
#[test]
fn a_context_may_be_on_another_thread_at_every_step() {
    let mut entering = counter().enter();
    let polled = poll_once(pin!(&mut entering));
    let Poll::Ready(Ok(guard)) = polled else {
        panic!("it is entered at once")
    };
    let guard = elsewhere(move || {
        guard.set(2);
        guard
    });
    guard.set(guard.get() * 2);
    let mut exiting = guard.exit();
    assert!(poll_once(pin!(&mut exiting)).is_pending());
    let Ok(()) = elsewhere(move || block_on(exiting));

    let mut using = Box::pin(counter().run(async |counter| {
        counter.set(2);
        yield_once().await;
        counter.set(counter.get() * 2);
    }));
    let mut polls = 0;
    let mut ready = false;
    while !ready {
        (ready, using) = elsewhere(move || (poll_once(using.as_mut()).is_ready(), using));
        polls += 1;
    }
    assert_eq!(polls, 3, "body, exit, end");

    // Dropped there, and finished on a third one.
    finish_elsewhere();
    let Ok(guard) = block_on(counter().enter());
    guard.set(4);
    elsewhere(move || drop(guard));
    block_on(guard_core::drain());
}

/// All that is `Sync` by an `unsafe impl`.
#[test]
fn a_guard_may_be_looked_at_from_several_threads() {
    let Ok(mut guard) = block_on(array().enter());
    guard.fill(7);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(*guard, [7; 64]));
        }
    });
    let Ok(()) = block_on(guard.exit());
}

/// Adding from elsewhere is under the lock of the stack, and so is taking.
/// A context that uses a `Cell` of its own all the time, so it is not `Sync`, beside what it lends.
#[async_context]
async fn beside_a_cell() -> AtomicUsize {
    let own = Cell::new(0);
    let mut lent = AtomicUsize::new(0);
    yield_once().await;
    own.set(own.get() + 1);
    yield_resource!(lent);
    own.set(own.get() + 1);
    yield_once().await;
    assert_eq!((own.get(), lent.into_inner()), (2, 300));
}

#[test]
fn a_guard_of_a_context_that_is_not_sync_may_be_shared_and_then_exited_elsewhere() {
    let Ok(guard) = block_on(beside_a_cell().boxed().enter());
    let guard = Arc::new(guard);
    let threads = [(); 3].map(|()| {
        let guard = guard.clone();
        thread::spawn(move || {
            for _ in 0..100 {
                guard.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let guard = Arc::into_inner(guard).expect("the threads are gone");
    let Ok(()) = elsewhere(move || block_on(guard.exit()));
}

#[test]
fn an_optional_context_lends_what_is_in_its_box() {
    let mut used = Box::pin(optional(Some(array())).run(async |lent| {
        yield_once().await;
        let lent = lent.get_mut().expect("there is one");
        *lent = [7; 64];
    }));
    let elsewhere = elsewhere(move || {
        assert!(poll_once(used.as_mut()).is_pending());
        used
    });
    block_on(elsewhere);
    let Ok(guard) = block_on(optional(Some(array())).enter());
    let mut moved = Box::new(guard);
    *moved.get_mut().expect("there is one") = [7; 64];
    assert_eq!(moved.get().map(|array| array[0]), Some(7));
    let Ok(()) = block_on(moved.exit());
}

#[test]
fn entries_come_from_other_threads_while_the_stack_unwinds() {
    const EACH: usize = 20;

    let mut stack = AsyncExitStack::<Infallible>::new();
    let ran = Arc::new(AtomicUsize::new(0));
    let threads = [(); 3].map(|()| {
        let (handle, ran) = (stack.handle(), ran.clone());
        thread::spawn(move || {
            for _ in 0..EACH {
                let ran = ran.clone();
                let added = handle.defer(async move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
                assert!(added.is_ok());
            }
        })
    });
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        assert!(block_on(stack.close(Outcome::Completed)).is_ok());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(block_on(stack.close(Outcome::Completed)).is_ok());
    assert_eq!(ran.load(Ordering::Relaxed), 3 * EACH);
}

/// Not `unsafe` in itself, but what is promised of the count: what came before it is seen after it.
#[test]
fn what_a_clean_up_did_is_there_for_whoever_finds_none_pending() {
    /// Shared without any synchronization of its own.
    #[derive(Default)]
    struct Bare(UnsafeCell<u32>);
    // SAFETY: written by one thread and then read by another, if what this tries holds.
    unsafe impl Sync for Bare {}

    #[async_context]
    async fn writes(bare: Arc<Bare>) {
        yield_resource!();
        yield_once().await;
        // SAFETY: nobody reads it before this clean-up is over.
        unsafe { *bare.0.get() = 7 };
    }

    finish_elsewhere();
    let bare = Arc::<Bare>::default();
    let Ok(guard) = block_on(writes(bare.clone()).enter());
    drop(guard);
    while !guard_core::pending_cleanups().is_empty() {
        thread::yield_now();
    }
    // SAFETY: the clean-up is over.
    assert_eq!(unsafe { *bare.0.get() }, 7);
}

/// What is current on a thread is put back when a destructor unwinds: it points into the use that is gone then.
#[test]
fn a_destructor_that_panics_leaves_no_use_behind() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a destructor"));
        }
    }

    finish_elsewhere();
    let mut using = Box::pin(array().run(async |array| {
        array.fill(7);
        let _loud = Loud;
        pending::<()>().await;
    }));
    assert!(poll_times(using.as_mut(), 2).is_pending());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(using)));
    assert!(dropped.is_err());
    // This would be left in the nest of the use that is gone.
    let Ok(guard) = block_on(counter().enter());
    guard.set(4);
    drop(guard);
    block_on(guard_core::drain_all());
}
