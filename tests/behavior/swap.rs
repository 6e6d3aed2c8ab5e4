//! Contexts that are replaced while they are used.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use guard_core::testing::{cancel_at_every_poll, reports};
use guard_core::{
    AsyncContext, Outcome, ReplaceError, async_context, async_with, drain, exit_stack, nullcontext,
    swap, yield_resource,
};
use guard_tests::{Log, block_on, poll_once, yield_once};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    Never,
    Entering,
    Exiting,
}

#[async_context]
async fn token(log: Log, number: u32, fails: Fails) -> Result<u32, &'static str> {
    log.push(format_args!("in{number}"));
    yield_once().await;
    if fails == Fails::Entering {
        return Err("refused");
    }
    let mut lent = number;
    let outcome = yield_resource!(lent);
    yield_once().await;
    log.push(format_args!("out{number}({outcome:?})"));
    if fails == Fails::Exiting {
        Err("stuck")
    } else {
        Ok(())
    }
}

macro_rules! fine {
    ($log:expr, $number:expr) => {
        token($log.clone(), $number, Fails::Never)
    };
}

#[test]
fn the_next_context_is_entered_before_the_former_one_is_exited() {
    let log = Log::new();
    let used = block_on(async {
        async_with!(session = swap(fine!(log, 1))?, {
            assert_eq!(*session.current(), 1);
            session.replace(fine!(log, 2)).await?;
            assert_eq!(*session.current(), 2);
            assert_eq!(format!("{session:?}"), "Current(2)");
            session.replace(fine!(log, 3)).await?;
            Err("body")
        })
    });
    assert_eq!(used, Err::<(), _>("body"));
    assert_eq!(
        log.line(),
        "in1 in2 out1(Completed) in3 out2(Completed) out3(Failed(()))"
    );
}

