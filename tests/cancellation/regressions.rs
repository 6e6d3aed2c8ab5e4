//! Mistakes that other libraries have made. Each test has the name of the place where its mistake was made.
//!
//! Not here, because there is nothing in this crate that could be wrong in that way:
//! - <https://github.com/typelevel/cats-effect/issues/1136> (race losers that stay registered): `memory.rs`
//!   counts bytes, with a `drain()` that is given up among the cycles.
//! - <https://github.com/tokio-rs/tokio/pull/7979> (a cancelled `open` loses its descriptor): the crate opens
//!   nothing. What a set-up opens is owned by the set-up, which is finished or dropped as a whole.
//! - The `PureConc` interpreter of cats-effect, a reference model with a bug of its own: our model is
//!   compared with the real thing by `fuzz`, and our invariants are tested by `mutants`.
//! - <https://github.com/nolife-rs/nolife/issues/7>, async-stream #107 (lifetimes and variance of what is
//!   lent): those programs must not compile, which the `ui` tests show.

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use guard_core::{
    AsyncContext, TimeoutError, TryWithError, async_context, async_with, cancellable, drain,
    yield_resource,
};
use guard_tests::{Log, block_on, poll_once, poll_times, yield_once};
use tokio::sync::{Mutex, Semaphore};

use crate::own_process::in_own_process;
use crate::simulation;

/// Counts what is open.
#[derive(Clone, Default)]
struct Pool(Arc<AtomicUsize>);

impl Pool {
    fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Ready in the poll in which it takes.
    async fn take(&self) {
        yield_once().await;
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    async fn give_back(&self) {
        yield_once().await;
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_context]
async fn connection(pool: Pool) {
    pool.take().await;
    // What was taken is known to nobody else yet.
    yield_once().await;
    yield_resource!();
    pool.give_back().await;
}

#[async_context]
async fn named(log: Log, name: &'static str) -> Result<(), Infallible> {
    let outcome = yield_resource!();
    yield_once().await;
    log.push(format_args!("{name}({outcome:?})"));
    Ok(())
}

#[test]
fn cats_effect_4489_a_timeout_around_a_use_loses_no_finalizer() {
    // The reproducer: `timeout(1.hour)` around a resource, ten thousand times; every third is cancelled.
    in_own_process(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let pool = Pool::default();
            for round in 0..10_000 {
                let using = connection(pool.clone()).run(async move |()| {
                    if round % 3 == 0 {
                        std::future::pending::<()>().await;
                    }
                });
                let timed = tokio::time::timeout(Duration::from_secs(3600), using);
                let task = tokio::spawn(timed);
                if round % 3 == 0 {
                    if round % 2 == 0 {
                        tokio::task::yield_now().await;
                    }
                    task.abort();
                }
                let _ = task.await;
            }
            drain().await;
            assert_eq!(pool.open(), 0);
        });
    });
}

#[test]
fn keypool_708_nothing_is_lost_between_acquiring_and_registering() {
    simulation::install();
    let pool = Pool::default();
    for polls in 0..8 {
        let mut using = Box::pin(connection(pool.clone()).run(async |()| yield_once().await));
        let _ = poll_times(using.as_mut(), polls);
        drop(using);
        simulation::finish_background();
        assert_eq!(pool.open(), 0, "dropped after {polls} polls");
    }
}

#[test]
fn cats_effect_3474_a_value_that_arrives_with_the_cancellation_is_released() {
    #[async_context]
    async fn permit(semaphore: Arc<Semaphore>) {
        let permit = cancellable!(semaphore.acquire()).unwrap();
        yield_once().await;
        yield_resource!();
        drop(permit);
    }

    simulation::install();
    let semaphore = Arc::new(Semaphore::new(0));
    for polls_after in 0..2 {
        let mut entering = Box::pin(permit(semaphore.clone()).enter());
        assert!(poll_once(entering.as_mut()).is_pending());
        semaphore.add_permits(1);
        assert!(poll_times(entering.as_mut(), polls_after).is_pending());
        drop(entering);
        simulation::finish_background();
        assert_eq!(semaphore.available_permits(), 1);
        semaphore.forget_permits(1);
    }
}

