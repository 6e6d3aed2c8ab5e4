//! Exit stacks and other handles that are not where their use lent them: they were moved, exchanged, or dropped while
//! the future beside their entry was polled.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use guard_core::testing::reports;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, async_context, async_with, exit_stack,
    scoped_exit_stack, swap, yield_resource,
};
use guard_tests::{CountingWaker, Dropped, Log, block_on, yield_once};

use crate::support::{End, Error, Resource, Wrapper, lease, panic_of, plain, renew, told};

type Place = Arc<Mutex<Option<AsyncExitStack<Error>>>>;

/// Drops its own stack in a poll of what is beside it, and fails in the same poll. Its destructor may panic.
#[async_context(scoped)]
async fn drops_its_stack(log: Log, place: Place, panics: bool) -> Result<Resource, Error> {
    struct Panics(bool);

    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "destructor");
        }
    }

    let _panics = Panics(panics);
    let mut resource = Resource::new(&log);
    let outcome = yield_resource!(resource, async {
        let _dropped = Dropped(log.clone(), "beside");
        yield_once().await;
        let stack = place.lock().unwrap().take();
        drop(stack);
        log.push("dropped");
        if panics { Ok(()) } else { Err(Error::Lost) }
    });
    told(&log, "context", outcome);
    Ok(())
}

/// Enters it on the stack, and puts the stack into its place. There is no runtime in which the stack could be exited.
fn use_that_is_dropped(log: &Log, panics: bool) -> impl Future<Output = Result<u32, Error>> {
    exit_stack::<Error>().with(async move |stack: &mut AsyncExitStack<Error>| {
        let place = Place::default();
        let entered = drops_its_stack(log.clone(), place.clone(), panics);
        stack.enter(entered).await?;
        *place.lock().unwrap() = Some(mem::take(stack));
        for _ in 0..5 {
            yield_once().await;
        }
        Ok(7)
    })
}

#[test]
fn the_error_of_an_entry_that_has_dropped_its_own_stack_is_reported() {
    let log = &Log::new();
    let reports = reports();
    let panic = panic_of(use_that_is_dropped(log, false));
    assert!(panic.contains("there is no value to go on with"), "{panic}");
    assert_eq!(log.line(), "dropped drop(beside) drop(resource)");
    let reported: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    let is_lost = |report: &String| report.contains("drops_its_stack") && report.ends_with("Lost");
    assert!(reported.iter().any(is_lost), "{reported:?}");
}

#[test]
fn the_destructor_of_an_entry_that_has_dropped_its_own_stack_may_panic() {
    let log = &Log::new();
    let reports = reports();
    assert_eq!(block_on(use_that_is_dropped(log, true)), Ok(7));
    assert_eq!(log.line(), "dropped drop(beside) drop(resource)");
    let reported: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    let is_told =
        |report: &String| report.contains("drops_its_stack") && report.ends_with("destructor");
    assert!(reported.iter().any(is_told), "{reported:?}");
}

