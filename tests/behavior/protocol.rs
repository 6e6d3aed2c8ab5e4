//! The poll methods of a context. A call in the wrong order panics with a message, and does nothing worse.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use guard_core::{
    AsyncContext, AsyncManager, BoxContext, Outcome, async_context, manage, manage_scoped,
    yield_resource,
};
use guard_tests::{Log, block_on, panic_message, poll_once, yield_once};

use crate::reports;

#[async_context]
async fn guaranteed(log: Log) -> Result<u32, fmt::Error> {
    log.push("enter");
    yield_once().await;
    let mut number = 1;
    let outcome = yield_resource!(number);
    yield_once().await;
    log.push(format_args!("exit({outcome:?})"));
    Ok(())
}

#[async_context(scoped)]
async fn scoped(log: &Log) -> Result<u32, fmt::Error> {
    log.push("enter");
    yield_once().await;
    let mut number = 1;
    let outcome = yield_resource!(number);
    yield_once().await;
    log.push(format_args!("exit({outcome:?})"));
    Ok(())
}

#[async_context]
async fn never(log: Log) -> Result<u32, fmt::Error> {
    log.push("enter");
    if log.line() == "enter" {
        return Err(fmt::Error);
    }
    yield_resource!(0);
    Ok(())
}

fn enter<C: AsyncContext + ?Sized>(context: Pin<&mut C>) -> Poll<Result<(), C::Error>> {
    context.poll_enter(&mut Context::from_waker(Waker::noop()))
}

fn exit<C: AsyncContext + ?Sized>(
    context: Pin<&mut C>,
    outcome: Outcome,
) -> Poll<Result<(), C::Error>> {
    context.poll_exit(&mut Context::from_waker(Waker::noop()), outcome)
}

fn by_hand<C>(context: C, log: &Log)
where
    C: AsyncContext<Resource = u32, Error = fmt::Error>,
{
    let mut context = Box::pin(context);
    assert!(enter(context.as_mut()).is_pending());
    assert_eq!(enter(context.as_mut()), Poll::Ready(Ok(())));
    *context.as_mut().resource() += 1;
    assert_eq!(*context.as_mut().resource(), 2);
    assert!(exit(context.as_mut(), Outcome::Failed(())).is_pending());
    // Only the outcome of the first poll counts.
    assert_eq!(
        exit(context.as_mut(), Outcome::Completed),
        Poll::Ready(Ok(()))
    );
    assert_eq!(log.line(), "enter exit(Failed(()))");
}

#[test]
fn a_context_is_entered_lends_and_is_exited_by_hand() {
    let log = Log::new();
    by_hand(guaranteed(log.clone()), &log);
    by_hand(scoped(&log), &log);
    let boxed: BoxContext<'static, u32, fmt::Error> = Box::pin(guaranteed(log.clone()));
    by_hand(boxed, &log);
}

fn misused<C>(context: impl Fn(Log) -> C) -> Vec<String>
where
    C: AsyncContext<Resource = u32, Error = fmt::Error>,
{
    reports::collect();
    let log = Log::new();
    let at = |polls: usize| {
        let mut context = Box::pin(context(log.clone()));
        for poll in 0..polls {
            match poll {
                0 | 1 => _ = enter(context.as_mut()),
                _ => _ = exit(context.as_mut(), Outcome::Completed),
            }
        }
        context
    };
    let mut messages = Vec::new();
    for polls in 0..5 {
        let mut misuse = |action: fn(Pin<&mut C>)| {
            let mut context = at(polls);
            let message = panic_message(|| action(context.as_mut()));
            // The context can still be dropped.
            drop(context);
            messages.push(format!("{polls}: {message}"));
        };
        if polls != 0 && polls != 1 {
            misuse(|context| _ = enter(context));
        }
        if polls != 2 {
            misuse(|context| _ = context.resource());
        }
        if polls != 2 && polls != 3 {
            misuse(|context| _ = exit(context, Outcome::Completed));
        }
    }
    reports::take();
    messages
}

#[test]
fn calls_out_of_order_panic_and_say_why() {
    let entered_again = "a context was entered that is already entered";
    let ended_entered = "a context was entered that has ended";
    let no_resource = "the resource of a context that is not entered was asked for";
    let not_entered = "a context was exited that is not entered";
    let ended = "a context was exited that has ended";
    let expected = [
        (0, no_resource),
        (0, not_entered),
        (1, no_resource),
        (1, not_entered),
        (2, entered_again),
        (3, entered_again),
        (3, no_resource),
        (4, ended_entered),
        (4, no_resource),
        (4, ended),
    ]
    .map(|(polls, message)| format!("{polls}: {message}"));
    let leaked: &'static Log = Box::leak(Box::default());
    assert_eq!(misused(|_| scoped(leaked)), expected);
    let mut expected = expected.to_vec();
    // A guaranteed context makes its future when it is first entered, and cannot ask it before.
    expected[0] = "0: a context was used that is not entered".into();
    expected[1] = expected[0].clone();
    assert_eq!(misused(guaranteed), expected);
}