#[test]
fn wireup_141_cancellation_releases_all_and_not_only_the_last() {
    simulation::install();
    let log = Log::new();
    let mut using = Box::pin({
        let log = log.clone();
        async move {
            async_with!(
                _a = named(log.clone(), "a"),
                _b = named(log.clone(), "b"),
                _c = named(log, "c"),
                {
                    std::future::pending::<()>().await;
                }
            );
        }
    });
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);
    simulation::finish_background();
    assert_eq!(log.line(), "c(Cancelled) b(Cancelled) a(Cancelled)");
}

#[tokio::test(start_paused = true)]
async fn trio_455_a_cancelled_exit_does_not_eat_the_bodys_error() {
    #[async_context]
    async fn hangs_in_its_exit() {
        yield_resource!();
        std::future::pending::<()>().await;
    }

    simulation::install();
    let bounded = hangs_in_its_exit().exit_timeout(Duration::from_secs(1));
    let result = bounded
        .try_with(async |()| Err::<(), _>("the body's"))
        .await;
    let both = TryWithError::BodyAndExit {
        body: "the body's",
        exit: TimeoutError::TimedOut,
    };
    assert_eq!(result, Err(both));
}

#[test]
fn python_sdk_79_a_context_may_be_exited_by_another_task() {
    simulation::install();
    let log = Log::new();
    let guard = block_on(named(log.clone(), "a").enter());
    let Ok(guard) = guard;
    let exiting = std::thread::spawn(|| block_on(guard.exit()));
    exiting.join().unwrap().unwrap();
    assert_eq!(log.line(), "a(Completed)");
}

#[test]
fn python_sdk_1213_a_failed_enter_unwinds_in_order() {
    #[async_context]
    async fn fails() -> Result<(), &'static str> {
        if true {
            return Err("no");
        }
        yield_resource!();
        Ok(())
    }

    async fn three(log: Log) -> Result<(), &'static str> {
        async_with!(
            _a = named(log.clone(), "a"),
            _b = named(log.clone(), "b"),
            _c = fails()?,
            {
                log.push("body");
            }
        );
        Ok(())
    }

    let log = Log::new();
    assert_eq!(block_on(three(log.clone())), Err("no"));
    assert_eq!(log.line(), "b(Failed(())) a(Failed(()))");
}

#[test]
fn bpo_27122_the_chain_of_errors_is_as_long_as_there_are_errors() {
    #[derive(Debug)]
    struct Link(&'static str);
    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Error for Link {}

    #[async_context]
    async fn fails_to_exit() -> Result<(), Link> {
        yield_resource!();
        Err(Link("exit"))
    }

    fn chain(error: &dyn Error) -> Vec<String> {
        let sources = std::iter::successors(Some(error), |&error| error.source());
        sources.map(ToString::to_string).take(10).collect()
    }

    let exit = block_on(fails_to_exit().try_with(async |()| Ok::<_, Link>(())));
    let whole = chain(&exit.unwrap_err());
    assert_eq!(whole, ["could not clean up: exit", "exit"]);

    let both = block_on(fails_to_exit().try_with(async |()| Err::<(), _>(Link("body"))));
    let whole = chain(&both.unwrap_err());
    assert_eq!(whole, ["body (and could not clean up: exit)"]);
}

#[test]
fn zio_11115_what_a_drop_switches_on_is_switched_off_whatever_happens() {
    // While a use is dropped, what else is dropped belongs to it. A destructor of the body that panics must
    // not leave that on, or the next clean-up would be waited for by a use that is gone.
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            resume_unwind(Box::new("in a destructor"));
        }
    }

    simulation::install();
    let log = Log::new();
    let mut using = Box::pin(named(log.clone(), "a").run(async |()| {
        let _panics = Panics;
        std::future::pending::<()>().await;
    }));
    assert!(poll_once(using.as_mut()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(using))).is_err());
    simulation::finish_background();
    assert_eq!(log.line(), "a(Cancelled)");

    drop(block_on(named(log.clone(), "b").enter()));
    simulation::finish_background();
    assert_eq!(log.line(), "b(Cancelled)");
}

