//! All contexts of guard-core keep the laws that `check_context` and `check_catching` check.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use guard_core::testing::{check_catching, check_context};
use guard_core::{
    AsyncClose, AsyncContext, AsyncManager, Outcome, async_context, blocking, blocking_catch,
    closing, exit_stack, from_fns, lazy, manage, manage_scoped, nullcontext, optional,
    scoped_exit_stack, suppress, swap, yield_resource,
};
use guard_tests::yield_once;

/// How many are open.
type Open = Arc<AtomicUsize>;

#[derive(Clone, Copy)]
enum Fails {
    Never,
    Entering,
    Exiting,
}

const FAILS: [Fails; 3] = [Fails::Never, Fails::Entering, Fails::Exiting];

#[async_context]
async fn guaranteed(open: Open, fails: Fails) -> Result<u32, String> {
    yield_once().await;
    if let Fails::Entering = fails {
        return Err("entering".into());
    }
    open.fetch_add(1, SeqCst);
    let mut lent = 1;
    yield_resource!(lent);
    yield_once().await;
    open.fetch_sub(1, SeqCst);
    yield_once().await;
    match fails {
        Fails::Exiting => Err("exiting".into()),
        _ => Ok(()),
    }
}

#[async_context]
async fn infallible(open: Open) -> u32 {
    open.fetch_add(1, SeqCst);
    let mut lent = 1;
    yield_resource!(lent);
    yield_once().await;
    open.fetch_sub(1, SeqCst);
}

#[async_context(scoped)]
async fn scoped(open: &Cell<usize>) -> Result<u32, String> {
    yield_once().await;
    open.set(open.get() + 1);
    let mut lent = 1;
    yield_resource!(lent);
    yield_once().await;
    Ok(())
}

