//! A future beside a block has ended the block. Then the clean-up fails or panics too, or the use is dropped before its
//! end.

use std::pin::pin;

use guard_core::testing::{Reports, reports};
use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, poll_times, yield_once};

use crate::support::{End, Error, failing_lease, lease, panic_of, scoped_lease, work};

fn is_reported(reports: &Reports, text: &str) {
    let reported: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    assert!(
        reported.iter().any(|report| report.contains(text)),
        "{text}: {reported:?}"
    );
}

/// The lease that goes on beside the inner context ends while the clean-up of this one goes on.
#[async_context(scoped)]
async fn slow(log: &Log, end: End, panics: bool) -> Result<(), Error> {
    async_with!(_lease = scoped_lease(log, end)?, {
        yield_resource!();
        for _ in 0..9 {
            yield_once().await;
        }
        assert!(!panics, "clean-up");
    });
    Ok(())
}

#[test]
fn a_panic_of_the_clean_up_after_one_beside_is_reported() {
    let (log, reports) = (&Log::new(), reports());
    let used = slow(log, End::Panics(4), true).with(async |()| Ok::<_, Error>(()));
    assert_eq!(panic_of(used), "beside");
    is_reported(&reports, "clean-up");
}

#[test]
fn what_has_ended_the_block_is_reported_when_its_use_is_dropped_during_the_clean_up() {
    let (log, reports) = (&Log::new(), reports());
    for (end, text) in [(End::Fails(4), "Lost"), (End::Panics(4), "beside")] {
        let used = slow(log, end, false).with(async |()| Ok::<_, Error>(()));
        {
            let mut used = pin!(used);
            assert!(poll_times(used.as_mut(), 9).is_pending());
        }
        assert!(log.line().contains("drop(renewal)"));
        let reported: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
        let of_the_lease =
            |report: &String| report.contains("scoped_lease") && report.ends_with(text);
        assert!(reported.iter().any(of_the_lease), "{text}: {reported:?}");
    }
}

#[test]
fn an_exit_that_fails_in_a_call_that_is_ended_from_outside_is_reported() {
    let (log, reports) = (&Log::new(), reports());
    let used = block_on(async {
        async_with!(
            _lease = lease(log.clone(), End::Fails(4))?,
            inner = failing_lease(log.clone(), End::Never)?,
            { work(inner, log).await? }
        );
        Ok::<_, Error>(())
    });
    assert_eq!(used, Err(Error::Lost));
    is_reported(&reports, "Exit");
}

/// The caller is told the panic.
#[test]
fn the_error_beside_a_context_whose_destructor_panics_is_reported() {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("destructor");
        }
    }

    let (log, reports) = (&Log::new(), reports());
    let panics = Panics;
    let used = lease(log.clone(), End::Fails(1)).map_err(move |error| {
        let _panics = &panics;
        error
    });
    let used = used.with(async |resource| work(resource, log).await);
    assert_eq!(panic_of(used), "destructor");
    is_reported(&reports, "Lost");
}

/// The lease beside the inner context has failed before.
#[test]
fn an_error_of_the_clean_up_after_one_beside_is_reported() {
    #[async_context(scoped)]
    async fn failing(log: &Log, end: End) -> Result<(), Error> {
        async_with!(_lease = scoped_lease(log, end)?, {
            yield_resource!();
            for _ in 0..9 {
                yield_once().await;
            }
            Err::<(), _>(Error::Block)?;
        });
        Ok(())
    }

    let (log, reports) = (&Log::new(), reports());
    // While the block runs, and while the clean-up does.
    for (polls, end) in [(9, End::Fails(2)), (0, End::Fails(4))] {
        let used = failing(log, end).with(async |()| {
            for _ in 0..polls {
                yield_once().await;
            }
            Ok::<_, Error>(())
        });
        assert_eq!(block_on(used), Err(Error::Lost));
        is_reported(&reports, "the body failed");
    }
}

#[test]
fn the_error_beside_a_use_that_is_dropped_while_it_exits_is_reported() {
    let (log, reports) = (&Log::new(), reports());
    let used = scoped_lease(log, End::Fails(1)).with(async |resource| work(resource, log).await);
    {
        let mut used = pin!(used);
        assert!(poll_times(used.as_mut(), 3).is_pending());
    }
    assert!(log.line().contains("lease:Cancelled"));
    is_reported(&reports, "Lost");
}
