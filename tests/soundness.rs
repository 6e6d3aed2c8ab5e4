//! Tests of the arguments of the `unsafe` code in `guard-core/src/raw`. A sanitizer or valgrind fails a
//! test whose argument is wrong: `.ci/sanitize` runs them, and `.ci/seeded` checks that they notice.
//!
//! `beside/attacks.rs` has those of what goes on beside a block.
//!
//! `fixtures/no-std` tests the code that exists only without `std`, such as the spin lock.

use std::cell::{Cell, UnsafeCell};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::marker::PhantomPinned;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::task::{Context, Poll};
use std::thread;

use guard_core::{
    AsyncContext, AsyncExitStack, AsyncManager, Cleanup, Outcome, ScopedExitStack, async_context,
    async_with, cancellable, exit_stack, manage, manage_scoped, nullcontext, optional, swap,
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

/// Covers `Send` of a coroutine, of what it lends, and of its guard.
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

/// Covers `Send` of joined contexts and of what goes on beside them.
#[test]
fn joined_contexts_can_be_on_another_thread_at_every_step() {
    #[async_context]
    async fn counted() -> Cell<u32> {
        let (mut counter, mut polls) = (Cell::new(1), 0);
        let beside = std::future::poll_fn(|_| {
            polls += 1;
            Poll::Pending
        });
        yield_resource!(counter, beside);
        yield_once().await;
        assert_eq!((counter.get(), polls), (2, 1));
    }
    let mut using = Box::pin(async {
        async_with!(join(a = counted(), b = counted()), {
            a.set(2);
            yield_once().await;
            b.set(2);
        });
    });
    let mut polls = 0;
    let mut ready = false;
    while !ready {
        (ready, using) = on_another_thread(move || (poll_once(using.as_mut()).is_ready(), using));
        polls += 1;
    }
    assert_eq!(polls, 3, "body, exits, end");
}

/// Covers `Sync` of a handle through which several threads have a context: one of them replaces it, and so drops what goes on
/// beside the one before.
#[test]
fn a_swap_can_be_read_and_replaced_by_several_threads() {
    #[async_context]
    async fn number(number: usize) -> AtomicUsize {
        let mut number = AtomicUsize::new(number);
        let mut polls = 0;
        let beside = std::future::poll_fn(|_| {
            polls += 1;
            Poll::Pending
        });
        yield_resource!(number, beside);
        assert_eq!(polls, 0, "the block never waits");
    }
    block_on(async {
        async_with!(current = swap(number(1)), {
            let current = &*current;
            let (reads, is_read) = mpsc::channel();
            let (replaces, is_replaced) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(move || {
                    let former = current.current();
                    reads.send(()).unwrap();
                    is_replaced.recv().unwrap();
                    assert_eq!(former.fetch_add(1, Ordering::Relaxed), 1);
                });
                scope.spawn(move || {
                    is_read.recv().unwrap();
                    let mut replacing = pin!(current.replace(number(2)));
                    assert!(poll_once(replacing.as_mut()).is_pending(), "it is read");
                    replaces.send(()).unwrap();
                    let Ok(()) = block_on(replacing);
                });
            });
            assert_eq!(current.current().load(Ordering::Relaxed), 2);
        });
    });
}

/// Covers `Sync` of a guard.
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

/// Values that count how many of them are there, and log that they are dropped. The one of this name then panics.
#[derive(Default)]
struct Tally {
    log: Log,
    there: Cell<isize>,
    panics: Cell<&'static str>,
    /// Not a panic, since those of the futures are caught.
    has_moved: Cell<bool>,
}

impl Tally {
    fn value(&self, name: &'static str) -> Counted<'_> {
        self.there.set(self.there.get() + 1);
        Counted {
            tally: self,
            name,
            heap: Box::new(0),
        }
    }

    /// Drops the future after that many polls, and checks that every value was dropped once. Returns whether the future had
    /// ended, and the log. There is a `|` where it was dropped.
    fn dropped_after(&self, polls: usize, future: impl Future) -> (bool, String) {
        let mut future = Box::pin(future);
        let mut ended = false;
        for _ in 0..polls {
            let polled = catch_unwind(AssertUnwindSafe(|| poll_once(future.as_mut()).map(drop)));
            ended = !matches!(polled, Ok(Poll::Pending));
            if ended {
                break;
            }
        }
        self.log.push("|");
        let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
        let line = self.log.line();
        let fault = self.panics.get();
        assert_eq!(self.there.get(), 0, "where `{fault}` panics: {line}");
        assert!(!self.has_moved.get(), "where `{fault}` panics: {line}");
        (ended, line)
    }
}

struct Counted<'a> {
    tally: &'a Tally,
    name: &'static str,
    /// Written to by destructors, for the sanitizers.
    heap: Box<u8>,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.heap += 1;
        self.tally.log.push(self.name);
        self.tally.there.set(self.tally.there.get() - 1);
        if self.tally.panics.get() == self.name && !thread::panicking() {
            std::panic::resume_unwind(Box::new(self.name));
        }
    }
}

/// A context that must not move once it was polled, also where it is dropped.
struct Immovable<'a> {
    lent: Counted<'a>,
    _other: Counted<'a>,
    fails: bool,
    polls: u8,
    at: Option<NonNull<Self>>,
    _pinned: PhantomPinned,
}

impl<'a> Immovable<'a> {
    /// The context does not borrow the argument.
    fn new(tally: &'a Tally, _: &Counted<'_>, fails: bool) -> Self {
        Self {
            lent: tally.value("lent"),
            _other: tally.value("other"),
            fails,
            polls: 0,
            at: None,
            _pinned: PhantomPinned,
        }
    }

