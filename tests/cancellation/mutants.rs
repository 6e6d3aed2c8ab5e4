//! Mutation tests of the invariants: a small implementation of contexts, and defects to be put into it one by one.
//!
//! Without a defect it keeps all invariants, so they do not ask for more than can be done. Each defect breaks one,
//! so they do not ask for too little. No code of guard is tried here: `.ci/seeded` puts bugs into guard itself, and
//! takes minutes where these take seconds.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use guard_core::Outcome;

use crate::invariants::Case;
use crate::matrix::{Verdict, all_plans, interrupted, plans, sweep};
use crate::scenarios::{Kind, Plan, Token, Way, body, clean_up, interruptible, set_up};
use crate::simulation::{Fault, Lost, Using, Who, reported, spawn};

/// What can be wrong with the implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    FirstInFirstOut,
    FirstInFirstOutInTheBackground,
    AllAtOnceInTheBackground,
    SetUpRestarted,
    CleanUpRestarted,
    CleanUpTwice,
    CleanUpAfterFailedSetUp,
    StopsAtTheFirstError,
    StopsAtTheFirstPanic,
    SetUpDropped,
    LateAcquisitionKept,
    CleanUpDropped,
    NothingOnDrop,
    EntersTheNextAfterTheDrop,
    BodyDroppedLate,
    BodyGoesOn,
    PanicsInDrop,
    TellsCompleted,
    TellsCompletedOnDrop,
    WakesNobody,
    WakesTheFirst,
    BodysFaultForgotten,
    ToldCancelledWhileItWaited,
    ExitsWhileOthersClean,
    ExitsInTheBackgroundWhileOthersClean,
    NoLastPoll,
    LastPollOfTheInnermost,
    LastPollOutermostFirst,
    TwoLastPolls,
    LossNotReported,
    LossReportedTwice,
    FinishedReportedAsLost,
    ReportedInAnotherName,
    ErrorNotReported,
    PanicNotReported,
    LastErrorWins,
    LastPanicWins,
    PanicSwallowed,
    HookCalledAgain,
}

enum Doing {
    Entering(usize, BoxFuture<'static, Result<Token, Fault>>),
    Body(BoxFuture<'static, Result<(), Fault>>),
    /// Waits for what was dropped in the body.
    Settling,
    Exiting(usize, BoxFuture<'static, Result<(), Fault>>),
    Over,
}

/// The fault to end with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    None,
    Error(Fault),
    Panic(Fault),
}

/// Nested uses of contexts.
struct Nest {
    plan: Plan,
    defect: Defect,
    open: Vec<usize>,
    doing: Doing,
    /// What was dropped in the body.
    inside: Vec<Shared>,
    first: First,
    polled: bool,
    waker: Option<Waker>,
}

fn fault_of(payload: Box<dyn Any + Send>) -> Fault {
    match payload.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(payload) => resume_unwind(payload),
    }
}

fn entering(plan: Plan, level: usize) -> Doing {
    Doing::Entering(level, set_up(level, plan).boxed())
}

impl Nest {
    /// Uses of the contexts from this level on.
    fn new(plan: Plan, defect: Defect, outermost: usize) -> Self {
        Self {
            plan,
            defect,
            open: Vec::new(),
            doing: entering(plan, outermost),
            inside: Vec::new(),
            first: First::None,
            polled: false,
            waker: None,
        }
    }

    fn failed(&mut self, fault: Fault) {
        match self.first {
            First::None => self.first = First::Error(fault),
            First::Error(_) if self.defect == Defect::LastErrorWins => {
                self.first = First::Error(fault);
            }
            _ if self.defect == Defect::ErrorNotReported => {}
            _ if self.defect == Defect::ReportedInAnotherName => {
                reported(Who::Level(fault.level + 1), Lost::Failed(fault));
            }
            _ => reported(Who::Level(fault.level), Lost::Failed(fault)),
        }
    }

    fn panicked(&mut self, fault: Fault) {
        match self.first {
            First::Panic(_) if self.defect == Defect::LastPanicWins => {
                self.first = First::Panic(fault);
            }
            First::Panic(_) if self.defect == Defect::PanicNotReported => {}
            First::Panic(_) => reported(Who::Level(fault.level), Lost::Panicked(fault)),
            _ if self.defect == Defect::PanicSwallowed => {}
            _ => self.first = First::Panic(fault),
        }
    }

