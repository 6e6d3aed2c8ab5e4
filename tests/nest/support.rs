//! What these tests share: contexts that write down what happens to them, ways of using them, and runtimes.
//!
//! The process has no spawner. Its reporter finds the list of reports of the thread it is called on, so that
//! tests can run beside one another.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Once, mpsc};
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, Report, ReportKind, async_context, async_with, exit_stack,
    within, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore};

thread_local! {
    static REPORTS: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// The last part of a path, without what is generic in it.
fn short(path: &str) -> &str {
    let path = path.split('<').next().unwrap();
    path.trim_end_matches("::").rsplit("::").next().unwrap()
}

fn report(report: &Report<'_>) {
    let name = short(report.name());
    let line = match report.kind() {
        ReportKind::Abandoned => format!("{name} abandoned"),
        ReportKind::Failed(error) => format!("{name} failed: {error}"),
        ReportKind::SetUpFailed(error) => format!("{name} set-up failed: {error}"),
        ReportKind::Panicked(_) => format!("{name} panicked: {}", panic_of(report)),
        ReportKind::TimedOut => format!("{name} timed out"),
        ReportKind::Overtook { overtaken, .. } => {
            let overtaken = overtaken.iter().map(|name| short(name));
            format!(
                "{name} overtook {}",
                overtaken.collect::<Vec<_>>().join(",")
            )
        }
        _ => format!("{name}: {report}"),
    };
    let _ = REPORTS.try_with(|reports| {
        if let Some(reports) = &*reports.borrow() {
            reports.push(line);
        }
    });
}

fn panic_of(report: &Report<'_>) -> String {
    let text = report.to_string();
    let (_, told) = text.split_once("panicked").unwrap();
    let (_, message) = told.split_once(": ").unwrap();
    message.to_owned()
}

/// What is reported on this thread from now on goes into this list.
pub fn listen(reports: &Log) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        guard_core::set_reporter(report);
    });
    REPORTS.set(Some(reports.clone()));
}

/// The log of a test, and the list of what is reported on its thread.
pub fn logs() -> (Log, Log) {
    let reports = Log::new();
    listen(&reports);
    (Log::new(), reports)
}

/// A runtime of this thread, whose clock stands still but where nothing else is to be done.
pub fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

/// A runtime of so many other threads, whose reports go into this list.
pub fn workers(count: usize, reports: &Log) -> Runtime {
    let reports = reports.clone();
    Builder::new_multi_thread()
        .worker_threads(count)
        .on_thread_start(move || listen(&reports))
        .enable_all()
        .build()
        .unwrap()
}

/// Runs this on a thread of its own, and fails if it does not end.
#[track_caller]
pub fn ends<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (over, is_over) = mpsc::channel();
    std::thread::spawn(move || {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        let _ = over.send(ended);
    });
    match is_over.recv_timeout(Duration::from_secs(60)) {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => panic!("it hangs"),
    }
}

pub fn forever() -> std::future::Pending<()> {
    std::future::pending()
}

/// Polls it once, and drops it half-way.
#[track_caller]
pub fn poll_and_drop(future: impl Future) {
    let mut future = Box::pin(future);
    assert!(poll_once(future.as_mut()).is_pending());
}

/// Lets a second pass, after which it is dropped half-way.
pub async fn time_out(future: impl Future) {
    let timeout = tokio::time::timeout(Duration::from_secs(1), future).await;
    assert!(timeout.is_err(), "it was to be cut");
}

/// Its exit is pending so many times.
#[async_context]
pub async fn step(log: Log, name: &'static str, pending: usize) {
    log.push(format_args!("+{name}"));
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    log.push(format_args!("-{name}"));
}

/// The same, and writes down what it was told.
#[async_context]
pub async fn told(log: Log, name: &'static str, pending: usize) {
    let outcome = yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    log.push(format_args!("-{name}({outcome:?})"));
}

/// Its exit never ends.
#[async_context]
pub async fn never(log: Log, name: &'static str) {
    yield_resource!();
    log.push(format_args!("~{name}"));
    forever().await;
}

/// Its exit ends when it is told to.
#[async_context]
pub async fn gated(log: Log, name: &'static str, gate: Arc<Notify>) {
    yield_resource!();
    gate.notified().await;
    log.push(format_args!("-{name}"));
}

/// Its exit takes so many milliseconds.
#[async_context]
pub async fn sleeps(log: Log, name: &'static str, millis: u64) {
    yield_resource!();
    tokio::time::sleep(Duration::from_millis(millis)).await;
    log.push(format_args!("-{name}"));
}

