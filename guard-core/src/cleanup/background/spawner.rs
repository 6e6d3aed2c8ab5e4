//! What the user installs to run clean-ups where there is no tokio runtime.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use std::boxed::Box;
use std::rc::Rc;
use std::sync::Arc;

use crate::cleanup::Cleanup;
use crate::platform::sync::{Installed, Mutex, global};

/// What the spawner of a thread is given: a future to be run to its end, on this thread.
///
/// See [`set_local_spawner`](crate::set_local_spawner).
pub type LocalCleanup = Pin<Box<dyn Future<Output = ()>>>;

type Spawner = dyn Fn(Cleanup) + Send + Sync;

global! {
    static SPAWNER: Installed<Spawner> = Installed(Mutex::new(None));
}

/// Says how to go on with clean-ups whose context was not entered inside a tokio runtime, or
/// without the feature `tokio`.
///
/// The last spawner that was set counts, for the whole process. It is called from destructors, so it
/// must not block; if it panics, or drops the clean-up, that is polled once more and, if this is not
/// enough, [reported](crate::set_reporter) as abandoned.
///
/// ```
/// guard_core::set_spawner(|cleanup| {
///     std::thread::spawn(|| futures::executor::block_on(cleanup));
/// });
/// ```
///
/// Under smol it is `|cleanup| smol::spawn(cleanup).detach()`, with a `ThreadPool` of the futures crate
/// `move |cleanup| pool.spawn_ok(cleanup)`: the examples `runtime_smol` and `runtime_futures` do so.
pub fn set_spawner(spawner: impl Fn(Cleanup) + Send + Sync + 'static) {
    drop(SPAWNER.replace(Arc::new(spawner)));
}

pub(super) fn is_set() -> bool {
    SPAWNER.get().is_some()
}

pub(super) fn spawn(cleanup: impl Future<Output = ()> + Send + 'static) {
    if let Some(spawner) = SPAWNER.get() {
        spawner(Box::pin(cleanup));
    }
}

type LocalSpawner = dyn Fn(LocalCleanup);

std::thread_local! {
    static LOCAL_SPAWNER: RefCell<Option<Rc<LocalSpawner>>> = const { RefCell::new(None) };
}

/// Says how to go on with the clean-ups of contexts with `#[async_context(local)]` on this thread.
///
/// The last spawner that was set on the thread counts. It comes before the `LocalSet` in which a use is
/// dropped, and it must run what it is given on this thread, which the type enforces. A thread without a spawner
/// needs none inside a tokio `LocalSet` or a tokio local runtime.
///
/// It is called from destructors, so it must not block. If it panics, or drops the clean-up, that is polled once
/// more and, if this is not enough, [reported](crate::set_reporter) as abandoned. When the thread ends, the
/// spawner is dropped, and the same happens to the clean-ups that it owns.
///
/// ```
/// use futures::executor::LocalPool;
/// use futures::task::LocalSpawnExt;
///
/// let mut pool = LocalPool::new();
/// let spawner = pool.spawner();
/// guard_core::set_local_spawner(move |cleanup| {
///     let _ = spawner.spawn_local(cleanup);
/// });
/// // … uses of contexts, driven by the pool.
/// pool.run();
/// ```
///
/// With a `LocalSet` in the closure, clean-ups go on in that set also if a use is dropped outside it:
///
/// ```
/// use std::rc::Rc;
/// use tokio::task::LocalSet;
///
/// let set = Rc::new(LocalSet::new());
/// let spawner = Rc::downgrade(&set);
/// guard_core::set_local_spawner(move |cleanup| {
///     if let Some(set) = spawner.upgrade() {
///         set.spawn_local(cleanup);
///     }
/// });
/// ```
///
/// Python: the event loop of the thread.
pub fn set_local_spawner(spawner: impl Fn(LocalCleanup) + 'static) {
    let spawner: Rc<LocalSpawner> = Rc::new(spawner);
    let former = LOCAL_SPAWNER.try_with(|current| current.replace(Some(spawner)));
    // Dropped outside the borrow: it may own clean-ups, whose code may ask for the spawner.
    drop(former);
}

fn local_spawner() -> Option<Rc<LocalSpawner>> {
    // In the last destructors of a thread there is none any more.
    LOCAL_SPAWNER
        .try_with(|current| current.borrow().clone())
        .ok()?
}

pub(super) fn is_set_here() -> bool {
    local_spawner().is_some()
}

/// Spawns the clean-up, or gives it back if this thread has no spawner.
pub(super) fn spawn_here<F>(cleanup: F) -> Option<F>
where
    F: Future<Output = ()> + 'static,
{
    match local_spawner() {
        Some(spawner) => {
            spawner(Box::pin(cleanup));
            None
        }
        None => Some(cleanup),
    }
}
