//! The task of a clean-up.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use super::dropping::expire;
use super::kind::Kind;
use super::limit::{CleanupLimit, LimitedPart, Timer, cleanup_timeout};
use super::nest::{CURRENT, Doing, Nest, leave};
use super::nest_entry::{LastPoll, NestEntry};
use super::registry::Registered;
use super::settle::poll_nest;
use crate::cleanup::{Runtime, WaitLimit};
use crate::platform::panics::catch_panic;
use crate::report::{ReportKind, ReportSource, listen};

/// The future that runs a clean-up to its end. If it is dropped before, the clean-up gets its last poll.
pub(crate) struct CleanupTask<E: ?Sized + Kind>(Option<Box<Work<E>>>);

pub(crate) struct Work<E: ?Sized + Kind> {
    entry: Arc<NestEntry>,
    /// The clean-ups that were handed off inside its use, and by its own code.
    nest: Nest,
    exit: Option<Pin<Box<E>>>,
    phase: Phase,
    runtime: Runtime,
    limit: Option<Box<dyn CleanupLimit>>,
    timer: Timer,
    registered: Option<Registered>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    SetUp,
    /// Goes on with the part of the exit that has begun.
    Begun,
    /// Waits for its nest, before the exit.
    Before,
    Exit,
    /// Waits for its nest, after the exit.
    After,
}

impl<E: ?Sized + Kind> CleanupTask<E> {
    pub(super) fn new(
        entry: Arc<NestEntry>,
        nest: Nest,
        mut exit: Pin<Box<E>>,
        runtime: Runtime,
        limit: Option<Box<dyn CleanupLimit>>,
    ) -> Self {
        let phase = if exit.is_in_set_up() {
            Phase::SetUp
        } else if exit.as_mut().has_begun() {
            Phase::Begun
        } else {
            Phase::Before
        };
        Self(Some(Box::new(Work {
            entry,
            nest,
            exit: Some(exit),
            phase,
            runtime,
            limit,
            timer: Timer::default(),
            registered: None,
        })))
    }

    /// Notes that it goes on in the background, until it ends.
    pub(super) fn register(&mut self, registered: Registered) {
        if let Some(work) = &mut self.0 {
            work.registered = Some(registered);
        }
    }
}

// The exit is in a box of its own.
impl<E: ?Sized + Kind> Unpin for CleanupTask<E> {}

impl<E: ?Sized + Kind> Future for CleanupTask<E> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(work) = &mut self.0 else {
            return Poll::Ready(());
        };
        ready!(work.observed(|work| work.poll(cx)));
        if let Some(work) = self.0.take() {
            work.end();
        }
        Poll::Ready(())
    }
}

impl<E: ?Sized + Kind> Drop for CleanupTask<E> {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work.last_poll();
        }
    }
}

impl<E: ?Sized + Kind> LastPoll for Work<E> {
    fn last_poll(mut self: Box<Self>) {
        // The clean-ups inside it that were to go on in the same place come first, whoever gives them their last poll.
        while let Some(inside) = self.nest.unended(self.entry.runtime) {
            match E::wait_for_last_poll(self, &inside) {
                None => return,
                Some(back) => self = back,
            }
        }
        self.observed(Work::poll_once);
        self.end();
    }
}

impl<E: ?Sized + Kind> Work<E> {
    /// Marks this thread as polling this clean-up, and keeps its reports for whoever wants to know them.
    fn observed<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        #[cfg(feature = "tracing")]
        let _dispatching = {
            let dispatch = self.exit.as_ref().and_then(|exit| exit.dispatch());
            dispatch.map(|dispatch| tracing::dispatcher::set_default(&dispatch))
        };
        let entry = self.entry.clone();
        let doing = Doing::CleaningUp(entry.clone());
        CURRENT.with(|current| {
            current.framed(&doing, || match &entry.listener {
                None => action(self),
                Some(listener) => {
                    let mut reports = Vec::new();
                    let value = listen(&mut reports, || action(self));
                    listener.add(reports);
                    value
                }
            })
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.phase {
                Phase::SetUp => match self.poll_exit(|exit| exit.poll_set_up(cx)) {
                    Some(Poll::Ready(true)) => {
                        self.timer = Timer::default();
                        self.phase = Phase::Before;
                    }
                    Some(Poll::Pending) => {
                        ready!(self.timer.poll(cleanup_timeout(), cx));
                        self.give_up();
                    }
                    Some(Poll::Ready(false)) | None => self.discard(),
                },
                Phase::Begun => match self.poll_exit(|exit| exit.poll_begun(cx)) {
                    Some(Poll::Pending) => ready!(self.poll_exit_limit(cx)),
                    Some(Poll::Ready(true)) => {
                        self.timer = Timer::default();
                        self.phase = Phase::Before;
                    }
                    Some(Poll::Ready(false)) | None => self.discard(),
                },
                Phase::Before => {
                    ready!(self.settle(cx));
                    self.phase = Phase::Exit;
                }
                Phase::Exit => match self.poll_exit(|exit| exit.poll_exit(cx)) {
                    Some(Poll::Pending) => ready!(self.poll_exit_limit(cx)),
                    Some(Poll::Ready(())) | None => self.discard(),
                },
                Phase::After => return self.settle(cx),
            }
        }
    }

