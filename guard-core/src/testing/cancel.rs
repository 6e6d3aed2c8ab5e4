//! Cancellation at every poll.

use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker, ready};
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::vec::Vec;
use std::{format, vec};

use super::reports::{Reports, lines};
use super::watch::Watch;
use super::{Check, Checks, Verdict, caught, give_way};
use crate::report::OwnedReport;

/// Cancels a future at every point at which it can be cancelled, and checks each time what it has left.
///
/// For k = 0, 1, 2 … it runs what `make` returns until its k-th poll, drops it there, waits with
/// [`drain`](crate::drain) for the clean-ups, and calls `check`, which is told [where it was cut](Cut). When a
/// run ends before it is cut, `check` is called once more, and the value is what the future returned. So anyone can prove
/// about their own code, with contexts or without, that no cancellation leaks: a database must hold no open
/// transaction, a lock must be free.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::testing::cancel_at_every_poll;
/// use guard_core::{AsyncContext, async_context, yield_resource};
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tokio::sync::Mutex;
/// use tokio::time::sleep;
///
/// #[async_context]
/// async fn locked(lock: Arc<Mutex<()>>) {
///     let held = lock.lock_owned().await;
///     yield_resource!();
///     sleep(Duration::from_secs(1)).await;
///     drop(held);
/// }
///
/// let lock = Arc::new(Mutex::new(()));
/// cancel_at_every_poll(
///     || locked(lock.clone()).run(async |()| sleep(Duration::from_secs(60)).await),
///     async |_| assert!(lock.try_lock().is_ok(), "the lock is held"),
/// )
/// .await;
/// # }
/// ```
///
/// - A future is polled when it was woken, as an executor does. A poll of which nothing woke it does not count.
/// - It is dropped right after its k-th poll; and, in a run of its own, where it has been woken for the next poll but was
///   not polled: there a wake-up or a value that was handed to it gets lost, if it can get lost.
/// - `check` is an async closure. It fails by a panic, or by returning an error.
/// - The clean-ups are those of the runtime in which it is polled. A task that the future has spawned is not
///   cancelled with it: abort it in a destructor, and wait for it in `check`.
/// - With tokio's paused clock no time passes for sleeping.
///
/// # Panics
///
/// At the first failure: of `check`, or a panic of the future or of its destructor. The message says
/// after how many polls the future was cut, and what was reported in that run.
///
/// It panics too where something never ends: a future that is polled [`max_polls`](CancelAtEveryPoll::max_polls) times; and a
/// future, a clean-up or a check that is not woken for [`patience`](CancelAtEveryPoll::patience).
///
/// # Cancellation
///
/// Dropping it drops the future that runs.
///
/// Python: none. Trio's `Sequencer` and `AnyIO`'s checkpoints place single cancellations by hand.
#[track_caller]
pub fn cancel_at_every_poll<'a, F, M, C, R>(make: M, check: C) -> CancelAtEveryPoll<'a, F::Output>
where
    M: FnMut() -> F + 'a,
    F: Future + 'a,
    C: AsyncFnMut(Cut) -> R + 'a,
    R: Verdict + 'a,
{
    let mut make = make;
    CancelAtEveryPoll {
        start: Some(Start {
            make: Box::new(move || Box::pin(make())),
            check: Box::new(Checks::new(check)),
            location: Location::caller(),
        }),
        limits: Limits::default(),
        running: None,
    }
}

type Made<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What [`cancel_at_every_poll`] returns: `.await` it.
#[must_use = "nothing runs unless this is awaited: `cancel_at_every_poll(…).await`"]
pub struct CancelAtEveryPoll<'a, T> {
    /// Until it is polled.
    start: Option<Start<'a, T>>,
    limits: Limits,
    running: Option<Made<'a, T>>,
}

struct Start<'a, T> {
    make: Box<dyn FnMut() -> Made<'a, T> + 'a>,
    check: Box<dyn Check<Cut> + 'a>,
    location: &'static Location<'static>,
}

impl<T> fmt::Debug for CancelAtEveryPoll<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelAtEveryPoll")
            .field("max_polls", &self.limits.max_polls)
            .field("patience", &self.limits.patience)
            .finish_non_exhaustive()
    }
}

/// How long something may go on.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_polls: usize,
    pub(super) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_polls: 10_000,
            patience: Duration::from_secs(30),
        }
    }
}

impl<T> CancelAtEveryPoll<'_, T> {
    /// How many polls a run may take, 10,000 unless this says otherwise.
    pub fn max_polls(mut self, polls: usize) -> Self {
        self.limits.max_polls = polls;
        self
    }

    /// How long nothing may happen: 30 seconds of real time unless this says otherwise, also where a clock is paused.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.limits.patience = limit;
        self
    }
}