/// A stack that was moved away is dropped, with an entry that has failed.
#[test]
fn the_error_of_an_entry_that_is_dropped_unexited_is_reported() {
    let log = &Log::new();
    let reports = reports();
    let mut away = None;
    let used = scoped_exit_stack::<Error>().with(async |stack| {
        stack.enter(lease(log.clone(), End::Fails(2))).await?;
        away = Some(mem::take(stack));
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    let panic = panic_of(used);
    assert!(panic.contains("there is no value to go on with"), "{panic}");
    drop(away);
    let reported: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
    let is_lost = |report: &String| report.contains("lease") && report.ends_with("Lost");
    assert!(reported.iter().any(is_lost), "{reported:?}");
}

/// The stack is closed while the driver polls an entry, so the close waits, by the waker of its last poll.
#[test]
fn the_close_of_a_stack_whose_entry_is_being_polled_is_woken() {
    type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

    #[async_context]
    async fn closes(place: Arc<Mutex<Option<Closing>>>, wakers: [Waker; 2]) -> Result<(), Error> {
        yield_resource!((), async {
            yield_once().await;
            for waker in &wakers {
                let mut place = place.lock().unwrap();
                let closing = place.as_mut().unwrap().as_mut();
                assert!(closing.poll(&mut Context::from_waker(waker)).is_pending());
            }
            std::future::pending().await
        });
        Ok(())
    }

    let place = Arc::<Mutex<Option<Closing>>>::default();
    let woken = [CountingWaker::new(), CountingWaker::new()];
    let used = exit_stack::<Error>().with(async |stack| {
        let wakers = woken.each_ref().map(|woken| Waker::from(woken.clone()));
        stack.enter(closes(place.clone(), wakers)).await?;
        let mut stack = mem::take(stack);
        *place.lock().unwrap() = Some(Box::pin(async move {
            stack.close(Outcome::Completed).await.unwrap();
        }));
        yield_once().await;
        let counts = || woken.each_ref().map(|woken| woken.take());
        assert_eq!(counts(), [0, 0]);
        yield_once().await;
        assert_eq!(counts(), [0, 1]);
        let closing = place.lock().unwrap().take().unwrap();
        closing.await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Ok(()));
}

/// Each use of the loop lies in the same place, and so does its handle.
#[test]
fn the_handle_of_a_former_use_is_refused_in_the_place_of_the_next() {
    let log = &Log::new();
    let mut former = AsyncExitStack::<Error>::new();
    let mut places = Vec::new();
    let used = panic_of(async {
        for is_first in [true, false] {
            async_with!(stack = exit_stack::<Error>()?, {
                places.push(std::ptr::from_ref(stack).addr());
                mem::swap(stack, &mut former);
                if !is_first {
                    stack.enter(lease(log.clone(), End::Never)).await?;
                }
            });
        }
        Ok::<_, Error>(())
    });
    assert_eq!(places[0], places[1], "the test has no sense otherwise");
    assert!(
        used.contains("the use of an exit stack drives, and nobody else"),
        "{used}"
    );
}

/// A context made of a lease.
#[async_context]
async fn outer(log: Log, end: End) -> Result<Resource, Error> {
    async_with!(_lease = lease(log.clone(), end)?, {
        let mut resource = Resource::new(&log);
        yield_resource!(resource);
    });
    Ok(())
}

/// What goes on in the body of a former context can end only with that, but it is not driven any more.
#[test]
fn what_is_beside_a_replaced_context_is_not_polled_while_it_is_read() {
    let log = &Log::new();
    let used = swap(outer(log.clone(), End::Fails(3))).with(async |swap| {
        let former = swap.current();
        let mut replacing = Box::pin(swap.replace(outer(log.clone(), End::Never)));
        for _ in 0..9 {
            assert!(guard_tests::poll_once(replacing.as_mut()).is_pending());
            assert_eq!(former.bytes.len(), 100);
            yield_once().await;
        }
        drop(former);
        replacing.await?;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Ok(()));
}

/// A context by hand does not drive what is beside it: it is refused, unless nothing goes on.
#[test]
fn a_hand_written_context_refuses_what_goes_on_beside_handles() {
    let log = &Log::new();
    let refused = |panic: String| assert!(panic.contains("cannot drive that"), "{panic}");
    let ok = async || Ok::<_, Error>(());
    let wrapper = Wrapper::new(swap(lease(log.clone(), End::Never)));
    refused(panic_of(wrapper.with(async |_| ok().await)));
    let wrapper = Wrapper::new(swap(plain(log.clone())));
    assert_eq!(block_on(wrapper.with(async |_| ok().await)), Ok(()));
    let wrapper = Wrapper::new(swap(exit_stack::<Error>()));
    assert_eq!(block_on(wrapper.with(async |_| ok().await)), Ok(()));
}

/// A use of two contexts, both with a list of its own, in a context of one.
#[async_context]
async fn joined(log: Log, end: Option<End>) -> Result<(), Error> {
    match end {
        Some(end) => {
            async_with!(
                join(_stack = exit_stack::<Error>()?, _lease = lease(log, end)?),
                {
                    yield_resource!();
                }
            );
        }
        None => {
            async_with!(
                join(
                    _stack = exit_stack::<Error>()?,
                    _other = exit_stack::<Error>()?
                ),
                {
                    yield_resource!();
                }
            );
        }
    }
    Ok(())
}

/// A use in a use, the outer one of a lease.
#[async_context]
async fn nested(log: Log) -> Result<(), Error> {
    async_with!(_lease = lease(log, End::Never)?, {
        async_with!(_stack = exit_stack::<Error>()?, {
            yield_resource!();
        });
    });
    Ok(())
}

#[test]
fn one_future_beside_is_enough_to_refuse_the_whole_context() {
    let log = &Log::new();
    let refused = |panic: String| assert!(panic.contains("cannot drive that"), "{panic}");
    let ok = async || Ok::<_, Error>(());
    let wrapper = Wrapper::new(joined(log.clone(), None));
    assert_eq!(block_on(wrapper.with(async |()| ok().await)), Ok(()));
    let wrapper = Wrapper::new(joined(log.clone(), Some(End::Never)));
    refused(panic_of(wrapper.with(async |()| ok().await)));
    let wrapper = Wrapper::new(nested(log.clone()));
    refused(panic_of(wrapper.with(async |()| ok().await)));

    // A guard drives what is the context's own, but not together with what is not.
    #[async_context]
    async fn both(log: Log) -> Result<(), Error> {
        async_with!(_lease = lease(log.clone(), End::Never)?, {
            yield_resource!((), renew(log.clone(), End::Never));
        });
        Ok(())
    }
    let mut guard = block_on(both(log.clone()).enter()).unwrap();
    refused(panic_of(guard.drive(async |()| log.push("driven"))));
    block_on(guard.exit()).unwrap();
    assert!(!log.line().contains("driven"));
}
