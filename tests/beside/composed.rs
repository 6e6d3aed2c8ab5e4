//! What goes on beside contexts that are made of contexts, and beside several contexts around one block.

use std::pin::pin;
use std::task::{Context, Poll};

use guard_core::{AsyncContext, Outcome, TryWithError, async_context, async_with, yield_resource};
use guard_tests::{CountingWaker, Dropped, Log, block_on, poll_times, yield_once};

use crate::support::{End, Error, Resource, lease, panic_of, plain, scoped_lease, told, work};

/// A context made of a lease, whose resource is its own.
#[async_context]
async fn outer(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(inner = lease(log.clone(), end)?, {
        inner.touch();
        let mut resource = Resource::new(&log);
        let outcome = yield_resource!(resource);
        told(&log, "outer", outcome);
        yield_once().await;
        inner.touch();
        log.push("closed");
    });
    Ok(())
}

/// A context made of that, which lends what it lends.
#[async_context(scoped)]
async fn outermost(log: &Log, end: End) -> Result<Resource, Error> {
    async_with!(resource = outer(log.clone(), end)?, {
        let outcome = yield_resource!(*resource);
        told(log, "outermost", outcome);
    });
    log.push("not reached");
    Ok(())
}

const OUTER: &str = "outer:Cancelled closed drop(resource) lease:Cancelled released drop(resource)";

#[test]
fn an_error_beside_an_inner_context_ends_the_block_of_the_outermost() {
    let log = &Log::new();
    let used = outer(log.clone(), End::Fails(3)).with(async |resource| work(resource, log).await);
    assert_eq!(block_on(used), Err(Error::Lost));
    assert_eq!(
        log.line(),
        format!("lost drop(renewal) drop(block) {OUTER}")
    );

    let used = block_on(async {
        async_with!(resource = outermost(log, End::Fails(3))?, {
            work(resource, log).await?;
        });
        Ok::<_, Error>(())
    });
    assert_eq!(used, Err(Error::Lost));
    let line = format!("lost drop(renewal) drop(block) outermost:Cancelled {OUTER}");
    assert_eq!(log.line(), line);

    let used = outermost(log, End::Fails(3));
    let used = block_on(used.try_with(async |resource| work(resource, log).await));
    // The error is what the outer context made of that of the inner one.
    let (error, exit) = (Error::Lost, None);
    assert_eq!(used, Err(TryWithError::Beside { error, exit }));
}

#[test]
fn a_panic_beside_an_inner_context_goes_on_after_the_exit_of_the_outermost() {
    let log = &Log::new();
    let used = outermost(log, End::Panics(3)).with(async |resource| work(resource, log).await);
    assert_eq!(panic_of(used), "beside");
    let told = OUTER.replace("Cancelled", "Panicked");
    let line = format!("drop(renewal) drop(block) outermost:Panicked {told} not reached");
    assert_eq!(log.line(), line);
}

/// The contexts around the inner one clean up in its block. What is beside is dropped when that block ends.
#[test]
fn what_is_beside_an_inner_context_goes_on_until_that_exits() {
    let log = &Log::new();
    let used = outermost(log, End::Never).with(async |resource| {
        resource.touch();
        yield_once().await;
        Ok::<_, Error>(7)
    });
    assert_eq!(block_on(used), Ok(7));
    let told = "outermost:Completed outer:Completed closed drop(resource) drop(renewal) \
                lease:Completed released drop(resource) not reached";
    assert_eq!(log.line(), told);
}

