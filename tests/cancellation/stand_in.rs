//! Tests of the oracle: a kernel of its own, small and simple, with faults to be put into it one by one.
//!
//! Without a fault it passes the whole matrix, so the oracle does not ask for more than a kernel can do;
//! each fault is found, so it does not ask for less.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use guard_core::Outcome;

use crate::matrix::{Verdict, plans, sweep};
use crate::oracle::Case;
use crate::ways::{Kind, Plan, Token, Way, body, clean_up, set_up};
use crate::world::{Fault, Lost, Using, Who, reported, spawn};

/// What can be wrong with a kernel.
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
    fn new(plan: Plan, defect: Defect) -> Self {
        Self {
            plan,
            defect,
            open: Vec::new(),
            doing: entering(plan, 0),
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
                let outcome = match self.first {
                    _ if self.defect == Defect::TellsCompleted => Outcome::Completed,
                    First::None => Outcome::Completed,
                    First::Error(_) => Outcome::Failed(()),
                    First::Panic(_) => Outcome::Panicked,
                };
                Doing::Exiting(level, clean_up(level, self.plan, outcome).boxed())
            }
            None => Doing::Over,
        };
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
                            let plan = this.plan;
                            this.doing = if level + 1 < plan.depth {
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
        let doing = std::mem::replace(&mut self.doing, Doing::Over);
        let begun = match &doing {
            Doing::Entering(..) if !self.polled => return,
            Doing::Over => return,
            _ if self.defect == Defect::NothingOnDrop => return,
            Doing::Entering(level, _) | Doing::Exiting(level, _) => Some(*level),
            Doing::Body(_) => None,
        };
        let background = Background {
            plan: self.plan,
            defect: self.defect,
            unfinished: self.open.iter().copied().chain(begun).collect(),
        };
        let open = std::mem::take(&mut self.open);
        let late = match doing {
            Doing::Body(body) if self.defect == Defect::BodyDroppedLate => Some(body),
            Doing::Body(body) if self.defect == Defect::BodyGoesOn => {
                let mut background = Box::pin(async {
                    let _ = AssertUnwindSafe(body).catch_unwind().await;
                    background.finish(Doing::Over, open).await;
                });
                let _ = background.poll_unpin(&mut Context::from_waker(Waker::noop()));
                return spawn(background);
            }
            Doing::Body(body) => {
                drop(body);
                None
            }
            doing => {
                return hand_off(background.finish(doing, open).boxed());
            }
        };
        hand_off(background.finish(Doing::Over, open).boxed());
        drop(late);
        assert!(self.defect != Defect::PanicsInDrop, "in a destructor");
    }
}

/// Polls once here; what is not finished then goes on in the background.
fn hand_off(mut task: BoxFuture<'static, ()>) {
    let polled = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
    if polled.is_pending() {
        spawn(task);
    }
}

/// What is still to be done after a drop. Dropping it reports that.
struct Background {
    plan: Plan,
    defect: Defect,
    unfinished: Vec<usize>,
}

impl Background {
    async fn finish(mut self, doing: Doing, mut open: Vec<usize>) {
        match doing {
            Doing::Entering(level, _) if self.defect == Defect::SetUpDropped => self.over(level),
            Doing::Entering(level, future) => {
                let future = match self.defect {
                    Defect::SetUpRestarted => set_up(level, self.plan).boxed(),
                    _ => future,
                };
                match AssertUnwindSafe(future).catch_unwind().await {
                    Ok(Ok(_)) if self.defect == Defect::LateAcquisitionKept => {}
                    Ok(Ok(_)) => {
                        if self.defect == Defect::EntersTheNextAfterTheDrop && level + 1 < 3 {
                            let _ = set_up(level + 1, self.plan).await;
                        }
                        open.push(level);
                    }
                    Ok(Err(fault)) => {
                        self.over(level);
                        self.failed(level, Lost::SetUpFailed(fault));
                    }
                    Err(payload) => {
                        self.over(level);
                        self.panicked(level, payload);
                    }
                }
            }
            Doing::Exiting(level, _) if self.defect == Defect::CleanUpDropped => self.over(level),
            Doing::Exiting(level, future) => {
                let future = match self.defect {
                    Defect::CleanUpRestarted => {
                        clean_up(level, self.plan, Outcome::Cancelled).boxed()
                    }
                    _ => future,
                };
                self.exit(level, future).await;
            }
            Doing::Body(_) | Doing::Over => {}
        }
        if self.defect == Defect::AllAtOnceInTheBackground {
            let outcome = Outcome::Cancelled;
            let exits = open
                .iter()
                .rev()
                .map(|&level| clean_up(level, self.plan, outcome));
            let all =
                futures::future::join_all(exits.map(AssertUnwindSafe).map(FutureExt::catch_unwind));
            all.await;
            self.unfinished.clear();
            return;
        }
        if self.defect == Defect::FirstInFirstOutInTheBackground {
            open.reverse();
        }
        while let Some(level) = open.pop() {
            let outcome = match self.defect {
                Defect::TellsCompletedOnDrop => Outcome::Completed,
                _ => Outcome::Cancelled,
            };
            let future = clean_up(level, self.plan, outcome).boxed();
            self.exit(level, future).await;
        }
    }

    async fn exit(&mut self, level: usize, future: BoxFuture<'static, Result<(), Fault>>) {
        let exited = AssertUnwindSafe(future).catch_unwind().await;
        self.over(level);
        match exited {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => self.failed(level, Lost::Failed(fault)),
            Err(payload) => self.panicked(level, payload),
        }
    }

    fn over(&mut self, level: usize) {
        if self.defect != Defect::FinishedReportedAsLost {
            self.unfinished.retain(|&unfinished| unfinished != level);
        }
    }

    fn failed(&self, level: usize, lost: Lost) {
        if self.defect != Defect::ErrorNotReported {
            reported(Who::Level(level), lost);
        }
    }

    fn panicked(&self, level: usize, payload: Box<dyn Any + Send>) {
        if self.defect != Defect::PanicNotReported {
            reported(Who::Level(level), Lost::Panicked(fault_of(payload)));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let times = match self.defect {
            Defect::LossNotReported => 0,
            Defect::LossReportedTwice => 2,
            _ => 1,
        };
        for &level in self.unfinished.iter().rev() {
            for _ in 0..times {
                reported(Who::Level(level), Lost::Abandoned);
            }
        }
    }
}

const CASE: Case = Case::new(Way::AsyncWith, Kind::Default);

fn using(plan: Plan, defect: Defect) -> Using {
    Box::pin(Nest::new(plan, defect))
}

#[test]
fn a_kernel_without_a_fault_is_lawful() {
    let mut verdict = Verdict::default();
    for plan in [plans(1), plans(2)].concat() {
        sweep(CASE, plan, &mut verdict, || using(plan, Defect::None));
    }
    verdict.assert_lawful();
}

#[track_caller]
fn assert_found(case: Case, defect: Defect) {
    let mut verdict = Verdict::default();
    let found = [plans(1), plans(2)].concat().into_iter().any(|plan| {
        sweep(case, plan, &mut verdict, || using(plan, defect));
        verdict.wrong > 0
    });
    assert!(found, "none of {} runs is found unlawful", verdict.runs);
}

/// What is lawful for nested uses: the first error is on its way to the user, with whom it may go down.
#[test]
fn finds_that_a_stack_forgets_what_it_kept() {
    let case = Case {
        is_stack: true,
        ..CASE
    };
    assert_found(case, Defect::None);
}

/// What is lawful for nested uses: the outer one is told what became of the inner one, and fails after it.
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
