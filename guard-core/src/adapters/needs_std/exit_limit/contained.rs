//! Keeps the panic of a limit until the exit is over.

use core::convert::Infallible;
use core::task::{Context, Poll};
use std::rc::Rc;

use super::{Clock, discard};
use crate::cleanup::{Limit, LimitedPart};
use crate::platform::panics::{Panic, catch_panic, contained};
use crate::report::ReportSource;

/// A clock in place. If it panics, the exit has no limit any more, and the panic goes on when the exit is over.
pub(super) struct Panicking<K>(State<K>);

enum State<K> {
    Running(K),
    Broken(Panic),
    /// The time is up, or the exit is over.
    Off,
}

impl<K: Clock> Panicking<K> {
    pub(super) const fn new(clock: K) -> Self {
        Self(State::Running(clock))
    }

    fn take(&mut self) -> State<K> {
        core::mem::replace(&mut self.0, State::Off)
    }

    /// Ready when the time is up.
    pub(super) fn poll_over(&mut self, stage: LimitedPart, cx: &mut Context<'_>) -> Poll<()> {
        let State::Running(clock) = &mut self.0 else {
            return Poll::Pending;
        };
        match catch_panic(|| clock.poll_over(stage, cx)) {
            Ok(over) => over,
            Err(panic) => {
                if let State::Running(clock) = self.take() {
                    contained(|| drop(clock));
                }
                self.0 = State::Broken(panic);
                Poll::Pending
            }
        }
    }

    /// The exit is over. Returns the panic that is to go on.
    pub(super) fn end(&mut self, who: ReportSource<Infallible>) -> Option<Panic> {
        match self.take() {
            State::Running(clock) => {
                discard(clock, who);
                None
            }
            State::Broken(panic) => Some(panic),
            State::Off => None,
        }
    }

    /// Goes on in the background. A panic, of which no caller hears, is reported.
    pub(super) fn take_over(&mut self, who: ReportSource<Infallible>) -> Option<Rc<dyn Limit>> {
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