/// What comes after a yield always runs.
#[test]
fn an_error_after_the_yield_does_not_cut_the_clean_up_short() {
    #[async_context]
    async fn slow(log: Log) -> Result<(), Error> {
        async_with!(_lease = lease(log.clone(), End::Fails(5))?, {
            yield_resource!();
            for _ in 0..9 {
                yield_once().await;
            }
            log.push("closed");
        });
        Ok(())
    }

    let log = &Log::new();
    let used = slow(log.clone()).with(async |()| {
        yield_once().await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = "lost drop(renewal) closed lease:Cancelled released drop(resource)";
    assert_eq!(log.line(), line);
}

/// Before the yield the inner block is a block like every other.
#[test]
fn an_error_before_the_yield_ends_the_set_up() {
    #[async_context]
    async fn slow(log: Log) -> Result<(), Error> {
        async_with!(_lease = lease(log.clone(), End::Fails(2))?, {
            let _set_up = Dropped(log.clone(), "set-up");
            std::future::pending::<()>().await;
            yield_resource!();
        });
        Ok(())
    }

    let log = &Log::new();
    let used = slow(log.clone()).with(async |()| Ok::<_, Error>(()));
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = "lost drop(renewal) drop(set-up) lease:Cancelled released drop(resource)";
    assert_eq!(log.line(), line);
}

#[test]
fn contexts_of_the_same_call_that_stand_inside_exit_in_place() {
    let log = &Log::new();
    let used = block_on(async {
        async_with!(
            _lease = lease(log.clone(), End::Fails(5))?,
            _first = plain(log.clone())?,
            second = plain(log.clone())?,
            {
                work(second, log).await?;
            }
        );
        Ok::<_, Error>(())
    });
    assert_eq!(used, Err(Error::Lost));
    let plain = "plain:Cancelled closed drop(resource)";
    let line = format!(
        "lost drop(renewal) drop(block) {plain} {plain} lease:Cancelled released drop(resource)"
    );
    assert_eq!(log.line(), line);
}

/// The future beside the block wakes nobody any more when it has failed.
#[test]
fn the_task_is_woken_so_that_the_contexts_inside_exit() {
    #[async_context]
    async fn lost() -> Result<(), Error> {
        yield_resource!((), std::future::ready(Err(Error::Lost)));
        Ok(())
    }

    #[async_context]
    async fn inner() -> Result<(), Error> {
        yield_resource!();
        Ok(())
    }

    let used = async {
        async_with!(() = lost()?, () = inner()?, {
            std::future::pending::<()>().await;
        });
        Ok::<_, Error>(())
    };
    let mut used = pin!(used);
    let woken = CountingWaker::new();
    let waker = woken.clone().into();
    let cx = &mut Context::from_waker(&waker);
    assert!(used.as_mut().poll(cx).is_pending());
    assert_eq!(woken.take(), 1);
    assert_eq!(used.as_mut().poll(cx), Poll::Ready(Err(Error::Lost)));
}

#[test]
fn contexts_of_the_same_call_that_stand_inside_exit_in_place_after_a_panic() {
    let log = &Log::new();
    let using = async {
        async_with!(
            _lease = scoped_lease(log, End::Panics(4))?,
            inner = plain(log.clone())?,
            { work(inner, log).await? }
        );
        Ok::<_, Error>(())
    };
    assert_eq!(panic_of(using), "beside");
    let line = "drop(renewal) drop(block) plain:Cancelled closed drop(resource) lease:Panicked \
                released drop(resource)";
    assert_eq!(log.line(), line);
}

/// The set-up of an inner one is given up, as in every use that is dropped.
#[test]
fn a_context_of_the_same_call_that_is_entered_is_dropped() {
    #[async_context(scoped)]
    async fn never(log: &Log) -> Result<(), Error> {
        let _set_up = Dropped(log.clone(), "set-up");
        std::future::pending::<()>().await;
        yield_resource!();
        Ok(())
    }

    let log = &Log::new();
    let used = block_on(async {
        async_with!(
            _lease = lease(log.clone(), End::Fails(2))?,
            () = never(log)?,
            {
                log.push("not reached");
            }
        );
        Ok::<_, Error>(())
    });
    assert_eq!(used, Err(Error::Lost));
    let line = "lost drop(renewal) drop(set-up) lease:Cancelled released drop(resource)";
    assert_eq!(log.line(), line);
}

/// The exit of an inner context is not given up.
#[test]
fn an_inner_context_of_the_same_call_that_exits_goes_on() {
    let log = &Log::new();
    for polls in 0..6 {
        let used = block_on(async {
            async_with!(
                _lease = lease(log.clone(), End::Fails(polls))?,
                _inner = plain(log.clone())?,
                {}
            );
            Ok::<_, Error>(())
        });
        let line = log.line();
        let (inner, outer) = match used {
            Err(Error::Lost) => ("plain:Completed", "lease:Cancelled"),
            used => {
                assert_eq!(used, Ok(()));
                ("plain:Completed", "lease:Completed")
            }
        };
        // In its first polls the inner one is entered, and is dropped.
        assert!(polls < 1 || line.contains(inner), "{polls}: {line}");
        assert!(polls < 1 || line.contains("closed"), "{polls}: {line}");
        assert!(line.contains(outer), "{polls}: {line}");
    }
}

#[test]
fn an_inner_context_of_a_call_that_is_ended_from_beside_fails_the_outer_one() {
    let log = &Log::new();
    let used = block_on(async {
        async_with!(
            _outer = plain(log.clone())?,
            inner = lease(log.clone(), End::Fails(2))?,
            {
                work(inner, log).await?;
            }
        );
        Ok::<_, Error>(())
    });
    assert_eq!(used, Err(Error::Lost));
    let line = "lost drop(renewal) drop(block) lease:Cancelled released drop(resource) \
                plain:Failed(()) closed drop(resource)";
    assert_eq!(log.line(), line);
}

/// A use deeper in the block is a part of it: it is dropped.
#[test]
fn a_use_deeper_in_the_block_is_dropped() {
    let log = &Log::new();
    let used = block_on(async {
        async_with!(_lease = lease(log.clone(), End::Fails(4))?, {
            log.push("block");
            async_with!(inner = scoped_lease(log, End::Never)?, {
                work(inner, log).await?;
            });
        });
        Ok::<_, Error>(())
    });
    assert_eq!(used, Err(Error::Lost));
    let line = "block lost drop(renewal) drop(block) drop(renewal) drop(resource) lease:Cancelled \
                released drop(resource)";
    assert_eq!(log.line(), line);
}

#[test]
fn joined_contexts_are_told_when_one_of_them_is_ended() {
    let log = &Log::new();
    for (first, second) in [(End::Fails(4), End::Never), (End::Never, End::Fails(4))] {
        let used = block_on(async {
            async_with!(
                join(
                    a = lease(log.clone(), first)?,
                    _b = lease(log.clone(), second)?,
                    _c = plain(log.clone())?
                ),
                { work(a, log).await? }
            );
            Ok::<_, Error>(())
        });
        assert_eq!(used, Err(Error::Lost));
        let line = log.line();
        let begin = "lost drop(renewal) drop(block) drop(renewal) ";
        assert!(line.starts_with(begin), "{line}");
        assert_eq!(line.matches("lease:Cancelled").count(), 2, "{line}");
        assert_eq!(line.matches("plain:Cancelled").count(), 1, "{line}");
    }
    let using = async {
        async_with!(
            join(
                a = lease(log.clone(), End::Never)?,
                _b = lease(log.clone(), End::Panics(2))?
            ),
            { work(a, log).await? }
        );
        Ok::<_, Error>(())
    };
    assert_eq!(panic_of(using), "beside");
    assert_eq!(log.line().matches("lease:Panicked").count(), 2);
}

#[test]
fn an_error_that_is_swallowed_inside_a_context_leaves_no_value() {
    #[async_context]
    async fn swallowing(log: Log) -> Result<(), Error> {
        let swallowed = async_with!(
            attempt::<Error>(_lease = lease(log.clone(), End::Fails(2))?),
            {
                yield_resource!();
            }
        );
        log.push(format_args!("{swallowed:?}"));
        Ok(())
    }

    let log = &Log::new();
    let using = swallowing(log.clone()).with(async |()| {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    let panic = panic_of(using);
    assert!(
        panic.contains("so there is no value to go on with"),
        "{panic}"
    );
    assert!(log.line().ends_with("Err(Lost)"));
}

#[test]
fn a_guard_refuses_what_goes_on_inside_its_context() {
    let log = &Log::new();
    let refuses = |panic: String, what: &str| assert!(panic.contains(what), "{panic}");
    let mut guard = block_on(outer(log.clone(), End::Never).enter()).unwrap();
    let driven = panic_of(guard.drive(async |resource| resource.touch()));
    refuses(driven, "A guard cannot drive that");
    block_on(guard.exit_with(Outcome::Cancelled)).unwrap();
}

/// After each poll the use is dropped.
#[test]
fn a_use_that_is_dropped_after_any_poll_keeps_the_order() {
    for end in [End::Never, End::Fails(2), End::Panics(2)] {
        for polls in 0..20 {
            let log = &Log::new();
            let cut = |using: &mut dyn FnMut()| {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(using));
                let line = log.line();
                let block = line.find("drop(block)");
                assert!(block <= line.find("outer"), "{end:?} {polls}: {line}");
                assert!(
                    block <= line.find("drop(resource)"),
                    "{end:?} {polls}: {line}"
                );
            };
            cut(&mut || {
                let using = outermost(log, end).with(async |resource| work(resource, log).await);
                let _ = poll_times(pin!(using), polls);
            });
            cut(&mut || {
                let using = async {
                    async_with!(
                        _lease = scoped_lease(log, end)?,
                        resource = outer(log.clone(), End::Never)?,
                        { work(resource, log).await? }
                    );
                    Ok::<_, Error>(())
                };
                let _ = poll_times(pin!(using), polls);
            });
        }
    }
}
