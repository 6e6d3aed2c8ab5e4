//! Attacks on the memory that a future beside a block borrows. If one succeeds, AddressSanitizer and valgrind fail its
//! test: `.ci/sanitize asan -p guard-tests --test beside`.
//!
//! While the resource is lent, nothing may unwind through the body of the context, finish it, or drop a local of it.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use guard_core::{AsyncContext, async_context, async_with, drain, yield_resource};
use guard_tests::{Dropped, Log, block_on, poll_once, poll_times, yield_once};

use crate::support::{
    End, Error, Resource, Touch, Wrapper, lease, leave_a_clean_up, panic_of, plain, renew,
    scoped_lease, told, work,
};

/// The future beside the block panics while the block holds the resource. The block touches the resource when it is
/// dropped.
#[test]
fn a_panic_beside_the_block_does_not_unwind_through_what_it_borrows() {
    let log = &Log::new();
    let using = scoped_lease(log, End::Panics(2)).with(async |resource| work(resource, log).await);
    assert_eq!(panic_of(using), "beside");
    let line = "drop(renewal) drop(block) lease:Panicked released drop(resource)";
    assert_eq!(log.line(), line);
}

/// The inner context's future fails while the user's block holds a local of the body around it.
#[test]
fn an_inner_context_does_not_end_while_the_outer_one_lends() {
    #[async_context(scoped)]
    async fn outer(log: &Log) -> Result<Resource, Error> {
        async_with!(_lease = scoped_lease(log, End::Fails(3))?, {
            let mut resource = Resource::new(log);
            let outcome = yield_resource!(resource);
            told(log, "outer", outcome);
        });
        Ok(())
    }

    let log = &Log::new();
    let used = outer(log).with(async |resource| {
        let touch = Touch(resource, log);
        for _ in 0..5 {
            yield_once().await;
            touch.0.touch();
        }
        if true {
            panic!("it went on")
        }
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = "lost drop(renewal) drop(block) outer:Cancelled drop(resource) lease:Cancelled \
                released drop(resource)";
    assert_eq!(log.line(), line);
}

/// A block that is always ready to go on uses up the budget of its task.
#[tokio::test]
async fn a_block_does_not_starve_what_is_beside() {
    #[async_context(scoped)]
    async fn until(mut done: tokio::sync::mpsc::UnboundedReceiver<()>) -> Result<(), Error> {
        yield_resource!((), async {
            done.recv().await;
            Err(Error::Lost)
        });
        Ok(())
    }

    let (done, receives) = tokio::sync::mpsc::unbounded_channel();
    done.send(()).unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    sender.send(()).unwrap();
    let used = until(receives).with(async |()| {
        for _ in 0..100_000 {
            receiver.recv().await;
            sender.send(()).unwrap();
        }
        Ok::<_, Error>(())
    });
    assert_eq!(used.await, Err(Error::Lost));
}

/// Panics when it is dropped, and is over at its third poll.
struct PanicsOnDrop<R> {
    polls: usize,
    result: Option<R>,
    log: Log,
}

impl<R> PanicsOnDrop<R> {
    fn new(log: &Log, polls: usize, result: R) -> Self {
        Self {
            polls,
            result: Some(result),
            log: log.clone(),
        }
    }
}

impl<R: Unpin> Future for PanicsOnDrop<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        if self.polls > 0 {
            self.polls -= 1;
            return Poll::Pending;
        }
        Poll::Ready(self.result.take().unwrap())
    }
}

impl<R> Drop for PanicsOnDrop<R> {
    fn drop(&mut self) {
        self.log.push("drop(beside)");
        assert!(std::thread::panicking(), "destructor");
    }
}

#[async_context(scoped)]
async fn panics_on_drop(
    log: &Log,
    polls: usize,
    result: Result<(), Error>,
) -> Result<Resource, Error> {
    let mut resource = Resource::new(log);
    let outcome = yield_resource!(resource, PanicsOnDrop::new(log, polls, result));
    told(log, "context", outcome);
    yield_once().await;
    log.push("closed");
    Ok(())
}

