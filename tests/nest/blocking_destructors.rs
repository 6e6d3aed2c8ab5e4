//! Nobody waits for a destructor that waits for them: one in a body that is dropped may block on clean-ups of its
//! own, on another thread, in place, or on another runtime.

use std::convert::Infallible;

use guard_core::{AsyncContext, BoxContext, Guard, async_with, drain};
use guard_tests::{Log, poll_once};
use tokio::runtime::{Handle, Runtime};

use crate::hangs::{hangs, here};
use crate::support::{WAYS, ends, forever, logs, paused, poll_and_drop, step, using, workers};

/// Cuts a use, and waits for its clean-up.
async fn cut_and_drain(log: Log) {
    poll_and_drop(step(log.clone(), "own", 3).run(async |()| forever().await));
    drain().await;
    log.push("destructor");
}

/// Blocks on a runtime of its own, on a thread of its own.
struct OnAThread(Log);

impl Drop for OnAThread {
    fn drop(&mut self) {
        let log = self.0.clone();
        let thread = std::thread::spawn(|| paused().block_on(cut_and_drain(log)));
        thread.join().unwrap();
    }
}

/// Blocks in place.
struct InPlace(Log);

impl Drop for InPlace {
    fn drop(&mut self) {
        let log = self.0.clone();
        tokio::task::block_in_place(|| Handle::current().block_on(cut_and_drain(log)));
    }
}

#[test]
fn on_another_thread() {
    for way in WAYS {
        ends(move || {
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
fn in_place() {
    ends(|| {
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
fn in_place_when_the_block_goes_on() {
    ends(|| {
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

/// A blocking facade, with a runtime of its own.
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
fn of_a_blocking_facade() {
    ends(|| {
        let (log, _) = logs();
        drop(Client::new(&log));
        assert_eq!(log.line(), "+session -session client", "by itself");

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
        assert_eq!(log.line(), expected, "beside a guard");
    });
}

#[test]
fn of_a_body_that_ends() {
    ends(|| {
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
fn of_an_exit_that_goes_on_in_the_background() {
    #[guard_core::async_context]
    async fn holds<T: Send + 'static>(log: Log, held: T) {
        guard_core::yield_resource!();
        guard_tests::yield_once().await;
        drop(held);
        log.push("-holds");
    }

    ends(|| {
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

/// An outer use, in whose block an inner one is cut that has to go on in the background.
async fn has_to_wait() {
    let log = Log::new();
    async_with!(_outer = step(log.clone(), "outer", 0), {
        poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
    });
}

#[test]
fn a_limit_who_blocks_on_a_handle_drives_no_runtime() {
    hangs(|| {
        let runtime = paused();
        here();
        runtime.handle().block_on(has_to_wait());
    });
}

#[test]
fn a_limit_who_blocks_otherwise_drives_no_runtime() {
    hangs(|| {
        let runtime = paused();
        let _entered = runtime.enter();
        here();
        futures::executor::block_on(has_to_wait());
    });
}

#[test]
fn a_limit_who_blocks_in_a_task_of_one_thread_stops_its_runtime() {
    struct Facade;
    impl Drop for Facade {
        fn drop(&mut self) {
            here();
            futures::executor::block_on(has_to_wait());
        }
    }

    hangs(|| {
        paused().block_on(async {
            let facade = Facade;
            tokio::task::yield_now().await;
            drop(facade);
        });
    });
}