    fn exit_next(&mut self) {
        let stops = match self.first {
            First::None => false,
            First::Error(_) => self.defect == Defect::StopsAtTheFirstError,
            First::Panic(_) => self.defect == Defect::StopsAtTheFirstPanic,
        };
        let next = match self.defect {
            _ if stops => None,
            Defect::FirstInFirstOut if !self.open.is_empty() => Some(self.open.remove(0)),
            _ => self.open.pop(),
        };
        self.doing = match next {
            Some(level) => {
                let outcome = self.outcome();
                Doing::Exiting(level, clean_up(level, self.plan, outcome).boxed())
            }
            None => Doing::Over,
        };
    }

    /// What the next one is told.
    fn outcome(&self) -> Outcome {
        match self.first {
            _ if self.defect == Defect::TellsCompleted => Outcome::Completed,
            First::None => Outcome::Completed,
            First::Error(_) => Outcome::Failed(()),
            First::Panic(_) => Outcome::Panicked,
        }
    }

    /// Nobody will hear of what it would have ended with.
    fn report_fault(&self, level: usize) {
        let lost = match self.first {
            First::None => return,
            _ if self.defect == Defect::BodysFaultForgotten => return,
            First::Error(fault) => Lost::Failed(fault),
            First::Panic(fault) => Lost::Panicked(fault),
        };
        reported(Who::Level(level), lost);
    }
}

impl Future for Nest {
    type Output = Result<(), Vec<Fault>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.polled = true;
        let waker = match this.defect {
            Defect::WakesNobody => Waker::noop().clone(),
            Defect::WakesTheFirst => this.waker.get_or_insert(cx.waker().clone()).clone(),
            _ => cx.waker().clone(),
        };
        let cx = &mut Context::from_waker(&waker);
        loop {
            match &mut this.doing {
                Doing::Entering(level, future) => {
                    let level = *level;
                    match catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))) {
                        Ok(Poll::Pending) => return Poll::Pending,
                        Ok(Poll::Ready(Ok(mut token))) => {
                            this.open.push(level);
                            let (plan, defect) = (this.plan, this.defect);
                            this.doing = if plan.interrupted() == Some(level + 1) {
                                let inner = Box::pin(Self::new(plan, defect, level + 1));
                                let inner = interruptible(plan, level + 1, inner);
                                Doing::Body(
                                    async { inner.await.map_err(|faults| faults[0]) }.boxed(),
                                )
                            } else if level + 1 < plan.depth {
                                entering(plan, level + 1)
                            } else {
                                let body = async move { body(plan, &mut token).await };
                                Doing::Body(body.boxed())
                            };
                            continue;
                        }
                        Ok(Poll::Ready(Err(fault))) => this.failed(fault),
                        Err(payload) => this.panicked(fault_of(payload)),
                    }
                    if this.defect == Defect::CleanUpAfterFailedSetUp {
                        this.open.push(level);
                    }
                    this.exit_next();
                }
                Doing::Body(future) => {
                    match catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))) {
                        Ok(Poll::Pending) => return Poll::Pending,
                        Ok(Poll::Ready(Ok(()))) => {}
                        Ok(Poll::Ready(Err(fault))) => this.failed(fault),
                        Err(payload) => this.panicked(fault_of(payload)),
                    }
                    this.doing = Doing::Settling;
                    this.inside = LEFT.take();
                }
                Doing::Settling => {
                    if this.defect != Defect::ExitsWhileOthersClean {
                        ready!(poll_settled(&mut this.inside, cx));
                    }
                    this.exit_next();
                }
                Doing::Exiting(level, future) => {
                    let level = *level;
                    match catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))) {
                        Ok(polled) => {
                            if let Err(fault) = ready!(polled) {
                                this.failed(fault);
                            }
                        }
                        Err(payload) => this.panicked(fault_of(payload)),
                    }
                    if this.defect == Defect::CleanUpTwice {
                        this.defect = Defect::None;
                        this.open.push(level);
                    }
                    this.exit_next();
                }
                Doing::Over => {
                    return match this.first {
                        First::None => Poll::Ready(Ok(())),
                        First::Error(fault) => Poll::Ready(Err(vec![fault])),
                        First::Panic(fault) if this.defect == Defect::HookCalledAgain => {
                            panic_any(fault)
                        }
                        First::Panic(fault) => resume_unwind(Box::new(fault)),
                    };
                }
            }
        }
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        if !self.polled || self.defect == Defect::NothingOnDrop {
            return;
        }
        match (&self.doing, self.open.last()) {
            (&Doing::Exiting(level, _), _) | (Doing::Settling, Some(&level)) => {
                self.report_fault(level);
            }
            _ => {}
        }
        let mut exits: Vec<_> = self
            .open
            .drain(..)
            .map(|level| (level, Exit::Due(Outcome::Cancelled)))
            .collect();
        let mut late = None;
        match std::mem::replace(&mut self.doing, Doing::Over) {
            Doing::Over => return,
            Doing::Entering(..) if self.defect == Defect::SetUpDropped => {}
            Doing::Entering(level, mut future) => {
                if self.defect == Defect::SetUpRestarted {
                    future = set_up(level, self.plan).boxed();
                }
                // Nobody waits for it.
                let alone = Background::new(self, vec![(level, Exit::SettingUp(future))]);
                hand_off(Arc::new(Mutex::new(alone)));
            }
            Doing::Exiting(..) if self.defect == Defect::CleanUpDropped => {}
            Doing::Exiting(level, mut future) => {
                if self.defect == Defect::CleanUpRestarted {
                    future = clean_up(level, self.plan, Outcome::Cancelled).boxed();
                }
                exits.push((level, Exit::Running(future)));
            }
            // The body is over: what it ended with stands.
            Doing::Settling if self.defect == Defect::ToldCancelledWhileItWaited => {}
            Doing::Settling => {
                let told = self.outcome();
                if let Some((_, exit)) = exits.last_mut() {
                    *exit = Exit::Due(told);
                }
            }
            Doing::Body(body) if self.defect == Defect::BodyDroppedLate => late = Some(body),
            Doing::Body(body) if self.defect == Defect::BodyGoesOn => {
                let exits = Task(Arc::new(Mutex::new(Background::new(self, exits))));
                let mut background = Box::pin(async {
                    let _ = AssertUnwindSafe(body).catch_unwind().await;
                    exits.await;
                });
                let _ = background.poll_unpin(&mut Context::from_waker(Waker::noop()));
                return spawn(background);
            }
            Doing::Body(body) => {
                drop(body);
                self.inside = LEFT.take();
            }
        }
        let background = Arc::new(Mutex::new(Background::new(self, exits)));
        LEFT.with_borrow_mut(|left| left.push(background.clone()));
        hand_off(background);
        drop(late);
        assert!(self.defect != Defect::PanicsInDrop, "in a destructor");
    }
}

