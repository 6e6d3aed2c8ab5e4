//! The limit of `exit_until`: any future.

use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::boxed::Box;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use super::Clock;
use crate::cleanup::{CleanupLimit, LimitedPart, SharedLimit};
use crate::platform::panics::catch_panic;
use crate::platform::sync::{Mutex, lock};
use crate::platform::wakers::Wakers;
use crate::report::ReportSource;

/// The limit of [`exit_until`](crate::AsyncContext::exit_until): it bounds the wait and the exit together.
pub struct Until<L> {
    limit: State<L>,
}

enum State<L> {
    /// Nothing has been waited for.
    Set(L),
    Running(Pin<Box<L>>),
    /// The time is up. It is dropped with the rest, where a panic of its destructor is reported.
    Over(Option<Pin<Box<L>>>),
}

impl<L> Until<L> {
    pub(crate) const fn new(limit: L) -> Self {
        Self {
            limit: State::Set(limit),
        }
    }

    fn start(&mut self) -> Option<&mut Pin<Box<L>>> {
        if let State::Set(_) = self.limit {
            if let State::Set(limit) = core::mem::replace(&mut self.limit, State::Over(None)) {
                self.limit = State::Running(Box::pin(limit));
            }
        }
        match &mut self.limit {
            State::Running(limit) => Some(limit),
            _ => None,
        }
    }
}

impl<L> fmt::Debug for Until<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").finish_non_exhaustive()
    }
}

impl<L> Clock for Until<L>
where
    L: Future<Output = ()> + Send + 'static,
{
    fn poll_over(&mut self, _: LimitedPart, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.start() else {
            return Poll::Ready(());
        };
        ready!(limit.as_mut().poll(cx));
        if let State::Running(limit) = core::mem::replace(&mut self.limit, State::Over(None)) {
            self.limit = State::Over(Some(limit));
        }
        Poll::Ready(())
    }

    fn into_limit(self, who: ReportSource<Infallible>) -> Rc<dyn SharedLimit> {
        let limit = match self.limit {
            State::Set(limit) => LimitState::Waiting(Box::pin(limit)),
            State::Running(limit) => LimitState::Waiting(limit),
            State::Over(limit) => {
                who.discard(limit);
                LimitState::Over
            }
        };
        Rc::new(UntilSource(Arc::new(SharedUntil {
            state: Mutex::new(SharedUntilState { limit, next: 0 }),
            waiting: Arc::default(),
            who,
        })))
    }
}

type BoxedLimit = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The limit of what goes on in the background, which may be several clean-ups.
struct UntilSource(Arc<SharedUntil>);

struct SharedUntil {
    state: Mutex<SharedUntilState>,
    waiting: Arc<LimitWaiters>,
    who: ReportSource<Infallible>,
}

struct SharedUntilState {
    limit: LimitState,
    next: usize,
}

enum LimitState {
    Waiting(BoxedLimit),
    /// One of the clean-ups polls it.
    Polled,
    /// The time is up.
    Over,
    /// It has panicked.
    Broken,
}

/// Those who wait for the limit. The waker of the limit holds this, so this must not own the limit: the two would keep each
/// other.
#[derive(Default)]
struct LimitWaiters(Mutex<Wakers<usize>>);

impl SharedLimit for UntilSource {
    fn for_cleanup(&self) -> Box<dyn CleanupLimit> {
        let mut state = lock(&self.0.state);
        state.next += 1;
        Box::new(CleanupUntil {
            shared: Some(self.0.clone()),
            number: state.next,
        })
    }
}

/// The limit as one of the clean-ups has it.
struct CleanupUntil {
    shared: Option<Arc<SharedUntil>>,
    number: usize,
}

impl Wake for LimitWaiters {
    fn wake(self: Arc<Self>) {
        let wakers = lock(&self.0).take();
        wakers.wake();
    }
}

impl CleanupLimit for CleanupUntil {
    fn poll_over(&mut self, _: LimitedPart, cx: &mut Context<'_>) -> Option<Poll<()>> {
        let shared = self.shared.as_ref()?;
        let waker = cx.waker().clone();
        // The waker first: who ends the limit after this look wakes it.
        let replaced = lock(&shared.waiting.0).set(self.number, waker);
        drop(replaced);
        let mut limit = {
            let state = &mut lock(&shared.state).limit;
            match core::mem::replace(state, LimitState::Polled) {
                LimitState::Waiting(limit) => limit,
                LimitState::Polled => return Some(Poll::Pending),
                LimitState::Over => {
                    *state = LimitState::Over;
                    return Some(Poll::Ready(()));
                }
                LimitState::Broken => {
                    *state = LimitState::Broken;
                    return None;
                }
            }
        };
        let waker = Waker::from(shared.waiting.clone());
        let polled = catch_panic(|| limit.as_mut().poll(&mut Context::from_waker(&waker)));
        match polled {
            Ok(Poll::Pending) => {
                lock(&shared.state).limit = LimitState::Waiting(limit);
                Some(Poll::Pending)
            }
            Ok(Poll::Ready(())) => {
                lock(&shared.state).limit = LimitState::Over;
                shared.who.discard(limit);
                waker.wake();
                Some(Poll::Ready(()))
            }
            // A clock that fails is no reason to lose the clean-up.
            Err(panic) => {
                lock(&shared.state).limit = LimitState::Broken;
                panic.report_to(shared.who);
                shared.who.discard(limit);
                // The others go on without it too.
                waker.wake();
                None
            }
        }
    }
}

impl Drop for CleanupUntil {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let removed = lock(&shared.waiting.0).remove(self.number);
        drop(removed);
        // The last one drops the limit, whose panic is reported.
        if let Some(shared) = Arc::into_inner(shared) {
            let who = shared.who;
            who.discard(shared);
        }
    }
}
