//! Several things go on beside one block, and more than one of them fails. The use fails with the error of the one that has
//! ended the block; each of the others is reported, in the name of its own context.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use guard_core::testing::{Reports, reports};
use guard_core::{
    AsyncContext, TimeoutError, async_context, async_with, drain, exit_stack, yield_resource,
};
use guard_tests::{Log, poll_times, yield_once};

use crate::support::leave_a_clean_up;

async fn fails(name: &'static str, polls: usize) -> Result<(), String> {
    for _ in 0..polls {
        yield_once().await;
    }
    Err(format!("{name} lost"))
}

#[async_context]
async fn first(polls: usize) -> Result<(), String> {
    yield_resource!((), fails("first", polls));
    Ok(())
}

#[async_context]
async fn second(polls: usize) -> Result<(), String> {
    yield_resource!((), fails("second", polls));
    Ok(())
}

type Polls = [usize; 2];

#[async_context]
async fn joined(polls: Polls, clean_up: usize) -> Result<(), String> {
    async_with!(
        join(_first = first(polls[0])?, _second = second(polls[1])?),
        {
            yield_resource!();
            for _ in 0..clean_up {
                yield_once().await;
            }
        }
    );
    Ok(())
}

#[async_context]
async fn nested(polls: Polls, clean_up: usize) -> Result<(), String> {
    async_with!(_first = first(polls[0])?, _second = second(polls[1])?, {
        yield_resource!();
        for _ in 0..clean_up {
            yield_once().await;
        }
    });
    Ok(())
}

#[async_context]
async fn stacked(polls: Polls, clean_up: usize) -> Result<(), String> {
    async_with!(stack = exit_stack::<String>()?, {
        stack.enter(first(polls[0])).await?;
        stack.enter(second(polls[1])).await?;
        yield_resource!();
        for _ in 0..clean_up {
            yield_once().await;
        }
    });
    Ok(())
}

/// One goes on beside the outer context, the other beside the inner one.
#[async_context]
async fn both_levels(polls: Polls, clean_up: usize) -> Result<(), String> {
    async_with!(_first = first(polls[0])?, {
        yield_resource!((), fails("second", polls[1]));
        for _ in 0..clean_up {
            yield_once().await;
        }
    });
    Ok(())
}

/// A joined context inside a joined context.
#[async_context]
async fn two_levels(polls: Polls, clean_up: usize) -> Result<(), String> {
    async_with!(() = joined(polls, clean_up)?, {
        yield_resource!();
    });
    Ok(())
}

/// Leaves what its use waits for, and ends after these polls.
async fn block(polls: usize) -> Result<(), String> {
    leave_a_clean_up(&Log::new(), 30).await;
    for _ in 0..polls {
        yield_once().await;
    }
    Ok(())
}

async fn direct_join(polls: Polls) -> Result<(), String> {
    async_with!(
        join(_first = first(polls[0])?, _second = second(polls[1])?),
        {
            block(5).await?;
        }
    );
    Ok(())
}

async fn direct_stack(polls: Polls) -> Result<(), String> {
    let used = exit_stack::<String>().with(async |stack| {
        stack.enter(first(polls[0])).await?;
        stack.enter(second(polls[1])).await?;
        block(5).await
    });
    used.await
}

/// In all these ways the two go on beside one block, which ends after five polls.
async fn used(way: usize, polls: Polls) -> Result<(), String> {
    let clean_up = 3;
    match way {
        0 => direct_join(polls).await,
        1 => direct_stack(polls).await,
        2 => {
            joined(polls, clean_up)
                .with(async |()| block(5).await)
                .await
        }
        3 => {
            nested(polls, clean_up)
                .with(async |()| block(5).await)
                .await
        }
        4 => {
            stacked(polls, clean_up)
                .with(async |()| block(5).await)
                .await
        }
        5 => {
            both_levels(polls, clean_up)
                .with(async |()| block(5).await)
                .await
        }
        6 => {
            two_levels(polls, clean_up)
                .with(async |()| block(5).await)
                .await
        }
        _ => {
            let context = joined(polls, clean_up).boxed();
            context.with(async |()| block(5).await).await
        }
    }
}

const WAYS: usize = 8;

/// The errors that were reported, without the quotation marks that a stack prints.
fn reported(reports: &Reports) -> Vec<String> {
    let reports = reports.take();
    let errors = reports
        .iter()
        .filter_map(|report| Some(report.error()?.to_string().replace('"', "")));
    errors.collect()
}

