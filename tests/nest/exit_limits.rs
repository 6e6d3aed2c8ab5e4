//! An exit limit ends the exit that it was set for, with the uses in that exit's own code, and nothing else.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, BoxContext, Guard, TimeoutError, async_context, async_with,
    drain, within, yield_resource,
};
use guard_tests::{Log, block_on, poll_once};
use tokio::time::Instant;

use crate::support::{Failed, forever, logs, never, paused, poll_and_drop, sleeps, step};

const LIMIT: Duration = Duration::from_secs(5);

type Database = Arc<Mutex<Guard<BoxContext<'static, (), Infallible>>>>;

/// A context that owns a value, and whose exit never ends.
#[async_context]
async fn hung<T: Send + 'static>(held: T) {
    yield_resource!();
    forever().await;
    drop(held);
}

#[test]
fn a_guard_that_an_expired_exit_owned_exits_in_the_background() {
    for dropped in [false, true] {
        let (log, reports) = logs();
        paused().block_on(async {
            let Ok(database) = step(log.clone(), "database", 3).boxed().enter().await;
            let database: Database = Arc::new(Mutex::new(database));
            let session = hung(database).exit_timeout(LIMIT);
            let used = session.try_with(async |()| {
                if dropped {
                    forever().await;
                }
                Ok::<_, ()>(())
            });
            if dropped {
                poll_and_drop(used);
            } else {
                assert!(used.await.is_err());
            }
            drain().await;
        });
        assert_eq!(log.line(), "+database -database", "dropped {dropped}");
        assert_eq!(reports.line(), "hung timed out", "dropped {dropped}");
    }
}

#[test]
fn a_stack_that_an_expired_exit_owned_exits_in_the_background() {
    let (log, reports) = logs();
    paused().block_on(async {
        let stack = AsyncExitStack::<Failed>::new();
        let _ = stack.enter(step(log.clone(), "a", 1).with_error()).await;
        let _ = stack.enter(step(log.clone(), "b", 3).with_error()).await;
        let used = hung(stack).exit_timeout(LIMIT);
        assert!(used.try_with(async |()| Ok::<_, ()>(())).await.is_err());
        drain().await;
    });
    assert_eq!(log.line(), "+a +b -b -a");
    assert_eq!(reports.line(), "hung timed out");
}

#[test]
fn an_expired_exit_passes_its_nest_on() {
    for dropped in [false, true] {
        let (log, _) = logs();
        paused().block_on(async {
            let whole = async {
                async_with!(_outer = step(log.clone(), "outer", 0), {
                    let Ok(database) = step(log.clone(), "database", 3).boxed().enter().await;
                    let session = hung(database).exit_timeout(LIMIT);
                    let used = session.try_with(async |()| {
                        if dropped {
                            forever().await;
                        }
                        Ok::<_, ()>(())
                    });
                    let _ = used.await;
                    log.push("next");
                });
            };
            if dropped {
                poll_and_drop(whole);
                drain().await;
                let expected = "+outer +database -database -outer";
                assert_eq!(log.line(), expected, "in the background");
            } else {
                whole.await;
                let expected = "+outer +database next -database -outer";
                assert_eq!(log.line(), expected, "in place");
            }
        });
    }
}

/// A context whose exit uses another context, whose exit hangs. `way` says how.
#[async_context]
async fn uses_another(log: Log, way: &'static str) {
    yield_resource!();
    match way {
        "macro" => async_with!(_in = never(log.clone(), "in"), {}),
        "run" => never(log.clone(), "in").run(async |()| ()).await,
        "block" => async_with!(_in = never(log.clone(), "in"), { forever().await }),
        "within" => {
            #[within(_in = never(log.clone(), "in"))]
            async fn decorated(log: Log) {}
            decorated(log.clone()).await;
        }
        "joined" => async_with!(
            join(
                _in = never(log.clone(), "in"),
                _other = step(log.clone(), "other", 0)
            ),
            {}
        ),
        _ => {
            let with = never(log.clone(), "in").with_error::<Failed>();
            let _ = with.with(async |()| Ok::<_, Failed>(())).await;
        }
    }
    log.push("not reached");
}

