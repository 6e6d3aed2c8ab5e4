//! Arguments and locals are dropped as those of a plain `async fn` are, wherever it is dropped.
//!
//! Each case is written once and compiled twice, as an `async fn` and as a context; the only difference
//! is how it is suspended.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use guard_core::{AsyncContext, Outcome, async_context, yield_resource};
use guard_tests::{Dropped, Log, poll_once, yield_once};

use crate::reports;

/// What both can be driven by: polls, of which the last one says so.
trait Driven {
    fn poll_next(self: Pin<&mut Self>) -> Poll<()>;
}

struct Plain<F>(F);

impl<F: Future> Driven for Plain<F> {
    fn poll_next(self: Pin<&mut Self>) -> Poll<()> {
        // SAFETY: a projection to the only field, which is pinned with the whole.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        poll_once(future).map(drop)
    }
}

struct InContext<C> {
    context: C,
    entered: bool,
}

impl<C: AsyncContext> Driven for InContext<C> {
    fn poll_next(self: Pin<&mut Self>) -> Poll<()> {
        // SAFETY: `context` is pinned with the whole, `entered` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let context = unsafe { Pin::new_unchecked(&mut this.context) };
        let mut cx = Context::from_waker(Waker::noop());
        if this.entered {
            return context.poll_exit(&mut cx, Outcome::Completed).map(drop);
        }
        match context.poll_enter(&mut cx) {
            Poll::Ready(Ok(())) => {
                this.entered = true;
                Poll::Pending
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What happens when it is dropped after `polls` polls, or when it has ended.
fn events<D: Driven>(driven: D, log: &Log, polls: usize) -> (String, bool) {
    log.take();
    let mut driven = Box::pin(driven);
    let mut ended = false;
    for _ in 0..polls {
        if driven.as_mut().poll_next().is_ready() {
            ended = true;
            break;
        }
    }
    log.push("|");
    drop(driven);
    (log.line(), ended)
}

fn same<P: Driven, C: Driven>(plain: impl Fn(&Log) -> P, context: impl Fn(&Log) -> C, never_polled: &str) {
    reports::collect();
    let log = Log::new();
    for polls in 0.. {
        let (expected, ended) = events(plain(&log), &log, polls);
        let (found, _) = events(context(&log), &log, polls);
        assert_eq!(found, expected, "dropped after {polls} polls");
        if polls == 0 {
            // Not only the same: what it must be.
            assert_eq!(found, never_polled);
        }
        if ended {
            assert!(polls >= 2, "it was suspended at least once");
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
            async fn plain($($arg)*) -> Result<(), ()> { $($before)* yield_once().await; $($after)* }
            #[async_context(scoped)]
            async fn scoped($($arg)*) -> Result<(), ()> { $($before)* yield_resource!(); $($after)* }
            same(
                |$log| Plain(plain($($value),*)),
                |$log| InContext { context: scoped($($value),*), entered: false },
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
    { a.1 = "a2"; c.1 = "c2"; drop(b); } yield { let _moved = a; Ok(()) }
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
    yield { match Named(d(&a.0, "scrutinee")).name() { name => { yield_once().await; a.0.push(name) } } Ok(()) }
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
fn receivers_come_first() {
    struct Receiver(Dropped);
    impl Receiver {
        async fn plain(self, _b: Dropped) {
            let _local = d(&(self.0).0, "local");
            yield_once().await;
        }
        #[async_context(scoped)]
        async fn context(self, _b: Dropped) {
            let _local = d(&(self.0).0, "local");
            yield_resource!();
        }
        async fn plain_unused(self, _b: Dropped) {
            yield_once().await;
        }
        #[async_context(scoped)]
        async fn context_unused(self, _b: Dropped) {
            yield_resource!();
        }
    }
    same(
        |log| Plain(Receiver(d(log, "self")).plain(d(log, "b"))),
        |log| InContext {
            context: Receiver(d(log, "self")).context(d(log, "b")),
            entered: false,
        },
        "| drop(self) drop(b)",
    );
    same(
        |log| Plain(Receiver(d(log, "self")).plain_unused(d(log, "b"))),
        |log| InContext {
            context: Receiver(d(log, "self")).context_unused(d(log, "b")),
            entered: false,
        },
        "| drop(self) drop(b)",
    );
}

#[test]
fn guaranteed_contexts_drop_in_the_same_order_when_never_polled_or_completed() {
    async fn plain(a: Dropped, _: Dropped, (b, _): (Dropped, Dropped)) {
        let _local = d(&a.0, "local");
        yield_once().await;
        Named(d(&b.0, "temporary")).name();
    }
    #[async_context]
    async fn context(a: Dropped, _: Dropped, (b, _): (Dropped, Dropped)) {
        let _local = d(&a.0, "local");
        yield_resource!();
        Named(d(&b.0, "temporary")).name();
    }
    let log = Log::new();
    let arguments = || (d(&log, "a"), d(&log, "ignored"), (d(&log, "b"), d(&log, "c")));
    for polls in [0, 10] {
        let (a, b, c) = arguments();
        let expected = events(Plain(plain(a, b, c)), &log, polls);
        let (a, b, c) = arguments();
        let context = InContext {
            context: context(a, b, c),
            entered: false,
        };
        assert_eq!(events(context, &log, polls), expected);
    }
}

#[test]
fn a_panic_drops_in_the_same_order() {
    async fn plain(a: Dropped, _b: Dropped) {
        let _local = d(&a.0, "local");
        yield_once().await;
        panic!("expected");
    }
    #[async_context(scoped)]
    async fn context(a: Dropped, _b: Dropped) {
        let _local = d(&a.0, "local");
        yield_resource!();
        panic!("expected");
    }
    fn events(mut driven: impl Driven + Unpin, log: &Log) -> String {
        assert!(Pin::new(&mut driven).poll_next().is_pending());
        let poll = std::panic::AssertUnwindSafe(|| Pin::new(&mut driven).poll_next());
        assert!(std::panic::catch_unwind(poll).is_err());
        log.push("|");
        drop(driven);
        log.line()
    }
    impl<D: Driven + ?Sized> Driven for Pin<Box<D>> {
        fn poll_next(self: Pin<&mut Self>) -> Poll<()> {
            self.get_mut().as_mut().poll_next()
        }
    }
    let log = Log::new();
    let expected = events(Box::pin(Plain(plain(d(&log, "a"), d(&log, "b")))), &log);
    assert_eq!(expected, "drop(local) drop(b) drop(a) |");
    let context = InContext {
        context: context(d(&log, "a"), d(&log, "b")),
        entered: false,
    };
    assert_eq!(events(Box::pin(context), &log), expected);
}

/// Tail temporaries are dropped before locals since edition 2024, after them in 2021: the block keeps
/// the edition of the code it was written in.
#[test]
fn the_edition_of_the_function_decides_about_tail_temporaries() {
    #[async_context(scoped)]
    async fn context(log: Log) -> Result<(), ()> {
        let _local = d(&log, "local");
        yield_resource!();
        Named(d(&log, "temporary")).fail()
    }
    let log = Log::new();
    let context = InContext {
        context: context(log.clone()),
        entered: false,
    };
    let expected = if crate::EDITION_2021 {
        "drop(local) drop(temporary) |"
    } else {
        "drop(temporary) drop(local) |"
    };
    assert_eq!(events(context, &log, 10).0, expected);
}