#[test]
fn a_destructor_beside_the_block_that_panics_does_not_unwind_through_what_it_borrows() {
    let log = &Log::new();
    let line = "drop(beside) drop(block) context:Panicked closed drop(resource)";
    for result in [Ok(()), Err(Error::Lost)] {
        let using = panics_on_drop(log, 1, result);
        assert_eq!(
            panic_of(using.with(async |resource| work(resource, log).await)),
            "destructor"
        );
        assert_eq!(log.line(), line);
    }
    // The block ends first. What comes after the yield runs all the same.
    let using = panics_on_drop(log, 9, Ok(())).with(async |resource| {
        yield_once().await;
        resource.touch();
        Ok::<_, Error>(())
    });
    assert_eq!(panic_of(using), "destructor");
    assert_eq!(
        log.line(),
        "drop(beside) context:Panicked closed drop(resource)"
    );
}

#[test]
fn a_destructor_beside_a_cancelled_block_that_panics_is_contained() {
    let log = &Log::new();
    let using = panics_on_drop(log, 9, Ok(())).with(async |resource| work(resource, log).await);
    {
        let mut using = pin!(using);
        assert!(poll_times(using.as_mut(), 3).is_pending());
    }
    assert_eq!(log.line(), "drop(block) drop(beside) drop(resource)");

    let guard = block_on(panics_on_drop(log, 9, Ok(())).enter()).unwrap();
    block_on(guard.exit()).unwrap();
    assert_eq!(
        log.line(),
        "drop(beside) context:Completed closed drop(resource)"
    );
    drop(block_on(panics_on_drop(log, 9, Ok(())).enter()).unwrap());
    assert_eq!(log.line(), "drop(beside) drop(resource)");
}

/// The block of a use whose destructor panics, too.
#[test]
fn a_block_whose_destructor_panics_is_gone_when_the_context_exits() {
    struct PanicsToo<'a>(Touch<'a>);

    impl Drop for PanicsToo<'_> {
        fn drop(&mut self) {
            self.0.0.touch();
            assert!(std::thread::panicking(), "block");
        }
    }

    let log = &Log::new();
    for (end, panic) in [(End::Fails(1), "block"), (End::Panics(1), "beside")] {
        let using = scoped_lease(log, end).with(async |resource| {
            let _panics = PanicsToo(Touch(resource, log));
            std::future::pending::<()>().await;
            Ok::<_, Error>(())
        });
        assert_eq!(panic_of(using), panic);
        assert!(
            log.line()
                .ends_with("drop(block) lease:Panicked released drop(resource)")
        );
    }
}

#[test]
fn what_is_beside_a_boxed_context_is_driven_too() {
    #[async_context]
    async fn counts(log: Log) -> Result<u64, Error> {
        let mut resource = 0;
        let polls = AtomicUsize::new(0);
        let counting = async {
            loop {
                polls.fetch_add(1, Ordering::Relaxed);
                yield_once().await;
            }
        };
        yield_resource!(resource, counting);
        log.push(polls.load(Ordering::Relaxed));
        Ok(())
    }

    let log = &Log::new();
    for boxed in [true, false] {
        let used = async |resource: &mut u64| {
            for _ in 0..10 {
                *resource += 1;
                yield_once().await;
            }
            Ok::<_, Error>(*resource)
        };
        let used = if boxed {
            block_on(counts(log.clone()).boxed().with(used))
        } else {
            block_on(counts(log.clone()).with(used))
        };
        assert_eq!((used, log.line()), (Ok(10), "10".into()));
    }
}

/// A lease is not renewed any more while the clean-ups inside a cancelled use still go on.
#[tokio::test]
async fn what_is_beside_a_cancelled_use_is_dropped_before_the_clean_ups_inside_end() {
    let log = &Log::new();
    let used = async {
        async_with!(_lease = lease(log.clone(), End::Never)?, {
            async_with!(inner = plain(log.clone())?, { work(inner, log).await? });
        });
        Ok::<_, Error>(())
    };
    assert!(poll_times(Box::pin(used).as_mut(), 4).is_pending());
    drain().await;
    let line = log.line();
    let renewal = line.find("drop(renewal)").unwrap();
    assert!(renewal < line.find("closed").unwrap(), "{line}");
    assert!(
        line.ends_with("lease:Cancelled released drop(resource)"),
        "{line}"
    );
}

