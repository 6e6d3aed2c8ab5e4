//! An error or a panic that no caller can receive is reported, once.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Poll;
use std::time::Duration;

use guard_core::{
    AsyncContext, TimeoutError, TryWithError, async_context, async_with, drain, exit_stack,
    suppress, within, yield_resource,
};
use guard_tests::{block_on, yield_once};
use tokio::time::timeout;

use crate::support::{Block, forever, logs, paused, poll_and_drop, step};

#[async_context]
async fn slow() -> Result<(), &'static str> {
    yield_resource!();
    tokio::time::sleep(Duration::from_secs(9)).await;
    Ok(())
}

#[within(_it = slow()?)]
async fn decorated_fails() -> Result<(), &'static str> {
    Err("the disk is on fire")
}

#[within(_it = slow()?)]
async fn decorated_panics() -> Result<(), &'static str> {
    resume_unwind(Box::new("the disk is on fire"))
}

fn fails(way: &str) -> Block {
    match way {
        "with" => Box::pin(async {
            let _ = slow()
                .with(async |()| Err::<(), _>("the disk is on fire"))
                .await;
        }),
        "try_with" => Box::pin(async {
            let _ = slow()
                .try_with(async |()| Err::<(), _>("the disk is on fire"))
                .await;
        }),
        "macro" => Box::pin(async {
            let used = async {
                async_with!(_it = slow()?, { Err("the disk is on fire")? });
                Ok::<(), &str>(())
            };
            let _ = used.await;
        }),
        "value" => Box::pin(async {
            let used = async {
                let value: Result<(), &str> =
                    async_with!(_it = slow()?, { Err("the disk is on fire") });
                value
            };
            let _ = used.await;
        }),
        "return" => Box::pin(async {
            let used = async {
                async_with!(_it = slow()?, { return Err("the disk is on fire") });
                #[allow(unreachable_code)]
                Ok::<(), &str>(())
            };
            let _ = used.await;
        }),
        "join" => Box::pin(async {
            let used = async {
                async_with!(join(_it = slow()?, _other = slow()?), {
                    Err("the disk is on fire")?;
                });
                Ok::<(), &str>(())
            };
            let _ = used.await;
        }),
        _ => Box::pin(async {
            let _ = decorated_fails().await;
        }),
    }
}

fn panics(way: &str) -> Block {
    match way {
        "with" => Box::pin(async {
            let used = slow().with(async |()| -> Result<(), &str> {
                resume_unwind(Box::new("the disk is on fire"))
            });
            let _ = used.await;
        }),
        "macro" => Box::pin(async {
            let used = async {
                async_with!(_it = slow()?, {
                    if true {
                        resume_unwind(Box::new("the disk is on fire"));
                    }
                });
                Ok::<(), &str>(())
            };
            let _ = used.await;
        }),
        _ => Box::pin(async {
            let _ = decorated_panics().await;
        }),
    }
}

/// The number of reports of this error. Fails if anything else was reported.
fn count_reports(reports: &guard_tests::Log) -> usize {
    let all = reports.take();
    // The library names the type of an error where it cannot see that the type is `Debug`, and of a block's
    // value.
    let is_of_the_error = |it: &&String| {
        it.contains("the disk is on fire")
            || it.contains("an error of type `&str`")
            || it.contains("an error of type `core::result::Result<(), &str>`")
            || it.contains("with an `Err` as its value")
    };
    let count = all.iter().filter(is_of_the_error).count();
    assert_eq!(all.len(), count, "something else was reported: {all:?}");
    count
}

#[test]
fn the_error_of_a_body_is_reported_when_its_use_is_dropped_during_the_exit() {
    let (_, reports) = logs();
    paused().block_on(async {
        for way in [
            "with", "try_with", "macro", "value", "return", "join", "within",
        ] {
            assert!(timeout(Duration::from_secs(1), fails(way)).await.is_err());
            drain().await;
            assert_eq!(count_reports(&reports), 1, "{way}");
        }
    });
}

#[test]
fn the_panic_of_a_body_is_reported_when_its_use_is_dropped_during_the_exit() {
    let (_, reports) = logs();
    paused().block_on(async {
        for way in ["with", "macro", "within"] {
            assert!(timeout(Duration::from_secs(1), panics(way)).await.is_err());
            drain().await;
            assert_eq!(count_reports(&reports), 1, "{way}");
        }
    });
}

#[test]
fn the_error_of_a_body_is_reported_when_its_use_is_dropped_while_it_settles() {
    let (log, reports) = logs();
    paused().block_on(async {
        let fails = slow().with(async |()| {
            poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
            Err::<(), _>("the disk is on fire")
        });
        poll_and_drop(fails);
        drain().await;
        assert_eq!(log.line(), "+x -x");
        assert_eq!(count_reports(&reports), 1);
    });
}

