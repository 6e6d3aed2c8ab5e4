//! What fails beside a block that has ended, while its use waits for what was dropped in the block: it is reported, and
//! what the block ended with stands.

use guard_core::testing::reports;
use guard_core::{AsyncContext, async_context, async_with, exit_stack, yield_resource};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::support::{
    End, Error, Resource, begin_a_use, catching, lease, leave_a_clean_up, plain, told, work,
};

#[tokio::test]
async fn a_context_that_catches_is_not_told_what_fails_late() {
    let log = &Log::new();
    let reports = reports();
    let used = catching(log.clone(), End::Fails(3), true).catch(async |_| {
        leave_a_clean_up(log, 9).await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(Some(7)));
    let line = "lost drop(renewal) slow catching:Completed drop(resource)";
    assert_eq!(log.line(), line);
    assert_eq!(reports.take().len(), 1);

    let used = exit_stack::<Error>().catching().catch(async |stack| {
        stack
            .enter_catch(catching(log.clone(), End::Fails(3), true))
            .await?;
        leave_a_clean_up(log, 9).await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(Some(7)));
    assert_eq!(log.line(), line);
    assert_eq!(reports.take().len(), 1);
}

/// A guard has no end of its block, so the caller of `drive` has the error.
#[test]
fn the_guard_of_a_context_that_catches_gives_the_error_to_its_caller() {
    let log = &Log::new();
    let mut guard = block_on(catching(log.clone(), End::Fails(2), true).enter()).unwrap();
    let driven = block_on(guard.drive(async |resource| work(resource, log).await));
    assert_eq!(driven, Err(Error::Lost));
    block_on(guard.exit()).unwrap();
    let line = "lost drop(renewal) drop(block) catching:Completed drop(resource)";
    assert_eq!(log.line(), line);
}

/// A context made of a lease.
#[async_context]
async fn outer(log: Log, end: End) -> Result<(), Error> {
    async_with!(_lease = lease(log.clone(), end)?, {
        let outcome = yield_resource!();
        told(&log, "outer", outcome);
    });
    Ok(())
}

#[tokio::test]
async fn what_fails_late_inside_a_context_leaves_its_value() {
    let log = &Log::new();
    let reports = reports();
    let used = outer(log.clone(), End::Fails(3)).with(async |()| {
        leave_a_clean_up(log, 9).await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(7));
    let line = "lost drop(renewal) slow outer:Completed lease:Completed released drop(resource)";
    assert_eq!(log.line(), line);
    assert_eq!(reports.take().len(), 1);
}

/// A context made of one that catches.
#[tokio::test]
async fn a_context_that_catches_inside_another_is_not_told_what_fails_late() {
    #[async_context]
    async fn outer(log: Log) -> Result<(), Error> {
        async_with!(
            catch(_catching = catching(log.clone(), End::Fails(3), true)?),
            {
                yield_resource!();
            }
        );
        Ok(())
    }

    let log = &Log::new();
    let reports = reports();
    let used = outer(log.clone()).with(async |()| {
        leave_a_clean_up(log, 9).await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(7));
    let line = "lost drop(renewal) slow catching:Completed drop(resource)";
    assert_eq!(log.line(), line);
    assert_eq!(reports.take().len(), 1);
}

#[tokio::test]
async fn what_fails_late_beside_joined_contexts_leaves_their_value() {
    let log = &Log::new();
    let reports = reports();
    let used = async {
        let value = async_with!(
            join(
                _plain = plain(log.clone())?,
                () = outer(log.clone(), End::Fails(3))?
            ),
            {
                leave_a_clean_up(log, 9).await;
                7
            }
        );
        Ok::<_, Error>(value)
    };
    assert_eq!(used.await, Ok(7));
    let line = log.line();
    assert!(line.starts_with("lost drop(renewal) slow "), "{line}");
    assert!(
        line.contains("plain:Completed") && line.contains("lease:Completed"),
        "{line}"
    );
    assert_eq!(reports.take().len(), 1);
}

/// Both go on in the same list.
#[test]
fn either_of_two_contexts_around_a_yield_ends_the_block() {
    #[async_context(scoped)]
    async fn two(log: &Log, ends: [End; 2]) -> Result<Resource, Error> {
        async_with!(_first = lease(log.clone(), ends[0])?, {
            async_with!(_second = lease(log.clone(), ends[1])?, {
                let mut resource = Resource::new(log);
                let outcome = yield_resource!(resource);
                told(log, "two", outcome);
            });
        });
        Ok(())
    }

    let log = &Log::new();
    for ends in [[End::Fails(4), End::Never], [End::Never, End::Fails(4)]] {
        let used = two(log, ends).with(async |resource| work(resource, log).await);
        assert_eq!(block_on(used), Err(Error::Lost));
        let line = log.line();
        let begin = "lost drop(renewal) drop(block) two:Cancelled drop(resource) ";
        assert!(line.starts_with(begin), "{line}");
        assert_eq!(line.matches("released").count(), 2, "{line}");
    }
}

/// What comes after a yield always runs, also when a second thing beside the same use fails meanwhile.
#[test]
fn a_second_error_does_not_cut_the_clean_up_short() {
    #[async_context]
    async fn slow(log: Log) -> Result<(), Error> {
        async_with!(
            join(
                _first = lease(log.clone(), End::Fails(4))?,
                _second = lease(log.clone(), End::Fails(8))?
            ),
            {
                yield_resource!();
                for _ in 0..9 {
                    yield_once().await;
                }
                log.push("closed");
            }
        );
        Ok(())
    }

    let log = &Log::new();
    let used = slow(log.clone()).with(async |()| {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = log.line();
    assert!(
        line.starts_with("lost drop(renewal) lost drop(renewal) closed "),
        "{line}"
    );
    assert_eq!(line.matches("released").count(), 2, "{line}");
}

/// The clean-up stands in the block of the second use of a call, and what is beside the first one fails meanwhile.
#[test]
fn an_error_during_the_clean_up_does_not_cut_the_inner_use_of_a_call() {
    #[async_context]
    async fn slow(log: Log) -> Result<(), Error> {
        async_with!(
            _lease = lease(log.clone(), End::Fails(5))?,
            _plain = plain(log.clone())?,
            {
                yield_resource!();
                for _ in 0..9 {
                    yield_once().await;
                }
                log.push("clean");
            }
        );
        Ok(())
    }

    let log = &Log::new();
    let used = slow(log.clone()).with(async |()| {
        yield_once().await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = "lost drop(renewal) clean plain:Completed closed drop(resource) lease:Cancelled \
                released drop(resource)";
    assert_eq!(log.line(), line);
}

/// Something beside the block drops a use. The exit waits for the clean-up of that too.
#[async_context]
async fn leaves(log: Log, itself: bool) -> Result<(), Error> {
    let outcome = yield_resource!((), async {
        yield_once().await;
        let begun = begin_a_use(&log, 20);
        if itself {
            drop(begun);
        }
        std::future::pending().await
    });
    told(&log, "leaves", outcome);
    Ok(())
}

#[tokio::test]
async fn the_exit_waits_for_what_is_dropped_beside_the_block() {
    let log = &Log::new();
    for itself in [true, false] {
        let used = leaves(log.clone(), itself).with(async |()| {
            yield_once().await;
            yield_once().await;
            Ok::<_, Error>(())
        });
        assert_eq!(used.await, Ok(()));
        assert_eq!(log.line(), "slow leaves:Completed", "{itself}");

        // While the use waits for what its block has left.
        let used = leaves(log.clone(), itself).with(async |()| {
            leave_a_clean_up(log, 5).await;
            Ok::<_, Error>(())
        });
        assert_eq!(used.await, Ok(()));
        assert_eq!(log.line(), "slow slow leaves:Completed", "{itself}");
    }
}

/// Each future is polled until it is pending, or nobody would wake the use for it.
#[tokio::test]
async fn the_other_futures_beside_are_polled_when_one_has_failed_late() {
    #[async_context]
    async fn once(log: Log) -> Result<(), Error> {
        yield_resource!((), async {
            log.push("polled");
            std::future::pending().await
        });
        Ok(())
    }

    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |stack| {
        stack.enter(lease(log.clone(), End::Fails(0))).await?;
        stack.enter(once(log.clone())).await?;
        leave_a_clean_up(log, 5).await;
        Ok::<_, Error>(())
    });
    let mut used = Box::pin(used);
    // The lease is entered.
    assert!(poll_once(used.as_mut()).is_pending());
    assert_eq!(log.line(), "");
    assert!(poll_once(used.as_mut()).is_pending());
    assert_eq!(log.line(), "lost drop(renewal) polled");
    used.await.unwrap();
}
