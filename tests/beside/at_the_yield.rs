//! The future beside an inner context fails or panics in any poll: before the body comes to its yield, in the same poll,
//! or later. The block of the outer context is ended each time, and the outer context is never told `Completed`.

use guard_core::{AsyncContext, async_context, async_with, exit_stack, within, yield_resource};
use guard_tests::{Log, block_on, yield_once};

use crate::support::{End, Error, Resource, lease, panic_of, plain, told};

#[async_context]
async fn of_one(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(lent = lease(log.clone(), end)?, {
        let outcome = yield_resource!(*lent);
        told(&log, "outer", outcome);
    });
    Ok(())
}

#[async_context]
async fn of_one_later(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(lent = lease(log.clone(), end)?, {
        yield_once().await;
        yield_once().await;
        let outcome = yield_resource!(*lent);
        told(&log, "outer", outcome);
        yield_once().await;
    });
    Ok(())
}

#[async_context]
async fn of_two_levels(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(lent = of_one(log.clone(), end)?, {
        let outcome = yield_resource!(*lent);
        told(&log, "outermost", outcome);
    });
    Ok(())
}

#[async_context]
async fn of_nested_blocks(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(_lease = lease(log.clone(), end)?, {
        async_with!(lent = plain(log.clone())?, {
            let outcome = yield_resource!(*lent);
            told(&log, "outer", outcome);
        });
    });
    Ok(())
}

#[async_context]
async fn of_one_call(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(
        _lease = lease(log.clone(), end)?,
        lent = plain(log.clone())?,
        {
            let outcome = yield_resource!(*lent);
            told(&log, "outer", outcome);
        }
    );
    Ok(())
}

#[async_context]
async fn of_one_call_inside(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(
        _plain = plain(log.clone())?,
        lent = lease(log.clone(), end)?,
        {
            let outcome = yield_resource!(*lent);
            told(&log, "outer", outcome);
        }
    );
    Ok(())
}

#[async_context]
async fn of_joined(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(
        join(
            lent = plain(log.clone())?,
            _lease = of_one(log.clone(), end)?
        ),
        {
            let outcome = yield_resource!(*lent);
            told(&log, "outer", outcome);
        }
    );
    Ok(())
}

#[async_context]
async fn of_a_stack(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(stack = exit_stack::<Error>()?, {
        let lent = stack.enter(lease(log.clone(), end)).await?;
        let outcome = yield_resource!(*lent);
        told(&log, "outer", outcome);
    });
    Ok(())
}

#[async_context]
async fn of_boxed(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(
        lent = of_one(log.clone(), end).boxed().map_err(|error| error)?,
        {
            let outcome = yield_resource!(*lent);
            told(&log, "outer", outcome);
        }
    );
    Ok(())
}

/// With something beside the outer context too.
#[async_context]
async fn of_two_beside(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(lent = lease(log.clone(), end)?, {
        let outcome = yield_resource!(*lent, std::future::pending::<Result<(), Error>>());
        told(&log, "outer", outcome);
    });
    Ok(())
}

#[async_context(scoped)]
async fn of_one_in_attempt(log: Log, end: End) -> Result<Resource, Error> {
    let attempted = async_with!(attempt::<Error>(lent = lease(log.clone(), end)?), {
        let outcome = yield_resource!(*lent);
        told(&log, "outer", outcome);
    });
    attempted
}

/// The place is found by an expression that waits. Until it lends, that is a part of the set-up.
#[async_context]
async fn of_a_place_found_late(log: Log, end: End) -> Result<Resource, Error> {
    async fn find(place: &mut Resource) -> &mut Resource {
        yield_once().await;
        yield_once().await;
        place
    }

    async_with!(lent = lease(log.clone(), end)?, {
        let outcome = yield_resource!(*find(lent).await);
        told(&log, "outer", outcome);
    });
    Ok(())
}

/// Runs for some polls, and then ends well.
async fn block(resource: &mut Resource, log: &Log) -> Result<(), Error> {
    for _ in 0..40 {
        resource.touch();
        yield_once().await;
    }
    log.push("went on");
    Ok(())
}

#[within(resource = context?)]
async fn in_a_function(
    context: impl AsyncContext<Resource = Resource, Error = Error>,
    log: &Log,
) -> Result<(), Error> {
    block(resource, log).await
}

