//! An exit stack is judged by the invariants of nested contexts: every plan, dropped after every number of
//! polls, cut in the background after every number of polls.

use guard_core::{
    AsyncContext, AsyncExitStack, ExitErrors, Outcome, ScopedExitStack, TryWithError, async_with,
    exit_stack, scoped_exit_stack,
};

use crate::invariants::Case;
use crate::matrix::{Verdict, plans_of_all_depths, sweep};
use crate::nesting::make;
use crate::scenarios::{Kind, Plan, Way, body, borrowing, default, one};
use crate::simulation::{End, Fault, Using};

macro_rules! uses {
    ($name:ident: $contexts:ident on $stack:ty) => {
        /// Enters as many contexts as are planned, and runs the body with the last one's resource.
        async fn $name(stack: &$stack, plan: Plan) -> Result<(), Fault> {
            let level = make::<$contexts::Context, ()>;
            let mut token = stack.enter(level(0, plan)).await?;
            for inner in 1..plan.depth {
                token = stack.enter(level(inner, plan)).await?;
            }
            body(plan, token).await
        }
    };
}

uses!(use_default: default on AsyncExitStack<Fault>);
uses!(use_scoped: borrowing on AsyncExitStack<Fault>);
uses!(borrow_default: default on ScopedExitStack<'_, Fault>);
uses!(borrow_scoped: borrowing on ScopedExitStack<'_, Fault>);

/// Every fault, in the order in which they happened.
fn all<T>(error: TryWithError<T, Fault, ExitErrors<Fault>>) -> Vec<Fault> {
    match error {
        TryWithError::Enter(faults) | TryWithError::Exit { error: faults, .. } => {
            faults.into_iter().collect()
        }
        TryWithError::Body(fault) => vec![fault],
        TryWithError::BodyAndExit { body, exit } => std::iter::once(body).chain(exit).collect(),
        TryWithError::Beside { error, exit } => error
            .into_iter()
            .chain(exit.into_iter().flatten())
            .collect(),
    }
}

fn judge(way: Way, kind: Kind, using: impl Fn(Plan) -> Using) {
    judge_plans(Case::new(way, kind), |_| true, using);
}

fn judge_plans(case: Case, is_tried: impl Fn(&Plan) -> bool, using: impl Fn(Plan) -> Using) {
    let case = Case {
        is_stack: true,
        ..case
    };
    let mut verdict = Verdict::default();
    crate::simulation::STACK_IS_KNOWN.set(true);
    for plan in plans_of_all_depths(25).into_iter().filter(&is_tried) {
        sweep(case, plan, &mut verdict, || using(plan));
    }
    verdict.assert_no_violation();
    println!("{} runs", verdict.runs);
}

#[test]
fn a_stack_in_async_with_keeps_the_invariants() {
    judge(Way::AsyncWith, Kind::Default, |plan| {
        one(async move {
            async_with!(stack = exit_stack::<Fault>()?, {
                use_default(stack, plan).await?;
            });
            Ok(())
        })
    });
}

#[test]
fn a_stack_that_returns_all_errors_keeps_the_invariants() {
    judge(Way::TryWith, Kind::Default, |plan| {
        Box::pin(async move {
            let used = exit_stack::<Fault>()
                .all_errors()
                .try_with(async move |stack| use_default(stack, plan).await)
                .await;
            used.map_err(all)
        })
    });
}

#[test]
fn an_owned_stack_that_is_closed_by_hand_keeps_the_invariants() {
    async fn using(plan: Plan) -> Result<(), Vec<Fault>> {
        let mut stack = AsyncExitStack::new();
        let used = use_default(&stack, plan).await;
        let outcome = match used {
            Ok(()) => Outcome::Completed,
            Err(_) => Outcome::Failed(()),
        };
        let closed = stack.close(outcome).await;
        let mut faults: Vec<Fault> = used.err().into_iter().collect();
        faults.extend(closed.err().into_iter().flatten());
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    // Two things are not tried here. A context that is dropped while it is entered is finished by itself:
    // the stack does not wait for what is not on it. And nothing but a drop tells the stack of a panic.
    let is_tried = |plan: &Plan| {
        let panics = plan.enter.iter().any(|enter| enter.end == End::Panic);
        plan.enter[0].pauses == 0 && !panics && plan.body.end != End::Panic
    };
    let case = Case {
        is_owned: true,
        ..Case::new(Way::TryWith, Kind::Default)
    };
    judge_plans(case, is_tried, |plan| Box::pin(using(plan)));
}

#[test]
fn a_stack_of_a_constructor_that_fails_keeps_the_invariants() {
    /// Owns its stack, as what a constructor returns would.
    struct Service(AsyncExitStack<Fault>);

    async fn construct(plan: Plan) -> Result<Service, Vec<Fault>> {
        let made = exit_stack().all_errors().try_with(async move |stack| {
            use_default(stack, plan).await?;
            Ok(Service(stack.pop_all()))
        });
        made.await.map_err(all)
    }

    // It is judged as one use: the constructor is the body, and the owner does nothing but close.
    judge(Way::TryWith, Kind::Default, |plan| {
        Box::pin(async move {
            let mut service = construct(plan).await?;
            let closed = service.0.close(Outcome::Completed).await;
            closed.map_err(|faults| faults.into_iter().collect())
        })
    });
}

#[test]
fn a_stack_of_scoped_contexts_finishes_them() {
    judge(Way::AsyncWith, Kind::DefaultOfScoped, |plan| {
        one(async move {
            async_with!(stack = exit_stack::<Fault>()?, {
                use_scoped(stack, plan).await?;
            });
            Ok(())
        })
    });
}

#[test]
fn a_scoped_stack_of_scoped_contexts_keeps_the_invariants() {
    judge(Way::AsyncWith, Kind::Scoped, |plan| {
        one(async move {
            async_with!(stack = scoped_exit_stack::<Fault>()?, {
                borrow_scoped(stack, plan).await?;
            });
            Ok(())
        })
    });
}

#[test]
fn a_scoped_stack_of_guaranteed_contexts_keeps_the_invariants() {
    judge(Way::With, Kind::Default, |plan| {
        one(scoped_exit_stack::<Fault>().with(async move |stack| borrow_default(stack, plan).await))
    });
}
