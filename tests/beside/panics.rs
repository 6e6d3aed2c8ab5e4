//! Destructors beside a block that panic. The first panic goes on, and what has no caller then is reported.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use guard_core::testing::{Reports, reports};
use guard_core::{
    AsyncContext, async_context, async_with, exit_stack, scoped_exit_stack, yield_resource,
};
use guard_tests::{Log, block_on, poll_times, yield_once};

use crate::support::{End, Error, Resource, lease, leave_a_clean_up, panic_of, told, work};

/// Ends at its first poll, and panics with its name when it is dropped.
struct Bomb {
    name: &'static str,
    end: End,
    log: Log,
}

impl Future for Bomb {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.end {
            End::Never => Poll::Pending,
            End::Fine(_) => Poll::Ready(Ok(())),
            End::Fails(_) => Poll::Ready(Err(Error::Lost)),
            End::Panics(_) => panic!("poll"),
        }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.log.push(format_args!("drop({})", self.name));
        assert!(std::thread::panicking(), "{}", self.name);
    }
}

/// Is dropped in place, not handed off.
#[async_context(scoped)]
async fn armed(log: Log, name: &'static str, end: End) -> Result<Resource, Error> {
    let mut resource = Resource::new(&log);
    let bomb = Bomb {
        name,
        end,
        log: log.clone(),
    };
    let outcome = yield_resource!(resource, bomb);
    told(&log, name, outcome);
    Ok(())
}

/// [`armed`] that catches.
#[async_context(catch)]
async fn armed_catching(log: Log, end: End) -> Result<Resource, Error> {
    let mut resource = Resource::new(&log);
    let bomb = Bomb {
        name: "bomb",
        end,
        log: log.clone(),
    };
    let outcome = yield_resource!(resource, bomb);
    log.push(format_args!("catching:{outcome:?}"));
    Ok(())
}

#[test]
fn a_panic_of_the_future_goes_on_not_that_of_its_destructor() {
    let log = &Log::new();
    let used = armed(log.clone(), "bomb", End::Panics(0));
    let used = used.with(async |resource| work(resource, log).await);
    assert_eq!(panic_of(used), "poll");
    assert_eq!(
        log.line(),
        "drop(bomb) drop(block) bomb:Panicked drop(resource)"
    );
}

/// The future has failed before its destructor panicked.
#[test]
fn an_error_whose_destructor_panics_is_reported() {
    let log = &Log::new();
    let reports = reports();
    let used = armed(log.clone(), "bomb", End::Fails(0));
    let used = used.with(async |resource| work(resource, log).await);
    assert_eq!(panic_of(used), "bomb");
    assert_eq!(
        log.line(),
        "drop(bomb) drop(block) bomb:Panicked drop(resource)"
    );
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].to_string().contains("Lost"), "{reported:?}");

    let used = armed_catching(log.clone(), End::Fails(0));
    let used = used.catch(async |resource| work(resource, log).await);
    assert_eq!(panic_of(used), "bomb");
    let line = "drop(bomb) drop(block) catching:Panicked drop(resource)";
    assert_eq!(log.line(), line);
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].to_string().contains("Lost"), "{reported:?}");
}

/// The exit begins, and with it all that goes on beside the entries ends, the last first.
#[test]
fn the_panic_of_the_last_entry_goes_on_when_several_destructors_panic() {
    let log = &Log::new();
    let reports = reports();
    let used = exit_stack::<Error>().with(async |stack| {
        for name in ["first", "second", "third"] {
            stack.enter(armed(log.clone(), name, End::Never)).await?;
        }
        yield_once().await;
        Ok::<_, Error>(())
    });
    assert_eq!(panic_of(used), "third");
    let exits = ["third", "second", "first"].map(|name| format!("{name}:Panicked drop(resource)"));
    let line = format!("drop(third) drop(second) drop(first) {}", exits.join(" "));
    assert_eq!(log.line(), line);
    are_reported(&reports, &["second", "first"]);
}