/// Uses the context in one of the forms.
async fn used<C>(form: usize, context: C, log: &Log) -> Result<(), Error>
where
    C: AsyncContext<Resource = Resource, Error = Error> + Send + 'static,
{
    match form {
        0 => context.with(async |lent| block(lent, log).await).await,
        1 => {
            async_with!(lent = context?, { block(lent, log).await? });
            Ok(())
        }
        2 => async_with!(attempt::<Error>(lent = context?), {
            block(lent, log).await?;
        }),
        3 => in_a_function(context, log).await,
        4 => {
            let stacked = exit_stack::<Error>().with(async |stack| {
                let lent = stack.enter(context).await?;
                block(lent, log).await
            });
            stacked.await
        }
        5 => {
            async_with!(join(_plain = plain(log.clone())?, lent = context?), {
                block(lent, log).await?;
            });
            Ok(())
        }
        _ => {
            let tried = context.try_with(async |lent| block(lent, log).await).await;
            tried.map_err(|_| Error::Lost)
        }
    }
}

fn ends_the_block_in_every_poll<C>(name: &str, make: impl Fn(Log, End) -> C)
where
    C: AsyncContext<Resource = Resource, Error = Error> + Send + 'static,
{
    for form in 0..7 {
        for polls in 0..10 {
            let log = &Log::new();
            let ended = block_on(used(form, make(log.clone(), End::Fails(polls)), log));
            let line = log.line();
            let case = format!("{name}, form {form}, {polls} polls: {line}");
            assert_eq!(ended, Err(Error::Lost), "{case}");
            assert!(line.contains("lost"), "{case}");
            assert!(!line.contains("went on"), "{case}");
            assert!(!line.contains("Completed"), "{case}");

            let panic = panic_of(used(form, make(log.clone(), End::Panics(polls)), log));
            let line = log.line();
            let case = format!("{name}, form {form}, {polls} polls, panics: {line}");
            assert_eq!(panic, "beside", "{case}");
            assert!(!line.contains("went on"), "{case}");
            assert!(!line.contains("Completed"), "{case}");
        }
    }
}

#[test]
fn what_is_beside_an_inner_context_ends_the_block_in_whichever_poll_it_ends() {
    ends_the_block_in_every_poll("one", of_one);
    ends_the_block_in_every_poll("later", of_one_later);
    ends_the_block_in_every_poll("two levels", of_two_levels);
    ends_the_block_in_every_poll("nested blocks", of_nested_blocks);
    ends_the_block_in_every_poll("one call", of_one_call);
    ends_the_block_in_every_poll("one call, inside", of_one_call_inside);
    ends_the_block_in_every_poll("joined", of_joined);
    ends_the_block_in_every_poll("stack", of_a_stack);
    ends_the_block_in_every_poll("boxed", of_boxed);
    ends_the_block_in_every_poll("two beside", of_two_beside);
    ends_the_block_in_every_poll("attempt", of_one_in_attempt);
    ends_the_block_in_every_poll("place found late", of_a_place_found_late);
}

/// Once the yield has lent, what comes after it runs, whatever ends then.
#[test]
fn what_comes_after_the_yield_runs_in_whichever_poll_something_ends() {
    #[async_context]
    async fn cleans_up(log: Log, end: End) -> Result<(), Error> {
        async_with!(
            _lease = lease(log.clone(), end)?,
            _plain = plain(log.clone())?,
            {
                log.push("set-up");
                yield_resource!();
                for _ in 0..5 {
                    yield_once().await;
                }
                log.push("clean");
            }
        );
        Ok(())
    }

    for polls in 0..12 {
        for panics in [false, true] {
            let log = &Log::new();
            let end = if panics {
                End::Panics(polls)
            } else {
                End::Fails(polls)
            };
            let used = cleans_up(log.clone(), end).with(async |()| {
                yield_once().await;
                yield_once().await;
                Ok::<_, Error>(())
            });
            if panics {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(used)));
            } else {
                let _ = block_on(used);
            }
            let line = log.line();
            assert_eq!(
                line.contains("set-up"),
                line.contains("clean"),
                "{polls} {panics}: {line}"
            );
        }
    }
}
