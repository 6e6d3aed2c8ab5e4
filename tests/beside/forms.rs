//! What goes on beside a block, in every form in which a context is used.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use guard_core::{
    AsyncContext, Outcome, TimeoutError, TryWithError, async_context, async_with, within,
    yield_resource,
};
use guard_tests::{Log, block_on, poll_times, yield_once};

use crate::support::{
    End, Error, Resource, catching, failing_lease, lease, panic_of, renew, scoped_lease, told, work,
};

const LOST: &str = "lost drop(renewal) drop(block) lease:Cancelled released drop(resource)";
const PANICKED: &str = "drop(renewal) drop(block) lease:Panicked released drop(resource)";

#[test]
fn an_error_beside_the_block_ends_it_and_is_what_the_use_fails_with() {
    let log = &Log::new();
    let used = block_on(async {
        let value = async_with!(resource = lease(log.clone(), End::Fails(3))?, {
            work(resource, log).await?
        });
        Ok::<_, Error>(value)
    });
    assert_eq!(used, Err(Error::Lost));
    assert_eq!(log.line(), LOST);

    let used = block_on(async {
        let value = async_with!(resource = scoped_lease(log, End::Fails(3))?, {
            work(resource, log).await?
        });
        Ok::<_, Error>(value)
    });
    assert_eq!(used, Err(Error::Lost));
    assert_eq!(log.line(), LOST);

    let used = lease(log.clone(), End::Fails(3)).with(async |resource| work(resource, log).await);
    assert_eq!(block_on(used), Err(Error::Lost));
    assert_eq!(log.line(), LOST);

    let used = scoped_lease(log, End::Fails(3)).with(async |resource| work(resource, log).await);
    assert_eq!(block_on(used), Err(Error::Lost));
    assert_eq!(log.line(), LOST);

    let used = lease(log.clone(), End::Fails(3)).boxed();
    let used = used.with(async |resource| work(resource, log).await);
    assert_eq!(block_on(used), Err(Error::Lost));
    assert_eq!(log.line(), LOST);
}

#[test]
fn a_panic_beside_the_block_ends_it_and_goes_on_after_the_exit() {
    let log = &Log::new();
    let using = async {
        async_with!(resource = lease(log.clone(), End::Panics(2))?, {
            work(resource, log).await?
        });
        Ok::<_, Error>(())
    };
    assert_eq!(panic_of(using), "beside");
    assert_eq!(log.line(), PANICKED);

    let using = scoped_lease(log, End::Panics(2)).with(async |resource| work(resource, log).await);
    assert_eq!(panic_of(using), "beside");
    assert_eq!(log.line(), PANICKED);
}

#[test]
fn a_block_that_ends_first_ends_what_is_beside() {
    let log = &Log::new();
    for end in [End::Never, End::Fine(1), End::Fails(2), End::Panics(2)] {
        let used = block_on(async {
            let value = async_with!(resource = lease(log.clone(), end)?, {
                resource.touch();
                yield_once().await;
                yield_once().await;
                7
            });
            Ok::<_, Error>(value)
        });
        assert_eq!(used, Ok(7));
        let ended = "drop(renewal) lease:Completed released drop(resource)";
        assert_eq!(log.line(), ended, "{end:?}");
    }
}

/// The future beside a block is polled for the first time when the block is pending for the first time.
#[test]
fn what_is_beside_a_block_that_never_waits_is_not_polled() {
    let log = &Log::new();
    let used = lease(log.clone(), End::Fails(0)).with(async |_| Ok::<_, Error>(7));
    assert_eq!(block_on(used), Ok(7));
    assert_eq!(
        log.line(),
        "lease:Completed released drop(resource)",
        "its first poll would have logged that it is dropped"
    );
}

#[test]
fn the_context_is_told_of_a_block_that_fails_or_panics_first() {
    let log = &Log::new();
    let used = lease(log.clone(), End::Never).with(async |_| {
        yield_once().await;
        Err::<(), _>(Error::Block)
    });
    assert_eq!(block_on(used), Err(Error::Block));
    assert_eq!(
        log.line(),
        "drop(renewal) lease:Failed(()) released drop(resource)"
    );
    let used = lease(log.clone(), End::Never).with(async |_| {
        yield_once().await;
        if true {
            panic!("block")
        }
        Ok::<_, Error>(())
    });
    assert_eq!(panic_of(used), "block");
    assert_eq!(
        log.line(),
        "drop(renewal) lease:Panicked released drop(resource)"
    );
}