impl<'a, T: 'a> Future for CancelAtEveryPoll<'a, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if let Some(start) = this.start.take() {
            this.running = Some(Box::pin(start.run(this.limits)));
        }
        let running = this.running.as_mut();
        let running = running.expect("a future was polled after its end");
        let value = ready!(running.as_mut().poll(cx));
        this.running = None;
        Poll::Ready(value)
    }
}

impl<T> Start<'_, T> {
    async fn run(self, limits: Limits) -> T {
        let Self {
            mut make,
            mut check,
            location,
        } = self;
        match every_cut(&mut *make, &mut *check, limits).await {
            Ok(value) => value,
            Err(Failure { cut, kind }) => panic!(
                "cancel_at_every_poll, called at {location}: cut {cut}: {kind}{}",
                reported(&cut.reports),
            ),
        }
    }
}

pub(super) fn reported(reports: &[OwnedReport]) -> String {
    if reports.is_empty() {
        "\nnothing was reported until then".into()
    } else {
        format!("\nreported until then:{}", lines(reports))
    }
}

/// Where a future was cut, and what was reported until then.
#[derive(Clone, Debug)]
pub struct Cut {
    polls: usize,
    at: At,
    reports: Vec<OwnedReport>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Poll,
    Wake,
    End,
}

impl Cut {
    /// How often it was polled.
    pub fn polls(&self) -> usize {
        self.polls
    }

    /// Whether it was dropped when it had been woken for the next poll, not right after the last one.
    pub fn was_woken(&self) -> bool {
        self.at == At::Wake
    }

    /// Whether it ran to its end, and was not cut at all.
    pub fn is_end(&self) -> bool {
        self.at == At::End
    }

    /// The reports of the runtime since the run began, those of its clean-ups included.
    pub fn reports(&self) -> &[OwnedReport] {
        &self.reports
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let polls = self.polls;
        let times = if polls == 1 { "poll" } else { "polls" };
        match self.at {
            At::Poll => write!(f, "after {polls} {times}"),
            At::Wake => write!(f, "after {polls} {times}, when it was woken for the next"),
            At::End => write!(f, "at its end, after {polls} {times}"),
        }
    }
}

/// Where it went wrong, and how.
pub(super) struct Failure {
    pub(super) cut: Cut,
    pub(super) kind: FailureKind,
}

/// What went wrong.
pub(super) enum FailureKind {
    Check(String),
    Polling(String),
    Dropping(String),
    NoEnd(usize),
    Stalled(Stalled, Duration),
}

/// What a run was waiting for when it stalled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stalled {
    Future,
    CleanUp,
    Check,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(message) => write!(f, "the check failed: {message}"),
            Self::Polling(message) => write!(f, "its next poll panicked: {message}"),
            Self::Dropping(message) => write!(f, "to drop it panicked: {message}"),
            Self::NoEnd(polls) => write!(f, "it has not ended, and may take {polls} polls"),
            Self::Stalled(Stalled::Future, limit) => {
                write!(f, "it was not woken for {limit:?}")
            }
            Self::Stalled(Stalled::CleanUp, limit) => {
                let pending = crate::pending_cleanups();
                let names: Vec<&str> = pending.iter().map(crate::PendingCleanup::name).collect();
                write!(f, "its clean-up did not go on for {limit:?}: {names:?}")
            }
            Self::Stalled(Stalled::Check, limit) => {
                write!(f, "the check did not go on for {limit:?}")
            }
        }
    }
}

/// Every cut in turn, until a run ends before it.
pub(super) async fn every_cut<'a, T>(
    make: &mut (dyn FnMut() -> Made<'a, T> + 'a),
    check: &mut (dyn Check<Cut> + '_),
    limits: Limits,
) -> Result<T, Failure> {
    let watch = Watch::new(limits.patience);
    for polls in 0..=limits.max_polls {
        for at in [At::Poll, At::Wake] {
            let reports = Reports::listening();
            let mut run = Run::new(polls, at);
            let ended = run.until_cut(make, &watch).await;
            let cut = |reported: &mut Vec<OwnedReport>, at| {
                reported.extend(reports.take());
                Cut {
                    polls: run.polled,
                    at,
                    reports: reported.clone(),
                }
            };
            let mut reported = vec![];
            let (value, at) = match ended {
                Ok(None) => (None, at),
                Ok(Some(value)) => (Some(value), At::End),
                Err(kind) => {
                    let cut = cut(&mut reported, At::Poll);
                    return Err(Failure {
                        cut,
                        kind: kind.within(limits),
                    });
                }
            };
            give_way().await;
            if watched(crate::drain(), &watch).await.is_none() {
                let kind = FailureKind::Stalled(Stalled::CleanUp, limits.patience);
                let cut = cut(&mut reported, at);
                return Err(Failure { cut, kind });
            }
            let told = cut(&mut reported, at);
            let failed = match watched(check.check(told), &watch).await {
                None => Some(FailureKind::Stalled(Stalled::Check, limits.patience)),
                Some(failed) => failed.map(FailureKind::Check),
            };
            if let Some(kind) = failed {
                let cut = cut(&mut reported, at);
                return Err(Failure { cut, kind });
            }
            if let Some(value) = value {
                return Ok(value);
            }
            // It has been woken already, so the other cut is at the same point.
            if run.is_woken {
                break;
            }
        }
    }
    Err(Failure {
        cut: Cut {
            polls: limits.max_polls,
            at: At::Poll,
            reports: vec![],
        },
        kind: FailureKind::NoEnd(limits.max_polls),
    })
}