#[test]
fn an_error_that_a_catching_context_has_not_seen_is_reported() {
    let (log, reports) = logs();
    paused().block_on(async {
        let suppressing = suppress(|_: &&str| false).catch(async |()| {
            poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
            Err::<(), _>("the disk is on fire")
        });
        poll_and_drop(suppressing);
        drain().await;
        assert_eq!(count_reports(&reports), 1, "catch");
        let used = async {
            async_with!(catch(_it = suppress(|_: &&str| false)?), {
                poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
                Err("the disk is on fire")?;
            });
            Ok::<(), &str>(())
        };
        poll_and_drop(used);
        drain().await;
        assert_eq!(count_reports(&reports), 1, "async_with");
    });
    assert_eq!(log.line(), "+x -x +x -x");
}

#[test]
fn an_error_that_an_empty_stack_was_given_is_reported() {
    let (log, reports) = logs();
    paused().block_on(async {
        let used = exit_stack::<&str>().catching().catch(async |_| {
            poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
            Err::<(), _>("the disk is on fire")
        });
        poll_and_drop(used);
        drain().await;
        assert_eq!(count_reports(&reports), 1);
    });
    assert_eq!(log.line(), "+x -x");
}

#[test]
fn an_error_that_the_caller_receives_is_not_reported() {
    let (_, reports) = logs();
    paused().block_on(async {
        for way in [
            "with", "try_with", "macro", "value", "return", "join", "within",
        ] {
            fails(way).await;
            assert_eq!(reports.line(), "", "{way}");
        }
    });
}

#[test]
fn the_report_of_an_error_that_is_not_debug_names_its_type() {
    struct Opaque;
    impl From<&str> for Opaque {
        fn from(_: &str) -> Self {
            Self
        }
    }

    let (_, reports) = logs();
    paused().block_on(async {
        poll_and_drop(slow().with(async |()| Err::<(), _>(Opaque)));
        drain().await;
    });
    let reports = reports.take();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("Opaque"), "{reports:?}");
}

#[test]
fn the_error_of_an_inner_clean_up_is_reported_before_the_outer_use_ends() {
    #[async_context]
    async fn fails_to_exit() -> Result<(), &'static str> {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        Err("disk full")
    }

    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let inner = fails_to_exit();
            poll_and_drop(inner.with(async |()| {
                forever().await;
                Ok::<_, &str>(())
            }));
        });
        // The report comes before the outer use has ended.
        assert_eq!(reports.line(), "fails_to_exit failed: disk full");
    });
}

#[test]
fn try_with_returns_the_exit_error_of_a_context_that_is_made_of_contexts() {
    #[async_context]
    async fn transaction() -> Result<u32, String> {
        let mut number = 1;
        yield_resource!(number);
        Err("rollback failed".into())
    }
    #[async_context]
    async fn ends_below() -> Result<u32, String> {
        async_with!(number = transaction()?, {
            yield_resource!(*number);
        });
        Ok(())
    }
    #[async_context]
    async fn ends_inside() -> Result<u32, String> {
        async_with!(number = transaction()?, {
            yield_resource!(*number);
            return Ok(());
        })
    }

    let (_, reports) = logs();
    let both = Err(TryWithError::BodyAndExit {
        body: "body",
        exit: "rollback failed".to_owned(),
    });
    let used = ends_below().try_with(async |_| Err::<(), _>("body"));
    assert_eq!(block_on(used), both);
    let used = ends_inside().try_with(async |_| Err::<(), _>("body"));
    assert_eq!(block_on(used), both);
    let exit = Err("rollback failed".to_owned());
    let used = ends_below().with(async |_| Ok::<(), String>(()));
    assert_eq!(block_on(used), exit);
    let used = ends_inside().with(async |_| Ok::<(), String>(()));
    assert_eq!(block_on(used), exit);
    assert_eq!(reports.line(), "");
}

#[test]
fn without_a_reporter_a_report_is_a_line_on_stderr() {
    #[async_context(scoped)]
    async fn lost() {
        yield_resource!();
    }

    let stderr = crate::own_process::in_own_process(|| {
        poll_and_drop(lost().run(async |()| forever().await));
    });
    assert!(stderr.contains("lost"), "{stderr}");
    assert!(stderr.contains("abandoned"), "{stderr}");
}

/// A context whose exit takes 9 seconds, and beside whose block something fails after `millis`.
#[async_context]
async fn first(millis: u64) -> Result<(), &'static str> {
    yield_resource!((), fails_after(millis, "the first is lost"));
    tokio::time::sleep(Duration::from_secs(9)).await;
    Ok(())
}

/// As [`first`].
#[async_context]
async fn second(millis: u64) -> Result<(), &'static str> {
    yield_resource!((), fails_after(millis, "the second is lost"));
    tokio::time::sleep(Duration::from_secs(9)).await;
    Ok(())
}

async fn fails_after(millis: u64, error: &'static str) -> Result<(), &'static str> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Err(error)
}