/// Polls once here; what is not finished then goes on in the background.
fn hand_off(background: Shared) {
    let mut task = Box::pin(Task(background));
    let polled = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
    if polled.is_pending() {
        spawn(task);
    }
}

type Shared = Arc<Mutex<Background>>;

thread_local! {
    /// What has been dropped, for what encloses it.
    static LEFT: RefCell<Vec<Shared>> = const { RefCell::new(Vec::new()) };
}

fn locked(background: &Shared) -> MutexGuard<'_, Background> {
    background.lock().unwrap()
}

/// Waits for all of them.
fn poll_settled(inside: &mut Vec<Shared>, cx: &mut Context<'_>) -> Poll<()> {
    while let Some(inner) = inside.last() {
        let mut inner = locked(inner);
        if !inner.exits.is_empty() {
            inner.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(inner);
        inside.pop();
    }
    Poll::Ready(())
}

/// Does what is still to be done, and what is not done when it is dropped gets a last poll.
struct Task(Shared);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        locked(&self.0).poll(cx)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        locked(&self.0).finish_now();
    }
}

/// How far a clean-up is.
enum Exit {
    SettingUp(BoxFuture<'static, Result<Token, Fault>>),
    Due(Outcome),
    Running(BoxFuture<'static, Result<(), Fault>>),
}

/// What is still to be done after a drop.
struct Background {
    plan: Plan,
    defect: Defect,
    /// Of these levels, the innermost last.
    exits: Vec<(usize, Exit)>,
    /// What comes before them.
    inside: Vec<Shared>,
    /// Waits for them.
    waiting: Option<Waker>,
}

impl Background {
    fn new(nest: &mut Nest, exits: Vec<(usize, Exit)>) -> Self {
        let Nest { plan, defect, .. } = *nest;
        Self {
            plan,
            defect,
            exits,
            inside: std::mem::take(&mut nest.inside),
            waiting: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.defect != Defect::ExitsInTheBackgroundWhileOthersClean {
            ready!(poll_settled(&mut self.inside, cx));
        }
        if self.defect == Defect::AllAtOnceInTheBackground {
            for at in (0..self.exits.len()).rev() {
                let _ = self.poll_exit(at, cx);
            }
        }
        while !self.exits.is_empty() {
            let at = match self.defect {
                Defect::FirstInFirstOutInTheBackground => 0,
                _ => self.exits.len() - 1,
            };
            ready!(self.poll_exit(at, cx));
        }
        self.over();
        Poll::Ready(())
    }

    /// Goes on with one of them, and removes it when that is over.
    fn poll_exit(&mut self, at: usize, cx: &mut Context<'_>) -> Poll<()> {
        let (level, exit) = &mut self.exits[at];
        let level = *level;
        if let Exit::SettingUp(future) = exit {
            match catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(_))) if self.defect == Defect::LateAcquisitionKept => {
                    return self.ended(at, None);
                }
                Ok(Poll::Ready(Ok(_))) => {
                    *exit = Exit::Due(Outcome::Cancelled);
                    if self.defect == Defect::EntersTheNextAfterTheDrop && level + 1 < 3 {
                        let _ = set_up(level + 1, self.plan).boxed().poll_unpin(cx);
                    }
                }
                Ok(Poll::Ready(Err(fault))) => {
                    return self.ended(at, Some(Lost::SetUpFailed(fault)));
                }
                Err(payload) => return self.ended(at, Some(Lost::Panicked(fault_of(payload)))),
            }
        }
        if let Exit::Due(told) = exit {
            let outcome = match self.defect {
                Defect::TellsCompletedOnDrop => Outcome::Completed,
                _ => *told,
            };
            *exit = Exit::Running(clean_up(level, self.plan, outcome).boxed());
        }
        let Exit::Running(future) = exit else {
            unreachable!("it has begun");
        };
        match catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => self.ended(at, None),
            Ok(Poll::Ready(Err(fault))) => self.ended(at, Some(Lost::Failed(fault))),
            Err(payload) => self.ended(at, Some(Lost::Panicked(fault_of(payload)))),
        }
    }

    fn ended(&mut self, at: usize, lost: Option<Lost>) -> Poll<()> {
        let (level, _) = self.exits.remove(at);
        let is_told = match lost {
            Some(Lost::Panicked(_)) => self.defect != Defect::PanicNotReported,
            _ => self.defect != Defect::ErrorNotReported,
        };
        if let Some(lost) = lost.filter(|_| is_told) {
            reported(Who::Level(level), lost);
        }
        if self.defect == Defect::FinishedReportedAsLost {
            reported(Who::Level(level), Lost::Abandoned);
        }
        Poll::Ready(())
    }

    fn over(&mut self) {
        self.inside.clear();
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// There is nowhere to go on: one poll for each, from the inside out.
    fn finish_now(&mut self) {
        for inner in std::mem::take(&mut self.inside) {
            locked(&inner).finish_now();
        }
        let mut polls = match self.defect {
            Defect::NoLastPoll => 0,
            Defect::TwoLastPolls => 2,
            _ => 1,
        };
        let reports = match self.defect {
            Defect::LossNotReported => 0,
            Defect::LossReportedTwice => 2,
            _ => 1,
        };
        while !self.exits.is_empty() {
            let at = match self.defect {
                Defect::LastPollOutermostFirst => 0,
                _ => self.exits.len() - 1,
            };
            let mut cx = Context::from_waker(Waker::noop());
            if (0..polls).any(|_| self.poll_exit(at, &mut cx).is_ready()) {
                continue;
            }
            let (level, _) = self.exits.remove(at);
            for _ in 0..reports {
                reported(Who::Level(level), Lost::Abandoned);
            }
            if self.defect == Defect::LastPollOfTheInnermost {
                polls = 0;
            }
        }
        self.over();
    }
}

