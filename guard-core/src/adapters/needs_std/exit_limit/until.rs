//! The limit of `exit_until`: any future.

use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use super::{Clock, discard};
use crate::cleanup::{Bound, Limit, LimitedPart};
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
    /// The time is up.
    Over,
}

impl<L> Until<L> {
    pub(crate) const fn new(limit: L) -> Self {
        Self {
            limit: State::Set(limit),
        }
    }

    fn start(&mut self) -> Option<&mut Pin<Box<L>>> {
        if let State::Set(_) = self.limit {
            if let State::Set(limit) = core::mem::replace(&mut self.limit, State::Over) {
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
        let polled = limit.as_mut().poll(cx);
        if polled.is_ready() {
            self.limit = State::Over;
        }
        polled
    }

    fn into_limit(self, who: ReportSource<Infallible>) -> Rc<dyn Limit> {
        let limit = match self.limit {
            State::Set(limit) => Some(Box::pin(limit)),
            State::Running(limit) => Some(limit),
            State::Over => None,
        };
        Rc::new(Remaining(Arc::new(Shared {
            state: Mutex::new(Sharing {
                is_over: limit.is_none(),
                limit: limit.map(|limit| limit as Running),
                next: 0,
            }),
            waiting: Arc::default(),
            who,
        })))
    }
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The limit of what goes on in the background, which may be several clean-ups.
struct Remaining(Arc<Shared>);

struct Shared {
    state: Mutex<Sharing>,
    waiting: Arc<Waiting>,
    who: ReportSource<Infallible>,
}

struct Sharing {
    /// `None` while it is polled, when it is over, and when it has panicked.
    limit: Option<Running>,
    is_over: bool,
    next: usize,
}

/// Those who wait for the limit. The limit is polled with this as its waker, so it must not own the limit.
#[derive(Default)]
struct Waiting(Mutex<Wakers<usize>>);

impl Limit for Remaining {
    fn share(&self) -> Box<dyn Bound> {
        let mut state = lock(&self.0.state);
        state.next += 1;
        Box::new(InBackground {
            shared: Some(self.0.clone()),
            number: state.next,
        })
    }
}

/// The limit as one of the clean-ups has it.
struct InBackground {
    shared: Option<Arc<Shared>>,
    number: usize,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let wakers = lock(&self.0).take();
        wakers.wake();
    }
}

impl Bound for InBackground {
    fn poll_over(&mut self, _: LimitedPart, cx: &mut Context<'_>) -> Poll<()> {
        let Some(shared) = &self.shared else {
            return Poll::Pending;
        };
        let waker = cx.waker().clone();
        // The waker first: who ends the limit after this look wakes it.
        let replaced = lock(&shared.waiting.0).set(self.number, waker);
        drop(replaced);
        let limit = {
            let mut state = lock(&shared.state);
            if state.is_over {
                return Poll::Ready(());
            }
            state.limit.take()
        };
        let Some(mut limit) = limit else {
            return Poll::Pending;
        };
        let waker = Waker::from(shared.waiting.clone());
        let polled = catch_panic(|| limit.as_mut().poll(&mut Context::from_waker(&waker)));
        match polled {
            Ok(Poll::Pending) => lock(&shared.state).limit = Some(limit),
            Ok(Poll::Ready(())) => {
                lock(&shared.state).is_over = true;
                discard(limit, shared.who);
                waker.wake();
                return Poll::Ready(());
            }
            // A clock that fails is no reason to lose the clean-up.
            Err(panic) => {
                panic.report_to(shared.who);
                discard(limit, shared.who);
            }
        }
        Poll::Pending
    }
}

impl Drop for InBackground {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let removed = lock(&shared.waiting.0).remove(self.number);
        drop(removed);
        // The last one drops the limit, whose panic is reported.
        if let Some(shared) = Arc::into_inner(shared) {
            let who = shared.who;
            discard(shared, who);
        }
    }
}