/// Uses in the block of one that is ended from beside, a scoped one and a default one.
#[tokio::test]
async fn uses_in_the_block_are_gone_when_the_context_exits() {
    let log = &Log::new();
    let used = async {
        async_with!(_lease = lease(log.clone(), End::Fails(4))?, {
            async_with!(_scoped = scoped_lease(log, End::Never)?, {
                async_with!(inner = plain(log.clone())?, { work(inner, log).await? });
            });
        });
        Ok::<_, Error>(())
    };
    assert_eq!(used.await, Err(Error::Lost));
    let line = log.line();
    let (block, rest) = line.split_once("drop(block) plain:Cancelled").unwrap();
    assert_eq!(block, "lost drop(renewal) ");
    let (waited, exits) = rest.split_once("lease:Cancelled").unwrap();
    assert!(waited.contains("closed drop(resource)"), "{line}");
    assert!(exits.ends_with("released drop(resource)"), "{line}");
}

/// A yield in another macro, which polls it again when it likes.
#[test]
fn a_yield_inside_another_macro_is_driven() {
    #[async_context(scoped)]
    async fn selects(log: &Log, inner: End, own: End) -> Result<Resource, Error> {
        async_with!(_inner = scoped_lease(log, inner)?, {
            let mut resource = Resource::new(log);
            tokio::select! {
                biased;
                () = std::future::pending() => {}
                () = yield_once() => {
                    let outcome = yield_resource!(resource, renew(log.clone(), own));
                    told(log, "selects", outcome);
                }
            }
        });
        Ok(())
    }

    for (inner, own) in [(End::Fails(2), End::Never), (End::Never, End::Fails(2))] {
        let log = &Log::new();
        let used = selects(log, inner, own).with(async |resource| work(resource, log).await);
        assert_eq!(block_on(used), Err(Error::Lost));
        let line = log.line();
        assert!(
            line.starts_with("lost drop(renewal) drop(block) "),
            "{line}"
        );
        assert!(line.contains("selects:Cancelled"), "{line}");
    }
}

/// The driver polls by a pointer into the context; the guard that has it moves. A scoped context has its body in itself.
#[test]
fn a_guard_may_move_between_two_drives() {
    async fn moves<C>(context: C, log: &Log)
    where
        C: AsyncContext<Resource = Resource, Error = Error>,
    {
        let mut guard = context.enter().await.unwrap();
        for _ in 0..3 {
            let mut place = Box::new([Some(guard)]);
            let there = place[0].as_mut().unwrap();
            let driven = there.drive(async |resource| {
                resource.touch();
                yield_once().await;
                resource.touch();
            });
            driven.await.unwrap();
            guard = place[0].take().unwrap();
        }
        guard.touch();
        // A drive that is dropped half-way can be begun again.
        {
            let mut driving = pin!(guard.drive(async |resource| work(resource, log).await));
            assert!(poll_once(driving.as_mut()).is_pending());
        }
        guard.touch();
        let lost = guard.drive(async |resource| work(resource, log).await);
        assert_eq!(lost.await, Err(Error::Lost));
        guard.touch();
        guard.exit().await.unwrap();
    }

    let log = &Log::new();
    block_on(moves(lease(log.clone(), End::Fails(9)), log));
    block_on(moves(scoped_lease(log, End::Fails(9)), log));
}

/// Whoever calls the protocol by hand, or wraps a context in a type of their own, does not drive what is beside it.
#[test]
fn a_wrapper_that_does_not_drive_what_is_beside_is_refused() {
    let log = &Log::new();
    let wrapper = Wrapper::new(lease(log.clone(), End::Never));
    let panic = panic_of(wrapper.with(async |_| Ok::<_, Error>(())));
    assert!(panic.contains("cannot drive that"), "{panic}");
    assert_eq!(log.line(), "lease:Panicked released drop(resource)");
}