const CASE: Case = Case::new(Way::AsyncWith, Kind::Default);

fn using(plan: Plan, defect: Defect) -> Using {
    LEFT.take();
    Box::pin(Nest::new(plan, defect, 0))
}

fn tried() -> impl Iterator<Item = Plan> {
    // Some faults show in few of these, so the sample is the same however many plans are tried.
    let interrupted = interrupted(all_plans(2).into_iter().step_by(200));
    plans(1).into_iter().chain(plans(2)).chain(interrupted)
}

#[test]
fn an_implementation_without_a_defect_keeps_all_invariants() {
    let mut verdict = Verdict::default();
    for plan in tried() {
        sweep(CASE, plan, &mut verdict, || using(plan, Defect::None));
    }
    verdict.assert_no_violation();
}

#[track_caller]
fn assert_found(case: Case, defect: Defect) {
    let mut verdict = Verdict::default();
    let found = tried().any(|plan| {
        sweep(case, plan, &mut verdict, || using(plan, defect));
        verdict.wrong > 0
    });
    assert!(found, "none of {} runs violates an invariant", verdict.runs);
}

/// This is right for nested uses: the first error is on its way to the user, with whom it may go down.
#[test]
fn finds_that_a_stack_forgets_what_it_kept() {
    let case = Case {
        is_stack: true,
        ..CASE
    };
    assert_found(case, Defect::BodysFaultForgotten);
}