    /// Calls the exit's code. `None` if that panicked, which is reported.
    fn poll_exit<T>(&mut self, poll: impl FnOnce(Pin<&mut E>) -> T) -> Option<T> {
        let exit = self.exit.as_mut()?;
        match catch_panic(|| self.nest.during(|| poll(exit.as_mut()))) {
            Ok(polled) => Some(polled),
            Err(panic) => {
                exit.panicked(panic);
                None
            }
        }
    }

    /// Gives the exit up when its time is up, and is ready then.
    fn poll_exit_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit.as_mut();
        let over = limit.and_then(|limit| limit.poll_over(LimitedPart::Exit, cx));
        if over.is_none_or(|over| over.is_pending()) {
            ready!(self.timer.poll(cleanup_timeout(), cx));
        }
        self.give_up();
        Poll::Ready(())
    }

    /// Waits for the entries of the nest, as long as that may take.
    fn settle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let part = if self.phase == Phase::Before {
            LimitedPart::WaitBefore
        } else {
            LimitedPart::WaitAfter
        };
        let Self { nest, limit, .. } = self;
        let wait_limit = |cx: &mut Context<'_>| {
            let limit = limit.as_mut();
            let over = limit.and_then(|limit| limit.poll_over(part, cx));
            over.map_or(WaitLimit::General, WaitLimit::Own)
        };
        let overtaken = ready!(poll_nest(nest, self.entry.runtime, cx, wait_limit));
        if !overtaken.is_empty() {
            self.report(ReportKind::Overtook {
                overtaken: &overtaken,
            });
        }
        Poll::Ready(())
    }

    fn report(&self, kind: ReportKind<'_, ()>) {
        ReportSource::of(self.entry.identity).report(kind);
    }

    /// The exit has ended: drops what is left of it.
    fn discard(&mut self) {
        self.phase = Phase::After;
        if let Some(exit) = self.exit.take() {
            let dropped = catch_panic(|| self.nest.during(|| drop(exit)));
            if let Err(panic) = dropped {
                panic.report_to(ReportSource::<()>::of(self.entry.identity));
            }
        }
    }

    /// The time of the exit is up.
    fn give_up(&mut self) {
        self.phase = Phase::After;
        if let Some(exit) = self.exit.take() {
            match catch_panic(|| self.nest.during(|| expire(|| drop(exit)))) {
                Ok(true) => {}
                Ok(false) => self.report(ReportKind::TimedOut),
                Err(panic) => panic.report_to(ReportSource::<()>::of(self.entry.identity)),
            }
        }
    }

    /// Polls what is left to do once, since it cannot go on.
    fn poll_once(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let is_reachable = self.runtime.is_reachable();
        if self.exit.is_none() || !(is_reachable || E::STAYS) {
            return self.discard();
        }
        let runtime = if is_reachable {
            self.runtime.clone()
        } else {
            Runtime::none()
        };
        if self.phase == Phase::SetUp {
            let entered = runtime.inside(|| self.poll_exit(|exit| exit.poll_set_up(&mut cx)));
            if !matches!(entered, Some(Poll::Ready(true))) {
                return self.discard();
            }
        }
        runtime.inside(|| self.poll_exit(|exit| exit.poll_last(&mut cx)));
        self.discard();
    }

    fn end(mut self) {
        // Clean-ups that are left belong to whoever waits for this one, or else to the enclosing nest.
        let left = self.nest.take();
        left.iter().cloned().for_each(leave);
        if let Some(limit) = self.limit.take() {
            if let Err(panic) = catch_panic(|| drop(limit)) {
                panic.report_to(ReportSource::<()>::of(self.entry.identity));
            }
        }
        drop(self.registered.take());
        self.entry.end(left);
    }
}