#[tokio::test]
async fn of_several_errors_that_come_late_each_is_reported() {
    let reports = reports();
    for way in 0..WAYS {
        for polls in [[10, 12], [12, 10], [12, 12]] {
            assert_eq!(used(way, polls).await, Ok(()), "way {way}, {polls:?}");
            let errors: BTreeSet<_> = reported(&reports).into_iter().collect();
            let both = ["first lost", "second lost"].map(str::to_owned);
            assert_eq!(errors, BTreeSet::from(both), "way {way}, {polls:?}");
        }
    }
}

#[tokio::test]
async fn the_error_that_has_ended_the_block_is_returned_and_a_later_one_reported() {
    let reports = reports();
    for way in 0..WAYS {
        for (polls, ends, late) in [
            ([2, 12], "first lost", "second lost"),
            ([12, 2], "second lost", "first lost"),
        ] {
            let ended = used(way, polls).await;
            assert_eq!(ended, Err(ends.to_owned()), "way {way}, {polls:?}");
            assert_eq!(reported(&reports), [late], "way {way}, {polls:?}");
        }
    }
}

/// One ends the block, and the other fails during the clean-up after the yield.
#[tokio::test]
async fn an_error_during_the_clean_up_comes_after_the_one_that_has_ended_the_block() {
    let reports = reports();
    for (polls, ends, late) in [
        ([2, 6], "first lost", "second lost"),
        ([6, 2], "second lost", "first lost"),
    ] {
        for way in 0..2 {
            let ended = if way == 0 {
                joined(polls, 9).with(async |()| pending().await).await
            } else {
                stacked(polls, 9).with(async |()| pending().await).await
            };
            assert_eq!(ended, Err(ends.to_owned()), "{way} {polls:?}");
            assert_eq!(reported(&reports), [late], "{way} {polls:?}");
        }
    }
}

async fn pending() -> Result<(), String> {
    std::future::pending().await
}

#[tokio::test]
async fn an_error_that_comes_late_is_reported_in_the_name_of_its_context_and_with_its_text() {
    let reports = reports();
    let is_reported = |text: &str| {
        let reports: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
        let is_it =
            |report: &String| report.contains("several::second") && report.contains("second lost");
        assert!(
            reports.len() == 1 && is_it(&reports[0]),
            "{text}: {reports:?}"
        );
    };

    direct_join([1000, 10]).await.unwrap();
    is_reported("join");
    direct_stack([1000, 10]).await.unwrap();
    is_reported("stack");
    let limited = second(10).exit_timeout(Duration::from_secs(60));
    let used = limited.with(async |()| block(5).await.map_err(TimeoutError::Context));
    used.await.unwrap();
    is_reported("exit_timeout");
    let used = second(10).boxed().with(async |()| block(5).await);
    used.await.unwrap();
    is_reported("boxed");
}