/// Checks that these panics were reported, and nothing else.
fn are_reported(reports: &Reports, panics: &[&str]) {
    let reported = reports.take();
    let reported: Vec<_> = reported.iter().map(ToString::to_string).collect();
    let are_these = reported.len() == panics.len()
        && reported
            .iter()
            .zip(panics)
            .all(|(report, panic)| report.ends_with(&format!(": {panic}")));
    assert!(are_these, "{reported:?}");
}

/// The block is dropped with a local whose destructor panics too, because the future beside it has panicked.
#[test]
fn of_two_panics_that_end_a_block_the_second_is_reported() {
    let log = &Log::new();
    let reports = reports();
    let used = armed(log.clone(), "bomb", End::Panics(0)).with(async |_| {
        let _block = PanicsWhenDropped("block");
        std::future::pending::<Result<(), Error>>().await
    });
    assert_eq!(panic_of(used), "poll");
    are_reported(&reports, &["bomb", "block"]);

    // In a guard.
    let entering = armed(log.clone(), "bomb", End::Panics(0)).enter();
    let mut guard = block_on(entering).unwrap();
    let driven = guard.drive(async |_| {
        let _block = PanicsWhenDropped("block");
        std::future::pending::<()>().await;
    });
    assert_eq!(panic_of(driven), "poll");
    are_reported(&reports, &["bomb", "block"]);
    block_on(guard.exit()).unwrap();

    // A body by hand, which panics and then panics once more when it is dropped.
    struct Body(PanicsWhenDropped);
    impl Future for Body {
        type Output = Result<(), Error>;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            panic!("{} polled", self.0.0);
        }
    }
    fn body(_: &mut Resource) -> Body {
        Body(PanicsWhenDropped("body"))
    }
    let used = lease(log.clone(), End::Never).with(body);
    assert_eq!(panic_of(used), "body polled");
    are_reported(&reports, &["body"]);
}

/// Also while a panic goes on: where it is dropped, that has been caught.
struct PanicsWhenDropped(&'static str);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[test]
fn the_panic_of_the_first_joined_context_goes_on_when_both_destructors_panic() {
    let log = &Log::new();
    let reports = reports();
    let used = async {
        async_with!(
            join(
                _first = armed(log.clone(), "first", End::Never)?,
                _second = armed(log.clone(), "second", End::Never)?
            ),
            { yield_once().await }
        );
        Ok::<_, Error>(())
    };
    assert_eq!(panic_of(used), "first");
    let line = log.line();
    assert!(line.starts_with("drop(first) drop(second) "), "{line}");
    assert!(
        line.contains("first:Panicked") && line.contains("second:Panicked"),
        "{line}"
    );
    are_reported(&reports, &["second"]);
}

/// The block has failed or panicked before.
#[test]
fn what_the_block_ended_with_before_the_panic_is_not_lost() {
    let log = &Log::new();
    let reports = reports();
    let used = armed(log.clone(), "bomb", End::Never).with(async |_| {
        yield_once().await;
        Err::<(), _>(Error::Block)
    });
    assert_eq!(panic_of(used), "bomb");
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].to_string().contains("the body failed"),
        "{reported:?}"
    );

    // A context that catches would have been told the error.
    let used = armed_catching(log.clone(), End::Never).catch(async |_| {
        yield_once().await;
        Err::<(), _>(Error::Block)
    });
    assert_eq!(panic_of(used), "bomb");
    assert!(log.line().ends_with("catching:Panicked drop(resource)"));
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].to_string().contains("the body failed"),
        "{reported:?}"
    );

    let used = armed(log.clone(), "bomb", End::Never).with(async |_| {
        yield_once().await;
        if true {
            panic!("block")
        }
        Ok::<_, Error>(())
    });
    assert_eq!(panic_of(used), "block");
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].to_string().contains("bomb"), "{reported:?}");
}