#[tokio::test(start_paused = true)]
async fn zio_common_pitfalls_a_deadline_fires_in_a_clean_up_that_nothing_interrupts() {
    #[async_context]
    async fn uninterruptible() {
        yield_resource!();
        std::future::pending::<()>().await;
    }

    simulation::install();
    let guard = uninterruptible()
        .exit_timeout(Duration::from_secs(1))
        .enter();
    assert_eq!(
        guard.await.unwrap().exit().await,
        Err(TimeoutError::TimedOut)
    );
}

#[test]
fn mysql_async_50_drain_is_a_barrier_before_the_next_open() {
    in_own_process(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let pool = Pool::default();
            for _ in 0..100 {
                drop(connection(pool.clone()).enter().await);
                drain().await;
                assert_eq!(pool.open(), 0);
            }
        });
    });
}

#[test]
fn qorb_77_nothing_keeps_itself_alive() {
    #[async_context]
    async fn holds(shared: Arc<()>) -> Arc<()> {
        let mut shared = shared;
        yield_once().await;
        yield_resource!(shared);
        yield_once().await;
        yield_once().await;
    }

    simulation::install();
    let shared = Arc::new(());
    for polls in 0..5 {
        let mut using = Box::pin(holds(shared.clone()).run(async |_| yield_once().await));
        let _ = poll_times(using.as_mut(), polls);
        drop(using);
        simulation::finish_background();
        assert_eq!(Arc::strong_count(&shared), 1, "dropped after {polls} polls");
    }
}

#[tokio::test]
async fn omicron_9259_a_future_that_is_put_aside_gives_its_lock_back_when_it_is_dropped() {
    // Futurelock: `select!` on a reference leaves the future as it is, with all it holds. Nothing can be
    // done for it then; but dropping it is enough, also from outside of its own task.
    #[async_context]
    async fn locked(lock: Arc<Mutex<()>>) {
        let held = cancellable!(lock.lock_owned());
        yield_resource!();
        drop(held);
    }

    let lock = Arc::new(Mutex::new(()));
    let mut using =
        Box::pin(locked(lock.clone()).run(async |()| std::future::pending::<()>().await));
    let () = tokio::select! {
        biased;
        never = &mut using => never,
        () = std::future::ready(()) => {}
    };
    assert!(lock.try_lock().is_err());
    drop(using);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn dotnet_stacked_using_a_constructor_that_throws_does_not_leak_the_first() {
    fn constructor(log: Log) -> impl AsyncContext<Resource = (), Error = Infallible> {
        if !log.take().is_empty() {
            resume_unwind(Box::new("in the constructor"));
        }
        named(log, "second")
    }

    let log = Log::new();
    let using = async {
        async_with!(_first = named(log.clone(), "first"), {
            log.push("so that it throws");
            async_with!(_second = constructor(log.clone()), {});
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(using))).is_err());
    assert_eq!(log.line(), "first(Panicked)");
}

#[test]
fn effect_a_replacement_survives_the_failing_clean_up_of_what_it_replaces() {
    #[async_context]
    async fn replaceable(log: Log, fails: bool) -> Result<(), &'static str> {
        yield_resource!();
        log.push("exited");
        if fails { Err("stale") } else { Ok(()) }
    }

    simulation::install();
    let log = Log::new();
    let mut slot = block_on(replaceable(log.clone(), true).enter()).unwrap();
    let replacement = block_on(replaceable(log.clone(), false).enter()).unwrap();
    drop(std::mem::replace(&mut slot, replacement));
    assert_eq!(log.line(), "exited");
    assert_eq!(simulation::reports_containing("::replaceable`").len(), 1);
    assert_eq!(block_on(slot.exit()), Ok(()));
    assert_eq!(log.line(), "exited");
}

