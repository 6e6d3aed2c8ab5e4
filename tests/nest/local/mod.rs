//! `local` contexts: what holds for default ones holds for them too, on one thread.

use std::rc::Rc;
use std::thread::ThreadId;
use std::time::Duration;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use guard_core::{async_context, async_with, drain, set_local_spawner, yield_resource};
use guard_tests::{Log, yield_once};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::support::{forever, paused, poll_and_drop};

mod background;
mod definition;
mod drain;
mod last_polls;
mod spawner;
mod waits;

/// Panics if it is used or dropped on another thread than the one that made it. It is not `Send`.
struct Here(ThreadId, Rc<()>);

impl Here {
    fn new() -> Self {
        Self(std::thread::current().id(), Rc::new(()))
    }

    fn check(&self) {
        assert_eq!(std::thread::current().id(), self.0);
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.check();
        assert_eq!(Rc::strong_count(&self.1), 1);
    }
}

/// A local context whose exit is pending `pending` times.
#[async_context(local)]
async fn stays(log: Log, name: &'static str, pending: usize) {
    let here = Here::new();
    log.push(format_args!("+{name}"));
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
        here.check();
    }
    log.push(format_args!("-{name}"));
}

/// A local context whose exit never ends.
#[async_context(local)]
async fn stays_forever(log: Log, name: &'static str) {
    let _here = Here::new();
    yield_resource!();
    log.push(format_args!("~{name}"));
    forever().await;
}

/// A local context whose exit ends when `gate` is notified.
#[async_context(local)]
async fn stays_gated(log: Log, name: &'static str, gate: Rc<Notify>) {
    let _here = Here::new();
    yield_resource!();
    gate.notified().await;
    log.push(format_args!("-{name}"));
}

/// A local context whose exit takes `millis` milliseconds.
#[async_context(local)]
async fn stays_millis(log: Log, name: &'static str, millis: u64) {
    let _here = Here::new();
    yield_resource!();
    tokio::time::sleep(Duration::from_millis(millis)).await;
    log.push(format_args!("-{name}"));
}

type Local<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Where the uses run, and their clean-ups go on.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In `run_until`.
    Set,
    /// In a task of the set.
    TaskOfSet,
    Runtime,
    Pool,
}

const PLACES: [Place; 4] = [Place::Set, Place::TaskOfSet, Place::Runtime, Place::Pool];

impl Place {
    /// Runs the future there, and waits for all clean-ups.
    fn run<F: Future<Output = ()> + 'static>(self, future: F) {
        if let Self::Pool = self {
            // Outside tokio a drain waits for the whole process. The pool runs all its tasks anyway.
            return in_a_pool(future);
        }
        let future = async move {
            future.await;
            drain().await;
        };
        match self {
            Self::Set => LocalSet::new().block_on(&paused(), future),
            Self::TaskOfSet => paused().block_on(async {
                let set = LocalSet::new();
                let task = set.spawn_local(future);
                set.await;
                task.await.unwrap();
            }),
            Self::Runtime => Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build_local(LocalOptions::default())
                .unwrap()
                .block_on(future),
            Self::Pool => unreachable!("it was looked for first"),
        }
    }
}

/// Runs the future in a pool of this thread, with its clean-ups, on a thread of its own.
fn in_a_pool(future: impl Future<Output = ()> + 'static) {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    set_local_spawner(move |cleanup| spawner.spawn_local(cleanup).unwrap());
    pool.spawner().spawn_local(future).unwrap();
    pool.run();
}

/// Cuts three nested uses, the one in the middle of which cannot end by one more poll.
fn cut_three(log: &Log, pending: usize) {
    poll_and_drop(async {
        async_with!(
            _a = stays(log.clone(), "a", 0),
            _b = stays_forever(log.clone(), "b"),
            _c = stays(log.clone(), "c", pending),
            {
                forever().await;
            }
        );
    });
}
