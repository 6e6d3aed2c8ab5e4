//! A context drops its arguments and locals in the order in which an `async fn` drops them, wherever it is
//! dropped.
//!
//! Each case is written once and compiled twice, as an `async fn` and as a context. Only the way to suspend
//! differs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use guard_core::{AsyncContext, Outcome, async_context, yield_resource};
use guard_tests::{Dropped, Log, poll_once, yield_once};

use crate::reports;

/// Polls the function until its next suspension; ready when it has ended.
trait Driven {
    fn poll_next(&mut self) -> Poll<()>;
}

struct Plain<F>(Pin<Box<F>>);

fn plain<F: Future>(future: F) -> Plain<F> {
    Plain(Box::pin(future))
}

impl<F: Future> Driven for Plain<F> {
    fn poll_next(&mut self) -> Poll<()> {
        poll_once(self.0.as_mut()).map(drop)
    }
}

struct InContext<C> {
    context: Pin<Box<C>>,
    entered: bool,
}

fn context<C: AsyncContext>(context: C) -> InContext<C> {
    InContext {
        context: Box::pin(context),
        entered: false,
    }
}

impl<C: AsyncContext> Driven for InContext<C> {
    fn poll_next(&mut self) -> Poll<()> {
        let mut cx = Context::from_waker(Waker::noop());
        let context = self.context.as_mut();
        if self.entered {
            return context.poll_exit(&mut cx, Outcome::Completed).map(drop);
        }
        match context.poll_enter(&mut cx) {
            Poll::Ready(Ok(())) => {
                self.entered = true;
                Poll::Pending
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The log of a run that is dropped after `polls` polls, or when it has ended.
fn events(mut driven: impl Driven, log: &Log, polls: usize) -> (String, bool) {
    log.take();
    let mut ended = false;
    for _ in 0..polls {
        if driven.poll_next().is_ready() {
            ended = true;
            break;
        }
    }
    log.push("|");
    drop(driven);
    (log.line(), ended)
}

fn same<P: Driven, C: Driven>(
    plain: impl Fn(&Log) -> P,
    context: impl Fn(&Log) -> C,
    never_polled: &str,
) {
    reports::collect();
    let log = Log::new();
    for polls in 0.. {
        let (expected, ended) = events(plain(&log), &log, polls);
        let (found, _) = events(context(&log), &log, polls);
        assert_eq!(found, expected, "dropped after {polls} polls");
        if polls == 0 {
            // The two are the same, and this is what both should be.
            assert_eq!(found, never_polled);
        }
        if ended {
            assert!(polls >= 2, "the case should be suspended at least once");
            break;
        }
    }
    reports::take();
}

macro_rules! case {
    (
        $name:ident, never polled: $never:literal,
        ($($arg:tt)*), ($log:ident: $($value:expr),*),
        { $($before:tt)* } yield { $($after:tt)* }
    ) => {
        #[test]
        fn $name() {
            async fn future($($arg)*) -> Result<(), ()> { $($before)* yield_once().await; $($after)* }
            #[async_context(scoped)]
            async fn scoped($($arg)*) -> Result<(), ()> { $($before)* yield_resource!(); $($after)* }
            same(
                |$log| plain(future($($value),*)),
                |$log| context(scoped($($value),*)),
                $never,
            );
        }
    };
}

fn d(log: &Log, name: &'static str) -> Dropped {
    Dropped(log.clone(), name)
}

struct Named(Dropped);

impl Named {
    fn name(&self) -> &'static str {
        (self.0).1
    }

    fn fail(&self) -> Result<(), ()> {
        Err(())
    }
}

case! {
    arguments_that_are_used, never polled: "| drop(a) drop(b) drop(c)",
    (a: Dropped, b: Dropped, c: Dropped),
    (log: d(log, "a"), d(log, "b"), d(log, "c")),
    { let _ = (&c, &a, &b); } yield { Ok(()) }
}

case! {
    arguments_that_are_not_used, never polled: "| drop(a) drop(b)",
    (_a: Dropped, _b: Dropped),
    (log: d(log, "a"), d(log, "b")),
    {} yield { Ok(()) }
}

case! {
    arguments_that_are_ignored, never polled: "| drop(a) drop(b) drop(c)",
    (_: Dropped, _b: Dropped, _: Dropped),
    (log: d(log, "a"), d(log, "b"), d(log, "c")),
    { yield_once().await; } yield { Ok(()) }
}

case! {
    arguments_that_are_patterns, never polled: "| drop(a) drop(b) drop(c) drop(d)",
    ((a, _): (Dropped, Dropped), [c, ref _d]: [Dropped; 2]),
    (log: (d(log, "a"), d(log, "b")), [d(log, "c"), d(log, "d")]),
    { let _ = (&c, &a); yield_once().await; } yield { Ok(()) }
}

case! {
    arguments_that_are_mutable_or_moved, never polled: "| drop(a) drop(b) drop(c)",
    (mut a: Dropped, b: Dropped, mut c: Dropped),
    (log: d(log, "a"), d(log, "b"), d(log, "c")),
    { a.1 = "a2"; c.1 = "c2"; drop(b); let _ = &c; } yield { let _moved = a; Ok(()) }
}

case! {
    arguments_and_locals, never polled: "| drop(a) drop(b)",
    (a: Dropped, b: Dropped),
    (log: d(log, "a"), d(log, "b")),
    { let _x = d(&a.0, "x"); yield_once().await; let _y = d(&b.0, "y"); }
    yield { let _z = d(&b.0, "z"); yield_once().await; Ok(()) }
}

case! {
    shadowed_arguments, never polled: "| drop(a)",
    (a: Dropped),
    (log: d(log, "a")),
    { let a = d(&a.0, "a2"); let a = d(&a.0, "a3"); } yield { let _ = a; Ok(()) }
}

case! {
    temporaries_at_the_end_of_the_body, never polled: "| drop(a)",
    (a: Dropped),
    (log: d(log, "a")),
    { let _local = d(&a.0, "local"); }
    yield { Named(d(&a.0, "temporary")).fail().or_else(|()| Named(d(&a.0, "inner")).fail()) }
}

case! {
    temporaries_across_the_yield, never polled: "| drop(a)",
    (a: Dropped),
    (log: d(log, "a")),
    { let name = Named(d(&a.0, "temporary")).name(); a.0.push(name); }
    yield { match Named(d(&a.0, "scrutinee")).name() { "" => {} name => { yield_once().await; a.0.push(name) } } Ok(()) }
}

case! {
    early_returns, never polled: "| drop(a) drop(b)",
    (a: Dropped, b: Dropped),
    (log: d(log, "a"), d(log, "b")),
    { let _x = d(&a.0, "x"); }
    yield { let _y = d(&b.0, "y"); if b.1 == "b" { return Ok(()); } a.0.push("not reached"); Ok(()) }
}

case! {
    question_marks, never polled: "| drop(a) drop(b)",
    (a: Dropped, b: Dropped),
    (log: d(log, "a"), d(log, "b")),
    { let _x = d(&a.0, "x"); }
    yield { let _y = d(&b.0, "y"); Named(d(&b.0, "temporary")).fail()?; a.0.push("not reached"); Ok(()) }
}

#[test]
fn receivers_are_dropped_last() {
    struct Receiver(Dropped);
    impl Receiver {
        async fn future(self, _b: Dropped) {
            let _local = d(&(self.0).0, "local");
            yield_once().await;
        }
        #[async_context(scoped)]
        async fn scoped(self, _b: Dropped) {
            let _local = d(&(self.0).0, "local");
            yield_resource!();
        }
        async fn future_unused(self, _b: Dropped) {
            yield_once().await;
        }
        #[async_context(scoped)]
        async fn scoped_unused(self, _b: Dropped) {
            yield_resource!();
        }
    }
    same(
        |log| plain(Receiver(d(log, "self")).future(d(log, "b"))),
        |log| context(Receiver(d(log, "self")).scoped(d(log, "b"))),
        "| drop(self) drop(b)",
    );
    same(
        |log| plain(Receiver(d(log, "self")).future_unused(d(log, "b"))),
        |log| context(Receiver(d(log, "self")).scoped_unused(d(log, "b"))),
        "| drop(self) drop(b)",
    );
}

#[test]
fn guaranteed_contexts_drop_in_the_same_order_when_never_polled_or_completed() {
    async fn future(a: Dropped, _: Dropped, (b, _): (Dropped, Dropped)) {
        let _local = d(&a.0, "local");
        yield_once().await;
        Named(d(&b.0, "temporary")).name();
    }
    #[async_context]
    async fn scoped(a: Dropped, _: Dropped, (b, _): (Dropped, Dropped)) {
        let _local = d(&a.0, "local");
        yield_resource!();
        Named(d(&b.0, "temporary")).name();
    }
    let log = Log::new();
    let arguments = || {
        (
            d(&log, "a"),
            d(&log, "ignored"),
            (d(&log, "b"), d(&log, "c")),
        )
    };
    for polls in [0, 10] {
        let (a, b, c) = arguments();
        let expected = events(plain(future(a, b, c)), &log, polls);
        let (a, b, c) = arguments();
        let context = context(scoped(a, b, c));
        assert_eq!(events(context, &log, polls), expected);
    }
}

#[test]
fn a_panic_drops_in_the_same_order() {
    async fn future(a: Dropped, _b: Dropped) {
        let _local = d(&a.0, "local");
        yield_once().await;
        panic!("expected");
    }
    #[async_context(scoped)]
    async fn scoped(a: Dropped, _b: Dropped) {
        let _local = d(&a.0, "local");
        yield_resource!();
        panic!("expected");
    }
    fn events(mut driven: impl Driven, log: &Log) -> String {
        assert!(driven.poll_next().is_pending());
        let poll = std::panic::AssertUnwindSafe(|| driven.poll_next());
        assert!(std::panic::catch_unwind(poll).is_err());
        log.push("|");
        drop(driven);
        log.line()
    }
    let log = Log::new();
    let expected = events(plain(future(d(&log, "a"), d(&log, "b"))), &log);
    assert_eq!(expected, "drop(local) drop(b) drop(a) |");
    let context = context(scoped(d(&log, "a"), d(&log, "b")));
    assert_eq!(events(context, &log), expected);
}

/// Tail temporaries are dropped before the locals since edition 2024, and after them in edition 2021. The
/// expansion keeps the edition of the code in which the block was written.
#[test]
fn the_edition_of_the_function_decides_when_tail_temporaries_are_dropped() {
    #[async_context(scoped)]
    async fn scoped(log: Log) -> Result<(), ()> {
        let _local = d(&log, "local");
        yield_resource!();
        Named(d(&log, "temporary")).fail()
    }
    let log = Log::new();
    let context = context(scoped(log.clone()));
    let expected = if crate::EDITION_2021 {
        "drop(local) drop(temporary) |"
    } else {
        "drop(temporary) drop(local) |"
    };
    assert_eq!(events(context, &log, 10).0, expected);
}
