//! Contexts of libraries that block.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::cleanup::Runtime;
use crate::context::Checked;
use crate::coroutine::guaranteed::guaranteed;
use crate::coroutine::started_on_enter::{Start, StartedOnEnter, started_on_enter};
use crate::platform::panics::{Panic, catch_panic};
use crate::platform::sync::{Mutex, lock};
use crate::raw::Yielder;
use crate::report::{Origin, PrintDebug, ReportSource, Source};
use crate::{BoxContext, Outcome};

/// Makes a context of a blocking `acquire` and a blocking `release`, for libraries without async.
///
/// `acquire` runs on tokio's blocking pool. `release` is told how the use ended, and runs on a thread of
/// its own: it must never wait for the pool, whose threads may all be waiting for what it is about to
/// release. What the body does with the resource should not block for long either: that is what
/// `tokio::task::block_in_place` and `spawn_blocking` are for.
///
/// A guaranteed context: it is released also when its user is cancelled. Since a blocking call cannot be
/// interrupted, one that is cancelled while it is acquired is released as soon as it has been. Both functions run to their end
/// also if nobody waits for them any more, since a time limit was over or the runtime has shut down; what they fail with is
/// reported then.
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
    A: FnOnce() -> Result<R, E> + Send + 'static, // not `async`: it blocks a thread of its own; `from_fns` takes async functions
    L: FnOnce(R, Outcome) -> Result<(), E> + Send + 'static, // not `async`: it blocks a thread of its own; `from_fns` takes async functions
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
    A: FnOnce() -> Result<R, E> + Send + 'static, // not `async`: it blocks a thread of its own; `#[async_context(catch)]` is for async code
    L: FnOnce(R, Outcome<E>) -> Result<(), E> + Send + 'static, // not `async`: it blocks a thread of its own; `#[async_context(catch)]` is for async code
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
                let late = Late {
                    runtime: Runtime::current(),
                    source: origin.report_source(),
                };
                let release = Arc::new(Mutex::new(Some(release)));
                let unheard = {
                    let (late, release) = (late.clone(), release.clone());
                    move |acquired| match acquired {
                        Ok(Ok(resource)) => {
                            // Taken first, so that the lock is not held while `release` runs.
                            let release = lock(&release).take();
                            if let Some(release) = release {
                                late.release(move || release(resource, Outcome::Cancelled));
                            }
                        }
                        Ok(Err(error)) => late.lose_set_up(error),
                        Err(panic) => late.report(Err(panic)),
                    }
                };
                let (acquired, acquire) = Answer::of(acquire, unheard);
                drop(tokio::task::spawn_blocking(acquire));
                let mut resource = match acquired.await {
                    Ok(Ok(acquired)) => acquired?,
                    Ok(Err(panic)) => panic.resume(),
                    Err(gone) => panic!("the blocking pool is gone: {gone}"),
                };
                let outcome = yielder.token().lend(&yielder, &mut resource).await;
                let release = lock(&release).take().expect("it was acquired");
                match late.release(move || release(resource, outcome)).await {
                    Ok(Ok(released)) => released,
                    Ok(Err(panic)) => panic.resume(),
                    Err(gone) => panic!("the thread of a release is gone: {gone}"),
                }
            },
            origin,
        ))
    }
}

/// What becomes of a function that ends when nobody waits for it any more.
struct Late<E> {
    /// Where the context was entered.
    runtime: Runtime,
    source: ReportSource<E>,
}

impl<E> Clone for Late<E> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            source: self.source,
        }
    }
}

impl<E: Send + 'static> Late<E> {
    /// Runs `release` on a thread of its own. It runs, and its failure is reported, also if the answer is dropped.
    fn release(
        &self,
        release: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> Answer<Result<(), E>> {
        let late = self.clone();
        let (answer, release) = Answer::of(release, move |released| late.report(released));
        on_own_thread(release);
        answer
    }

    fn report(&self, ended: Result<Result<(), E>, Panic>) {
        self.inside(|source| match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => source.lose(error),
            Err(panic) => panic.report_to(source),
        });
    }

    fn lose_set_up(&self, error: E) {
        self.inside(|source| source.lose_set_up(error));
    }

    fn inside(&self, report: impl FnOnce(ReportSource<E>)) {
        if !self.runtime.is_reachable() {
            return report(self.source);
        }
        let mut report = Some(report);
        self.runtime
            .inside(|| report.take().map(|report| report(self.source)));
    }
}

/// What a function on another thread returns. If nobody waits for it any more, `unheard` is given that.
struct Answer<T> {
    receiver: oneshot::Receiver<Result<T, Panic>>,
    unheard: Arc<dyn Fn(Result<T, Panic>) + Send + Sync>,
}

impl<T: Send + 'static> Answer<T> {
    /// The answer of `action`, and what gives it.
    fn of(
        action: impl FnOnce() -> T + Send + 'static,
        unheard: impl Fn(Result<T, Panic>) + Send + Sync + 'static,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        let (sender, receiver) = oneshot::channel();
        let unheard: Arc<dyn Fn(_) + Send + Sync> = Arc::new(unheard);
        let answer = Self {
            receiver,
            unheard: unheard.clone(),
        };
        let run = move || {
            if let Err(result) = sender.send(catch_panic(action)) {
                unheard(result);
            }
        };
        (answer, run)
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<Result<T, Panic>, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx)
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(result) = self.receiver.try_recv() {
            (self.unheard)(result);
        }
    }
}

/// Runs `action` on a new thread, or here if there can be none: late is better than never.
fn on_own_thread(action: impl FnOnce() + Send + 'static) {
    // The action waits in a slot, so that it is still here if the thread cannot be started.
    let slot = Arc::new(Mutex::new(Some(action)));
    let run = {
        let slot = slot.clone();
        move || {
            let action = lock(&slot).take();
            action.map(|action| action())
        }
    };
    let started = std::thread::Builder::new()
        .name("guard-release".into())
        .spawn(run);
    if started.is_err() {
        let action = lock(&slot).take();
        if let Some(action) = action {
            action();
        }
    }
}
