//! One test for each argument of the `unsafe` code in `guard-core/src/raw`. A sanitizer or valgrind fails a
//! test whose argument is wrong: `.ci/sanitize` runs them, and `.ci/seeded` checks that they notice.
//!
//! `fixtures/no-std` tests the code that exists only without `std`, such as the spin lock.

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

/// The resource. It is stored in the coroutine itself, so it moves if the coroutine moves.
type Array = [u8; 64];

#[async_context]
async fn array() -> Array {
    let mut array = [0; 64];
    yield_once().await;
    yield_resource!(array);
    yield_once().await;
    assert_eq!(array, [7; 64], "the exit sees what the body wrote");
}

#[async_context(scoped)]
async fn scoped_array() -> Array {
    let mut array = [0; 64];
    yield_once().await;
    yield_resource!(array);
    yield_once().await;
    assert_eq!(array, [7; 64], "the exit sees what the body wrote");
}

/// A manager that lends a field of itself.
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
        assert_eq!(self.array, [7; 64], "the exit sees what the body wrote");
        Ok(())
    }
}

const MANAGER: Manager = Manager { array: [0; 64] };

/// Bytes that log their first one when they are dropped. After that nobody may write to them.
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
async fn scoped_bytes(log: &Log) -> Vec<u8> {
    let mut bytes = Bytes(vec![0], log.clone());
    yield_resource!(bytes.0);
}

/// Writes to the borrowed bytes when it is dropped.
struct WritesOnDrop<'a>(&'a mut [u8]);

impl Drop for WritesOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fill(7);
    }
}

/// Writes half of the resource before the guard moves, and the other half after.
fn use_and_move_the_guard(context: impl AsyncContext<Resource = Array, Error = Infallible>) {
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
    // An exit that has begun can be moved too.
    let moved = Box::new(exiting);
    let Ok(()) = block_on(*moved);
}

/// The context stays in its box, and the guard borrows the resource from it.
#[test]
fn a_lent_local_stays_in_place_while_its_guard_is_moved() {
    use_and_move_the_guard(scoped_array());
    use_and_move_the_guard(manage_scoped(MANAGER));
    use_and_move_the_guard(array());
    use_and_move_the_guard(manage(MANAGER));
    use_and_move_the_guard(array().boxed());
}

/// The future of a body borrows from the context beside it.
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
    #[allow(clippy::ptr_arg, reason = "the resource has this type")]
    async fn writes_when_dropped(bytes: &mut Vec<u8>) {
        let _writes = WritesOnDrop(bytes);
        pending::<()>().await;
    }

    let log = &Log::new();
    dropped_in_its_body(log, scoped_bytes(log).run(writes_when_dropped));
    dropped_in_its_body(log, bytes(log.clone()).run(writes_when_dropped));
    let used = bytes(log.clone()).boxed().run(writes_when_dropped);
    dropped_in_its_body(log, used);
    let in_place = async {
        async_with!(bytes = scoped_bytes(log), {
            writes_when_dropped(bytes).await
        });
    };
    dropped_in_its_body(log, in_place);
    let stacked = exit_stack::<Infallible>().run(async |stack| {
        let Ok(bytes) = stack.enter(bytes(log.clone())).await;
        writes_when_dropped(bytes).await;
    });
    dropped_in_its_body(log, stacked);
}

#[test]
fn a_body_that_panics_is_dropped_before_what_it_borrows() {
    let log = &Log::new();
    for scoped in [true, false] {
        let panics = async |bytes: &mut Vec<u8>| {
            let _writes = WritesOnDrop(bytes);
            yield_once().await;
            panic!("in the body")
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if scoped {
                block_on(scoped_bytes(log).run(panics))
            } else {
                block_on(bytes(log.clone()).run(panics))
            }
        }));
        assert!(caught.is_err());
        assert_eq!(log.line(), "dropped at 7");
    }
}

/// A guard owns its context. The resource is a part of the context, and is not freed by itself.
#[test]
fn a_guard_that_is_dropped_frees_what_it_owns_once() {
    let log = &Log::new();
    let Ok(guard) = block_on(scoped_bytes(log).enter());
    drop(guard);
    assert_eq!(log.line(), "dropped at 0");
    let Ok(guard) = block_on(bytes(log.clone()).enter());
    drop(guard);
    assert_eq!(log.line(), "dropped at 0");
    let Ok(guard) = block_on(bytes(log.clone()).enter());
    // The exit is dropped before its first poll.
    drop(guard.exit());
    assert_eq!(log.line(), "dropped at 0");
}

/// A context without destructors: only the allocator notices when it is freed twice.
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

/// A context that enters, and then panics when it is asked for its resource.
struct NoResource {
    _dropped: Dropped,
}

impl AsyncContext for NoResource {
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
fn a_context_whose_resource_panics_is_dropped() {
    type Entering = fn(NoResource);
    let ways: [Entering; 3] = [
        |context| drop(block_on(context.enter())),
        |context| block_on(context.run(async |_| ())),
        |context| {
            let stack = ScopedExitStack::<Infallible>::new();
            let _ = block_on(stack.enter(context));
        },
    ];
    for way in ways {
        let log = Log::new();
        let _dropped = Dropped(log.clone(), "context");
        let context = NoResource { _dropped };
        let entered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| way(context)));
        assert!(entered.is_err());
        assert_eq!(log.line(), "drop(context)");
    }
}

/// The list of entries moves when it grows, and the resources of the entries do not.
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
    // The stack moves with all its entries.
    let mut stack = { stack }.pop_all();
    assert!(block_on(stack.close(Outcome::Completed)).is_ok());
}

