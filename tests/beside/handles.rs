//! What goes on beside a context in `optional`, `lazy` and `swap`, which lend a handle.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use guard_core::testing::cancel_at_every_poll;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, async_context, async_with, exit_stack, lazy, optional,
    swap, yield_resource,
};
use guard_tests::{Log, block_on, poll_times, yield_once};

use crate::support::{End, Error, counted, lease, panic_of, scoped_lease, work};

const LOST: &str = "lost drop(renewal) drop(block) lease:Cancelled released drop(resource)";
const PANICKED: &str = "drop(renewal) drop(block) lease:Panicked released drop(resource)";
const EXITED: &str = "drop(renewal) lease:Completed released drop(resource)";

#[test]
fn what_is_beside_an_optional_context_is_driven() {
    let log = &Log::new();
    let used = block_on(async {
        async_with!(
            there = optional(Some(lease(log.clone(), End::Fails(3))))?,
            { work(there.get_mut().unwrap(), log).await }
        )
    });
    assert_eq!((used, &*log.line()), (Err(Error::Lost), LOST));

    let used = optional(Some(scoped_lease(log, End::Panics(3))))
        .with(async |there| work(there.get_mut().unwrap(), log).await);
    assert_eq!(panic_of(used), "beside");
    assert_eq!(log.line(), PANICKED);

    for end in [End::Never, End::Fine(1), End::Fails(2), End::Panics(2)] {
        let used = optional(Some(lease(log.clone(), end))).with(async |there| {
            there.get_mut().unwrap().touch();
            yield_once().await;
            yield_once().await;
            Ok::<_, Error>(7)
        });
        assert_eq!((block_on(used), &*log.line()), (Ok(7), EXITED), "{end:?}");
    }

    let nothing = optional(Some(lease(log.clone(), End::Never)).filter(|_| false));
    let used = nothing.with(async |there| {
        yield_once().await;
        Ok::<_, Error>(there.is_none())
    });
    assert_eq!(block_on(used), Ok(true));

    let mut guard = block_on(optional(Some(lease(log.clone(), End::Fails(2)))).enter()).unwrap();
    let driven = guard.drive(async |there| work(there.get_mut().unwrap(), log).await);
    assert_eq!(block_on(driven), Err(Error::Lost));
    guard.get_mut().unwrap().touch();
    block_on(guard.exit()).unwrap();
    let line = "lost drop(renewal) drop(block) lease:Completed released drop(resource)";
    assert_eq!(log.line(), line);
}

#[test]
fn optional_resources_that_were_swapped_stay_in_place() {
    let log = &Log::new();
    // The outer use has what the inner one has entered, and the other way round.
    let used = optional(Some(lease(log.clone(), End::Never))).with(async |outer| {
        let inner = optional(Some(lease(log.clone(), End::Fails(3)))).with(async |inner| {
            mem::swap(outer, inner);
            loop {
                outer.get_mut().unwrap().touch();
                inner.get_mut().unwrap().touch();
                yield_once().await;
                if false {
                    return Ok::<_, Error>(());
                }
            }
        });
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = poll_times(pin!(inner), 9);
        }));
        log.push(panic.is_err());
        outer.get_mut().unwrap().touch();
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Ok(()));
    let line = log.line();
    // There is no error that the inner use could fail with, so it panics.
    assert!(line.starts_with("lost drop(renewal) "), "{line}");
    assert!(line.contains("true"), "{line}");
    assert_eq!(line.matches("released drop(resource)").count(), 2, "{line}");
}