/// Where nobody can have the panic: the use is dropped, or is a guard, or has waited, when its outcome is decided.
#[tokio::test]
async fn a_panic_without_a_caller_is_reported() {
    let log = &Log::new();
    let reports = reports();
    let is_reported = || {
        let reported = reports.take();
        assert_eq!(reported.len(), 1, "{reported:?}");
        let report = reported[0].to_string();
        assert!(
            report.contains("armed") && report.ends_with("bomb"),
            "{report}"
        );
    };
    {
        let used = armed(log.clone(), "bomb", End::Never);
        let mut used = pin!(used.with(async |resource| work(resource, log).await));
        assert!(poll_times(used.as_mut(), 3).is_pending());
    }
    let dropped = reports.take();
    assert!(
        dropped
            .iter()
            .any(|report| report.to_string().ends_with("bomb")),
        "{dropped:?}"
    );

    let guard = armed(log.clone(), "bomb", End::Never)
        .enter()
        .await
        .unwrap();
    guard.exit().await.unwrap();
    is_reported();

    let used = armed(log.clone(), "bomb", End::Never).with(async |_| {
        leave_a_clean_up(log, 3).await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(7));
    is_reported();

    // It panics while the use waits.
    let used = armed(log.clone(), "bomb", End::Fine(0)).with(async |_| {
        leave_a_clean_up(log, 3).await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(7));
    is_reported();

    // The stack is dropped, not exited.
    let used = scoped_exit_stack::<Error>().with(async |stack| {
        stack.enter(armed(log.clone(), "bomb", End::Never)).await?;
        drop(std::mem::take(stack));
        yield_once().await;
        Ok::<_, Error>(7)
    });
    assert_eq!(used.await, Ok(7));
    let dropped = reports.take();
    let of_the_entry = |report: &String| report.contains("armed") && report.ends_with("bomb");
    let dropped: Vec<_> = dropped.iter().map(ToString::to_string).collect();
    assert!(dropped.iter().any(of_the_entry), "{dropped:?}");
}

/// Panics when it is dropped, unless a panic goes on already.
struct InBlock;

impl Drop for InBlock {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "block");
    }
}

/// The future beside the body of `guard.drive` has failed, and then a destructor of the body panics.
#[test]
fn an_error_beside_a_guard_is_reported_if_the_destructor_of_the_body_panics() {
    let (log, reports) = (&Log::new(), reports());
    let mut guard = block_on(lease(log.clone(), End::Fails(1)).enter()).unwrap();
    let driven = guard.drive(async |_| {
        let _bomb = InBlock;
        std::future::pending::<()>().await;
    });
    assert_eq!(panic_of(driven), "block");
    let reported = reports.take();
    assert_eq!(reported.len(), 1);
    let text = reported[0].to_string();
    assert!(text.contains("lease") && text.ends_with("Lost"), "{text}");
    block_on(guard.exit()).unwrap();
}

/// The error is one that panics with a text of its own when it is dropped.
#[test]
fn the_panic_of_a_body_beside_a_guard_goes_on_if_the_destructor_of_the_error_panics() {
    struct PanicsOnDrop;

    impl std::fmt::Debug for PanicsOnDrop {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("lost")
        }
    }

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("error");
        }
    }

    #[async_context]
    async fn fails_beside() -> Result<(), PanicsOnDrop> {
        yield_resource!((), async { Err(PanicsOnDrop) });
        Ok(())
    }

    let reports = reports();
    let mut guard = block_on(fails_beside().enter()).unwrap();
    let driven = guard.drive(async |()| {
        let _bomb = InBlock;
        std::future::pending::<()>().await;
    });
    assert_eq!(panic_of(driven), "block");
    let reported: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported[0].ends_with("lost") && reported[1].ends_with("error"));
    block_on(guard.exit()).unwrap();
}