#[async_context(catch)]
async fn catching(open: Open) -> Result<u32, String> {
    yield_once().await;
    open.fetch_add(1, SeqCst);
    let mut lent = 1;
    let outcome = yield_resource!(lent);
    yield_once().await;
    open.fetch_sub(1, SeqCst);
    match outcome {
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

#[async_context(boxed)]
async fn boxed(open: Open) -> Result<u32, String> {
    yield_once().await;
    open.fetch_add(1, SeqCst);
    let mut lent = 1;
    yield_resource!(lent);
    yield_once().await;
    open.fetch_sub(1, SeqCst);
    Ok(())
}

struct Session(Open);

impl AsyncManager for Session {
    type Resource = Self;
    type Error = String;

    async fn enter(&mut self) -> Result<&mut Self, String> {
        yield_once().await;
        self.0.fetch_add(1, SeqCst);
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), String> {
        yield_once().await;
        self.0.fetch_sub(1, SeqCst);
        Ok(())
    }
}

struct Forgiving(Open);

impl AsyncManager<String> for Forgiving {
    type Resource = Self;
    type Error = String;

    async fn enter(&mut self) -> Result<&mut Self, String> {
        self.0.fetch_add(1, SeqCst);
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome<String>) -> Result<(), String> {
        yield_once().await;
        self.0.fetch_sub(1, SeqCst);
        Ok(())
    }
}

struct Connection(Open);

impl Connection {
    fn open(open: &Open) -> Self {
        open.fetch_add(1, SeqCst);
        Self(open.clone())
    }
}

impl AsyncClose for Connection {
    type Error = String;

    async fn close(self) -> Result<(), String> {
        yield_once().await;
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Checks a context, and that nothing is open after each run.
macro_rules! check {
    ($open:ident, $context:expr) => {
        check_context(|| $context)
            .clean(async || assert_eq!($open.load(SeqCst), 0, "{}", stringify!($context)))
            .await
    };
}

#[tokio::test]
async fn contexts_of_functions_keep_the_laws() {
    let open = Open::default();
    for fails in FAILS {
        check!(open, guaranteed(open.clone(), fails));
    }
    check!(open, infallible(open.clone()));
    check!(open, boxed(open.clone()));
    check_catching(|| catching(open.clone()), || "body".to_owned())
        .clean(async || assert_eq!(open.load(SeqCst), 0))
        .await;
    let entered = Cell::new(0);
    check_context(|| scoped(&entered)).await;
}

#[tokio::test]
async fn managers_keep_the_laws() {
    let open = Open::default();
    check!(open, manage(Session(open.clone())));
    check_context(|| manage_scoped(Session(open.clone()))).await;
    open.store(0, SeqCst);
    check_catching(|| manage(Forgiving(open.clone())), || "body".to_owned())
        .clean(async || assert_eq!(open.load(SeqCst), 0))
        .await;
}

#[tokio::test]
async fn contexts_of_values_and_functions_keep_the_laws() {
    let open = Open::default();
    check_context(|| nullcontext(1)).await;
    check_context(|| nullcontext(())).await;
    check!(open, closing(Connection::open(&open)));
    check!(open, {
        let acquired = open.clone();
        from_fns(
            async move || {
                yield_once().await;
                Ok::<_, String>(Connection::open(&acquired))
            },
            async |connection: Connection, _| connection.close().await,
        )
    });
    check_catching(|| suppress(|_: &String| true), || "body".to_owned()).await;
    check_catching(|| suppress(|_: &String| false), || "body".to_owned()).await;
}

#[tokio::test]
async fn contexts_that_block_keep_the_laws() {
    let open = Open::default();
    let acquire = || {
        let open = open.clone();
        move || Ok::<_, String>(Connection::open(&open))
    };
    check!(
        open,
        blocking(acquire(), |connection, _| {
            drop(connection);
            Ok(())
        })
    );
    check_catching(
        || blocking_catch(acquire(), |_, _: Outcome<String>| Ok(())),
        || "body".to_owned(),
    )
    .clean(async || assert_eq!(open.load(SeqCst), 0))
    .await;
}

#[tokio::test]
async fn contexts_around_contexts_keep_the_laws() {
    let open = Open::default();
    let hour = Duration::from_secs(3600);
    for fails in FAILS {
        let inner = || guaranteed(open.clone(), fails);
        check!(open, inner().map_err(|error| error.len()));
        check!(open, inner().boxed());
        check!(open, inner().boxed_local());
        check!(open, inner().exit_timeout(hour));
        check!(open, inner().exit_until(std::future::pending()));
        check!(open, optional(Some(inner())));
        check!(open, optional(Some(inner()).filter(|_| false)));
        check!(open, lazy(inner));
        check!(open, swap(inner()));
    }
    check!(open, infallible(open.clone()).with_error::<String>());
    check!(
        open,
        guaranteed(open.clone(), Fails::Never).expect("a context")
    );
}

#[tokio::test]
async fn joined_contexts_keep_the_laws() {
    use guard_core::__private::join;

    let open = Open::default();
    for first in FAILS {
        for second in FAILS {
            // If both fail, one of the two errors is reported.
            if matches!((first, second), (Fails::Never, _) | (_, Fails::Never)) {
                check!(
                    open,
                    join(
                        guaranteed(open.clone(), first),
                        guaranteed(open.clone(), second)
                    )
                );
            }
        }
    }
    check!(
        open,
        join(
            join(infallible(open.clone()), infallible(open.clone())),
            infallible(open.clone())
        )
    );
}

#[tokio::test]
async fn exit_stacks_keep_the_laws() {
    check_context(exit_stack::<String>).await;
    check_context(scoped_exit_stack::<String>).await;
}

/// A stack with entries, lazily entered and swapped contexts that are used: each as a context of its own.
#[tokio::test]
async fn contexts_that_are_used_before_they_end_keep_the_laws() {
    #[async_context]
    async fn stacked(open: Open) -> Result<u32, String> {
        let mut stack = guard_core::AsyncExitStack::<String>::new();
        stack.enter(guaranteed(open.clone(), Fails::Never)).await?;
        stack.enter(guaranteed(open, Fails::Never)).await?;
        let mut lent = 1;
        let outcome = yield_resource!(lent);
        match stack.close(outcome).await {
            Ok(_) => Ok(()),
            Err(errors) => Err(errors.to_string()),
        }
    }
    #[async_context]
    async fn asked(open: Open) -> Result<u32, String> {
        let mut guard = lazy(|| guaranteed(open.clone(), Fails::Never))
            .enter()
            .await?;
        let lent = guard.get_mut().await?;
        let outcome = yield_resource!(*lent);
        guard.exit_with(outcome).await
    }
    #[async_context]
    async fn replaced(open: Open) -> Result<u32, String> {
        let guard = swap(guaranteed(open.clone(), Fails::Never)).enter().await?;
        guard.replace(guaranteed(open, Fails::Never)).await?;
        let mut lent = *guard.current();
        let outcome = yield_resource!(lent);
        guard.exit_with(outcome).await
    }
    let open = Open::default();
    check!(open, stacked(open.clone()));
    check!(open, asked(open.clone()));
    check!(open, replaced(open.clone()));
    let _: Option<Infallible> = None;
}