impl FailureKind {
    fn within(self, limits: Limits) -> Self {
        match self {
            Self::Stalled(stalled, _) => Self::Stalled(stalled, limits.patience),
            kind => kind,
        }
    }
}

/// Polls to the end, or until nothing happens any more.
pub(super) async fn watched<F: Future>(future: F, watch: &Watch) -> Option<F::Output> {
    let mut future = pin!(future);
    let noted = Arc::new(Noted::default());
    let waker = Waker::from(noted.clone());
    watch.progress();
    poll_fn(|cx| {
        noted.forward_to(cx.waker());
        if noted.take() {
            watch.progress();
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(Some(value));
            }
        }
        if watch.is_stalled(cx) {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// One run, up to where it is cut.
struct Run {
    polls: usize,
    at: At,
    polled: usize,
    /// Whether it was woken when it was cut.
    is_woken: bool,
}

impl Run {
    fn new(polls: usize, at: At) -> Self {
        Self {
            polls,
            at,
            polled: 0,
            is_woken: false,
        }
    }

    /// Polls when it is woken, and drops where it is to be cut. `Some` if it ends before.
    async fn until_cut<'a, T>(
        &mut self,
        make: &mut (dyn FnMut() -> Made<'a, T> + 'a),
        watch: &Watch,
    ) -> Result<Option<T>, FailureKind> {
        let mut future = caught(make).map_err(FailureKind::Polling)?;
        let noted = Arc::new(Noted::default());
        let waker = Waker::from(noted.clone());
        watch.progress();
        let ended = poll_fn(|cx| {
            noted.forward_to(cx.waker());
            let is_there = self.polled == self.polls;
            if is_there && (self.at == At::Poll || noted.is_woken()) {
                return Poll::Ready(Ok(None));
            }
            if noted.take() {
                watch.progress();
                let polled = caught(|| future.as_mut().poll(&mut Context::from_waker(&waker)));
                match polled {
                    Ok(Poll::Pending) => self.polled += 1,
                    Ok(Poll::Ready(value)) => {
                        self.polled += 1;
                        return Poll::Ready(Ok(Some(value)));
                    }
                    Err(panic) => return Poll::Ready(Err(FailureKind::Polling(panic))),
                }
                if self.at == At::Poll && self.polled == self.polls {
                    return Poll::Ready(Ok(None));
                }
            }
            if watch.is_stalled(cx) {
                let kind = FailureKind::Stalled(Stalled::Future, Duration::ZERO);
                return Poll::Ready(Err(kind));
            }
            Poll::Pending
        })
        .await;
        self.is_woken = noted.is_woken();
        caught(|| drop(future)).map_err(FailureKind::Dropping)?;
        ended
    }
}

/// Whether a future was woken since it was polled, and who polls it.
pub(super) struct Noted(Mutex<(bool, Option<Waker>)>);

impl Default for Noted {
    /// To be polled for the first time.
    fn default() -> Self {
        Self(Mutex::new((true, None)))
    }
}

impl Noted {
    fn lock(&self) -> std::sync::MutexGuard<'_, (bool, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forward_to(&self, waker: &Waker) {
        let waker = waker.clone();
        let replaced = self.lock().1.replace(waker);
        drop(replaced);
    }

    pub(super) fn is_woken(&self) -> bool {
        self.lock().0
    }

    /// Returns whether it was woken, and resets that.
    pub(super) fn take(&self) -> bool {
        core::mem::take(&mut self.lock().0)
    }
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        let mut noted = self.lock();
        noted.0 = true;
        let waker = noted.1.take();
        drop(noted);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