#[test]
fn try_with_returns_both_errors() {
    let log = &Log::new();
    let used = lease(log.clone(), End::Fails(1));
    let used = block_on(used.try_with(async |resource| work(resource, log).await));
    let (error, exit) = (Error::Lost, None);
    assert_eq!(used, Err(TryWithError::Beside { error, exit }));

    let used = failing_lease(log.clone(), End::Fails(1));
    let used = block_on(used.try_with(async |resource| work(resource, log).await));
    let (error, exit) = (Error::Lost, Some(Error::Exit));
    assert_eq!(used, Err(TryWithError::Beside { error, exit }));

    let used = failing_lease(log.clone(), End::Fails(1)).map_err(Some);
    let used = block_on(used.try_with(async |resource| work(resource, log).await));
    let (error, exit) = (Some(Error::Lost), Some(Some(Error::Exit)));
    assert_eq!(used, Err(TryWithError::Beside { error, exit }));
}

#[test]
fn adapters_pass_on_what_is_beside() {
    let log = &Log::new();
    let used = lease(log.clone(), End::Fails(1)).map_err(|error| format!("{error:?}"));
    let used = used.with(async |resource| work(resource, log).await.map_err(|_| String::new()));
    assert_eq!(block_on(used), Err("Lost".into()));
    assert_eq!(log.line(), LOST);

    let used = lease(log.clone(), End::Fails(1)).exit_until(std::future::pending());
    let used = used.map_err(|error| match error {
        TimeoutError::Context(error) => format!("{error:?}"),
        TimeoutError::TimedOut => "timed out".into(),
    });
    let used = used.with(async |resource| work(resource, log).await.map_err(|_| String::new()));
    assert_eq!(block_on(used), Err("Lost".into()));
    assert_eq!(log.line(), LOST);

    let used = lease(log.clone(), End::Fails(1)).expect("a lease");
    let used = used.run(async |resource| work(resource, log).await);
    let panic = panic_of(used);
    assert!(panic.starts_with("a lease: Lost"), "{panic}");
    assert_eq!(
        log.line(),
        LOST.replace("Cancelled", "Panicked"),
        "it fails with a panic"
    );
}

/// A context that cannot fail cannot end its block.
#[async_context]
async fn ticking(log: Log) -> Resource {
    let mut resource = Resource::new(&log);
    let ticks = AtomicUsize::new(0);
    let outcome = yield_resource!(resource, async {
        for _ in 0..3 {
            yield_once().await;
            ticks.fetch_add(1, Ordering::Relaxed);
        }
    });
    told(&log, "ticking", outcome);
    log.push(ticks.load(Ordering::Relaxed));
}

#[test]
fn a_future_that_cannot_fail_goes_on_beside_every_block() {
    let log = &Log::new();
    for (pauses, ticks) in [(1, 0), (2, 1), (3, 2), (9, 3)] {
        let used = block_on(ticking(log.clone()).run(async |resource| {
            for _ in 0..pauses {
                resource.touch();
                yield_once().await;
            }
            resource.bytes.len()
        }));
        assert_eq!(used, 100);
        let line = format!("ticking:Completed {ticks} drop(resource)");
        assert_eq!(log.line(), line, "{pauses}");
    }
}