/// The use is dropped after each poll. What has failed until then is returned or reported.
#[tokio::test]
async fn no_error_is_lost_when_the_use_is_dropped() {
    #[async_context(scoped)]
    async fn scoped(polls: Polls, log: Log) -> Result<(), String> {
        async_with!(
            join(_first = first(polls[0])?, _second = logged(polls[1], &log)?),
            {
                yield_resource!();
                yield_once().await;
            }
        );
        Ok(())
    }

    #[async_context(scoped)]
    async fn scoped_on_a_stack(polls: Polls, log: Log) -> Result<(), String> {
        async_with!(stack = exit_stack::<String>()?, {
            stack.enter(first(polls[0])).await?;
            stack.enter(logged_default(polls[1], log.clone())).await?;
            yield_resource!();
            yield_once().await;
        });
        Ok(())
    }

    #[async_context(scoped)]
    async fn logged(polls: usize, log: &Log) -> Result<(), String> {
        yield_resource!((), async {
            let failed = fails("second", polls).await;
            log.push("lost");
            failed
        });
        Ok(())
    }

    #[async_context]
    async fn logged_default(polls: usize, log: Log) -> Result<(), String> {
        yield_resource!((), async {
            let failed = fails("second", polls).await;
            log.push("lost");
            failed
        });
        Ok(())
    }

    #[async_context]
    async fn made(polls: Polls, log: Log) -> Result<(), String> {
        async_with!(() = scoped(polls, log.clone())?, {
            yield_resource!();
        });
        Ok(())
    }

    #[async_context(scoped)]
    async fn scoped_twice(polls: Polls, log: Log) -> Result<(), String> {
        async_with!(() = scoped(polls, log.clone())?, {
            yield_resource!();
        });
        Ok(())
    }

    async fn used(way: usize, polls: Polls, log: Log) -> Result<(), String> {
        match way {
            0 => scoped(polls, log).with(async |()| block(5).await).await,
            1 => made(polls, log).with(async |()| block(5).await).await,
            2 => {
                scoped_twice(polls, log)
                    .with(async |()| block(5).await)
                    .await
            }
            3 => {
                scoped_on_a_stack(polls, log)
                    .with(async |()| block(5).await)
                    .await
            }
            _ => {
                async_with!(() = scoped(polls, log)?, () = first(1000)?, {
                    block(5).await?;
                });
                Ok(())
            }
        }
    }

    let reports = reports();
    for way in 0..5 {
        for polls in [[1000, 2], [1000, 12], [2, 12], [12, 2], [10, 12]] {
            for dropped_after in 0..40 {
                let log = Log::new();
                let mut results = Vec::new();
                {
                    let mut used = pin!(used(way, polls, log.clone()));
                    for _ in 0..dropped_after {
                        // So that the clean-ups go on in between.
                        tokio::task::yield_now().await;
                        if let Poll::Ready(result) = poll_times(used.as_mut(), 1) {
                            results.extend(result.err());
                            break;
                        }
                    }
                }
                drain().await;
                let has_failed = log.line().contains("lost");
                let told = results.into_iter().chain(reported(&reports));
                let count = told.filter(|error| error.contains("second lost")).count();
                assert_eq!(
                    count,
                    usize::from(has_failed),
                    "way {way}, {polls:?}, dropped after {dropped_after}"
                );
            }
        }
    }
}

/// The exit of the outer context is given up, and with it the inner use whose block was ended.
#[tokio::test(start_paused = true)]
async fn what_has_ended_the_block_is_reported_when_the_exit_is_given_up() {
    #[async_context]
    async fn hangs() -> Result<(), String> {
        async_with!(_first = first(2)?, {
            yield_resource!();
            std::future::pending::<()>().await;
        });
        Ok(())
    }

    let reports = reports();
    let limited = hangs().exit_timeout(Duration::from_secs(1));
    let used = limited.with(async |()| {
        std::future::pending::<()>().await;
        Ok::<_, TimeoutError<String>>(())
    });
    assert!(matches!(used.await, Err(TimeoutError::TimedOut)));
    drain().await;
    assert!(reported(&reports).iter().any(|error| error == "first lost"));
}

/// The future fails, and then its destructor panics: the panic goes on, and the error is reported.
#[test]
fn an_error_before_a_panic_of_its_future_is_reported_inside_a_context() {
    struct Bomb(());

    impl Future for Bomb {
        type Output = Result<(), String>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(Err("first lost".to_owned()))
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }

    #[async_context]
    async fn armed() -> Result<(), String> {
        yield_resource!((), Bomb(()));
        Ok(())
    }

    #[async_context]
    async fn outer() -> Result<(), String> {
        async_with!(() = armed()?, {
            yield_resource!();
        });
        Ok(())
    }

    let reports = reports();
    let used = outer().with(async |()| pending().await);
    assert_eq!(crate::support::panic_of(used), "bomb");
    assert_eq!(reported(&reports), ["first lost"]);
}

/// The body of the outer context is dropped at its yield, and a destructor in it panics.
#[tokio::test]
async fn what_has_ended_the_block_is_reported_if_a_destructor_in_the_body_panics() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }

    #[async_context(scoped)]
    async fn outer(log: &Log) -> Result<(), String> {
        async_with!(() = first(1)?, {
            let _bomb = Bomb;
            log.push("yields");
            yield_resource!();
        });
        Ok(())
    }

    let (log, reports) = (Log::new(), reports());
    let mut used = Box::pin(outer(&log).with(async |()| {
        leave_a_clean_up(&Log::new(), 30).await;
        pending().await
    }));
    // The block is ended, and the use waits for what that has left.
    assert!(poll_times(used.as_mut(), 3).is_pending());
    assert_eq!(guard_tests::panic_message(|| drop(used)), "bomb");
    assert_eq!(
        reported(&reports).first().map(String::as_str),
        Some("first lost")
    );
}