#[test]
fn what_is_beside_a_lazy_context_is_driven_when_it_is_entered() {
    let log = &Log::new();
    let used = lazy(|| lease(log.clone(), End::Fails(3)))
        .with(async |lazy| work(lazy.get_mut().await?, log).await);
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));

    let used = lazy(|| scoped_lease(log, End::Panics(3)))
        .with(async |lazy| work(lazy.get_mut().await?, log).await);
    assert_eq!(panic_of(used), "beside");
    assert_eq!(log.line(), PANICKED);

    for end in [End::Never, End::Fine(1), End::Fails(2), End::Panics(2)] {
        let used = lazy(|| lease(log.clone(), end)).with(async |lazy| {
            lazy.get().await?;
            lazy.entered_mut().unwrap().touch();
            yield_once().await;
            yield_once().await;
            Ok::<_, Error>(7)
        });
        assert_eq!((block_on(used), &*log.line()), (Ok(7), EXITED), "{end:?}");
    }

    let used = lazy(|| lease(log.clone(), End::Fails(0))).with(async |lazy| {
        yield_once().await;
        Ok::<_, Error>(lazy.entered().is_none())
    });
    assert_eq!((block_on(used), &*log.line()), (Ok(true), ""));

    let mut guard = block_on(lazy(|| lease(log.clone(), End::Fails(2))).enter()).unwrap();
    let driven = guard.drive(async |lazy| work(lazy.get_mut().await.unwrap(), log).await);
    assert_eq!(block_on(driven), Err(Error::Lost));
    guard.entered_mut().unwrap().touch();
    block_on(guard.exit()).unwrap();
    let line = "lost drop(renewal) drop(block) lease:Completed released drop(resource)";
    assert_eq!(log.line(), line);
}

#[test]
fn what_is_beside_the_current_context_of_a_swap_is_driven() {
    let log = &Log::new();
    let forever = async || {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    };
    let lost = "lost drop(renewal) lease:Cancelled released drop(resource)";
    let used = swap(lease(log.clone(), End::Fails(3))).with(async |_| forever().await);
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), lost));

    let used = swap(lease(log.clone(), End::Panics(3))).with(async |_| forever().await);
    assert_eq!(panic_of(used), "beside");
    assert_eq!(log.line(), PANICKED.replace(" drop(block)", ""));

    for end in [End::Never, End::Fine(1), End::Fails(2), End::Panics(2)] {
        let used = swap(lease(log.clone(), end)).with(async |swap| {
            assert_eq!(swap.current().bytes.len(), 100);
            yield_once().await;
            yield_once().await;
            Ok::<_, Error>(7)
        });
        assert_eq!((block_on(used), &*log.line()), (Ok(7), EXITED), "{end:?}");
    }

    // The next one is driven, the former is not: what is beside it ends when it is replaced.
    let used = swap(lease(log.clone(), End::Fails(4))).with(async |swap| {
        yield_once().await;
        swap.replace(lease(log.clone(), End::Fails(9))).await?;
        assert_eq!(log.line(), EXITED);
        let reads = swap.current();
        yield_once().await;
        assert_eq!(reads.bytes.len(), 100);
        forever().await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), lost));

    let mut guard = block_on(swap(lease(log.clone(), End::Fails(2))).enter()).unwrap();
    let driven = guard.drive(async |_| forever().await);
    assert_eq!(block_on(driven), Err(Error::Lost));
    assert_eq!(guard.current().bytes.len(), 100);
    block_on(guard.exit()).unwrap();
    let line = "lost drop(renewal) lease:Completed released drop(resource)";
    assert_eq!(log.line(), line);
}

