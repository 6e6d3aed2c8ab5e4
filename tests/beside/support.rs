//! Helpers of these tests: contexts beside whose block a future goes on, and a resource that notices a wrong access.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use guard_core::{AsyncContext, Outcome, async_context, yield_resource};
use guard_tests::{Dropped, Log, block_on, panic_message, poll_once, yield_once};

/// How what is beside the block ends, after so many polls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Never,
    Fine(usize),
    Fails(usize),
    Panics(usize),
}

/// What a lease fails with.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The future beside the block.
    Lost,
    /// The exit.
    Exit,
    /// The block.
    Block,
}

/// Goes on beside a block.
pub async fn renew(log: Log, end: End) -> Result<(), Error> {
    let _dropped = Dropped(log.clone(), "renewal");
    let polls = match end {
        End::Never => usize::MAX,
        End::Fine(polls) | End::Fails(polls) | End::Panics(polls) => polls,
    };
    for _ in 0..polls {
        yield_once().await;
    }
    match end {
        End::Panics(_) => panic!("beside"),
        End::Fails(_) => {
            log.push("lost");
            Err(Error::Lost)
        }
        _ => Ok(()),
    }
}

/// Says what a yield told.
pub fn told(log: &Log, name: &str, outcome: Outcome) {
    log.push(format_args!("{name}:{outcome:?}"));
}

/// A lease that is renewed while it is held. Its resource is a local, so it moves if the context moves.
#[async_context]
pub async fn lease(log: Log, end: End) -> Result<Resource, Error> {
    yield_once().await;
    let mut resource = Resource::new(&log);
    let outcome = yield_resource!(resource, renew(log.clone(), end));
    told(&log, "lease", outcome);
    yield_once().await;
    log.push("released");
    Ok(())
}

/// [`lease`] as a scoped context.
#[async_context(scoped)]
pub async fn scoped_lease(log: &Log, end: End) -> Result<Resource, Error> {
    yield_once().await;
    let mut resource = Resource::new(log);
    let outcome = yield_resource!(resource, renew(log.clone(), end));
    told(log, "lease", outcome);
    yield_once().await;
    log.push("released");
    Ok(())
}

/// [`lease`] whose clean-up fails.
#[async_context]
pub async fn failing_lease(log: Log, end: End) -> Result<Resource, Error> {
    let mut resource = Resource::new(&log);
    let outcome = yield_resource!(resource, renew(log.clone(), end));
    told(&log, "lease", outcome);
    yield_once().await;
    Err(Error::Exit)
}

/// A lease that counts itself in `held` from its set-up to its exit.
#[async_context]
pub async fn counted(held: Arc<AtomicUsize>, end: End) -> Result<Resource, Error> {
    let log = Log::new();
    let mut resource = Resource::new(&log);
    yield_once().await;
    held.fetch_add(1, Ordering::Relaxed);
    yield_resource!(resource, renew(log.clone(), end));
    yield_once().await;
    held.fetch_sub(1, Ordering::Relaxed);
    Ok(())
}

/// A lease that catches: it swallows the error with which its block failed, or returns it.
#[async_context(catch)]
pub async fn catching(log: Log, end: End, swallows: bool) -> Result<Resource, Error> {
    let mut resource = Resource::new(&log);
    let outcome = yield_resource!(resource, renew(log.clone(), end));
    log.push(format_args!("catching:{outcome:?}"));
    match outcome {
        Outcome::Failed(error) if !swallows => Err(error),
        _ => Ok(()),
    }
}

/// A context beside which nothing goes on.
#[async_context]
pub async fn plain(log: Log) -> Result<Resource, Error> {
    yield_once().await;
    let mut resource = Resource::new(&log);
    let outcome = yield_resource!(resource);
    told(&log, "plain", outcome);
    yield_once().await;
    log.push("closed");
    Ok(())
}

/// Bytes on the heap and in place. After they are dropped nobody may touch them.
pub struct Resource {
    pub bytes: Vec<u8>,
    pub place: [u8; 32],
    log: Log,
}

impl Resource {
    pub fn new(log: &Log) -> Self {
        Self {
            bytes: vec![1; 100],
            place: [1; 32],
            log: log.clone(),
        }
    }

    /// Reads and writes all of it.
    pub fn touch(&mut self) {
        assert!(self.bytes.iter().chain(&self.place).all(|byte| *byte == 1));
        self.bytes.fill(1);
        self.place.fill(1);
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.touch();
        self.log.push("drop(resource)");
        self.bytes.fill(0);
        self.place.fill(0);
    }
}

/// Touches the resource when it is dropped.
pub struct Touch<'a>(pub &'a mut Resource, pub &'a Log);

impl Drop for Touch<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.1.push("drop(block)");
    }
}

/// A block that uses the resource for ever.
pub async fn work(resource: &mut Resource, log: &Log) -> Result<u32, Error> {
    let touch = Touch(resource, log);
    loop {
        touch.0.touch();
        yield_once().await;
    }
}

/// The message of the panic with which `using` ends.
pub fn panic_of<T>(using: impl Future<Output = T>) -> String {
    panic_message(|| block_on(using))
}

/// A use that stands in its block. If it is dropped, it leaves a clean-up that takes some polls.
pub fn begin_a_use(log: &Log, polls: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    #[async_context]
    async fn slow(log: Log, polls: usize) {
        yield_resource!();
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
        log.push("slow");
    }

    let mut begun = Box::pin(slow(log.clone(), polls).run(async |()| std::future::pending().await));
    assert!(poll_once(begun.as_mut()).is_pending());
    begun
}

/// Leaves a clean-up that takes some polls, for which the use around waits.
pub async fn leave_a_clean_up(log: &Log, polls: usize) {
    drop(begin_a_use(log, polls));
}

/// A context by hand, which does not drive what is beside the one in it.
pub struct Wrapper<C>(Pin<Box<C>>);

impl<C> Wrapper<C> {
    pub fn new(context: C) -> Self {
        Self(Box::pin(context))
    }
}

impl<C: AsyncContext> AsyncContext for Wrapper<C> {
    type Resource = C::Resource;
    type Error = C::Error;

    fn poll_enter(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.as_mut().poll_enter(cx)
    }

    fn resource(self: Pin<&mut Self>) -> &mut Self::Resource {
        self.get_mut().0.as_mut().resource()
    }

    fn poll_exit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), Self::Error>> {
        self.0.as_mut().poll_exit(cx, outcome)
    }
}
