//! Keeps the panic of a limit until the exit is over.

use core::convert::Infallible;
use core::task::{Context, Poll};
use std::rc::Rc;

use super::Clock;
use crate::cleanup::{LimitedPart, SharedLimit, WaitLimit};
use crate::platform::panics::{Panic, catch_panic, contained};
use crate::report::ReportSource;

/// A clock in place. If it panics, there is no limit any more, and the panic goes on when the exit is over.
pub(super) struct ContainedClock<K> {
    state: State<K>,
    /// The exit is over. It goes on for the wait after the exit.
    has_exited: bool,
}

enum State<K> {
    Running(K),
    Broken(Panic),
    /// It has gone on elsewhere, or it has panicked and somebody was told.
    Off,
}

impl<K: Clock> ContainedClock<K> {
    pub(super) const fn new(clock: K) -> Self {
        Self {
            state: State::Running(clock),
            has_exited: false,
        }
    }

    fn take(&mut self) -> State<K> {
        core::mem::replace(&mut self.state, State::Off)
    }

    /// Ready when the time of the exit is up. Without a limit it never is.
    pub(super) fn poll_exit_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let over = self.poll_over(LimitedPart::Exit, cx);
        over.unwrap_or(Poll::Pending)
    }

    /// How long to wait for the nest, before the exit or after it.
    pub(super) fn poll_wait_limit(&mut self, cx: &mut Context<'_>) -> WaitLimit {
        let part = if self.has_exited {
            LimitedPart::WaitAfter
        } else {
            LimitedPart::WaitBefore
        };
        let over = self.poll_over(part, cx);
        over.map_or(WaitLimit::General, WaitLimit::Own)
    }

    /// `None` if there is no limit any more.
    fn poll_over(&mut self, part: LimitedPart, cx: &mut Context<'_>) -> Option<Poll<()>> {
        let State::Running(clock) = &mut self.state else {
            return None;
        };
        match catch_panic(|| clock.poll_over(part, cx)) {
            Ok(over) => Some(over),
            Err(panic) => {
                if let State::Running(clock) = self.take() {
                    contained(|| drop(clock));
                }
                self.state = State::Broken(panic);
                None
            }
        }
    }

    /// The exit is over. Returns the panic that is to go on.
    pub(super) fn exited(&mut self) -> Option<Panic> {
        self.has_exited = true;
        match self.state {
            State::Running(_) => None,
            _ => match self.take() {
                State::Broken(panic) => Some(panic),
                _ => None,
            },
        }
    }

    /// Whether the exit is over.
    pub(super) fn has_exited(&self) -> bool {
        self.has_exited
    }

    /// Ends the limit. A panic, of which no caller hears any more, is reported.
    pub(super) fn end(&mut self, who: ReportSource<Infallible>) {
        match self.take() {
            State::Running(clock) => who.discard(clock),
            State::Broken(panic) => panic.report_to(who),
            State::Off => {}
        }
    }

    /// Goes on in the background. A panic, of which no caller hears, is reported.
    pub(super) fn take_over(
        &mut self,
        who: ReportSource<Infallible>,
    ) -> Option<Rc<dyn SharedLimit>> {
        match self.take() {
            State::Running(clock) => Some(clock.into_limit(who)),
            State::Broken(panic) => {
                panic.report_to(who);
                None
            }
            State::Off => None,
        }
    }
}
