//! Contexts of libraries that block.

use alloc::boxed::Box;
use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::context::Checked;
use crate::coroutine::guaranteed::guaranteed;
use crate::coroutine::started_on_enter::{Start, StartedOnEnter, started_on_enter};
use crate::raw::Yielder;
use crate::report::{Origin, PrintDebug};
use crate::{BoxContext, Outcome};

/// Makes a context of a blocking `acquire` and a blocking `release`, for libraries without async.
///
/// `acquire` runs on tokio's blocking pool. `release` is told how the use ended, and runs on a thread of
/// its own: it must never wait for the pool, whose threads may all be waiting for what it is about to
/// release. What the body does with the resource should not block for long either: that is what
/// `tokio::task::block_in_place` and `spawn_blocking` are for.
///
/// A guaranteed context: it is released also when its user is cancelled. Since a blocking call cannot be
/// interrupted, one that is cancelled while it is acquired is released as soon as it has been.
///
/// Python: a synchronous context manager in a worker thread, as `FastAPI` runs them.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{async_with, blocking};
/// use std::{fs, io};
///
/// let path = std::env::temp_dir().join("guard-core-blocking-example");
/// let kept = path.clone();
/// let file = blocking(
///     move || Ok((fs::File::create(&path)?, path)),
///     |(file, path), _outcome| {
///         drop(file);
///         fs::remove_file(path)
///     },
/// );
/// async_with!((_file, path) = file?, {
///     assert!(path.exists());
/// });
/// assert!(!kept.exists());
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of the two functions.
///
/// # Panics
///
/// Entering panics outside a tokio runtime. A panic of either function goes on in the task that waits
/// for it.
#[track_caller]
pub fn blocking<R, E, A, L>(acquire: A, release: L) -> Checked<Blocking<A, L>, R>
where
    R: Send + 'static,
    E: fmt::Debug + Send + 'static,
    A: FnOnce() -> Result<R, E> + Send + 'static,
    L: FnOnce(R, Outcome) -> Result<(), E> + Send + 'static,
{
    Blocking(StartedOnEnter::new(Fns { acquire, release }))
}

/// The context of [`blocking`].
#[must_use = "a context does nothing until it is used: `async_with!(resource = context?, { … })`"]
pub struct Blocking<A, L>(StartedOnEnter<Fns<A, L>, A>);

started_on_enter! {
    impl<A, L, R, E> AsyncContext<()> for Blocking<A, L>
    where {
        R: Send + 'static,
        E: fmt::Debug + Send + 'static,
        A: FnOnce() -> Result<R, E> + Send + 'static,
        L: FnOnce(R, Outcome) -> Result<(), E> + Send + 'static
    }
    R, E
}

/// [`blocking`] whose `release` is told the body's error, and decides what becomes of it.
///
/// As with `catch` in [`#[async_context]`](crate::async_context): after
/// [`Outcome::Failed(error)`](Outcome::Failed) to return `Ok(())` swallows the error, and `Err` raises it or another. It is used
/// with [`catch`](crate::AsyncContext::catch). All else is as for [`blocking`], also what runs where.
///
/// Python: a synchronous context manager in a worker thread, whose `__exit__` may return true.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{AsyncContext, Outcome, blocking_catch};
///
/// let retried = blocking_catch(
///     || Ok::<_, String>(1),
///     |_attempt, outcome: Outcome<String>| match outcome {
///         Outcome::Failed(error) if error == "busy" => Ok(()),
///         Outcome::Failed(error) => Err(error),
///         _ => Ok(()),
///     },
/// );
/// let value = retried.catch(async |_| Err::<u32, _>("busy".to_owned())).await;
/// assert_eq!(value, Ok(None));
/// # }
/// ```
///
/// # Errors
///
/// That of `acquire`, and what `release` raises.
///
/// # Panics
///
/// As for [`blocking`].
///
/// # Cancellation
///
/// As for [`blocking`]; `release` is told [`Outcome::Cancelled`] then.
#[track_caller]
pub fn blocking_catch<R, E, A, L>(acquire: A, release: L) -> Checked<BlockingCatch<A, L>, R>
where
    R: Send + 'static,
    E: fmt::Debug + Send + 'static,
    A: FnOnce() -> Result<R, E> + Send + 'static,
    L: FnOnce(R, Outcome<E>) -> Result<(), E> + Send + 'static,
{
    BlockingCatch(StartedOnEnter::new(Fns { acquire, release }))
}

/// The context of [`blocking_catch`].
#[must_use = "a context does nothing until it is used: `async_with!(catch(resource = context?), { … })`"]
pub struct BlockingCatch<A, L>(StartedOnEnter<Fns<A, L>, A>);

started_on_enter! {
    impl<A, L, R, E> AsyncContext<E> for BlockingCatch<A, L>
    where {
        R: Send + 'static,
        E: fmt::Debug + Send + 'static,
        A: FnOnce() -> Result<R, E> + Send + 'static,
        L: FnOnce(R, Outcome<E>) -> Result<(), E> + Send + 'static
    }
    R, E
}

struct Fns<A, L> {
    acquire: A,
    release: L,
}

impl<A, L, R, E, X> Start<X, A> for Fns<A, L>
where
    R: Send + 'static,
    E: fmt::Debug + Send + 'static,
    X: Send + 'static,
    A: FnOnce() -> Result<R, E> + Send + 'static,
    L: FnOnce(R, Outcome<X>) -> Result<(), E> + Send + 'static,
{
    type Resource = R;
    type Error = E;

    fn start(self, origin: Origin<A, PrintDebug>) -> BoxContext<'static, R, E, X> {
        let Self { acquire, release } = self;
        Box::pin(guaranteed(
            move |yielder: Yielder<R, X, E>| async move {
                let acquired = tokio::task::spawn_blocking(acquire).await;
                let mut resource = match acquired {
                    Ok(acquired) => acquired?,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => resume_unwind(panic),
                        Err(error) => panic!("the blocking pool is gone: {error}"),
                    },
                };
                let outcome = yielder.token().lend(&yielder, &mut resource).await;
                on_own_thread(move || release(resource, outcome)).await
            },
            origin,
        ))
    }
}

/// Runs `action` on a new thread, or here if there can be none: late is better than never.
async fn on_own_thread<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // The action waits in a slot, so that it is still here if the thread cannot be started.
    let slot = std::sync::Arc::new(std::sync::Mutex::new(Some(action)));
    let take = {
        let slot = slot.clone();
        move || crate::platform::sync::lock(&slot).take()
    };
    let run = {
        let take = take.clone();
        move || {
            if let Some(action) = take() {
                // Nobody may be waiting any more; then the result is of no use to anyone.
                let _ = sender.send(catch_unwind(AssertUnwindSafe(action)));
            }
        }
    };
    let started = std::thread::Builder::new()
        .name("guard-release".into())
        .spawn(run);
    if started.is_err() {
        if let Some(action) = take() {
            return action();
        }
    }
    match receiver.await {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(gone) => panic!("the thread of a release is gone: {gone}"),
    }
}
