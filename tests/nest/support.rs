//! Helpers of these tests: contexts that log what happens to them, ways of using a context, and runtimes.
//!
//! These tests install no spawner. The reporter writes to the list of the thread that calls it, so that tests
//! can run in parallel.

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

/// The last segment of a path, without generic arguments.
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
        ReportKind::Panicked(_) => format!("{name} panicked: {}", panic_message(report)),
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

fn panic_message(report: &Report<'_>) -> String {
    let text = report.to_string();
    let (_, rest) = text.split_once("panicked").unwrap();
    let (_, message) = rest.split_once(": ").unwrap();
    message.to_owned()
}

/// Collects in `reports` what is reported on this thread from now on.
pub fn record_reports(reports: &Log) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        guard_core::set_reporter(report);
    });
    REPORTS.set(Some(reports.clone()));
}

/// The log of a test, and the list of the reports of its thread.
pub fn logs() -> (Log, Log) {
    let reports = Log::new();
    record_reports(&reports);
    (Log::new(), reports)
}

/// A current-thread runtime with a paused clock, which advances only when the runtime is idle.
pub fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

/// A runtime with `count` worker threads. Their reports go to `reports`.
pub fn workers(count: usize, reports: &Log) -> Runtime {
    let reports = reports.clone();
    Builder::new_multi_thread()
        .worker_threads(count)
        .on_thread_start(move || record_reports(&reports))
        .enable_all()
        .build()
        .unwrap()
}

/// Runs `act` on a new thread, and fails if it does not end.
#[track_caller]
pub fn must_end<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (over, is_over) = mpsc::channel();
    std::thread::spawn(move || {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        let _ = over.send(ended);
    });
    match is_over.recv_timeout(Duration::from_secs(60)) {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => panic!("the test hangs"),
    }
}

pub fn forever() -> std::future::Pending<()> {
    std::future::pending()
}

/// Polls the future once, and drops it.
#[track_caller]
pub fn poll_and_drop(future: impl Future) {
    let mut future = Box::pin(future);
    assert!(poll_once(future.as_mut()).is_pending());
}

/// Drops the future after one second.
pub async fn time_out(future: impl Future) {
    let timeout = tokio::time::timeout(Duration::from_secs(1), future).await;
    assert!(timeout.is_err(), "the future should be pending");
}

/// A context whose exit is pending `pending` times.
#[async_context]
pub async fn step(log: Log, name: &'static str, pending: usize) {
    log.push(format_args!("+{name}"));
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    log.push(format_args!("-{name}"));
}

/// As [`step`], and logs its outcome.
#[async_context]
pub async fn logs_outcome(log: Log, name: &'static str, pending: usize) {
    let outcome = yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    log.push(format_args!("-{name}({outcome:?})"));
}

/// A context whose exit never ends.
#[async_context]
pub async fn never(log: Log, name: &'static str) {
    yield_resource!();
    log.push(format_args!("~{name}"));
    forever().await;
}

/// A context whose exit ends when `gate` is notified.
#[async_context]
pub async fn gated(log: Log, name: &'static str, gate: Arc<Notify>) {
    yield_resource!();
    gate.notified().await;
    log.push(format_args!("-{name}"));
}

/// A context whose exit takes `millis` milliseconds.
#[async_context]
pub async fn sleeps(log: Log, name: &'static str, millis: u64) {
    yield_resource!();
    tokio::time::sleep(Duration::from_millis(millis)).await;
    log.push(format_args!("-{name}"));
}

/// A context whose set-up waits for a permit of `pool`. It holds the permit until its exit has ended.
#[async_context]
pub async fn pooled(log: Log, name: &'static str, pool: Arc<Semaphore>) {
    let permit = pool.acquire_owned().await.unwrap();
    log.push(format_args!("+{name}"));
    yield_resource!();
    yield_once().await;
    drop(permit);
    log.push(format_args!("-{name}"));
}

/// A context whose exit cancels a use of the step `x`.
#[async_context]
pub async fn cancels_in_its_exit(log: Log, name: &'static str) {
    yield_resource!();
    poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
    log.push(format_args!("-{name}"));
}

/// A context whose set-up cancels a use of the step `x`.
#[async_context]
pub async fn cancels_in_its_set_up(log: Log, name: &'static str) {
    poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
    yield_resource!();
    log.push(format_args!("-{name}"));
}

/// An error without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it failed")
    }
}

pub type Block = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A context whose body uses another context.
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

/// Uses a `step` in this way, with `block` as its block.
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

/// How a future is dropped while the code around it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Cancellation {
    Timeout,
    Select,
    QuestionMark,
    Dropped,
    Replaced,
}

pub const CANCELLATIONS: [Cancellation; 5] = [
    Cancellation::Timeout,
    Cancellation::Select,
    Cancellation::QuestionMark,
    Cancellation::Dropped,
    Cancellation::Replaced,
];

impl Cancellation {
    /// Polls the future, and drops it before it has ended.
    pub async fn cancel(self, mut future: Block) {
        match self {
            Self::Timeout => time_out(future).await,
            Self::Select => tokio::select! {
                biased;
                () = future => panic!("the future should be pending"),
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