/// A keyed resource lies in a box. Several threads may read it while the list grows.
#[test]
fn a_keyed_resource_stays_in_place_while_the_stack_grows() {
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

/// A body that is dropped inside `cancellable!` drops that block first. It writes to a place beside the body.
#[test]
fn a_body_can_be_dropped_inside_cancellable() {
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
    async fn scoped_waits(log: &Log) {
        cancellable!(forever(log));
        yield_resource!();
    }

    let log = &Log::new();
    assert!(poll_times(pin!(waits(log.clone()).run(async |()| ())), 2).is_pending());
    assert_eq!(log.line(), "drop(wait)");
    assert!(poll_times(pin!(scoped_waits(log).run(async |()| ())), 2).is_pending());
    assert_eq!(log.line(), "drop(wait)");
}

/// Calls the function on another thread.
fn on_another_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(call).join().unwrap()
}

/// Runs the clean-ups on another thread, which nobody joins.
fn run_clean_ups_on_another_thread() {
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

/// Covers every `unsafe impl Send`: a coroutine, its resource, and its guard.
#[test]
fn a_context_can_be_on_another_thread_at_every_step() {
    let mut entering = counter().enter();
    let polled = poll_once(pin!(&mut entering));
    let Poll::Ready(Ok(guard)) = polled else {
        panic!("the context enters in the first poll")
    };
    let guard = on_another_thread(move || {
        guard.set(2);
        guard
    });
    guard.set(guard.get() * 2);
    let mut exiting = guard.exit();
    assert!(poll_once(pin!(&mut exiting)).is_pending());
    let Ok(()) = on_another_thread(move || block_on(exiting));

    let mut using = Box::pin(counter().run(async |counter| {
        counter.set(2);
        yield_once().await;
        counter.set(counter.get() * 2);
    }));
    let mut polls = 0;
    let mut ready = false;
    while !ready {
        (ready, using) = on_another_thread(move || (poll_once(using.as_mut()).is_ready(), using));
        polls += 1;
    }
    assert_eq!(polls, 3, "body, exit, end");

    // The guard is dropped on one thread, and its clean-up runs on another.
    run_clean_ups_on_another_thread();
    let Ok(guard) = block_on(counter().enter());
    guard.set(4);
    on_another_thread(move || drop(guard));
    block_on(guard_core::drain());
}

/// Covers every `unsafe impl Sync`.
#[test]
fn a_guard_can_be_read_from_several_threads() {
    let Ok(mut guard) = block_on(array().enter());
    guard.fill(7);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(*guard, [7; 64]));
        }
    });
    let Ok(()) = block_on(guard.exit());
}

/// A context that is not `Sync`, because it uses a `Cell` of its own beside its resource.
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
fn a_guard_of_a_context_that_is_not_sync_can_be_shared_and_then_exited_on_another_thread() {
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
    let guard = Arc::into_inner(guard).expect("the threads have ended");
    let Ok(()) = on_another_thread(move || block_on(guard.exit()));
}

#[test]
fn the_resource_of_an_optional_context_stays_in_place() {
    let mut used = Box::pin(optional(Some(array())).run(async |lent| {
        yield_once().await;
        let lent = lent.get_mut().expect("the context is there");
        *lent = [7; 64];
    }));
    used = on_another_thread(move || {
        assert!(poll_once(used.as_mut()).is_pending());
        used
    });
    block_on(used);
    let Ok(guard) = block_on(optional(Some(array())).enter());
    let mut moved = Box::new(guard);
    *moved.get_mut().expect("the context is there") = [7; 64];
    assert_eq!(moved.get().map(|array| array[0]), Some(7));
    let Ok(()) = block_on(moved.exit());
}

/// A stack adds and takes its entries under its lock.
#[test]
fn other_threads_can_add_entries_while_the_stack_unwinds() {
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

/// No `unsafe` code is tested here, but the ordering of the count: who reads zero sees the writes of the
/// clean-ups.
#[test]
fn the_writes_of_a_clean_up_are_visible_when_none_is_pending() {
    /// A value that is shared without synchronization.
    #[derive(Default)]
    struct Unsynchronized(UnsafeCell<u32>);
    // SAFETY: one thread writes, and another reads after that, if the count is ordered as promised.
    unsafe impl Sync for Unsynchronized {}

    #[async_context]
    async fn writes(shared: Arc<Unsynchronized>) {
        yield_resource!();
        yield_once().await;
        // SAFETY: the other thread reads only after this clean-up has ended.
        unsafe { *shared.0.get() = 7 };
    }

    run_clean_ups_on_another_thread();
    let shared = Arc::<Unsynchronized>::default();
    let Ok(guard) = block_on(writes(shared.clone()).enter());
    drop(guard);
    while !guard_core::pending_cleanups().is_empty() {
        thread::yield_now();
    }
    // SAFETY: the clean-up has ended.
    assert_eq!(unsafe { *shared.0.get() }, 7);
}

/// A thread has a pointer to its current use. It is reset when a destructor unwinds, because that use is
/// dropped.
#[test]
fn a_destructor_that_panics_leaves_no_use_behind() {
    struct PanicOnDrop;
    impl Drop for PanicOnDrop {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a destructor"));
        }
    }

    run_clean_ups_on_another_thread();
    let mut using = Box::pin(array().run(async |array| {
        array.fill(7);
        let _loud = PanicOnDrop;
        pending::<()>().await;
    }));
    assert!(poll_times(using.as_mut(), 2).is_pending());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(using)));
    assert!(dropped.is_err());
    // If the pointer were still set, this guard would be recorded in the nest of the dropped use.
    let Ok(guard) = block_on(counter().enter());
    guard.set(4);
    drop(guard);
    block_on(guard_core::drain_all());
}
