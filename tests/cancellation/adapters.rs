//! Adapters do not show: what is wrapped, or made of two functions, keeps the invariants of the matrix.

use std::borrow::{Borrow, BorrowMut};
use std::future::pending;

use guard_core::{
    AsyncClose, AsyncContext, Outcome, TimeoutError, async_with, closing, from_fns, nullcontext,
    within,
};

use crate::invariants::Case;
use crate::matrix::{Verdict, can_run, plans_of_all_depths, sweep};
use crate::nesting::{exit_guard, nested};
use crate::scenarios::{
    Kind, Plan, Token, Way, all, body, body_of_many, borrowing, clean_up, default, interruptible,
    one, set_up,
};
use crate::simulation::{End, Event, Fault, Using, log};

const WAYS: [Way; 6] = [
    Way::AsyncWith,
    Way::AsyncWithList,
    Way::Within,
    Way::With,
    Way::TryWith,
    Way::Guards,
];

fn judge(
    kind: Kind,
    ways: &[Way],
    is_tried: impl Fn(&Plan) -> bool,
    using: impl Fn(Way, Plan) -> Using,
) {
    let mut verdict = Verdict::default();
    for &way in ways {
        for plan in plans_of_all_depths(50).into_iter().filter(&is_tried) {
            sweep(Case::new(way, kind), plan, &mut verdict, || {
                using(way, plan)
            });
        }
    }
    verdict.assert_no_violation();
    println!("{} runs", verdict.runs);
}

/// The contexts `level0`, `level1` and `level2` that `$make` makes, in every way.
macro_rules! adapted {
    ($($name:ident: $kind:ident $make:ident, $is_tried:expr;)+) => {$(
        mod $name {
            use super::*;

            adapted!(@levels $make; level0 0, level1 1, level2 2);
            nested!();

            #[test]
            fn keeps_the_invariants() {
                judge(Kind::$kind, &WAYS, $is_tried, nested);
            }
        }
    )+};
    (@levels $make:ident; $($level:ident $number:literal),+) => {$(
        #[track_caller]
        fn $level(plan: Plan) -> impl AsyncContext<Resource: BorrowMut<Token> + Sized, Error = Fault> {
            $make!($level $number plan)
        }
    )+};
}

macro_rules! converted {
    ($level:ident $number:literal $plan:ident) => {
        default::$level($plan).map_err(|fault| fault).boxed()
    };
}

macro_rules! scoped_converted {
    ($level:ident $number:literal $plan:ident) => {
        borrowing::$level($plan)
            .map_err(|fault| fault)
            .boxed_local()
    };
}

macro_rules! with_an_error_type {
    ($level:ident $number:literal $plan:ident) => {
        default::sure::$level($plan).with_error()
    };
}

/// Whether the time was up, which it never is here.
fn in_time(error: TimeoutError<Fault>) -> Fault {
    match error {
        TimeoutError::Context(fault) => fault,
        TimeoutError::TimedOut => unreachable!("there is no limit"),
    }
}

macro_rules! bounded {
    ($level:ident $number:literal $plan:ident) => {
        default::$level($plan)
            .exit_until(pending())
            .map_err(in_time)
    };
}

macro_rules! scoped_bounded {
    ($level:ident $number:literal $plan:ident) => {
        borrowing::$level($plan)
            .exit_until(pending())
            .map_err(in_time)
    };
}

macro_rules! of_functions {
    ($level:ident $number:literal $plan:ident) => {
        from_fns(
            move || set_up($number, $plan),
            move |_token, outcome| clean_up($number, $plan, outcome),
        )
    };
}

/// Is there from the beginning; only its close can take time or fail.
macro_rules! closed {
    ($level:ident $number:literal $plan:ident) => {{
        struct Open {
            token: Token,
            plan: Plan,
        }

        impl Borrow<Token> for Open {
            fn borrow(&self) -> &Token {
                &self.token
            }
        }

        impl BorrowMut<Token> for Open {
            fn borrow_mut(&mut self) -> &mut Token {
                &mut self.token
            }
        }

        impl AsyncClose for Open {
            type Error = Fault;

            async fn close(self) -> Result<(), Fault> {
                clean_up($number, self.plan, None).await
            }
        }

        log(Event::Enter($number));
        log(Event::Entered($number, End::Ok));
        let token = Token($number);
        closing(Open { token, plan: $plan })
    }};
}

fn cannot_fail(plan: &Plan) -> bool {
    can_run(Way::Run, *plan)
}

fn is_there_at_once(plan: &Plan) -> bool {
    let mut entering = plan.enter.iter();
    entering.all(|enter| enter.pauses == 0 && enter.end == End::Ok)
}

adapted! {
    a_converted_error_and_a_box: Default converted, |_| true;
    a_converted_error_and_a_local_box: Scoped scoped_converted, |_| true;
    an_error_that_cannot_be: Default with_an_error_type, cannot_fail;
    a_limit: Default bounded, |_| true;
    a_limit_of_a_scoped_context: Scoped scoped_bounded, |_| true;
    two_functions: Default of_functions, |_| true;
    a_value_that_is_closed: Default closed, is_there_at_once;
}

#[test]
fn a_null_context_beside_others_does_not_show() {
    async fn using(plan: Plan) -> Result<(), Fault> {
        match plan.depth {
            1 => async_with!(_null = nullcontext(()), token = default::level0(plan)?, {
                body(plan, token).await?;
            }),
            2 => async_with!(
                _outer = default::level0(plan)?,
                _null = nullcontext(()),
                token = default::level1(plan)?,
                {
                    body(plan, token).await?;
                }
            ),
            _ => async_with!(
                _outer = default::level0(plan)?,
                // A report about the use of both names the first.
                join(_middle = default::level1(plan)?, _null = nullcontext(())),
                token = default::level2(plan)?,
                {
                    body(plan, token).await?;
                }
            ),
        }
        Ok(())
    }

    judge(
        Kind::Default,
        &[Way::AsyncWithList],
        |_| true,
        |_, plan| one(using(plan)),
    );
}
