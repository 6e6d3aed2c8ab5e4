//! How long an exit, and the waits before and after it, may take.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;

use crate::platform::panics::catch_panic;
use crate::platform::tokio::{Sleep, remaining, sleep};

/// What a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedPart {
    /// The wait for the nest before the exit, or after a set-up that failed.
    WaitBefore,
    /// The exit itself.
    Exit,
    /// The wait for what the exit has left.
    WaitAfter,
}

/// The limit of one clean-up: of its exit, and of the waits around it.
pub trait CleanupLimit: Send {
    /// Ready when the time is up. The time begins with the first call for this part. `None` if the limit has panicked: then
    /// there is none any more.
    fn poll_over(&mut self, part: LimitedPart, cx: &mut Context<'_>) -> Option<Poll<()>>;
}

/// The limit of an exit. Each clean-up that is handed off when its context is dropped gets its own limit from it.
pub trait SharedLimit {
    /// The limit of one of these clean-ups.
    fn for_cleanup(&self) -> Box<dyn CleanupLimit>;
}

/// A clock that starts when it is first polled. It is off where there is no clock.
#[derive(Default)]
pub(super) enum Timer {
    /// Not polled yet.
    #[default]
    Set,
    /// The same, and so much time is left: it goes on for one that was running.
    Remaining(Duration),
    Running(Sleep),
    /// The time is up.
    Over,
    /// There is no limit, or no clock.
    Off,
}

impl Timer {
    /// How much time is left, if it runs.
    pub(super) fn remaining(&self) -> Option<Duration> {
        match self {
            Self::Running(sleep) => Some(remaining(sleep)),
            Self::Remaining(time) => Some(*time),
            Self::Set | Self::Over | Self::Off => None,
        }
    }

    /// Ready when `duration` has passed since the first poll. Later polls do not look at `duration`.
    pub(super) fn poll(&mut self, duration: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let starts = match self {
            Self::Set => Some(duration),
            Self::Remaining(time) => Some(Some(*time)),
            Self::Running(_) | Self::Over | Self::Off => None,
        };
        if let Some(duration) = starts {
            *self = duration.and_then(sleep).map_or(Self::Off, Self::Running);
        }
        let sleep = match self {
            Self::Running(sleep) => sleep,
            Self::Over => return Poll::Ready(()),
            Self::Set | Self::Remaining(_) | Self::Off => return Poll::Pending,
        };
        match catch_panic(|| Pin::new(&mut *sleep).poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                *self = Self::Over;
                Poll::Ready(())
            }
            Err(panic) => {
                panic.discard();
                *self = Self::Off;
                Poll::Pending
            }
        }
    }
}

/// How long each wait of an exit for its nest takes, unless it has a limit of its own.
static WAIT: Setting = Setting::new(Some(Duration::from_secs(30)));
/// How long a clean-up may take.
static CLEANUP: Setting = Setting::new(None);

struct Setting(std::sync::Mutex<Option<Duration>>);

impl Setting {
    const fn new(limit: Option<Duration>) -> Self {
        Self(std::sync::Mutex::new(limit))
    }

    fn get(&self) -> Option<Duration> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Duration>> {
        let limit = self.0.lock();
        limit.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Says how long an exit waits for the clean-ups of what was dropped inside its use: 30 seconds if this is not
/// called. With `None` it waits as long as it takes. A wait that has begun keeps the limit that it began with.
///
/// There are two waits, each with this limit: before the exit, for what was dropped in the block, and after it, for what the
/// exit itself has dropped. When the time is up the exit begins, or the use ends, all the same, and that is
/// [reported](crate::set_reporter) as [`Overtook`](crate::ReportKind::Overtook). No other exit waits for those clean-ups
/// then. [`exit_timeout`](crate::AsyncContext::exit_timeout) and [`exit_until`](crate::AsyncContext::exit_until) set a limit
/// for one context: the exit around it waits for what that has overtaken. [`settled`](crate::settled) and
/// [`drain`](crate::drain) have no limit, and wait for all.
///
/// Time is tokio's; outside a tokio runtime with timers nothing measures it.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// guard_core::set_wait_limit(Some(Duration::from_secs(5)));
/// ```
pub fn set_wait_limit(limit: Option<Duration>) {
    *WAIT.lock() = limit;
}

/// Says how long each clean-up in the background may take: without a limit if this is not called. One that has begun keeps
/// the limit that it began with.
///
/// A set-up that is finished in the background has this time from when its use was dropped, an exit from when
/// it begins. When the time is up the clean-up is dropped, and that is [reported](crate::set_reporter) as
/// [`TimedOut`](crate::ReportKind::TimedOut).
///
/// Time is tokio's; outside a tokio runtime with timers nothing measures it.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// guard_core::set_cleanup_timeout(Some(Duration::from_secs(60)));
/// ```
pub fn set_cleanup_timeout(limit: Option<Duration>) {
    *CLEANUP.lock() = limit;
}

pub(super) fn wait_limit() -> Option<Duration> {
    WAIT.get()
}

pub(super) fn cleanup_timeout() -> Option<Duration> {
    CLEANUP.get()
}
