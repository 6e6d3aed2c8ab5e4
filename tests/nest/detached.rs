//! A use that `detached(future)` cancels has no use around it, so nobody waits for it. Work that is to
//! outlive its block is run in it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use guard_core::{AsyncContext, async_with, detached, drain, settled};
use guard_tests::poll_once;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::{
    WAYS, forever, gated, logs, paused, poll_and_drop, sleeps, step, time_out, using,
};

#[test]
fn an_exit_does_not_wait_for_a_use_that_is_cancelled_in_detached() {
    let (log, _) = logs();
    paused().block_on(async {
        for way in WAYS {
            let gate = Arc::new(Notify::new());
            let block = {
                let inner = gated(log.clone(), "inner", gate.clone());
                async move {
                    detached(async { poll_and_drop(inner.run(async |()| forever().await)) }).await;
                }
            };
            using(way, log.clone(), "outer", 0, Box::pin(block)).await;
            assert_eq!(log.line(), "+outer -outer", "{way:?}");
            gate.notify_one();
            drain().await;
            assert_eq!(log.line(), "-inner", "{way:?}");
        }
    });
}

#[test]
fn an_exit_does_not_wait_for_a_use_that_is_dropped_with_detached() {
    let (log, _) = logs();
    paused().block_on(async {
        let gate = Arc::new(Notify::new());
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let inner = gated(log.clone(), "inner", gate.clone());
            poll_and_drop(detached(inner.run(async |()| forever().await)));
        });
        assert_eq!(log.line(), "+outer -outer");
        gate.notify_one();
        drain().await;
        assert_eq!(log.line(), "-inner");
    });
}

#[test]
fn a_cancelled_use_belongs_to_the_block_that_polls_it_unless_it_is_detached() {
    for is_detached in [false, true] {
        let (log, _) = logs();
        paused().block_on(async {
            let hedge = sleeps(log.clone(), "hedge", 500).run(async |()| forever().await);
            let job = async {
                time_out(hedge).await;
                forever().await;
            };
            let mut job = Box::pin(async {
                if is_detached {
                    detached(job).await;
                } else {
                    job.await;
                }
            });
            for _ in 0..2 {
                let start = Instant::now();
                async_with!(_tx = step(log.clone(), "tx", 0), {
                    tokio::select! {
                        () = &mut job => {}
                        () = tokio::time::sleep(std::time::Duration::from_millis(600)) => {}
                    }
                });
                log.push(start.elapsed().as_millis());
            }
            drain().await;
        });
        let expected = if is_detached {
            "+tx -tx 600 +tx -tx 600 -hedge"
        } else {
            // The hedge is dropped after 1,000 ms, and its clean-up ends after 1,500 ms.
            "+tx -tx 600 +tx -hedge -tx 900"
        };
        assert_eq!(log.line(), expected, "detached: {is_detached}");
    }
}

#[test]
fn uses_in_detached_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        detached(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
            });
        })
        .await;
        assert_eq!(log.line(), "+outer +inner -inner -outer");

        poll_and_drop(detached(async {
            async_with!(
                _outer = step(log.clone(), "outer", 0),
                _inner = step(log.clone(), "inner", 3),
                {
                    forever().await;
                }
            );
        }));
        drain().await;
        assert_eq!(log.line(), "+outer +inner -inner -outer");
    });
}

#[test]
fn detached_returns_the_output_of_its_future() {
    let mut detached = Box::pin(detached(std::future::ready(7)));
    assert_eq!(poll_once(detached.as_mut()), std::task::Poll::Ready(7));
}

#[test]
fn settled_does_not_wait_for_detached_and_works_inside_it() {
    let (log, _) = logs();
    paused().block_on(async {
        let gate = Arc::new(Notify::new());
        settled(async {
            let inner = gated(log.clone(), "inner", gate.clone());
            detached(async { poll_and_drop(inner.run(async |()| forever().await)) }).await;
        })
        .await;
        log.push("settled");
        gate.notify_one();
        drain().await;
        assert_eq!(log.line(), "settled -inner");

        detached(settled(async {
            poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
        }))
        .await;
        log.push("settled");
        assert_eq!(log.line(), "+x -x settled");
    });
}

#[test]
fn an_exit_waits_for_a_use_that_is_cancelled_after_detached_has_ended() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            resume_unwind(Box::new("in a destructor"));
        }
    }

    let (log, _) = logs();
    paused().block_on(async {
        for how in ["ready", "dropped", "a panic", "a destructor"] {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                match how {
                    "ready" => detached(std::future::ready(())).await,
                    "dropped" => poll_and_drop(detached(forever())),
                    "a panic" => {
                        let mut panics = Box::pin(detached(async {
                            if true {
                                resume_unwind(Box::new("in a poll"));
                            }
                        }));
                        let polled = catch_unwind(AssertUnwindSafe(|| poll_once(panics.as_mut())));
                        assert!(polled.is_err());
                    }
                    _ => {
                        let mut loud = Box::pin(detached(async {
                            let _loud = Loud;
                            forever().await;
                        }));
                        assert!(poll_once(loud.as_mut()).is_pending());
                        assert!(catch_unwind(AssertUnwindSafe(|| drop(loud))).is_err());
                    }
                }
                poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
            });
            assert_eq!(log.line(), "+outer +inner -inner -outer", "{how}");
        }
    });
}

#[test]
fn an_exit_does_not_wait_for_a_guard_that_is_dropped_in_detached() {
    let (log, _) = logs();
    paused().block_on(async {
        let gate = Arc::new(Notify::new());
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let guard = gated(log.clone(), "guard", gate.clone()).enter().await;
            detached(async { drop(guard) }).await;
        });
        assert_eq!(log.line(), "+outer -outer");
        gate.notify_one();
        drain().await;
        assert_eq!(log.line(), "-guard");
    });
}
