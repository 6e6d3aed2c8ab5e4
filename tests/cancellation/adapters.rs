//! A context in an adapter, or made of two functions, keeps the invariants of the matrix like any other context.

use std::future::pending;

use guard_core::{
    AsyncClose, AsyncContext, TimeoutError, async_with, closing, from_fns, nullcontext,
};

use crate::invariants::Case;
use crate::matrix::{Verdict, can_run, plans_of_all_depths, sweep};
use crate::nesting::{Boxed, Make, Plain, async_with, make, nested};
use crate::scenarios::{Kind, Plan, Token, Way, body, borrowing, clean_up, default, one, set_up};
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

/// The contexts that are made like this, in every way.
macro_rules! adapted {
    ($($name:ident: $kind:ident $is_tried:expr, |$level:ident, $plan:ident| $made:expr;)+) => {$(
        mod $name {
            use super::*;

            struct Adapted;

            impl Make for Adapted {
                type Error = Fault;

                #[track_caller]
                fn make(
                    $level: usize,
                    $plan: Plan,
                ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static {
                    $made
                }
            }

            #[test]
            fn keeps_the_invariants() {
                // What depends on the type of the context is compiled for it in one of the ways.
                judge(Kind::$kind, &WAYS, $is_tried, |way, plan| match way {
                    Way::AsyncWith => one(async_with(Plain::<Adapted>::new(), plan, 0)),
                    _ => nested(Boxed::new::<Adapted>(), way, plan),
                });
            }
        }
    )+};
}

/// Whether the time was up, which it never is here.
fn in_time(error: TimeoutError<Fault>) -> Fault {
    match error {
        TimeoutError::Context(fault) => fault,
        TimeoutError::TimedOut => unreachable!("there is no limit"),
    }
}

/// Only the close can take time or fail.
impl AsyncClose for Token {
    type Error = Fault;

    async fn close(self) -> Result<(), Fault> {
        clean_up(self.level, self.plan, None).await
    }
}

/// Is there from the beginning.
fn open(level: usize, plan: Plan) -> Token {
    log(Event::Enter(level));
    log(Event::Entered(level, End::Ok));
    Token::new(level, plan)
}

fn cannot_fail(plan: &Plan) -> bool {
    can_run(Way::Run, *plan)
}

fn is_there_at_once(plan: &Plan) -> bool {
    let mut entering = plan.enter.iter();
    entering.all(|enter| enter.pauses == 0 && enter.end == End::Ok)
}

adapted! {
    a_converted_error_and_a_box: Default |_| true, |level, plan| {
        default::Context::make(level, plan).map_err(|fault| fault).boxed_local()
    };
    a_converted_error_and_a_local_box: Scoped |_| true, |level, plan| {
        borrowing::Context::make(level, plan).map_err(|fault| fault).boxed_local()
    };
    an_error_that_cannot_be: Default cannot_fail, |level, plan| {
        default::Sure::make(level, plan).with_error()
    };
    a_limit: Default |_| true, |level, plan| {
        default::Context::make(level, plan).exit_until(pending()).map_err(in_time)
    };
    a_limit_of_a_scoped_context: Scoped |_| true, |level, plan| {
        borrowing::Context::make(level, plan).exit_until(pending()).map_err(in_time)
    };
    two_functions: Default |_| true, |level, plan| from_fns(
        move || set_up(level, plan),
        move |_token, outcome| clean_up(level, plan, outcome),
    );
    a_value_that_is_closed: Default is_there_at_once, |level, plan| closing(open(level, plan));
}

#[test]
fn a_null_context_beside_others_does_not_show() {
    async fn using(plan: Plan) -> Result<(), Fault> {
        let level = make::<default::Context, ()>;
        match plan.depth {
            1 => async_with!(_null = nullcontext(()), token = level(0, plan)?, {
                body(plan, token).await?;
            }),
            2 => async_with!(
                _outer = level(0, plan)?,
                _null = nullcontext(()),
                token = level(1, plan)?,
                {
                    body(plan, token).await?;
                }
            ),
            _ => async_with!(
                _outer = level(0, plan)?,
                // A report about the use of both names the first.
                join(_middle = level(1, plan)?, _null = nullcontext(())),
                token = level(2, plan)?,
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
