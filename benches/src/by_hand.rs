//! Uses without the library, with the same guarantees.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::work::{clean_up, poll_once, set_up, use_it};

/// A future whose panic is its output.
struct Catch<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for Catch<'_, F> {
    type Output = std::thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// Reports if it is dropped before it is finished.
struct ReportOnDrop(bool, &'static Location<'static>);

impl Drop for ReportOnDrop {
    fn drop(&mut self) {
        if !self.0 {
            report(self.1);
        }
    }
}

#[cold]
#[inline(never)]
fn report(place: &Location<'_>) {
    eprintln!("{place}: dropped before its end");
}

/// A set-up, a block and a clean-up, in one future.
async fn around<const S: bool>(n: u64, body: impl AsyncFnOnce(&mut u64) -> u64) -> u64 {
    let mut resource = set_up::<S>(n).await;
    let mut report_on_drop = ReportOnDrop(false, Location::caller());
    let value = {
        let body = pin!(body(&mut resource));
        Catch(body).await
    };
    clean_up::<S>(resource, value.is_ok()).await;
    report_on_drop.0 = true;
    value.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What a scoped context is compared with.
pub async fn scoped<const S: bool>(n: u64) -> u64 {
    around::<S>(n, use_it::<S>).await
}

/// Three of them, one inside the other.
pub async fn scoped_3<const S: bool>(n: u64) -> u64 {
    around::<S>(n, async |a| {
        around::<S>(*a, async |b| around::<S>(*b, use_it::<S>).await).await
    })
    .await
}

/// Two set-ups at once, a block, and two clean-ups at once.
pub async fn joined<const S: bool>(n: u64) -> u64 {
    let (mut a, mut b) = tokio::join!(set_up::<S>(n), set_up::<S>(n));
    let mut report_on_drop = ReportOnDrop(false, Location::caller());
    let value = {
        let body = pin!(async { use_it::<S>(&mut a).await + use_it::<S>(&mut b).await });
        Catch(body).await
    };
    let completed = value.is_ok();
    tokio::join!(clean_up::<S>(b, completed), clean_up::<S>(a, completed));
    report_on_drop.0 = true;
    value.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A future on the heap that goes on in its runtime when it is dropped.
pub struct Owned {
    future: Option<Pin<Box<dyn Future<Output = u64> + Send>>>,
    runtime: Option<Handle>,
}

impl Owned {
    fn new(future: impl Future<Output = u64> + Send + 'static) -> Self {
        Self {
            future: Some(Box::pin(future)),
            runtime: None,
        }
    }
}

impl Future for Owned {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        if self.runtime.is_none() {
            self.runtime = Handle::try_current().ok();
        }
        let future = self.future.as_mut().expect("polled after its end");
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let (Some(future), Some(runtime)) = (self.future.take(), self.runtime.take()) {
            runtime.spawn(future);
        }
    }
}

/// What a default context is compared with.
pub fn boxed<const S: bool>(n: u64) -> Owned {
    Owned::new(scoped::<S>(n))
}

/// Three of them, one inside the other.
pub fn boxed_3<const S: bool>(n: u64) -> Owned {
    Owned::new(around::<S>(n, async |a| {
        Owned::new(around::<S>(*a, async |b| Owned::new(scoped::<S>(*b)).await)).await
    }))
}

type CleanUp = Box<dyn FnOnce(bool) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What an exit stack is compared with: a list of boxed closures.
pub async fn stack<const S: bool, const ENTRIES: usize>(n: u64) -> u64 {
    let mut stack: Vec<CleanUp> = Vec::new();
    let mut report_on_drop = ReportOnDrop(false, Location::caller());
    let value = {
        let body = pin!(async {
            let mut sum = 0;
            for _ in 0..ENTRIES {
                let mut resource = Box::new(set_up::<S>(n).await);
                sum += use_it::<S>(&mut resource).await;
                stack.push(Box::new(move |completed| {
                    Box::pin(clean_up::<S>(*resource, completed))
                }));
            }
            sum
        });
        Catch(body).await
    };
    while let Some(clean_up) = stack.pop() {
        clean_up(value.is_ok()).await;
    }
    report_on_drop.0 = true;
    value.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A resource whose clean-up is spawned if it is dropped with the resource.
struct SpawnOnDrop<'a> {
    resource: Option<u64>,
    runtime: Handle,
    tracker: &'a TaskTracker,
}

impl Drop for SpawnOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(resource) = self.resource.take() {
            let clean_up = clean_up::<false>(resource, false);
            self.tracker.spawn_on(clean_up, &self.runtime);
        }
    }
}

/// A use that is dropped in its block.
pub fn cancelled(n: u64, tracker: &TaskTracker) {
    let used = pin!(async {
        let mut owner = SpawnOnDrop {
            resource: Some(set_up::<false>(n).await),
            runtime: Handle::current(),
            tracker,
        };
        let value = {
            let resource = owner.resource.as_mut().expect("it was just put in");
            let body = pin!(use_it::<true>(resource));
            Catch(body).await
        };
        let resource = owner.resource.take().expect("nobody took it");
        clean_up::<false>(resource, value.is_ok()).await;
        value.unwrap_or_else(|panic| resume_unwind(panic))
    });
    assert!(poll_once(used).is_pending());
}

/// Uses that are dropped in their blocks; each spawned clean-up is awaited.
pub fn cancelled_and_awaited(count: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let tracker = TaskTracker::new();
        for n in 0..count {
            cancelled(n, &tracker);
            tracker.close();
            tracker.wait().await;
            tracker.reopen();
        }
    });
    count
}