/// This is right for nested uses: the outer one is told what became of the inner one, and fails after it.
#[test]
fn finds_that_nested_uses_are_not_side_by_side() {
    assert_found(Case::new(Way::Join, Kind::Default), Defect::None);
}

macro_rules! found {
    ($($test:ident: $defect:ident,)+) => {$(
        #[test]
        fn $test() {
            assert_found(CASE, Defect::$defect);
        }
    )+};
}

found! {
    finds_clean_up_in_the_wrong_order: FirstInFirstOut,
    finds_clean_up_in_the_wrong_order_in_the_background: FirstInFirstOutInTheBackground,
    finds_clean_ups_that_overlap: AllAtOnceInTheBackground,
    finds_a_set_up_that_is_restarted: SetUpRestarted,
    finds_a_clean_up_that_is_restarted: CleanUpRestarted,
    finds_a_clean_up_that_runs_twice: CleanUpTwice,
    finds_the_clean_up_of_a_set_up_that_failed: CleanUpAfterFailedSetUp,
    finds_that_clean_up_stops_at_an_error: StopsAtTheFirstError,
    finds_that_clean_up_stops_at_a_panic: StopsAtTheFirstPanic,
    finds_a_set_up_that_is_dropped: SetUpDropped,
    finds_a_late_acquisition_that_is_kept: LateAcquisitionKept,
    finds_a_half_run_clean_up_that_is_dropped: CleanUpDropped,
    finds_that_a_drop_does_nothing: NothingOnDrop,
    finds_a_set_up_that_begins_after_the_drop: EntersTheNextAfterTheDrop,
    finds_a_body_that_is_there_during_a_clean_up: BodyDroppedLate,
    finds_a_body_that_goes_on_after_the_drop: BodyGoesOn,
    finds_a_panic_in_a_destructor: PanicsInDrop,
    finds_a_wrong_outcome: TellsCompleted,
    finds_a_wrong_outcome_after_the_drop: TellsCompletedOnDrop,
    finds_a_lost_wake_up: WakesNobody,
    finds_a_waker_that_is_kept_too_long: WakesTheFirst,
    finds_that_nobody_hears_of_a_body_whose_use_is_dropped_in_its_exit: BodysFaultForgotten,
    finds_that_a_use_that_waits_forgets_how_its_block_ended: ToldCancelledWhileItWaited,
    finds_an_exit_that_does_not_wait_for_what_its_block_dropped: ExitsWhileOthersClean,
    finds_an_exit_that_does_not_wait_in_the_background: ExitsInTheBackgroundWhileOthersClean,
    finds_that_there_is_no_last_poll: NoLastPoll,
    finds_that_only_the_innermost_gets_a_last_poll: LastPollOfTheInnermost,
    finds_last_polls_in_the_wrong_order: LastPollOutermostFirst,
    finds_that_there_are_two_last_polls: TwoLastPolls,
    finds_a_loss_that_is_not_reported: LossNotReported,
    finds_a_loss_that_is_reported_twice: LossReportedTwice,
    finds_a_report_of_something_that_was_not_lost: FinishedReportedAsLost,
    finds_a_report_in_another_name: ReportedInAnotherName,
    finds_an_error_that_vanishes: ErrorNotReported,
    finds_a_panic_that_vanishes: PanicNotReported,
    finds_that_the_last_error_hides_the_first: LastErrorWins,
    finds_that_the_last_panic_hides_the_first: LastPanicWins,
    finds_a_panic_that_is_swallowed: PanicSwallowed,
    finds_a_panic_that_calls_the_hook_again: HookCalledAgain,
}