/// The future beside the block is polled while the use waits for the uses that were dropped in its block. Its error is
/// then reported, and the value of the block is returned.
#[tokio::test]
async fn what_is_beside_goes_on_while_the_use_waits() {
    let log = &Log::new();
    let reports = guard_core::testing::reports();
    for end in [End::Never, End::Fails(3), End::Panics(3)] {
        let used = lease(log.clone(), end).with(async |resource| {
            resource.touch();
            leave_a_clean_up(log, 9).await;
            Ok::<_, Error>(7)
        });
        assert_eq!(used.await, Ok(7), "{end:?}");
        let line = log.line();
        let ended = "lease:Completed released drop(resource)";
        assert!(line.ends_with(ended), "{line}");
        let (waits, _) = line.split_once(ended).unwrap();
        let expected = match end {
            End::Fails(_) => "lost drop(renewal) slow ",
            End::Panics(_) => "drop(renewal) slow ",
            _ => "slow drop(renewal) ",
        };
        assert_eq!(waits, expected, "{end:?}");
        let reported = reports.take();
        assert_eq!(
            reported.len(),
            usize::from(end != End::Never),
            "{reported:?}"
        );
    }
}

/// A context beside whose block something goes on for ever, and touches a local of the context at each poll.
#[async_context(scoped)]
async fn touches_a_local(log: &Log) -> Result<Resource, Error> {
    let mut resource = Resource::new(log);
    let mut local = Resource::new(log);
    let touching = async {
        let _dropped = Dropped(log.clone(), "beside");
        loop {
            local.touch();
            yield_once().await;
        }
    };
    let outcome = yield_resource!(resource, touching);
    local.touch();
    told(log, "context", outcome);
    Ok(())
}

/// The use waits for a clean-up, and what is beside goes on. The use is cut off after each poll of that. With a guard
/// nobody goes on with it then.
#[tokio::test]
async fn what_goes_on_while_the_use_waits_is_dropped_before_what_it_borrows() {
    let log = &Log::new();
    let mut ends = [0; 2];
    for polls in 1..12 {
        let used = touches_a_local(log).with(async |resource| {
            yield_once().await;
            leave_a_clean_up(log, 3).await;
            resource.touch();
            Ok::<_, Error>(())
        });
        let guarded = async {
            let mut guard = touches_a_local(log).enter().await?;
            guard
                .drive(async |_| leave_a_clean_up(log, 3).await)
                .await?;
            guard.drive(async |_| yield_once().await).await?;
            guard.touch();
            guard.exit().await
        };
        let used: Pin<Box<dyn Future<Output = Result<(), Error>>>> = Box::pin(used);
        for (way, mut using) in [used, Box::pin(guarded)].into_iter().enumerate() {
            for _ in 0..polls {
                if poll_once(using.as_mut()).is_ready() {
                    ends[way] += 1;
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(using);
            guard_core::drain().await;
            let line = log.line();
            let beside = line.find("drop(beside)");
            assert!(
                beside < line.find("drop(resource)"),
                "{way} {polls}: {line}"
            );
            assert!(
                line.find("context:").is_none_or(|told| beside < Some(told)),
                "{way} {polls}: {line}"
            );
        }
    }
    assert!(ends.iter().all(|ended| (1..11).contains(ended)), "{ends:?}");
}

/// A future that borrows what stands before the yield, and is dropped before it.
#[test]
fn what_is_beside_may_borrow_the_locals_of_the_context() {
    #[async_context(scoped)]
    async fn borrows(log: &Log, polls: usize) -> Result<Resource, Error> {
        let mut resource = Resource::new(log);
        let mut shared = Resource::new(log);
        let counted = AtomicUsize::new(0);
        yield_resource!(resource, async {
            loop {
                shared.touch();
                yield_once().await;
                shared.touch();
                if counted.fetch_add(1, Ordering::Relaxed) == polls {
                    renew(log.clone(), End::Fails(1)).await?;
                }
            }
        });
        shared.touch();
        log.push(counted.load(Ordering::Relaxed));
        Ok(())
    }

    for polls in 0..5 {
        let log = &Log::new();
        let used = borrows(log, polls).with(async |resource| work(resource, log).await);
        assert_eq!(block_on(used), Err(Error::Lost));
        let line = format!(
            "lost drop(renewal) drop(block) {} drop(resource) drop(resource)",
            polls + 1
        );
        assert_eq!(log.line(), line);
    }
}