#[test]
fn an_exit_limit_ends_the_uses_in_the_code_of_its_exit() {
    for way in ["macro", "run", "block", "within", "joined", "with"] {
        for dropped in [false, true] {
            let (log, reports) = logs();
            paused().block_on(async {
                let start = Instant::now();
                let used = uses_another(log.clone(), way).exit_timeout(LIMIT);
                let used = used.try_with(async |()| {
                    if dropped {
                        forever().await;
                    }
                    Ok::<_, ()>(())
                });
                if dropped {
                    poll_and_drop(used);
                    drain().await;
                } else {
                    assert!(used.await.is_err());
                    drain().await;
                }
                assert_eq!(start.elapsed(), LIMIT, "{way}, dropped {dropped}");
            });
            let mut reports = reports.take();
            reports.sort_unstable();
            let expected = ["never timed out", "uses_another timed out"];
            assert_eq!(reports, expected, "{way}, dropped {dropped}");
            assert!(!log.line().contains("not reached"));
        }
    }
}

#[test]
fn an_exit_limit_ends_all_of_a_context_made_of_contexts() {
    #[async_context]
    async fn connection() -> u32 {
        let mut number = 1;
        yield_resource!(number);
        forever().await;
    }
    #[async_context]
    async fn session() -> u32 {
        async_with!(connection = connection(), {
            yield_resource!(*connection);
        });
    }

    let (_, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        let used = session().exit_timeout(LIMIT);
        let ended = used.try_with(async |_| Ok::<_, ()>(())).await;
        assert!(ended.is_err());
        drain().await;
        assert_eq!(start.elapsed(), LIMIT);
    });
    let mut reports = reports.take();
    reports.sort_unstable();
    assert_eq!(reports, ["connection timed out", "session timed out"]);
}

#[test]
fn an_outer_use_goes_on_when_the_limit_of_an_inner_exit_has_passed() {
    let (log, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        poll_and_drop(async {
            async_with!(_outer = sleeps(log.clone(), "outer", 1000), {
                let inner = never(log.clone(), "inner").exit_timeout(LIMIT);
                let used = inner.try_with(async |()| {
                    forever().await;
                    Ok::<_, ()>(())
                });
                let _ = used.await;
            });
        });
        drain().await;
        assert_eq!(start.elapsed(), LIMIT + Duration::from_secs(1));
    });
    assert_eq!(log.line(), "~inner -outer");
    assert_eq!(reports.line(), "never timed out");
}

#[test]
fn the_limit_of_an_outer_exit_does_not_end_an_inner_clean_up() {
    let (log, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        let outer = step(log.clone(), "outer", 1).exit_timeout(LIMIT);
        let whole = outer.with(async |()| {
            let inner = sleeps(log.clone(), "inner", 3000);
            inner.run(async |()| forever().await).await;
            Ok::<_, TimeoutError<Infallible>>(())
        });
        poll_and_drop(whole);
        drain().await;
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    });
    assert_eq!(log.line(), "+outer -inner -outer");
    assert_eq!(reports.line(), "");
}

/// A limit that never ends, and panics when it is dropped.
struct Limit;

impl Future for Limit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("the limit breaks"));
    }
}

#[test]
fn panics_of_two_limits_destructors_in_a_last_poll_are_reported() {
    let (log, reports) = logs();
    let mut whole = Box::pin(never(log.clone(), "outer").run(async |()| {
        let a = never(log.clone(), "a").exit_until(Limit).enter().await;
        let b = never(log.clone(), "b").exit_until(Limit).enter().await;
        forever().await;
        drop((a, b));
    }));
    assert!(poll_once(whole.as_mut()).is_pending());
    drop(whole);
    assert_eq!(log.line(), "~b ~a ~outer");
    let mut reports = reports.take();
    reports.sort_unstable();
    let expected = [
        "never abandoned",
        "never abandoned",
        "never abandoned",
        "never panicked: the limit breaks",
        "never panicked: the limit breaks",
    ];
    assert_eq!(reports, expected);
}

#[test]
fn an_exit_limit_that_has_passed_ends_a_last_poll() {
    let (log, reports) = logs();
    let up = std::future::ready(());
    let used = never(log.clone(), "it").exit_until(up);
    let ended = block_on(used.try_with(async |()| Ok::<_, ()>(())));
    assert!(ended.is_err());
    assert_eq!(reports.line(), "never timed out");
}