/// Who reads the former one keeps it, while nothing goes on beside it any more.
#[test]
fn a_replaced_context_that_is_read_does_not_end_the_block() {
    let log = &Log::new();
    let used = swap(lease(log.clone(), End::Fails(3))).with(async |swap| {
        let former = swap.current();
        let mut replacing = pin!(swap.replace(lease(log.clone(), End::Never)));
        for _ in 0..9 {
            assert!(poll_times(replacing.as_mut(), 1).is_pending());
            assert_eq!(former.bytes.len(), 100);
            yield_once().await;
        }
        drop(former);
        replacing.await?;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Ok(()));
    assert_eq!(log.line(), format!("{EXITED} {EXITED}"));
}

/// They are made of each other, and driven through all of them.
#[test]
fn handles_in_handles_are_driven() {
    let log = &Log::new();
    let used = optional(Some(lazy(|| lease(log.clone(), End::Fails(4))))).with(async |there| {
        let lazy = there.get_mut().unwrap();
        work(lazy.get_mut().await?, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));

    let used = lazy(exit_stack::<Error>).with(async |lazy| {
        let stack = lazy.get_mut().await?;
        let resource = stack.enter(lease(log.clone(), End::Fails(4))).await?;
        work(resource, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));

    let used = exit_stack::<Error>().with(async |stack| {
        let there = stack
            .enter(optional(Some(lease(log.clone(), End::Fails(4)))))
            .await?;
        work(there.get_mut().unwrap(), log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));
}

#[test]
fn handles_on_a_stack_that_nobody_drives_are_refused() {
    let log = &Log::new();
    let refuses = |panic: String, place: &str| assert!(panic.contains(place), "{panic}");
    let stack = AsyncExitStack::<Error>::new();
    refuses(
        panic_of(stack.enter(optional(Some(lease(log.clone(), End::Never))))),
        "the use of an exit stack drives, and nobody else",
    );
    refuses(
        panic_of(stack.enter(swap(lease(log.clone(), End::Never)))),
        "the use of an exit stack drives, and nobody else",
    );
    // Nothing goes on beside it yet, and it is entered too late.
    let make = log.clone();
    let lent = block_on(stack.enter(lazy(move || lease(make.clone(), End::Never)))).unwrap();
    refuses(
        panic_of(lent.get()),
        "`lazy` and `swap` drive only in a use",
    );
}

/// An error while the use waits for what was dropped in its block is reported in the name of the context.
#[tokio::test]
async fn what_fails_while_the_use_waits_is_reported_in_the_name_of_the_context() {
    #[async_context]
    async fn slow() -> Result<(), Error> {
        yield_resource!();
        for _ in 0..9 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    let leave = async || {
        let mut inner = Box::pin(slow().with(async |()| {
            std::future::pending::<()>().await;
            Ok::<_, Error>(())
        }));
        assert!(poll_times(inner.as_mut(), 1).is_pending());
    };
    let log = &Log::new();
    let reports = guard_core::testing::reports();
    let used = optional(Some(lease(log.clone(), End::Fails(3)))).with(async |_| {
        leave().await;
        Ok::<_, Error>(())
    });
    assert_eq!(used.await, Ok(()));
    let used = lazy(|| lease(log.clone(), End::Fails(3))).with(async |lazy| {
        lazy.get().await?;
        leave().await;
        Ok::<_, Error>(())
    });
    assert_eq!(used.await, Ok(()));
    let used = swap(lease(log.clone(), End::Fails(3))).with(async |_| {
        leave().await;
        Ok::<_, Error>(())
    });
    assert_eq!(used.await, Ok(()));
    let line = "lost drop(renewal) lease:Completed released drop(resource)";
    assert_eq!(log.line(), [line; 3].join(" "));
    let reported = reports.take();
    assert_eq!(reported.len(), 3, "{reported:?}");
    for report in reported {
        let report = report.to_string();
        assert!(
            report.contains("lease") && report.contains("Lost"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn each_context_is_exited_when_the_use_is_cancelled_after_any_poll() {
    for end in [End::Never, End::Fine(1), End::Fails(3)] {
        let held = &Arc::new(AtomicUsize::new(0));
        let used = || async move {
            async_with!(
                there = optional(Some(counted(held.clone(), end)))?,
                lazy = lazy(|| counted(held.clone(), end))?,
                swap = swap(counted(held.clone(), End::Never))?,
                {
                    lazy.get_mut().await?.touch();
                    swap.replace(counted(held.clone(), end)).await?;
                    for _ in 0..3 {
                        there.get_mut().unwrap().touch();
                        yield_once().await;
                    }
                }
            );
            Ok::<_, Error>(())
        };
        let check = async |_| assert_eq!(held.load(Ordering::Relaxed), 0, "{end:?}");
        let ended = cancel_at_every_poll(used, check).await;
        let is_lost = matches!(end, End::Fails(_));
        assert_eq!(ended, if is_lost { Err(Error::Lost) } else { Ok(()) });
    }
}

/// The caller gives the outcome to the guard of a handle.
#[test]
fn a_guard_of_a_handle_drops_what_is_beside_its_context() {
    let log = &Log::new();
    let guard = block_on(optional(Some(lease(log.clone(), End::Never))).enter()).unwrap();
    block_on(guard.exit_with(Outcome::Cancelled)).unwrap();
    assert_eq!(log.line(), "lease:Cancelled released drop(resource)");
    drop(block_on(swap(lease(log.clone(), End::Never)).enter()).unwrap());
    assert!(log.line().starts_with("lease:Cancelled"));
    let mut guard = block_on(lazy(|| lease(log.clone(), End::Never)).enter()).unwrap();
    block_on(guard.drive(async |lazy| {
        lazy.get().await.unwrap();
        yield_once().await;
    }))
    .unwrap();
    drop(guard);
    assert!(log.line().starts_with("drop(renewal) lease:Cancelled"));
}