#[test]
fn an_error_beside_a_context_inside_another_is_reported_in_its_own_name() {
    let in_time = |error: TimeoutError<&'static str>| format!("{error:?}");
    let (log, reports) = logs();
    // Some contexts print their errors with `Debug`.
    let line = || reports.line().replace('"', "");
    let never = 3_600_000;
    let leave = || {
        let x = step(log.clone(), "x", 99).run(async |()| forever().await);
        poll_and_drop(x);
    };
    paused().block_on(async {
        // While the use waits for its nest.
        let joined = async {
            async_with!(join(_a = first(never)?, _b = second(20)?), {
                let slow = crate::support::sleeps(log.clone(), "slow", 50);
                poll_and_drop(slow.run(async |()| forever().await));
            });
            Ok::<_, &str>(())
        };
        assert_eq!(joined.await, Ok(()));
        assert_eq!(line(), "second failed: the second is lost", "late");

        let slow = || crate::support::sleeps(log.clone(), "slow", 50);
        let bounded = first(20).exit_timeout(Duration::from_secs(99));
        let used = bounded.with(async |()| {
            poll_and_drop(slow().run(async |()| forever().await));
            Ok::<_, TimeoutError<&str>>(())
        });
        assert_eq!(used.await, Ok(()));
        assert_eq!(line(), "first failed: the first is lost", "bounded");

        // It has ended the block, and the caller is gone when it has exited.
        let joined = async {
            async_with!(join(_a = first(never)?, _b = second(20)?), {
                forever().await
            });
            Ok::<_, &str>(())
        };
        assert!(timeout(Duration::from_secs(1), joined).await.is_err());
        drain().await;
        assert_eq!(line(), "second failed: the second is lost", "dropped");
        let bounded = async {
            async_with!(_a = first(20).exit_timeout(Duration::from_secs(99))?, {
                forever().await
            });
            Ok::<_, TimeoutError<&str>>(())
        };
        assert!(timeout(Duration::from_secs(1), bounded).await.is_err());
        drain().await;
        assert_eq!(
            line(),
            "first failed: the first is lost",
            "dropped, bounded"
        );
        // The same while it waits for what the block left.
        let joined = async {
            async_with!(join(_a = first(never)?, _b = second(20)?), {
                leave();
                forever().await
            });
            Ok::<_, &str>(())
        };
        let mut joined = Box::pin(joined);
        assert!(
            timeout(Duration::from_millis(30), joined.as_mut())
                .await
                .is_err()
        );
        drop(joined);
        drain().await;
        assert_eq!(line(), "second failed: the second is lost", "dropped early");

        // The exit fails too.
        let bounded = async {
            let it = first(20).exit_timeout(Duration::from_secs(1));
            async_with!(_a = it?, { forever().await });
            Ok::<_, TimeoutError<&str>>(())
        };
        assert_eq!(
            bounded.await.map_err(in_time),
            Err(in_time(TimeoutError::Context("the first is lost")))
        );
        assert_eq!(line(), "first timed out", "the exit too");
    });
}

/// A context whose exit never ends.
#[async_context]
async fn hung() -> Result<(), &'static str> {
    yield_resource!();
    forever().await;
    Ok(())
}

#[test]
fn what_a_body_failed_with_is_reported_also_after_an_exit_limit_has_passed() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            resume_unwind(Box::new("the destructor"));
        }
    }
    #[async_context(scoped)]
    async fn panics_when_it_expires() -> Result<(), &'static str> {
        let _panics = Panics;
        yield_resource!();
        forever().await;
        Ok(())
    }

    let in_time = |_: TimeoutError<&'static str>| "timed out";
    let bounded = || hung().exit_timeout(Duration::from_millis(10));
    let (_, reports) = logs();
    paused().block_on(async {
        for way in ["first", "second", "panics"] {
            let fails = async {
                match way {
                    "first" => async_with!(join(_a = bounded().map_err(in_time)?, _b = slow()?), {
                        Err::<(), _>("the disk is on fire")?;
                    }),
                    "second" => {
                        async_with!(join(_b = slow()?, _a = bounded().map_err(in_time)?), {
                            Err::<(), _>("the disk is on fire")?;
                        })
                    }
                    _ => {
                        let it = panics_when_it_expires().exit_timeout(Duration::from_millis(10));
                        async_with!(_a = it.map_err(in_time)?, {
                            Err::<(), _>("the disk is on fire")?
                        });
                    }
                }
                Ok::<_, &str>(())
            };
            let mut fails = Box::pin(fails);
            let ended = timeout(
                Duration::from_secs(1),
                poll_fn(|cx| {
                    let poll = AssertUnwindSafe(|| fails.as_mut().poll(cx));
                    catch_unwind(poll).unwrap_or(Poll::Ready(Err("it panics")))
                }),
            );
            let expected = if way == "panics" {
                Ok(Err("it panics"))
            } else {
                Err(())
            };
            assert_eq!(ended.await.map_err(|_| ()), expected, "{way}");
            drop(fails);
            drain().await;
            let reports = reports.take();
            let of_body = reports.iter().filter(|it| it.contains("an error of type"));
            assert_eq!(of_body.count(), 1, "{way}: {reports:?}");
        }
    });
}
