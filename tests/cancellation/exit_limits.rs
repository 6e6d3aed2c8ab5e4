//! Exits with a limit, dropped after every number of polls. A limit that is not reached changes nothing. An exit that
//! exceeds its limit is given up and reported once, wherever it runs.

use std::future::pending;

use guard_core::{AsyncContext, Outcome, TimeoutError, async_context, async_with, yield_resource};

use crate::invariants::Case;
use crate::matrix::{Verdict, plans, sweep};
use crate::scenarios::{Doing, Kind, Plan, Token, Way, body, clean_up, set_up};
use crate::simulation::{DRIVERS, Driver, End, Event, Fault, Run, drive, pause};

#[async_context]
async fn level0(plan: Plan) -> Result<Token, Fault> {
    let mut token = set_up(0, plan).await?;
    let outcome = yield_resource!(token);
    clean_up(0, plan, outcome).await
}

#[async_context]
async fn level1(plan: Plan) -> Result<Token, Fault> {
    let mut token = set_up(1, plan).await?;
    let outcome = yield_resource!(token);
    clean_up(1, plan, outcome).await
}

fn in_time(error: TimeoutError<Fault>) -> Fault {
    match error {
        TimeoutError::Context(fault) => fault,
        TimeoutError::TimedOut => unreachable!("the limit is never reached"),
    }
}

async fn unlimited(plan: Plan) -> Result<(), Fault> {
    let outer = level0(plan).exit_until(pending()).map_err(in_time);
    if plan.depth == 1 {
        async_with!(token = outer?, {
            body(plan, token).await?;
        });
        return Ok(());
    }
    let inner = level1(plan).exit_until(pending()).map_err(in_time);
    async_with!(_outer = outer?, token = inner?, {
        body(plan, token).await?;
    });
    Ok(())
}

#[test]
fn a_limit_that_is_not_reached_changes_nothing() {
    let mut verdict = Verdict::default();
    let (way, kind) = (Way::AsyncWithList, Kind::Default);
    for depth in 1..=2 {
        for plan in plans(depth) {
            sweep(Case::new(way, kind), plan, &mut verdict, || {
                Box::pin(async move { unlimited(plan).await.map_err(|fault| vec![fault]) })
            });
        }
    }
    verdict.assert_no_violation();
    println!("{} runs", verdict.runs);
}

/// Both levels may take so many ticks of the clock to exit.
async fn limited(plan: Plan, ticks: usize) -> Result<(), TimeoutError<Fault>> {
    let limit = move || async move {
        for _ in 0..ticks {
            pause().await;
        }
    };
    let (outer, inner) = (level0(plan), level1(plan));
    async_with!(
        _outer = outer.exit_until(limit())?,
        token = inner.exit_until(limit())?,
        {
            body(plan, token).await.map_err(TimeoutError::Context)?;
        }
    );
    Ok(())
}

fn count(run: &Run, wanted: impl Fn(Event) -> bool) -> usize {
    run.log.iter().filter(|&&event| wanted(event)).count()
}

/// Every level that was begun is exited or given up, once, and not both; when the background was left
/// alone, nothing else is lost.
fn assert_each_ends_once(run: &Run, what: &str) {
    for level in 0..2 {
        let begun = count(run, |event| event == Event::Enter(level));
        let over = count(
            run,
            |event| matches!(event, Event::Released(of, _) if of == level),
        );
        let timed_out = |report: &&String| {
            report.contains(&format!("level{level}`")) && report.contains("exceeded its time limit")
        };
        let given_up = run.violations.iter().filter(timed_out).count();
        assert_eq!(over + given_up, begun, "level {level}, {what}: {run:?}");
    }
    let others: Vec<_> = run
        .violations
        .iter()
        .filter(|report| !report.contains("exceeded its time limit"))
        .collect();
    assert!(others.is_empty(), "{what}: {others:?}");
}

#[test]
fn a_bounded_exit_that_is_dropped_at_any_poll_ends_or_is_given_up_once() {
    let doing = |pauses| Doing {
        pauses,
        end: End::Ok,
    };
    let mut given_up = 0;
    for (entering, exiting, ticks) in (0..48).map(|code| (code / 16, code / 4 % 4, code % 4)) {
        let plan = Plan {
            depth: 2,
            enter: [doing(entering); 3],
            body: doing(1),
            exit: [doing(exiting); 3],
            interrupt: None,
        };
        let using = || -> crate::simulation::Using {
            Box::pin(async move {
                // That a limit was reached is told by the reports.
                let _ = limited(plan, ticks).await;
                Ok(())
            })
        };
        for driver in DRIVERS {
            let whole = drive(using(), driver, None, None);
            let what = format!("{plan:?} in {ticks} ticks, {driver:?}");
            assert_each_ends_once(&whole, &what);
            let in_time = exiting <= ticks;
            assert_eq!(whole.violations.is_empty(), in_time, "{what}");
            let told = count(&whole, |event| {
                matches!(event, Event::Release(0, Some(Outcome::Completed)))
            });
            assert_eq!(told == 1, in_time, "the outer one is told of it: {what}");
            for drop_at in 0..=whole.polls {
                let run = drive(using(), driver, Some(drop_at), None);
                given_up += run.violations.len();
                assert_each_ends_once(&run, &format!("{what}, dropped after {drop_at} polls"));
            }
        }
    }
    assert!(given_up > 0, "some were");
}

#[test]
fn the_time_of_an_exit_that_is_dropped_goes_on() {
    let doing = |pauses| Doing {
        pauses,
        end: End::Ok,
    };
    let plan = Plan {
        depth: 2,
        enter: [doing(0); 3],
        body: doing(0),
        exit: [doing(3); 3],
        interrupt: None,
    };
    // Two of three ticks are over when it is dropped: one is left for the inner exit, so three ticks do, and two do
    // not. The time of the outer one runs while it waits for that, so it needs more.
    for (ticks, given_up) in [(8, 0), (3, 1), (2, 2)] {
        let using = Box::pin(async move {
            let _ = limited(plan, ticks).await;
            Ok(())
        });
        let run = drive(using, Driver::WhenWoken, Some(2), None);
        assert_eq!(run.violations.len(), given_up, "{ticks} ticks: {run:?}");
    }
}
