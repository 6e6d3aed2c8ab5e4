//! What `detached(future)` polls and drops has no use around it: the way out for work that is to outlive its block.

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
fn what_is_cut_in_it_is_not_waited_for() {
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
fn nor_what_is_dropped_with_it() {
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
fn a_future_that_is_kept_across_a_loop_belongs_to_who_polls_it() {
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
            // Cut at 1,000 ms, over at 1,500.
            "+tx -tx 600 +tx -hedge -tx 900"
        };
        assert_eq!(log.line(), expected, "detached: {is_detached}");
    }
}

#[test]
fn uses_in_it_keep_their_order() {
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
fn it_gives_what_the_future_gives() {
    let mut detached = Box::pin(detached(std::future::ready(7)));
    assert_eq!(poll_once(detached.as_mut()), std::task::Poll::Ready(7));
}

#[test]
fn settled_does_not_wait_for_it_and_settles_in_it() {
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
fn after_it_the_block_is_what_it_was_before_however_it_ends() {
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
fn a_guard_that_is_dropped_in_it_is_not_waited_for() {
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
