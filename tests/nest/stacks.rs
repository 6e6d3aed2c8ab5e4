//! An exit stack whose use is dropped: its entries wait for what the block has left, as the exit of every use does.

use std::time::Duration;

use guard_core::{
    AsyncContext, Outcome, TimeoutError, async_with, drain, exit_stack, scoped_exit_stack,
};
use guard_tests::{Log, panic_message};

use crate::support::{Failed, forever, logs, paused, poll_and_drop, sleeps, step, time_out};

/// A use that stands in its block, and whose exit is slow.
async fn inner(log: Log) {
    let inner = sleeps(log, "inner", 5_000);
    inner.run(async |()| forever().await).await;
}

/// The block of a stack: it drops the inner use, or is dropped with it.
async fn block(log: Log, is_dropped_before: bool) {
    if is_dropped_before {
        poll_and_drop(inner(log));
        forever().await;
    } else {
        inner(log).await;
    }
}

#[test]
fn the_entries_of_a_dropped_stack_wait_for_what_its_block_has_left() {
    let (log, _) = logs();
    for is_dropped_before in [false, true] {
        for is_scoped in [false, true] {
            paused().block_on(async {
                let entry = |name| step(log.clone(), name, 0).with_error::<Failed>();
                let used = async {
                    if is_scoped {
                        async_with!(stack = scoped_exit_stack::<Failed>()?, {
                            stack.enter(entry("a")).await?;
                            stack.enter(entry("b")).await?;
                            block(log.clone(), is_dropped_before).await;
                        });
                    } else {
                        async_with!(stack = exit_stack::<Failed>()?, {
                            stack.enter(entry("a")).await?;
                            stack.enter(entry("b")).await?;
                            block(log.clone(), is_dropped_before).await;
                        });
                    }
                    Ok::<_, Failed>(())
                };
                time_out(used).await;
                drain().await;
            });
            let expected = "+a +b -inner -b -a";
            assert_eq!(log.line(), expected, "{is_dropped_before} {is_scoped}");
        }
    }
}

#[test]
fn an_entry_below_one_that_has_no_clean_up_waits_too() {
    let (log, _) = logs();
    paused().block_on(async {
        let used = async {
            async_with!(stack = scoped_exit_stack::<Failed>()?, {
                let entry = step(log.clone(), "entry", 0).with_error();
                stack.enter(entry).await?;
                stack.callback(|| unreachable!("a scoped stack drops its callbacks"));
                block(log.clone(), true).await;
            });
            Ok::<_, Failed>(())
        };
        time_out(used).await;
        drain().await;
    });
    assert_eq!(log.line(), "+entry -inner -entry");
}

#[test]
fn what_a_dropped_stack_does_not_wait_for_is_waited_for_by_the_use_around_it() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let used = async {
                async_with!(stack = scoped_exit_stack::<Failed>()?, {
                    stack.callback(|| unreachable!("a scoped stack drops its callbacks"));
                    block(log.clone(), true).await;
                });
                Ok::<_, Failed>(())
            };
            time_out(used).await;
        });
    });
    assert_eq!(log.line(), "+use -inner -use");
}

/// How the exit of an entry begins before the stack is closed.
#[derive(Clone, Copy, Debug)]
enum Begun {
    ByClose,
    ByRelease,
}

/// Begins to exit the last of two entries, gives that up, and drops a use that takes longer.
async fn half_exited(log: Log, begun: Begun, forever_after: bool) -> Result<(), Failed> {
    async_with!(stack = exit_stack::<Failed>()?, {
        for (name, millis) in [("a", 1), ("b", 2_000)] {
            stack
                .enter(sleeps(log.clone(), name, millis).with_error())
                .await?;
        }
        match begun {
            Begun::ByClose => time_out(stack.close(Outcome::Completed)).await,
            Begun::ByRelease => {
                let last = stack.last_key().expect("it has entries");
                time_out(stack.release(last)).await;
            }
        }
        poll_and_drop(sleeps(log.clone(), "x", 10_000).run(async |()| forever().await));
        if forever_after {
            forever().await;
        }
    });
    Ok(())
}

