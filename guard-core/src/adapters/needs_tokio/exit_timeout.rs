//! The limit of `exit_timeout`: a time for the exit.

use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;
use std::rc::Rc;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::adapters::needs_std::{Bounded, Clock};
use crate::cleanup::{CleanupLimit, LimitedPart, SharedLimit};
use crate::platform::panics::catch_panic;
use crate::report::ReportSource;

/// The context of [`exit_timeout`](crate::AsyncContext::exit_timeout).
pub type ExitTimeout<C> = Bounded<C, Timeout>;

/// The limit of [`exit_timeout`](crate::AsyncContext::exit_timeout): so much for the wait, then for the exit, and then for the wait after it.
///
/// Outside a tokio runtime there is no clock, and it never ends.
pub struct Timeout {
    duration: Duration,
    running: Option<(LimitedPart, Pin<Box<Sleep>>)>,
}

impl Timeout {
    pub(crate) const fn new(duration: Duration) -> Self {
        Self {
            duration,
            running: None,
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.duration).finish()
    }
}

impl Clock for Timeout {
    fn poll_over(&mut self, part: LimitedPart, cx: &mut Context<'_>) -> Poll<()> {
        if self
            .running
            .as_ref()
            .is_none_or(|(running, _)| *running != part)
        {
            if tokio::runtime::Handle::try_current().is_err() {
                return Poll::Pending;
            }
            // As long as possible, where that cannot be told in time.
            let end = Instant::now().checked_add(self.duration);
            let end =
                end.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400 * 365 * 30));
            self.running = Some((part, Box::pin(sleep_until(end))));
        }
        match &mut self.running {
            Some((_, sleep)) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    fn into_limit(self, who: ReportSource<Infallible>) -> Rc<dyn SharedLimit> {
        let begun = self.running.map(|(part, sleep)| (part, sleep.deadline()));
        Rc::new(TimeLeft {
            duration: self.duration,
            begun,
            who,
        })
    }
}

/// The time that is left for what goes on in the background.
struct TimeLeft {
    duration: Duration,
    /// What runs already, and when its time is up.
    begun: Option<(LimitedPart, Instant)>,
    who: ReportSource<Infallible>,
}

impl SharedLimit for TimeLeft {
    fn for_cleanup(&self) -> Box<dyn CleanupLimit> {
        Box::new(CleanupTimeout {
            timeout: Some(Timeout::new(self.duration)),
            begun: self.begun,
            who: self.who,
        })
    }
}

struct CleanupTimeout {
    /// `None` if it has panicked.
    timeout: Option<Timeout>,
    begun: Option<(LimitedPart, Instant)>,
    who: ReportSource<Infallible>,
}

impl CleanupLimit for CleanupTimeout {
    fn poll_over(&mut self, part: LimitedPart, cx: &mut Context<'_>) -> Option<Poll<()>> {
        let timeout = self.timeout.as_mut()?;
        let polled = catch_panic(|| {
            if let Some((begun, end)) = self.begun.take() {
                if begun == part && tokio::runtime::Handle::try_current().is_ok() {
                    timeout.running = Some((part, Box::pin(sleep_until(end))));
                }
            }
            timeout.poll_over(part, cx)
        });
        match polled {
            Ok(over) => Some(over),
            Err(panic) => {
                self.timeout = None;
                panic.report_to(self.who);
                None
            }
        }
    }
}
