//! A thread that notices that a test has stalled.

use core::task::{Context, Waker};
use core::time::Duration;
use std::string::ToString;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A thread that wakes whoever has waited too long, in real time: a clock that is paused stands still then.
pub(super) struct Watch {
    monitor: Arc<Monitor>,
    thread: Option<JoinHandle<()>>,
}

struct Monitor {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// When something last happened, and whom to wake if nothing follows.
    waiting: Option<(Instant, Waker)>,
    is_stalled: bool,
    is_over: bool,
}

impl Monitor {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, limit: Duration) {
        let mut state = self.lock();
        while !state.is_over {
            let left = match &state.waiting {
                None => limit,
                Some((since, _)) => limit.saturating_sub(since.elapsed()),
            };
            if left.is_zero() {
                state.is_stalled = true;
                if let Some((_, waker)) = state.waiting.take() {
                    drop(state);
                    waker.wake();
                    state = self.lock();
                }
                continue;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Watch {
    pub(super) fn new(limit: Duration) -> Self {
        let monitor = Arc::new(Monitor {
            state: Mutex::new(State {
                waiting: None,
                is_stalled: false,
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let watched = monitor.clone();
        let thread = thread::Builder::new()
            .name("guard-testing".to_string())
            .spawn(move || watched.watch(limit));
        // Without a thread nothing is noticed, and all else is as ever.
        let thread = thread.ok();
        Self { monitor, thread }
    }

    /// Something has happened.
    pub(super) fn progress(&self) {
        let mut state = self.monitor.lock();
        state.is_stalled = false;
        let waiting = state.waiting.take();
        drop(state);
        drop(waiting);
    }

    /// Whether the limit has passed since the first of these calls after [`progress`](Self::progress).
    pub(super) fn is_stalled(&self, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let mut state = self.monitor.lock();
        if core::mem::take(&mut state.is_stalled) {
            return true;
        }
        let since = match &state.waiting {
            Some((since, _)) => *since,
            None => Instant::now(),
        };
        let replaced = state.waiting.replace((since, waker));
        drop(state);
        drop(replaced);
        self.monitor.changed.notify_one();
        false
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.monitor.lock().is_over = true;
        self.monitor.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
