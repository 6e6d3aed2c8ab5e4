//! A cache of values, and the task that removes old ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guard_core::{async_context, yield_resource};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Values that are kept for a while. Clones share the same values.
#[derive(Clone, Debug)]
pub struct Cache {
    entries: Arc<Mutex<HashMap<String, (Instant, i64)>>>,
    keep: Duration,
}

impl Cache {
    /// The value, if it is not too old.
    pub fn get(&self, key: &str) -> Option<i64> {
        self.with(|entries| {
            let (since, value) = entries.get(key)?;
            (since.elapsed() < self.keep).then_some(*value)
        })
    }

    /// Keeps a value.
    pub fn put(&self, key: &str, value: i64) {
        self.with(|entries| entries.insert(key.to_owned(), (Instant::now(), value)));
    }

    /// Forgets a value.
    pub fn remove(&self, key: &str) {
        self.with(|entries| entries.remove(key));
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut HashMap<String, (Instant, i64)>) -> T) -> T {
        use_it(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A cache, and a task that removes old values. The task ends with the context.
#[async_context]
pub async fn cache(keep: Duration) -> Cache {
    let mut cache = Cache {
        entries: Arc::default(),
        keep,
    };
    let swept = cache.clone();
    let sweeper = tokio::spawn(async move {
        let mut ticks = interval(keep);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            swept.with(|entries| entries.retain(|_, (since, _)| since.elapsed() < keep));
        }
    });
    yield_resource!(cache);
    sweeper.abort();
    // The task was aborted, so its result is a cancellation.
    let _ = sweeper.await;
}