#[test]
fn a_context_that_failed_to_enter_cannot_be_used_again() {
    let log = Log::new();
    let mut context = Box::pin(never(log));
    assert_eq!(enter(context.as_mut()), Poll::Ready(Err(fmt::Error)));
    assert_eq!(
        panic_message(|| enter(context.as_mut())),
        "a context was entered that has ended"
    );
    let message = panic_message(|| exit(context.as_mut(), Outcome::Completed));
    assert_eq!(message, "a context was exited that has ended");
}

#[test]
fn a_context_that_panicked_cannot_be_used_again() {
    #[async_context]
    async fn panicking() -> u32 {
        let mut number = 1;
        yield_resource!(number);
        panic!("in the exit");
    }
    let mut context = Box::pin(panicking());
    assert!(enter(context.as_mut()).is_ready());
    assert_eq!(
        panic_message(|| exit(context.as_mut(), Outcome::Completed)),
        "in the exit"
    );
    let message = panic_message(|| exit(context.as_mut(), Outcome::Completed));
    assert_eq!(message, "a context was exited that has ended");
}

#[test]
fn a_future_that_is_polled_after_its_end_panics() {
    let log = Log::new();
    let ended = "a future was polled after its end";

    let mut with = Box::pin(guaranteed(log.clone()).with(async |_| Ok::<_, fmt::Error>(())));
    while poll_once(with.as_mut()).is_pending() {}
    assert_eq!(panic_message(|| poll_once(with.as_mut())), ended);

    let mut entering = Box::pin(guaranteed(log.clone()).enter());
    let guard = loop {
        if let Poll::Ready(entered) = poll_once(entering.as_mut()) {
            break entered.unwrap();
        }
    };
    assert_eq!(
        panic_message(|| poll_once(entering.as_mut()).is_ready()),
        ended
    );

    let mut exiting = Box::pin(guard.exit());
    while poll_once(exiting.as_mut()).is_pending() {}
    assert_eq!(panic_message(|| poll_once(exiting.as_mut())), ended);
}

#[test]
fn a_body_can_await_joined_futures_before_the_yield() {
    #[async_context]
    async fn polled(log: Log) -> u32 {
        let mut number = 1;
        futures::join!(
            async {
                yield_once().await;
                log.push("beside");
            },
            async {}
        );
        let outcome = yield_resource!(number);
        log.push(format_args!("{outcome:?}"));
    }
    let log = Log::new();
    assert_eq!(block_on(polled(log.clone()).run(async |number| *number)), 1);
    assert_eq!(log.line(), "beside Completed");
}

#[test]
fn a_body_that_is_dropped_while_its_resource_is_lent_runs_its_destructors() {
    // The body is dropped while its resource is lent.
    struct OnDrop(Log);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.push("drop");
        }
    }
    #[async_context(scoped)]
    async fn dropping(log: &Log) -> OnDrop {
        let _before = OnDrop(log.clone());
        let mut lent = OnDrop(log.clone());
        yield_resource!(lent);
        log.push("not reached");
    }
    reports::collect();
    let log = Log::new();
    let mut context = Box::pin(dropping(&log));
    assert!(enter(context.as_mut()).is_ready());
    context.as_mut().resource().0.push("lent");
    drop(context);
    assert_eq!(log.line(), "lent drop drop");
    assert_eq!(reports::take(), ["Abandoned"]);
}

struct Session {
    log: Log,
    lent: u32,
}

impl AsyncManager for Session {
    type Resource = u32;
    type Error = fmt::Error;

    async fn enter(&mut self) -> Result<&mut u32, fmt::Error> {
        yield_once().await;
        self.log.push("enter");
        self.lent = 1;
        Ok(&mut self.lent)
    }

    async fn exit(&mut self, outcome: Outcome) -> Result<(), fmt::Error> {
        yield_once().await;
        self.log.push(format_args!("exit({outcome:?})"));
        Ok(())
    }
}

#[test]
fn a_manager_has_the_same_poll_methods() {
    let log = Log::new();
    let session = || Session {
        log: log.clone(),
        lent: 0,
    };
    by_hand(manage(session()), &log);
    by_hand(manage_scoped(session()), &log);
}

#[test]
fn a_boxed_context_can_be_chosen_at_run_time() {
    let log = Log::new();
    let contexts: Vec<BoxContext<'_, u32, fmt::Error>> = vec![
        Box::pin(guaranteed(log.clone())),
        Box::pin(scoped(&log)),
        Box::pin(manage(Session {
            log: log.clone(),
            lent: 0,
        })),
    ];
    let sum = block_on(async {
        let mut sum = 0;
        for context in contexts {
            sum += context
                .with(async |number| Ok::<_, fmt::Error>(*number))
                .await?;
        }
        Ok::<_, fmt::Error>(sum)
    });
    assert_eq!(sum, Ok(3));
    assert_eq!(log.line(), ["enter exit(Completed)"; 3].join(" "));
}