    fn poll(self: Pin<&mut Self>) -> Poll<()> {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.at = Some(NonNull::from(&mut *this));
        this.polls += 1;
        // Set-up and exit wait once each.
        if this.polls % 2 == 1 {
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Immovable<'_> {
    fn drop(&mut self) {
        let here = NonNull::from(&mut *self);
        if self.at.is_some_and(|at| at != here) {
            self.lent.tally.has_moved.set(true);
        }
    }
}

impl<'a> AsyncContext for Immovable<'a> {
    type Resource = Counted<'a>;
    type Error = &'static str;

    fn poll_enter(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        std::task::ready!(self.as_mut().poll());
        Poll::Ready(if self.fails { Err("set-up") } else { Ok(()) })
    }

    fn resource(self: Pin<&mut Self>) -> &mut Counted<'a> {
        // SAFETY: the resource is not pinned.
        unsafe { &mut self.get_unchecked_mut().lent }
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), &'static str>> {
        self.poll().map(Ok)
    }
}

/// How the block of a use ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Value,
    Return,
    Jump,
    Fails,
    Panics,
    NotEntered,
}

const WAYS: [Way; 6] = [
    Way::Value,
    Way::Return,
    Way::Jump,
    Way::Fails,
    Way::Panics,
    Way::NotEntered,
];

/// The block moves `captured` when it begins, has `held` until it is dropped, and writes to the resource then.
async fn uses_in_place(tally: &Tally, way: Way) -> Result<(), &'static str> {
    struct Writes<'b, 'a>(&'b mut Counted<'a>);
    impl Drop for Writes<'_, '_> {
        fn drop(&mut self) {
            *self.0.heap += 1;
        }
    }

    let _before = tally.value("before");
    let captured = tally.value("captured");
    let held = tally.value("held");
    let fails = way == Way::NotEntered;
    'jump: {
        async_with!(
            lent = Immovable::new(tally, &tally.value("temporary"), fails)?,
            {
                let _writes = Writes(lent);
                let _local = tally.value("local");
                let _moved = captured;
                yield_once().await;
                match way {
                    Way::Return => return Ok(()),
                    Way::Jump => break 'jump,
                    Way::Fails => Err("block")?,
                    Way::Panics => std::panic::resume_unwind(Box::new("block")),
                    Way::Value => (),
                    Way::NotEntered => drop(held),
                }
            }
        );
        return Ok(());
    }
    Err("jump")
}

async fn uses_inside_another(tally: &Tally, way: Way) -> Result<(), &'static str> {
    let captured = tally.value("captured");
    let fails = way == Way::NotEntered;
    let outer = tally.value("outer");
    async_with!(
        _outer = Immovable::new(tally, &outer, false)?,
        _inner = Immovable::new(tally, &outer, fails)?,
        {
            let _moved = captured;
            yield_once().await;
            match way {
                Way::Fails => Err("block")?,
                Way::Panics => std::panic::resume_unwind(Box::new("block")),
                _ => return Ok(()),
            }
        }
    )
}

/// What goes on beside the outer block ends it, and so the inner use.
async fn uses_that_are_ended(tally: &Tally, way: Way) -> Result<(), &'static str> {
    #[async_context(scoped)]
    async fn ends_its_block(tally: &Tally, way: Way) -> Result<Counted<'_>, &'static str> {
        let mut lent = tally.value("outer lent");
        let beside = tally.value("beside");
        let own = async {
            let _beside = beside;
            // In the set-up of the inner use, or in its block.
            for _ in 0..(way as u8) {
                yield_once().await;
            }
            Err("beside")
        };
        yield_resource!(lent, own);
        Ok(())
    }
    let captured = tally.value("captured");
    async_with!(
        _outer = ends_its_block(tally, way)?,
        _inner = Immovable::new(tally, &captured, false)?,
        {
            let _local = tally.value("local");
            pending::<()>().await;
            drop(captured);
        }
    );
    Ok(())
}

/// The use drops the block and the context, which nothing else drops: at its end, or where it is dropped.
#[test]
fn a_block_and_its_context_are_dropped_once_whatever_panics() {
    const NAMES: [&str; 11] = [
        "",
        "before",
        "captured",
        "held",
        "lent",
        "other",
        "temporary",
        "local",
        "outer",
        "outer lent",
        "beside",
    ];

    fn tried<'a, F: Future>(tally: &'a Tally, program: impl Fn(&'a Tally, Way) -> F) {
        for panics in NAMES {
            tally.panics.set(panics);
            for way in WAYS {
                let mut polls = 0;
                while !tally.dropped_after(polls, program(tally, way)).0 {
                    polls += 1;
                    assert!(polls < 20, "{way:?} does not end");
                }
            }
        }
    }

    // Keeps the reports about scoped contexts off the terminal.
    let _reports = guard_core::testing::reports();
    let tally = &Tally::default();
    tried(tally, uses_in_place);
    tried(tally, uses_inside_another);
    tried(tally, uses_that_are_ended);
}

/// The resource names are references. They have no destructors.
#[test]
fn a_use_drops_its_block_then_its_context_and_temporaries_of_the_expression_come_after() {
    let _reports = guard_core::testing::reports();
    let tally = &Tally::default();
    for way in WAYS {
        let after = |polls| tally.dropped_after(polls, uses_in_place(tally, way)).1;
        assert_eq!(after(0), "|");
        assert_eq!(after(1), "| captured held lent other temporary before");
        if way == Way::NotEntered {
            assert_eq!(after(2), "captured held lent other temporary before |");
            continue;
        }
        assert_eq!(
            after(2),
            "| captured local held lent other temporary before"
        );
        assert_eq!(
            after(3),
            "captured local held | lent other temporary before"
        );
        assert_eq!(
            after(4),
            "captured local held lent other temporary before |"
        );
    }
}