#[test]
fn a_next_context_that_cannot_be_entered_changes_nothing() {
    let log = Log::new();
    let used = block_on(async {
        async_with!(session = swap(fine!(log, 1))?, {
            let next = token(log.clone(), 2, Fails::Entering);
            let replaced = session.try_replace(next).await;
            assert_eq!(replaced, Err(ReplaceError::Enter("refused")));
            assert_eq!(*session.current(), 1);
            let next = token(log.clone(), 2, Fails::Entering);
            assert_eq!(session.replace(next).await, Err("refused"));
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.line(), "in1 in2 in2 out1(Completed)");
}

#[test]
fn a_first_context_that_cannot_be_entered_fails_the_use() {
    let log = Log::new();
    let first = token(log.clone(), 1, Fails::Entering);
    let used = block_on(swap(first).with(async |_| Ok::<_, &str>(())));
    assert_eq!(used, Err("refused"));
}

#[test]
fn a_former_context_that_cannot_be_exited_is_replaced() {
    let log = Log::new();
    let used = block_on(async {
        async_with!(session = swap(token(log.clone(), 1, Fails::Exiting))?, {
            let replaced = session.try_replace(fine!(log, 2)).await;
            let error = replaced.unwrap_err();
            assert_eq!(error, ReplaceError::Exit("stuck"));
            assert_eq!(
                error.to_string(),
                "the former context could not be exited: stuck"
            );
            assert_eq!(*session.current(), 2);
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.line(), "in1 in2 out1(Completed) out2(Completed)");
}

#[test]
fn a_reader_keeps_its_context_until_it_is_dropped() {
    let log = Log::new();
    block_on(async {
        async_with!(session = swap(fine!(log, 1))?, {
            let (first, second) = (session.current(), session.current());
            {
                let mut replacing = pin!(session.replace(fine!(log, 2)));
                for _ in 0..3 {
                    assert!(poll_once(replacing.as_mut()).is_pending());
                }
                assert_eq!((*first, *session.current()), (1, 2));
                drop(first);
                assert!(poll_once(replacing.as_mut()).is_pending());
                assert_eq!(log.line(), "in1 in2");
                drop(second);
                assert_eq!(replacing.await, Ok(()));
            }
            assert_eq!(log.line(), "out1(Completed)");
        });
        Ok::<_, &str>(())
    })
    .unwrap();
    assert_eq!(log.line(), "out2(Completed)");
}

#[test]
fn the_last_reader_that_is_dropped_wakes_the_replace() {
    let log = Log::new();
    futures::executor::block_on(async {
        async_with!(session = swap(fine!(log, 1))?, {
            let reader = session.current();
            let reading = async {
                for _ in 0..10 {
                    yield_once().await;
                }
                drop(reader);
                log.push("read");
            };
            let (replaced, ()) =
                futures::future::join(session.replace(fine!(log, 2)), reading).await;
            assert_eq!(replaced, Ok(()));
        });
        Ok::<_, &str>(())
    })
    .unwrap();
    assert_eq!(log.line(), "in1 in2 read out1(Completed) out2(Completed)");
}

#[tokio::test]
async fn a_cancelled_replace_leaves_the_former_context_to_its_readers() {
    let log = Log::new();
    async_with!(session = swap(fine!(log, 1)).expect("a token"), {
        let reader = session.current();
        {
            let mut replacing = pin!(session.replace(fine!(log, 2)));
            for _ in 0..3 {
                assert!(poll_once(replacing.as_mut()).is_pending());
            }
        }
        drain().await;
        assert_eq!(*session.current(), 2);
        assert_eq!(*reader, 1);
        assert_eq!(log.line(), "in1 in2");
        drop(reader);
        drain().await;
        assert_eq!(log.line(), "out1(Completed)");
    });
    assert_eq!(log.line(), "out2(Completed)");
}

/// A use of a swap that waits in every phase.
async fn used(log: &Log) -> Result<u32, &'static str> {
    Ok(async_with!(session = swap(fine!(log, 1))?, {
        let reader = session.current();
        let reading = async {
            yield_once().await;
            yield_once().await;
            *reader + {
                drop(reader);
                0
            }
        };
        let replacing = session.replace(fine!(log, 2));
        let (read, replaced) = futures::future::join(reading, replacing).await;
        replaced?;
        yield_once().await;
        read
    }))
}

#[tokio::test]
async fn every_context_of_a_swap_is_exited_once_wherever_its_use_is_cancelled() {
    let log = Log::new();
    let reports = reports();
    let value = cancel_at_every_poll(
        || used(&log),
        async |cut| {
            let line = log.take();
            for number in [1, 2] {
                let count =
                    |what: &str| line.iter().filter(|event| event.starts_with(what)).count();
                let (entered, exited) = (
                    count(&format!("in{number}")),
                    count(&format!("out{number}(")),
                );
                assert_eq!(entered, exited, "{number}: {line:?}");
            }
            // One that was replaced has not been cancelled.
            if let Some(replaced) = line
                .iter()
                .find(|event| event.starts_with("out1(Completed)"))
            {
                assert!(cut.polls() > 2, "{replaced} in {line:?}");
            }
            if cut.is_end() {
                assert_eq!(line.join(" "), "in1 in2 out1(Completed) out2(Completed)");
            }
        },
    )
    .await;
    assert_eq!(value, Ok(1));
    reports.assert_none();
}

#[tokio::test]
async fn a_cancelled_replace_tells_the_former_context_completed() {
    let log = Log::new();
    let outs = cancel_at_every_poll(
        || async {
            async_with!(session = swap(fine!(log, 1))?, {
                session.replace(fine!(log, 2)).await?;
            });
            Ok::<_, &str>(())
        },
        async |cut| {
            let line = log.line();
            let expected = match cut.polls() {
                0 => "",
                1 => "in1 out1(Cancelled)",
                // The next one is being entered: it is finished, and the former one is still the current one.
                2 => {
                    assert!(
                        line.contains("in2") && line.contains("out2(Cancelled)"),
                        "{line}"
                    );
                    assert!(line.contains("out1(Cancelled)"), "{line}");
                    return;
                }
                // It waits in the exit of the former one.
                3 => {
                    assert!(line.contains("out1(Completed)"), "{line}");
                    assert!(line.contains("out2(Cancelled)"), "{line}");
                    return;
                }
                _ => "in1 in2 out1(Completed) out2(Completed)",
            };
            assert_eq!(line, expected);
        },
    )
    .await;
    assert_eq!(outs, Ok(()));
}

#[tokio::test]
async fn an_exit_error_of_a_former_context_without_a_caller_is_reported() {
    let log = Log::new();
    let reports = reports();
    async_with!(
        session = swap(token(log.clone(), 1, Fails::Exiting)).expect("a token"),
        {
            let reader = session.current();
            {
                let mut replacing = pin!(session.replace(fine!(log, 2)));
                assert!(poll_once(replacing.as_mut()).is_pending());
                assert!(poll_once(replacing.as_mut()).is_pending());
            }
            reports.assert_none();
            drop(reader);
        }
    );
    let reported = reports.take();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].name().ends_with("::swap::token"));
    assert_eq!(reported[0].error(), Some("stuck"));
}

#[tokio::test]
async fn a_leaked_reader_is_reported() {
    let reports = reports();
    let log = Log::new();
    async_with!(session = swap(fine!(log, 1)).expect("a token"), {
        std::mem::forget(session.current());
    });
    assert_eq!(reports.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_read_while_the_context_is_replaced() {
    let log = Log::new();
    let guard = Arc::new(swap(fine!(log, 0)).enter().await.unwrap());
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let guard = guard.clone();
            tokio::spawn(async move {
                let mut last = 0;
                for _ in 0..50 {
                    let current = guard.current();
                    assert!(*current >= last);
                    tokio::task::yield_now().await;
                    last = *current;
                }
            })
        })
        .collect();
    for number in 1..20 {
        assert_eq!(guard.replace(fine!(log, number)).await, Ok(()));
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let guard = Arc::into_inner(guard).unwrap();
    assert_eq!(guard.exit().await, Ok(()));
    let mut expected = vec!["in0".to_owned()];
    for number in 1..20 {
        expected.push(format!("in{number}"));
        expected.push(format!("out{}(Completed)", number - 1));
    }
    expected.push("out19(Completed)".into());
    assert_eq!(log.take(), expected);
}

#[test]
fn two_concurrent_replaces_both_replace() {
    let log = Log::new();
    futures::executor::block_on(async {
        async_with!(session = swap(fine!(log, 1))?, {
            let replacing = [2, 3].map(|number| session.replace(fine!(log, number)));
            let replaced = futures::future::join_all(replacing).await;
            assert_eq!(replaced, [Ok(()), Ok(())]);
            assert_eq!(*session.current(), 3);
        });
        Ok::<_, &str>(())
    })
    .unwrap();
    let mut line = log.take();
    line.sort();
    let expected = [
        "in1",
        "in2",
        "in3",
        "out1(Completed)",
        "out2(Completed)",
        "out3(Completed)",
    ];
    assert_eq!(line, expected);
}

#[test]
fn a_swap_may_be_entered_by_hand_or_on_a_stack() {
    block_on(async {
        let guard = swap(nullcontext(1)).enter().await.unwrap();
        assert_eq!(guard.replace(nullcontext(2)).await, Ok(()));
        assert_eq!(*guard.current(), 2);
        assert_eq!(guard.exit_with(Outcome::Cancelled).await, Ok(()));
        let log = Log::new();
        async_with!(stack = exit_stack::<&str>()?, {
            let session = stack.enter(swap(fine!(log, 1))).await?;
            session.replace(fine!(log, 2)).await?;
        });
        assert_eq!(log.line(), "in1 in2 out1(Completed) out2(Completed)");
        Ok::<_, &str>(())
    })
    .unwrap();
}

#[test]
fn a_use_of_a_swap_can_be_spawned() {
    fn sent(_: impl Future + Send) {}
    let log = Log::new();
    sent(async move {
        async_with!(session = swap(fine!(log, 1))?, {
            let current = session.current();
            yield_once().await;
            drop(current);
            session.replace(fine!(log, 2)).await?;
        });
        Ok::<_, &str>(())
    });
}