/// The expression of the future is evaluated before the place is lent.
#[test]
fn the_future_may_be_made_of_the_resource_and_nothing_need_be_lent() {
    #[async_context(scoped)]
    async fn of_its_resource(log: &Log) -> Result<Vec<usize>, Error> {
        let mut numbers = vec![1, 2];
        yield_resource!(numbers, renew(log.clone(), End::Fails(numbers.len())));
        Ok(())
    }

    #[async_context(scoped)]
    async fn nothing(log: &Log) -> Result<(), Error> {
        yield_resource!((), renew(log.clone(), End::Fails(2)),);
        Ok(())
    }

    let log = &Log::new();
    let used = of_its_resource(log).with(async |_| {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let used = nothing(log).with(async |()| {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Err(Error::Lost));
}

#[within(resource = lease(log.clone(), End::Fails(2))?)]
async fn around_a_function(log: &Log) -> Result<u32, Error> {
    work(resource, log).await
}

#[test]
fn an_error_beside_a_function_with_within_ends_it() {
    let log = &Log::new();
    assert_eq!(block_on(around_a_function(log)), Err(Error::Lost));
    assert_eq!(log.line(), LOST);
}

#[test]
fn the_value_of_an_attempt_is_the_error_beside_its_block() {
    let log = &Log::new();
    let used: Result<u32, Error> = block_on(async {
        async_with!(attempt(resource = lease(log.clone(), End::Fails(2))?), {
            work(resource, log).await?
        })
    });
    assert_eq!(used, Err(Error::Lost));
    assert_eq!(log.line(), LOST);
}

#[test]
fn a_context_that_catches_is_told_its_own_error() {
    let log = &Log::new();
    for swallows in [true, false] {
        let expected = if swallows { Ok(None) } else { Err(Error::Lost) };
        let used = catching(log.clone(), End::Fails(2), swallows);
        let used = block_on(used.catch(async |resource| work(resource, log).await));
        assert_eq!(used, expected);
        let line = "lost drop(renewal) drop(block) catching:Failed(Lost) drop(resource)";
        assert_eq!(log.line(), line);

        let used = block_on(async {
            let value = async_with!(
                catch(resource = catching(log.clone(), End::Fails(2), swallows)?),
                { work(resource, log).await? }
            );
            Ok(value)
        });
        assert_eq!(used, expected);
        assert_eq!(log.line(), line);
    }
    let used = catching(log.clone(), End::Panics(2), true);
    assert_eq!(
        panic_of(used.catch(async |resource| work(resource, log).await)),
        "beside"
    );
    assert_eq!(
        log.line(),
        "drop(renewal) drop(block) catching:Panicked drop(resource)"
    );
}

#[test]
fn a_guard_polls_what_is_beside_while_it_drives() {
    let log = &Log::new();
    block_on(async {
        let mut guard = lease(log.clone(), End::Fails(3)).enter().await.unwrap();
        yield_once().await;
        let two = guard.drive(async |resource| {
            resource.touch();
            yield_once().await;
            2
        });
        assert_eq!(two.await, Ok(2));
        guard.touch();
        let lost = guard.drive(async |resource| work(resource, log).await);
        assert_eq!(lost.await, Err(Error::Lost));
        guard.touch();
        assert_eq!(log.line(), "lost drop(renewal) drop(block)");
        assert_eq!(guard.drive(async |_| yield_once().await).await, Ok(()));
        guard.exit_with(Outcome::Cancelled).await.unwrap();
        assert_eq!(log.line(), "lease:Cancelled released drop(resource)");
    });
}

#[test]
fn a_guard_that_is_only_held_does_not_poll_what_is_beside() {
    let log = &Log::new();
    block_on(async {
        let mut guard = lease(log.clone(), End::Fails(1)).enter().await.unwrap();
        for _ in 0..5 {
            guard.touch();
            yield_once().await;
        }
        guard.exit().await.unwrap();
        assert_eq!(log.line(), "lease:Completed released drop(resource)");
    });
}

#[test]
fn a_guard_that_is_exited_or_dropped_drops_what_is_beside() {
    let log = &Log::new();
    block_on(async {
        for exits in [true, false] {
            let mut guard = lease(log.clone(), End::Never).enter().await.unwrap();
            let driven = guard.drive(async |_| yield_once().await);
            driven.await.unwrap();
            if exits {
                guard.exit().await.unwrap();
                let line = "drop(renewal) lease:Completed released drop(resource)";
                assert_eq!(log.line(), line);
            } else {
                drop(guard);
                assert!(log.line().starts_with("drop(renewal) lease:Cancelled"));
            }
        }
    });
}

#[test]
fn a_guard_whose_drive_is_ended_by_a_panic_is_still_to_be_exited() {
    let log = &Log::new();
    let guard = block_on(lease(log.clone(), End::Panics(1)).enter());
    let mut guard = guard.unwrap();
    let driving = guard.drive(async |resource| work(resource, log).await);
    assert_eq!(panic_of(driving), "beside");
    guard.touch();
    block_on(guard.exit_with(Outcome::Panicked)).unwrap();
    assert_eq!(log.line(), PANICKED);
}

/// After each poll the use is dropped.
#[test]
fn a_use_that_is_dropped_after_any_poll_drops_the_block_before_the_resource() {
    for end in [End::Never, End::Fine(2), End::Fails(2), End::Panics(2)] {
        for polls in 0..12 {
            let log = &Log::new();
            let using = scoped_lease(log, end).with(async |resource| work(resource, log).await);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut using = pin!(using);
                let _ = poll_times(using.as_mut(), polls);
            }));
            let line = log.line();
            let block = line.find("drop(block)");
            assert!(
                block <= line.find("drop(resource)"),
                "{end:?} {polls}: {line}"
            );

            let using = async {
                async_with!(resource = lease(log.clone(), end)?, {
                    work(resource, log).await?
                });
                Ok::<_, Error>(())
            };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut using = pin!(using);
                let _ = poll_times(using.as_mut(), polls);
            }));
            let line = log.line();
            let block = line.find("drop(block)");
            assert!(block <= line.find("lease:"), "{end:?} {polls}: {line}");
        }
    }
}

#[test]
fn the_error_of_a_context_that_cannot_fail_is_infallible() {
    #[async_context]
    async fn explicit(log: Log) -> Result<Resource, Infallible> {
        let mut resource = Resource::new(&log);
        yield_resource!(resource, std::future::pending());
        Ok(())
    }
    let log = Log::new();
    assert_eq!(
        block_on(explicit(log.clone()).run(async |resource| {
            yield_once().await;
            resource.place.len()
        })),
        32
    );
}
