//! A limit on how often, and how many at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guard_core::{Outcome, async_context, cancellable, yield_resource};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Limits requests to a server that others use, too. The pace adapts to how the requests end.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    places: Semaphore,
    /// Those who have a place wait here for their start, one after another.
    queue: AsyncMutex<()>,
    pace: Mutex<Pace>,
    fastest: Duration,
    slowest: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// From one start to the next.
    interval: Duration,
    next: Instant,
}

impl RateLimiter {
    /// Allows `at_once` requests at the same time, and one start in each interval, which is between `fastest` and
    /// `slowest`.
    pub fn new(at_once: usize, fastest: Duration, slowest: Duration) -> Self {
        let pace = Pace {
            interval: fastest,
            next: Instant::now(),
        };
        let shared = Shared {
            places: Semaphore::new(at_once),
            queue: AsyncMutex::new(()),
            pace: Mutex::new(pace),
            fastest,
            slowest,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Waits for a turn.
    ///
    /// A request that is cancelled while it waits takes no turn. The exit is told how the request ended, which a
    /// destructor cannot know: one that completed makes the interval shorter by `fastest`. One that failed, or that was
    /// cancelled by a time limit, doubles the interval.
    #[async_context(owned)]
    pub async fn turn(&self) {
        let shared = &self.shared;
        let _place = cancellable!(shared.places.acquire());
        cancellable!(shared.start());
        let outcome = yield_resource!();
        shared.adapt(outcome);
    }

    /// The time from one start to the next.
    pub fn interval(&self) -> Duration {
        self.shared.pace(|pace| pace.interval)
    }
}

impl Shared {
    async fn start(&self) {
        let _first = self.queue.lock().await;
        loop {
            let next = self.pace(|pace| pace.next);
            if next <= Instant::now() {
                break;
            }
            sleep_until(next).await;
        }
        // Nothing awaits from here on, so a turn that is taken is also used.
        self.pace(|pace| pace.next = Instant::now() + pace.interval);
    }

    fn adapt(&self, outcome: Outcome) {
        self.pace(|pace| {
            pace.interval = match outcome {
                Outcome::Completed => pace.interval.saturating_sub(self.fastest),
                Outcome::Failed(()) | Outcome::Cancelled => pace.interval * 2,
                // A fault of this program says nothing about the server.
                Outcome::Panicked => pace.interval,
            }
            .clamp(self.fastest, self.slowest);
            if !outcome.is_completed() {
                // Those who wait already wait longer, too.
                pace.next = pace.next.max(Instant::now() + pace.interval);
            }
        });
    }

    fn pace<T>(&self, change: impl FnOnce(&mut Pace) -> T) -> T {
        change(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