/// Touches what it borrows when it is dropped.
struct Touches<'a>(&'a mut Vec<u8>);

impl Drop for Touches<'_> {
    fn drop(&mut self) {
        self.0.push(1);
    }
}

#[test]
fn async_gen_the_slot_outlives_the_body_also_while_it_is_dropped() {
    // A body that is dropped at its yield, with a destructor that uses what was lent, on both sides of
    // the yield. Freed memory is noticed by the sanitizers.
    #[async_context]
    async fn touched() -> Vec<u8> {
        let mut bytes = vec![0; 100];
        let touches = Touches(&mut bytes);
        yield_resource!(*touches.0);
        drop(touches);
    }

    #[async_context(scoped)]
    async fn touched_here(bytes: &mut Vec<u8>) -> Vec<u8> {
        let touches = Touches(bytes);
        yield_resource!(*touches.0);
        drop(touches);
    }

    simulation::install();
    let mut using = Box::pin(touched().run(async |bytes| {
        let _touches = Touches(bytes);
        std::future::pending::<()>().await;
    }));
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);

    let mut bytes = vec![];
    {
        let mut using = pin!(touched_here(&mut bytes).run(async |bytes| {
            let _touches = Touches(bytes);
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(using.as_mut()).is_pending());
    }
    assert_eq!(bytes, [1, 1]);
    simulation::drop_background();
}

#[test]
fn fauxgen_a_yield_needs_no_waker_of_its_own() {
    // Combinators that poll with wakers of their own, and only what was woken.
    simulation::install();
    let pool = Pool::default();
    let seen = Cell::new(0);
    block_on(async {
        let mut all: FuturesUnordered<_> = (0..50)
            .map(|_| {
                connection(pool.clone()).run(async |()| {
                    seen.set(seen.get() + 1);
                    yield_once().await;
                })
            })
            .collect();
        while all.next().await.is_some() {}
    });
    assert_eq!(seen.get(), 50);
    assert_eq!(pool.open(), 0);

    let log = Log::new();
    block_on(async {
        let first = named(log.clone(), "first").run(async |()| yield_once().await);
        let second =
            named(log.clone(), "second").run(async |()| std::future::pending::<()>().await);
        let (first, second) = (pin!(first), pin!(second));
        futures::future::select(first, second).await;
    });
    simulation::finish_background();
    assert_eq!(log.line(), "first(Completed) second(Cancelled)");
}

#[test]
fn async_stream_106_a_yield_inside_another_macro_belongs_to_its_own_context() {
    /// Awaits two contexts' yields in an arm of `select!`, one in the other.
    #[async_context]
    async fn selects(log: Log, name: &'static str) -> &'static str {
        let mut lent = name;
        tokio::select! {
            () = std::future::ready(()) => {
                let outcome = yield_resource!(lent);
                log.push(format_args!("{name}({outcome:?})"));
            }
        }
    }

    let log = Log::new();
    block_on(async {
        async_with!(
            outer = selects(log.clone(), "outer"),
            inner = selects(log.clone(), "inner"),
            {
                assert_eq!((*outer, *inner), ("outer", "inner"));
                yield_once().await;
            }
        );
    });
    assert_eq!(log.line(), "inner(Completed) outer(Completed)");
}

#[test]
fn genawaiter_a_context_that_is_not_send_is_used_on_one_thread() {
    #[async_context(scoped)]
    async fn local(shared: Rc<Cell<u8>>) -> Rc<Cell<u8>> {
        let mut shared = shared;
        yield_resource!(shared);
        shared.set(shared.get() + 1);
    }

    let shared = Rc::new(Cell::new(0));
    block_on(local(shared.clone()).run(async |shared| shared.set(1)));
    assert_eq!(shared.get(), 2);
}
