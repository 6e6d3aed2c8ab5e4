//! What goes on beside the entries of an exit stack.

use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use guard_core::testing::cancel_at_every_poll;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, TryWithError, async_context, async_with, exit_stack,
    scoped_exit_stack, yield_resource,
};
use guard_tests::{Dropped, Log, block_on, poll_once, poll_times, yield_once};

use crate::support::{
    End, Error, Resource, Touch, Wrapper, catching, counted, lease, leave_a_clean_up, panic_of,
    plain, scoped_lease, told, work,
};

const LOST: &str = "lost drop(renewal) drop(block) lease:Cancelled released drop(resource)";
const PANICKED: &str = "drop(renewal) drop(block) lease:Panicked released drop(resource)";
const EXITED: &str = "drop(renewal) lease:Completed released drop(resource)";

#[test]
fn an_error_beside_an_entry_ends_the_block_and_is_what_the_use_fails_with() {
    let log = &Log::new();
    for end in 0..4 {
        let used = block_on(async {
            async_with!(stack = exit_stack::<Error>()?, {
                let resource = stack.enter(lease(log.clone(), End::Fails(end))).await?;
                work(resource, log).await
            })
        });
        assert_eq!((used, &*log.line()), (Err(Error::Lost), LOST));
    }

    let used = exit_stack::<Error>().with(async |stack| {
        let resource = stack.enter(lease(log.clone(), End::Fails(3))).await?;
        work(resource, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));

    let used = exit_stack::<Error>().with(async |stack| {
        let key = stack.enter_keyed(lease(log.clone(), End::Fails(3))).await?;
        work(stack.get_mut(&key).unwrap(), log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));

    let used = exit_stack::<Error>().all_errors();
    let used = block_on(used.try_with(async |stack| {
        let resource = stack.enter(lease(log.clone(), End::Fails(3))).await?;
        work(resource, log).await
    }));
    match used {
        Err(TryWithError::Beside { error, exit: None }) => assert_eq!(error.first(), &Error::Lost),
        other => panic!("{other:?}"),
    }
    assert_eq!(log.line(), LOST);
}

#[test]
fn an_error_beside_an_entry_of_a_scoped_stack_ends_the_block() {
    let log = &Log::new();
    let used = scoped_exit_stack::<Error>().with(async |stack| {
        let resource = stack.enter(scoped_lease(log, End::Fails(3))).await?;
        work(resource, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));

    let used = block_on(async {
        async_with!(stack = scoped_exit_stack::<Error>()?, {
            stack.enter(plain(log.clone())).await?;
            let resource = stack.enter(scoped_lease(log, End::Panics(9))).await?;
            resource.touch();
            yield_once().await;
        });
        Ok::<_, Error>(())
    });
    assert_eq!(used, Ok(()));
    let line = format!("{EXITED} plain:Completed closed drop(resource)");
    assert_eq!(log.line(), line);
}

#[test]
fn a_block_that_ends_first_ends_what_is_beside_the_entries() {
    let log = &Log::new();
    for end in [End::Never, End::Fine(1), End::Fails(2), End::Panics(2)] {
        let used = block_on(async {
            let value = async_with!(stack = exit_stack::<Error>()?, {
                let resource = stack.enter(lease(log.clone(), end)).await?;
                resource.touch();
                yield_once().await;
                yield_once().await;
                7
            });
            Ok::<_, Error>(value)
        });
        assert_eq!((used, &*log.line()), (Ok(7), EXITED), "{end:?}");
    }
}

#[test]
fn a_panic_beside_an_entry_ends_the_block_and_goes_on_after_the_exits() {
    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |stack| {
        let resource = stack.enter(lease(log.clone(), End::Panics(2))).await?;
        work(resource, log).await
    });
    assert_eq!(panic_of(used), "beside");
    assert_eq!(log.line(), PANICKED);
}

/// Each of them is driven. What is beside the others is dropped when the exit begins, the last first.
#[test]
fn the_entries_around_one_that_is_lost_are_told_that_the_use_was_cut_short() {
    let log = &Log::new();
    for lost in 0..3 {
        let used = exit_stack::<Error>().with(async |stack| {
            for entry in 0..3 {
                let end = if entry == lost {
                    End::Fails(5)
                } else {
                    End::Never
                };
                stack.enter(lease(log.clone(), end)).await?;
            }
            let resource = stack.enter(plain(log.clone())).await?;
            work(resource, log).await
        });
        assert_eq!(block_on(used), Err(Error::Lost));
        let exited = " lease:Cancelled released drop(resource)";
        let line = format!(
            "lost drop(renewal) drop(block) drop(renewal) drop(renewal) plain:Cancelled closed drop(resource){}",
            exited.repeat(3)
        );
        assert_eq!(log.line(), line, "{lost}");
    }
}

#[test]
fn an_error_beside_an_entry_comes_before_those_of_the_exits() {
    let log = &Log::new();
    let reports = guard_core::testing::reports();
    let used = exit_stack::<Error>().with(async |stack| {
        stack.push_exit(async |_| Err(Error::Exit));
        let resource = stack.enter(lease(log.clone(), End::Fails(2))).await?;
        stack.push_exit(async |_| Err(Error::Exit));
        work(resource, log).await
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    assert_eq!(log.line(), LOST);
    assert_eq!(reports.take().len(), 2);
}

#[test]
fn an_entry_that_is_released_early_is_not_driven_any_more() {
    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |stack| {
        let first = stack.enter_keyed(lease(log.clone(), End::Fails(5))).await?;
        let second = stack.enter_keyed(lease(log.clone(), End::Never)).await?;
        yield_once().await;
        assert!(stack.release(first).await?);
        assert_eq!(log.line(), EXITED);
        for _ in 0..9 {
            stack.get_mut(&second).unwrap().touch();
            yield_once().await;
        }
        assert_eq!(log.line(), "");
        stack.enter(lease(log.clone(), End::Fails(2))).await?;
        work(stack.get_mut(&second).unwrap(), log).await
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let exited = " lease:Cancelled released drop(resource)";
    let line = format!(
        "lost drop(renewal) drop(block) drop(renewal){}",
        exited.repeat(2)
    );
    assert_eq!(log.line(), line);
}

#[test]
fn a_stack_that_is_closed_in_its_block_drives_what_is_entered_after_that() {
    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |stack| {
        stack.enter(lease(log.clone(), End::Fails(9))).await?;
        yield_once().await;
        stack.close(Outcome::Completed).await.unwrap();
        assert_eq!(log.line(), EXITED);
        let resource = stack.enter(lease(log.clone(), End::Fails(2))).await?;
        work(resource, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));
}

#[test]
fn after_pop_all_nobody_drives_the_entries() {
    let log = &Log::new();
    let mut kept = None;
    let used = exit_stack::<Error>().with(async |stack| {
        let key = stack.enter_keyed(lease(log.clone(), End::Fails(3))).await?;
        yield_once().await;
        let popped = kept.insert(stack.pop_all());
        for _ in 0..9 {
            popped.get_mut(&key).unwrap().touch();
            yield_once().await;
        }
        // The stack itself goes on, and drives what comes then.
        let resource = stack.enter(lease(log.clone(), End::Fails(2))).await?;
        work(resource, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), LOST));
    let mut popped = kept.unwrap();
    block_on(popped.close(Outcome::Completed)).unwrap();
    assert_eq!(log.line(), EXITED);

    let used = exit_stack::<Error>().with(async |stack| {
        stack.enter(lease(log.clone(), End::Fails(3))).await?;
        yield_once().await;
        Ok::<_, Error>(stack.pop_all())
    });
    drop(block_on(used).unwrap());
    assert!(log.line().starts_with("drop(renewal) lease:Cancelled"));
}

/// The block may put another stack in the place of its own.
#[test]
fn a_stack_that_was_swapped_away_takes_its_entries_along() {
    let log = &Log::new();
    // The owned one closes what was entered in the use. Until the exit of the use begins, that drives it.
    let mut owned = AsyncExitStack::<Error>::new();
    owned.defer(async || Ok(()));
    let used = exit_stack::<Error>().with(async |stack| {
        stack.enter(lease(log.clone(), End::Fine(3))).await?;
        mem::swap(stack, &mut owned);
        for _ in 0..4 {
            yield_once().await;
        }
        assert_eq!(log.line(), "drop(renewal)");
        mem::swap(stack, &mut owned);
        let key = stack.enter_keyed(lease(log.clone(), End::Never)).await?;
        mem::swap(stack, &mut owned);
        owned.get_mut(&key).unwrap().touch();
        yield_once().await;
        Ok::<_, Error>(key)
    });
    let key = block_on(used).unwrap();
    // The exit of the use has begun, so what was beside it is over.
    assert_eq!(log.line(), "drop(renewal)");
    owned.get_mut(&key).unwrap().touch();
    block_on(owned.close(Outcome::Completed)).unwrap();
    let line = "lease:Completed released drop(resource) lease:Completed released drop(resource)";
    assert_eq!(log.line(), line);
}

#[test]
fn stacks_that_were_swapped_with_each_other_exit_what_they_have_then() {
    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |outer| {
        outer.enter(lease(log.clone(), End::Never)).await?;
        let inner = exit_stack::<Error>().with(async |inner| {
            inner.enter(lease(log.clone(), End::Never)).await?;
            yield_once().await;
            mem::swap(outer, inner);
            yield_once().await;
            log.push("swapped");
            Ok::<_, Error>(())
        });
        inner.await?;
        log.push("inner");
        yield_once().await;
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Ok(()));
    let exited = "lease:Completed released drop(resource)";
    // The exit of the inner use drops what it drove, which is beside an entry of the outer one now.
    let line = format!("swapped drop(renewal) drop(renewal) {exited} inner {exited}");
    assert_eq!(log.line(), line);
}

/// The stack of the outer use has the entry, and the resource is in use there, when the inner use ends.
#[test]
fn an_error_beside_an_entry_that_was_swapped_away_leaves_no_value() {
    let log = &Log::new();
    let mut owned = AsyncExitStack::<Error>::new();
    let mut lent = None;
    let used = exit_stack::<Error>().with(async |stack| {
        let key = stack.enter_keyed(lease(log.clone(), End::Fails(3))).await?;
        mem::swap(stack, &mut owned);
        let resource = lent.insert(owned.get_mut(&key).unwrap());
        loop {
            resource.touch();
            yield_once().await;
            if false {
                return Ok::<_, Error>(());
            }
        }
    });
    let panic = panic_of(used);
    assert!(panic.contains("there is no value to go on with"), "{panic}");
    lent.unwrap().touch();
    assert_eq!(log.line(), "lost drop(renewal)");
    let reports = guard_core::testing::reports();
    block_on(owned.close(Outcome::Completed)).unwrap();
    assert_eq!(reports.take().len(), 1, "the error has no caller");
    assert_eq!(log.line(), "lease:Completed released drop(resource)");
}

#[test]
fn a_stack_that_is_dropped_in_the_block_is_not_driven_any_more() {
    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |stack| {
        stack.enter(lease(log.clone(), End::Fails(3))).await?;
        yield_once().await;
        drop(mem::take(stack));
        for _ in 0..9 {
            yield_once().await;
        }
        Ok::<_, Error>(())
    });
    assert_eq!(block_on(used), Ok(()));
    assert!(log.line().starts_with("drop(renewal) lease:Cancelled"));
}

/// A lease whose renewal waits in its poll until it is told to go on.
#[async_context]
async fn slow_poll(
    log: Log,
    polled: mpsc::Sender<()>,
    goes_on: Arc<Mutex<mpsc::Receiver<()>>>,
) -> Result<Resource, Error> {
    let mut resource = Resource::new(&log);
    let outcome = yield_resource!(resource, async {
        let _dropped = Dropped(log.clone(), "renewal");
        polled.send(()).unwrap();
        goes_on.lock().unwrap().recv().unwrap();
        log.push("renewed");
        std::future::pending().await
    });
    told(&log, "lease", outcome);
    log.push("released");
    Ok(())
}

/// Another thread has the stack while the driver is in a poll of what is beside an entry.
#[test]
fn another_thread_drops_or_closes_a_stack_whose_entry_is_being_polled() {
    for closes in [false, true] {
        let log = &Log::new();
        let (polled, is_polled) = mpsc::channel();
        let (go_on, goes_on) = mpsc::channel();
        let goes_on = Arc::new(Mutex::new(goes_on));
        let (send, receive) = mpsc::channel::<AsyncExitStack<Error>>();
        let thread_log = log.clone();
        let thread = std::thread::spawn(move || {
            let mut stack = receive.recv().unwrap();
            is_polled.recv().unwrap();
            if closes {
                {
                    let mut closing = pin!(stack.close(Outcome::Completed));
                    // The driver has the context.
                    assert!(poll_once(closing.as_mut()).is_pending());
                    thread_log.push("waits");
                    go_on.send(()).unwrap();
                    block_on(closing).unwrap();
                }
                drop(stack);
            } else {
                drop(stack);
                thread_log.push("dropped");
                go_on.send(()).unwrap();
            }
        });
        let used = exit_stack::<Error>().with(async |stack| {
            stack
                .enter(slow_poll(log.clone(), polled.clone(), goes_on.clone()))
                .await?;
            send.send(mem::take(stack)).unwrap();
            yield_once().await;
            Ok::<_, Error>(())
        });
        assert_eq!(block_on(used), Ok(()));
        thread.join().unwrap();
        let line = log.line();
        let expected = if closes {
            "waits renewed drop(renewal) lease:Completed released drop(resource)"
        } else {
            "dropped renewed drop(renewal) lease:Cancelled released drop(resource)"
        };
        assert_eq!(line, expected);
    }
}

/// The future beside an entry owns the stack, and drops or exits the entry while it is polled itself.
#[test]
fn what_is_beside_an_entry_may_drop_its_own_stack() {
    type Place = Arc<Mutex<Option<AsyncExitStack<Error>>>>;

    #[async_context]
    async fn drops_its_stack(log: Log, place: Place, closes: bool) -> Result<Resource, Error> {
        let mut resource = Resource::new(&log);
        let local = Resource::new(&log);
        let outcome = yield_resource!(resource, async {
            let _dropped = Dropped(log.clone(), "renewal");
            yield_once().await;
            let stack = place.lock().unwrap().take();
            if let Some(mut stack) = stack {
                if closes {
                    let mut closing = pin!(stack.close(Outcome::Completed));
                    assert!(poll_once(closing.as_mut()).is_pending());
                }
                drop(stack);
            }
            log.push("dropped");
            yield_once().await;
            log.push(local.bytes.len());
            Ok(())
        });
        told(&log, "lease", outcome);
        log.push("released");
        Ok(())
    }

    for closes in [false, true] {
        let log = &Log::new();
        let place = Place::default();
        let used = exit_stack::<Error>().with(async |stack| {
            let entered = drops_its_stack(log.clone(), place.clone(), closes);
            stack.enter(entered).await?;
            *place.lock().unwrap() = Some(mem::take(stack));
            for _ in 0..5 {
                yield_once().await;
            }
            Ok::<_, Error>(())
        });
        assert_eq!(block_on(used), Ok(()));
        let line = "dropped drop(renewal) lease:Cancelled released drop(resource) drop(resource)";
        assert_eq!(log.line(), line);
    }
}

#[test]
fn what_is_beside_the_entries_of_a_stack_on_a_stack_is_driven() {
    let log = &Log::new();
    let used = exit_stack::<Error>().with(async |outer| {
        let inner = outer.enter(exit_stack::<Error>()).await?;
        outer.enter(plain(log.clone())).await?;
        let resource = inner.enter(lease(log.clone(), End::Fails(3))).await?;
        work(resource, log).await
    });
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = "lost drop(renewal) drop(block) plain:Cancelled closed drop(resource) lease:Cancelled released \
                drop(resource)";
    assert_eq!(log.line(), line);

    let used = exit_stack::<Error>().with(async |outer| {
        let inner = outer.enter(exit_stack::<Error>()).await?;
        inner.enter(lease(log.clone(), End::Never)).await?;
        yield_once().await;
        Ok::<_, Error>(())
    });
    assert_eq!((block_on(used), &*log.line()), (Ok(()), EXITED));
}

/// A context that has a stack with leases in its body.
#[async_context]
async fn pool(log: Log, ends: Vec<End>) -> Result<Resource, Error> {
    async_with!(stack = exit_stack::<Error>()?, {
        stack.enter(exit_stack::<Error>()).await?;
        for end in ends {
            stack.enter(lease(log.clone(), end)).await?;
        }
        let mut resource = Resource::new(&log);
        let outcome = yield_resource!(resource);
        told(&log, "pool", outcome);
    });
    Ok(())
}

#[test]
fn a_stack_in_the_body_of_a_context_is_driven_by_whoever_uses_that() {
    let log = &Log::new();
    let used =
        pool(log.clone(), vec![End::Fails(4)]).with(async |resource| work(resource, log).await);
    assert_eq!(block_on(used), Err(Error::Lost));
    let line = "lost drop(renewal) drop(block) pool:Cancelled drop(resource) lease:Cancelled released drop(resource)";
    assert_eq!(log.line(), line);

    let used = exit_stack::<Error>().with(async |stack| {
        let resource = stack.enter(pool(log.clone(), vec![End::Fails(4)])).await?;
        work(resource, log).await
    });
    assert_eq!((block_on(used), &*log.line()), (Err(Error::Lost), line));
}

/// The context has a stack in its body, and nothing goes on beside the entries.
#[test]
fn a_stack_without_such_entries_is_used_wherever_contexts_are() {
    let log = &Log::new();
    let exited = "pool:Completed drop(resource)";
    let wrapper = Wrapper::new(pool(log.clone(), Vec::new()));
    let used = wrapper.with(async |resource| {
        resource.touch();
        Ok::<_, Error>(())
    });
    assert_eq!((block_on(used), &*log.line()), (Ok(()), exited));

    let mut guard = block_on(pool(log.clone(), Vec::new()).enter()).unwrap();
    block_on(guard.drive(async |resource| resource.touch())).unwrap();
    block_on(guard.exit()).unwrap();
    assert_eq!(log.line(), exited);

    let mut stack = AsyncExitStack::<Error>::new();
    block_on(stack.enter(pool(log.clone(), Vec::new()))).unwrap();
    let inner = block_on(stack.enter(exit_stack::<Error>())).unwrap();
    inner.defer(async || Ok(()));
    block_on(stack.close(Outcome::Completed)).unwrap();
    assert_eq!(log.line(), exited);

    // A hand-written wrapper, and the guard of a context made of contexts, refuse what is beside an inner context.
    let wrapper = Wrapper::new(pool(log.clone(), vec![End::Never]));
    let panic = panic_of(wrapper.with(async |_| Ok::<_, Error>(())));
    assert!(panic.contains("cannot drive that"), "{panic}");
    let mut guard = block_on(pool(log.clone(), vec![End::Never]).enter()).unwrap();
    let panic = panic_of(guard.drive(async |resource| resource.touch()));
    assert!(panic.contains("A guard cannot drive that"), "{panic}");
}

#[test]
fn a_guard_of_a_stack_goes_on_with_the_entries_while_it_drives() {
    let log = &Log::new();
    let mut guard = block_on(exit_stack::<Error>().enter()).unwrap();
    // Entered while it does not drive, and driven later.
    let key = block_on(guard.enter_keyed(lease(log.clone(), End::Fails(3)))).unwrap();
    for _ in 0..9 {
        block_on(yield_once());
    }
    block_on(guard.drive(async |stack| {
        stack.get_mut(&key).unwrap().touch();
        yield_once().await;
    }))
    .unwrap();
    let lost = guard.drive(async |stack| work(stack.get_mut(&key).unwrap(), log).await);
    assert_eq!(block_on(lost), Err(Error::Lost));
    assert_eq!(log.line(), "lost drop(renewal) drop(block)");
    // It is still there, and can be used and driven again.
    guard.get_mut(&key).unwrap().touch();
    let second = guard.drive(async |stack| {
        let resource = stack
            .enter(lease(log.clone(), End::Fails(2)))
            .await
            .unwrap();
        work(resource, log).await
    });
    assert_eq!(block_on(second), Err(Error::Lost));
    assert_eq!(log.line(), "lost drop(renewal) drop(block)");
    block_on(guard.exit()).unwrap();
    let exited = "lease:Completed released drop(resource)";
    assert_eq!(log.line(), format!("{exited} {exited}"));
}

#[test]
fn an_entry_that_nobody_would_drive_is_refused_when_it_is_entered() {
    let log = &Log::new();
    let refuses = |panic: String| {
        assert!(
            panic.contains("lease")
                && panic.contains("the use of an exit stack drives, and nobody else"),
            "{panic}"
        );
        assert!(log.line().contains("drop(resource)"));
    };
    let owned = AsyncExitStack::<Error>::new();
    refuses(panic_of(owned.enter(lease(log.clone(), End::Never))));
    refuses(panic_of(owned.enter_keyed(lease(log.clone(), End::Never))));
    // Not where the errors of the stack are only reported, for one of these ends the block.
    let without_error = async {
        async_with!(stack = exit_stack::<Error>(), {
            let _ = stack.enter(lease(log.clone(), End::Never)).await;
        });
    };
    refuses(panic_of(without_error));
    let popped = exit_stack::<Error>().with(async |stack| {
        let popped = stack.pop_all();
        popped.enter(lease(log.clone(), End::Never)).await?;
        Ok::<_, Error>(())
    });
    refuses(panic_of(popped));
    let swapped = exit_stack::<Error>().with(async |stack| {
        let away = mem::take(stack);
        away.enter(lease(log.clone(), End::Never)).await?;
        Ok::<_, Error>(())
    });
    refuses(panic_of(swapped));
    // The use that it was of is over.
    let away = exit_stack::<Error>().with(async |stack| Ok::<_, Error>(mem::take(stack)));
    let away = block_on(away).unwrap();
    refuses(panic_of(away.enter(lease(log.clone(), End::Never))));
    // A stack on a stack that nobody drives.
    let inner = block_on(owned.enter(exit_stack::<Error>())).unwrap();
    refuses(panic_of(inner.enter(lease(log.clone(), End::Never))));
}

#[test]
fn an_entry_that_catches_is_told_its_own_error() {
    let log = &Log::new();
    for swallows in [true, false] {
        let used = exit_stack::<Error>().catching().catch(async |stack| {
            let entry = catching(log.clone(), End::Fails(2), swallows);
            let resource = stack.enter_catch(entry).await?;
            work(resource, log).await
        });
        let expected = if swallows { Ok(None) } else { Err(Error::Lost) };
        assert_eq!(block_on(used), expected);
        let line = "lost drop(renewal) drop(block) catching:Failed(Lost) drop(resource)";
        assert_eq!(log.line(), line);
    }
}

/// An error while the use waits for what was dropped in its block is reported, in the name of the entry.
#[tokio::test]
async fn what_is_beside_an_entry_goes_on_while_the_use_waits() {
    let log = &Log::new();
    let reports = guard_core::testing::reports();
    for all_errors in [false, true] {
        let body = async |stack: &mut AsyncExitStack<Error>| {
            stack.enter(lease(log.clone(), End::Fails(3))).await?;
            leave_a_clean_up(log, 9).await;
            Ok::<_, Error>(7)
        };
        if all_errors {
            let used = exit_stack::<Error>().all_errors().try_with(body).await;
            assert_eq!(used.ok(), Some(7));
        } else {
            assert_eq!(exit_stack::<Error>().with(body).await, Ok(7));
        }
        let line = "lost drop(renewal) slow lease:Completed released drop(resource)";
        assert_eq!(log.line(), line);
        let reported = reports.take();
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(reported[0].to_string().contains("lease"), "{reported:?}");
    }
}

/// The exit panics, so nobody hears of the error beside an entry.
#[test]
fn an_error_beside_an_entry_that_has_no_caller_is_reported_in_the_name_of_the_entry() {
    #[async_context]
    async fn panics() -> Result<(), Error> {
        yield_resource!();
        panic!("in the exit");
    }

    let log = &Log::new();
    let reports = guard_core::testing::reports();
    let is_reported_for_the_lease = || {
        let reported = reports.take();
        assert_eq!(reported.len(), 1, "{reported:?}");
        let report = reported[0].to_string();
        assert!(report.contains("lease"), "{report}");
    };
    let body = async |stack: &mut AsyncExitStack<Error>| {
        stack.enter(panics()).await?;
        stack.enter(lease(log.clone(), End::Fails(1))).await?;
        std::future::pending::<Result<(), Error>>().await
    };
    assert_eq!(panic_of(exit_stack::<Error>().with(body)), "in the exit");
    is_reported_for_the_lease();
    let used = exit_stack::<Error>().all_errors().try_with(body);
    assert_eq!(panic_of(used), "in the exit");
    is_reported_for_the_lease();
    let used = scoped_exit_stack::<Error>().with(async |stack| {
        stack.enter(panics()).await?;
        stack.enter(lease(log.clone(), End::Fails(1))).await?;
        std::future::pending::<Result<(), Error>>().await
    });
    assert_eq!(panic_of(used), "in the exit");
    is_reported_for_the_lease();
}

#[tokio::test]
async fn each_entry_is_exited_when_the_use_is_cancelled_after_any_poll() {
    for end in [End::Never, End::Fine(1), End::Fails(2)] {
        let held = &Arc::new(AtomicUsize::new(0));
        let used = || {
            exit_stack::<Error>().with(async move |stack| {
                let log = Log::new();
                let first = stack.enter_keyed(counted(held.clone(), end)).await?;
                let inner = stack.enter_keyed(exit_stack::<Error>()).await?;
                let inner = stack.get_mut(&inner).unwrap();
                let resource = inner.enter(counted(held.clone(), End::Never)).await?;
                let touch = Touch(resource, &log);
                for _ in 0..3 {
                    touch.0.touch();
                    yield_once().await;
                }
                drop(touch);
                stack.release(first).await?;
                let mut popped = stack.pop_all();
                yield_once().await;
                let closed = popped.close(Outcome::Completed).await;
                closed.map_err(|errors| errors.first().clone())
            })
        };
        let check = async |_| assert_eq!(held.load(Ordering::Relaxed), 0, "{end:?}");
        let ended = cancel_at_every_poll(used, check).await;
        let is_lost = matches!(end, End::Fails(_));
        assert_eq!(ended, if is_lost { Err(Error::Lost) } else { Ok(()) });
    }
}

/// The block is gone before an entry that it borrows from, whenever the use is dropped.
#[test]
fn a_use_that_is_dropped_after_any_poll_drops_the_block_before_the_entries() {
    for end in [End::Never, End::Fine(2), End::Fails(2), End::Panics(2)] {
        for polls in 0..12 {
            let log = &Log::new();
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let using = scoped_exit_stack::<Error>().with(async |stack| {
                    let resource = stack.enter(scoped_lease(log, end)).await?;
                    work(resource, log).await
                });
                let _ = poll_times(pin!(using), polls);
            }));
            let line = log.line();
            let block = line.find("drop(block)");
            assert!(
                block <= line.find("drop(resource)"),
                "{end:?} {polls}: {line}"
            );

            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let using = async {
                    async_with!(stack = exit_stack::<Error>()?, {
                        let resource = stack.enter(lease(log.clone(), end)).await?;
                        work(resource, log).await?
                    });
                    Ok::<_, Error>(())
                };
                let _ = poll_times(pin!(using), polls);
            }));
            let line = log.line();
            let block = line.find("drop(block)");
            assert!(block <= line.find("lease:"), "{end:?} {polls}: {line}");
        }
    }
}