#[test]
fn an_entry_that_is_half_exited_goes_on_while_those_below_it_wait_for_what_the_block_has_left() {
    let (log, _) = logs();
    for begun in [Begun::ByClose, Begun::ByRelease] {
        paused().block_on(async {
            let used = half_exited(log.clone(), begun, true);
            let used = tokio::time::timeout(Duration::from_millis(1_500), used).await;
            assert!(used.is_err());
            drain().await;
            assert_eq!(log.line(), "-b -x -a", "{begun:?}, dropped");

            half_exited(log.clone(), begun, false).await.unwrap();
            assert_eq!(log.line(), "-b -x -a", "{begun:?}, in place");

            // Within a limit.
            let stack = exit_stack::<Failed>().exit_timeout(Duration::from_secs(60));
            let used = stack.with(async |stack| {
                let entry = sleeps(log.clone(), "b", 2_000).with_error();
                stack.enter(entry).await.unwrap();
                let last = stack.last_key().expect("it has an entry");
                time_out(stack.release(last)).await;
                poll_and_drop(sleeps(log.clone(), "x", 10_000).run(async |()| forever().await));
                Ok::<_, TimeoutError<Failed>>(())
            });
            used.await.unwrap();
            assert_eq!(log.line(), "-b -x", "{begun:?}, within a limit");
        });
    }
}

#[test]
fn entries_that_are_half_exited_are_released_by_their_keys_again() {
    let (log, _) = logs();
    paused()
        .block_on(async {
            async_with!(stack = exit_stack::<Failed>()?, {
                let mut keys = Vec::new();
                for (name, millis) in [("a", 2_000), ("b", 3_000)] {
                    let entry = sleeps(log.clone(), name, millis).with_error();
                    keys.push(stack.enter_keyed(entry).await?);
                }
                for key in &keys {
                    time_out(stack.release(*key)).await;
                    assert!(stack.get(key).is_none());
                }
                assert_eq!(log.line(), "");
                for key in keys {
                    assert!(stack.release(key).await?);
                    assert!(!stack.release(key).await?);
                }
                assert_eq!(log.line(), "-a -b");
            });
            Ok::<_, Failed>(())
        })
        .unwrap();
}

#[test]
fn an_entry_that_is_not_its_turn_does_not_answer_for_the_one_that_was_offered_the_error() {
    let second = Duration::from_secs(1);
    let used = async |log: Log, panics: bool| {
        let used = exit_stack::<Failed>().catching().catch(async |stack| {
            let told = log.clone();
            stack.push_exit(async move |outcome| {
                told.push(format_args!("{outcome:?}"));
                Ok(())
            });
            // Half-way when its release is dropped. It ends before the other one answers.
            let ends = stack.push_exit(async move |_| {
                tokio::time::sleep(2 * second).await;
                if panics {
                    std::panic::panic_any("it");
                }
                Err(Failed)
            });
            time_out(stack.release(ends)).await;
            stack.push_exit(async move |outcome| {
                assert_eq!(outcome, Outcome::Failed(Failed));
                tokio::time::sleep(4 * second).await;
                Ok(())
            });
            time_out(stack.close(Outcome::Failed(Failed))).await;
            poll_and_drop(sleeps(log.clone(), "x", 10_000).run(async |()| forever().await));
            Ok(())
        });
        used.await
    };

    let (log, reports) = logs();
    let swallowed = paused().block_on(used(log.clone(), false));
    assert_eq!(swallowed, Ok(Some(())));
    assert_eq!(log.line(), "-x Completed");
    assert_eq!(reports.line(), "AsyncExitStack failed: Failed");

    let panics = panic_message(|| paused().block_on(used(log.clone(), true)));
    assert_eq!(panics, "it");
    assert_eq!(log.line(), "-x Panicked");
    assert_eq!(reports.line(), "");
}
