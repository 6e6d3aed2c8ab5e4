//! A destructor in a body that is dropped may block on its own clean-ups: on another thread, in place, or on
//! another runtime. Nobody waits for that destructor in a way that would be a deadlock.

use std::convert::Infallible;

use guard_core::{AsyncContext, BoxContext, Guard, async_with, drain};
use guard_tests::{Log, poll_once};
use tokio::runtime::{Handle, Runtime};

use crate::hangs::{about_to_hang, hangs};
use crate::support::{WAYS, forever, logs, must_end, paused, poll_and_drop, step, using, workers};

/// Cancels a use, and waits for its clean-up.
async fn cancel_and_drain(log: Log) {
    poll_and_drop(step(log.clone(), "own", 3).run(async |()| forever().await));
    drain().await;
    log.push("destructor");
}

/// A destructor that blocks on a new runtime, on a new thread.
struct OnAThread(Log);

impl Drop for OnAThread {
    fn drop(&mut self) {
        let log = self.0.clone();
        let thread = std::thread::spawn(|| paused().block_on(cancel_and_drain(log)));
        thread.join().unwrap();
    }
}

/// A destructor that blocks in place.
struct InPlace(Log);

impl Drop for InPlace {
    fn drop(&mut self) {
        let log = self.0.clone();
        tokio::task::block_in_place(|| Handle::current().block_on(cancel_and_drain(log)));
    }
}

#[test]
fn a_destructor_may_block_on_another_thread() {
    for way in WAYS {
        must_end(move || {
            let (log, _) = logs();
            paused().block_on(async {
                let body = {
                    let log = log.clone();
                    async move {
                        let _blocks = OnAThread(log.clone());
                        let inner = step(log.clone(), "inner", 1);
                        inner.run(async |()| forever().await).await;
                    }
                };
                poll_and_drop(using(way, log.clone(), "outer", 1, Box::pin(body)));
                drain().await;
            });
            let expected = "+outer +inner +own -own destructor -inner -outer";
            assert_eq!(log.line(), expected, "{way:?}");
        });
    }
}

#[test]
fn a_destructor_may_block_in_place() {
    must_end(|| {
        let (log, reports) = logs();
        let runtime = workers(2, &reports);
        for way in WAYS {
            let body = {
                let log = log.clone();
                async move {
                    let _blocks = InPlace(log);
                    forever().await;
                }
            };
            let mut whole = using(way, log.clone(), "outer", 1, Box::pin(body));
            let task = runtime.spawn(async move {
                assert!(poll_once(whole.as_mut()).is_pending());
                drop(whole);
            });
            runtime.block_on(async {
                task.await.unwrap();
                drain().await;
            });
            let expected = "+outer +own -own destructor -outer";
            assert_eq!(log.line(), expected, "{way:?}");
        }
    });
}

#[test]
fn a_value_that_a_block_drops_may_block_in_place() {
    must_end(|| {
        let (log, reports) = logs();
        let runtime = workers(2, &reports);
        let whole = {
            let log = log.clone();
            async move {
                async_with!(_outer = step(log.clone(), "outer", 1), {
                    drop(InPlace(log.clone()));
                });
            }
        };
        runtime.block_on(runtime.spawn(whole)).unwrap();
        assert_eq!(log.line(), "+outer +own -own destructor -outer");
    });
}

/// A blocking client, which owns its runtime.
struct Client {
    log: Log,
    runtime: Runtime,
    session: Option<Guard<BoxContext<'static, (), Infallible>>>,
}

impl Client {
    fn new(log: &Log) -> Self {
        let runtime = paused();
        let Ok(session) = runtime.block_on(step(log.clone(), "session", 3).boxed().enter());
        Self {
            log: log.clone(),
            runtime,
            session: Some(session),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let session = self.session.take();
        self.runtime.block_on(async {
            drop(session);
            drain().await;
        });
        self.log.push("client");
    }
}

#[test]
fn the_destructor_of_a_blocking_client_may_block() {
    must_end(|| {
        let (log, _) = logs();
        drop(Client::new(&log));
        assert_eq!(
            log.line(),
            "+session -session client",
            "without a use around the client"
        );

        poll_and_drop(step(log.clone(), "outer", 0).run(async |()| {
            let _client = Client::new(&log);
            forever().await;
        }));
        let expected = "+outer +session -session client -outer";
        assert_eq!(log.line(), expected, "in a body that is dropped");

        poll_and_drop(async {
            let _outer = step(log.clone(), "outer", 0).enter().await;
            let _client = Client::new(&log);
            forever().await;
        });
        assert_eq!(log.line(), expected, "after a guard");
    });
}

#[test]
fn a_local_of_a_body_that_ends_may_block() {
    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            async_with!(_outer = step(log.clone(), "outer", 1), {
                let _blocks = OnAThread(log.clone());
            });
        });
        assert_eq!(log.line(), "+outer +own -own destructor -outer");
    });
}

#[test]
fn a_destructor_in_an_exit_in_the_background_may_block() {
    #[guard_core::async_context]
    async fn holds<T: Send + 'static>(log: Log, held: T) {
        guard_core::yield_resource!();
        guard_tests::yield_once().await;
        drop(held);
        log.push("-holds");
    }

    must_end(|| {
        let (log, _) = logs();
        paused().block_on(async {
            poll_and_drop(step(log.clone(), "outer", 0).run(async |()| {
                let holds = holds(log.clone(), OnAThread(log.clone()));
                holds.run(async |()| forever().await).await;
            }));
            drain().await;
        });
        assert_eq!(log.line(), "+outer +own -own destructor -holds -outer");
    });
}

/// An outer use, in whose block an inner use is cancelled. The inner exit needs the runtime.
async fn waits_for_the_runtime() {
    let log = Log::new();
    async_with!(_outer = step(log.clone(), "outer", 0), {
        poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
    });
}

#[test]
fn limit_block_on_of_a_handle_drives_no_current_thread_runtime() {
    hangs(|| {
        let runtime = paused();
        about_to_hang();
        runtime.handle().block_on(waits_for_the_runtime());
    });
}

#[test]
fn limit_another_block_on_drives_no_runtime() {
    hangs(|| {
        let runtime = paused();
        let _entered = runtime.enter();
        about_to_hang();
        futures::executor::block_on(waits_for_the_runtime());
    });
}

#[test]
fn limit_another_block_on_in_a_task_stops_a_current_thread_runtime() {
    struct BlocksOnDrop;
    impl Drop for BlocksOnDrop {
        fn drop(&mut self) {
            about_to_hang();
            futures::executor::block_on(waits_for_the_runtime());
        }
    }

    hangs(|| {
        paused().block_on(async {
            let client = BlocksOnDrop;
            tokio::task::yield_now().await;
            drop(client);
        });
    });
}