/// Its set-up waits for the permit that it holds until its exit is over.
#[async_context]
pub async fn pooled(log: Log, name: &'static str, pool: Arc<Semaphore>) {
    let permit = pool.acquire_owned().await.unwrap();
    log.push(format_args!("+{name}"));
    yield_resource!();
    yield_once().await;
    drop(permit);
    log.push(format_args!("-{name}"));
}

/// Its exit cuts another use, that of `x`.
#[async_context]
pub async fn cuts_in_its_exit(log: Log, name: &'static str) {
    yield_resource!();
    poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
    log.push(format_args!("-{name}"));
}

/// Its set-up cuts another use, that of `x`.
#[async_context]
pub async fn cuts_in_its_set_up(log: Log, name: &'static str) {
    poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
    yield_resource!();
    log.push(format_args!("-{name}"));
}

/// An error of no contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it failed")
    }
}

pub type Block = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A context made of a context.
#[async_context]
pub async fn composed(log: Log, name: &'static str, pending: usize) {
    async_with!(_inside = step(log, name, pending), {
        yield_resource!();
    });
}

/// A way of using a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Macro,
    Run,
    With,
    TryWith,
    Within,
    Join,
    Stack,
    Composed,
    Boxed,
    Mapped,
}

pub const WAYS: [Way; 10] = [
    Way::Macro,
    Way::Run,
    Way::With,
    Way::TryWith,
    Way::Within,
    Way::Join,
    Way::Stack,
    Way::Composed,
    Way::Boxed,
    Way::Mapped,
];

/// Uses a `step` in this way around a block.
pub fn using(way: Way, log: Log, name: &'static str, pending: usize, block: Block) -> Block {
    match way {
        Way::Macro => Box::pin(async move {
            async_with!(_it = step(log, name, pending), { block.await });
        }),
        Way::Run => Box::pin(step(log, name, pending).run(async |()| block.await)),
        Way::With => Box::pin(async move {
            let it = step(log, name, pending).with_error::<Failed>();
            let used = it.with(async |()| {
                block.await;
                Ok::<_, Failed>(())
            });
            assert!(used.await.is_ok());
        }),
        Way::TryWith => Box::pin(async move {
            let it = step(log, name, pending);
            let used = it.try_with(async |()| {
                block.await;
                Ok::<_, Failed>(())
            });
            assert!(used.await.is_ok());
        }),
        Way::Within => {
            #[within(_it = step(log, name, pending))]
            async fn decorated(log: Log, name: &'static str, pending: usize, block: Block) {
                block.await;
            }
            Box::pin(decorated(log, name, pending, block))
        }
        Way::Join => Box::pin(async move {
            let quiet = Log::new();
            async_with!(
                join(
                    _it = step(log, name, pending),
                    _beside = step(quiet, "beside", 1)
                ),
                { block.await }
            );
        }),
        Way::Stack => Box::pin(async move {
            let used = exit_stack::<Failed>().with(async |stack: &mut AsyncExitStack<Failed>| {
                stack.enter(step(log, name, pending).with_error()).await?;
                block.await;
                Ok::<_, Failed>(())
            });
            assert!(used.await.is_ok());
        }),
        Way::Composed => Box::pin(composed(log, name, pending).run(async |()| block.await)),
        Way::Boxed => Box::pin(step(log, name, pending).boxed().run(async |()| block.await)),
        Way::Mapped => Box::pin(async move {
            let it = step(log, name, pending).map_err(|never| -> Failed { match never {} });
            let used = it.with(async |()| {
                block.await;
                Ok::<_, Failed>(())
            });
            assert!(used.await.is_ok());
        }),
    }
}

/// How something is dropped while its surroundings go on.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Timeout,
    Select,
    QuestionMark,
    Dropped,
    Replaced,
}

pub const CUTS: [Cut; 5] = [
    Cut::Timeout,
    Cut::Select,
    Cut::QuestionMark,
    Cut::Dropped,
    Cut::Replaced,
];

impl Cut {
    /// Polls it, and drops it half-way.
    pub async fn cut(self, mut future: Block) {
        match self {
            Self::Timeout => time_out(future).await,
            Self::Select => tokio::select! {
                biased;
                () = future => panic!("it was to be cut"),
                () = std::future::ready(()) => {}
            },
            Self::QuestionMark => {
                let fails = async move {
                    assert!(poll_once(future.as_mut()).is_pending());
                    Err(())?;
                    future.await;
                    Ok::<_, ()>(())
                };
                assert!(fails.await.is_err());
            }
            Self::Dropped => {
                assert!(poll_once(future.as_mut()).is_pending());
                drop(future);
            }
            Self::Replaced => {
                assert!(poll_once(future.as_mut()).is_pending());
                future = Box::pin(std::future::ready(()));
                future.await;
            }
        }
    }
}
