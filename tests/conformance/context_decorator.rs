//! `TestContextDecorator`: contexts that are types, and as decorators.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use guard_core::{
    AsyncContext, AsyncExitStack, AsyncManager, Outcome, async_context, async_with, manage,
    suppress, within, yield_resource,
};
use guard_tests::{Log, block_on, yield_once};

use crate::raised::{Raised, raised};

/// A context that is a type, and lends itself. Its clones share their log.
#[derive(Clone, Default)]
struct Mycontext {
    log: Log,
}

impl AsyncManager for Mycontext {
    type Resource = Self;
    type Error = Raised;

    async fn enter(&mut self) -> Result<&mut Self, Raised> {
        yield_once().await;
        self.log.push("started");
        Ok(self)
    }

    async fn exit(&mut self, outcome: Outcome) -> Result<(), Raised> {
        yield_once().await;
        self.log.push(format_args!("{outcome:?}"));
        Ok(())
    }
}

/// Row d1. The context lends itself, and its exit gets `Completed`.
#[test]
fn test_contextdecorator() {
    let context = Mycontext::default();
    let used: Result<(), Raised> = block_on(async {
        async_with!(result = manage(context.clone())?, {
            assert_eq!(result.log.line(), "started");
        });
        Ok(())
    });
    assert_eq!((used, context.log.line()), (Ok(()), "Completed".into()));
}

/// Row d2. The exit gets `Failed` when the body fails, and the use returns the error.
#[test]
fn test_contextdecorator_with_exception() {
    let context = Mycontext::default();
    let used = block_on(manage(context.clone()).with(async |_| Err::<(), _>(raised("Name"))));
    assert_eq!(used, Err(raised("Name")));
    assert_eq!(context.log.line(), "started Failed(())");
}

/// Row d2. A type that swallows is the exception: a manager is not given the error, so that takes a context
/// that catches, around it.
#[test]
fn test_contextdecorator_with_exception_that_is_swallowed() {
    let context = Mycontext::default();
    let used = block_on(
        suppress(|error: &Raised| error.name == "Name").catch(async |()| {
            manage(context.clone())
                .with(async |_| Err::<(), _>(raised("Name")))
                .await
        }),
    );
    assert_eq!(used, Ok(None));
    assert_eq!(context.log.line(), "started Failed(())");
}

#[within(context = manage(shared.clone())?)]
async fn decorated(shared: &Mycontext, fails: bool) -> Result<u32, Raised> {
    context.log.push("call");
    if fails { Err(raised("Name")) } else { Ok(5) }
}

/// Row d3. As a decorator the context is made for every call, from an expression. Python uses one instance
/// for all calls. Here the values of several calls can share their state.
#[test]
fn test_decorator() {
    let shared = Mycontext::default();
    block_on(async {
        for _ in 0..2 {
            assert_eq!(decorated(&shared, false).await, Ok(5));
            assert_eq!(shared.log.line(), "started call Completed");
        }
    });
}

/// Row d4. The exit gets `Failed`, and then the decorated function returns its error.
#[test]
fn test_decorator_with_exception() {
    let shared = Mycontext::default();
    assert_eq!(block_on(decorated(&shared, true)), Err(raised("Name")));
    assert_eq!(shared.log.line(), "started call Failed(())");
}

struct Test {
    context: Mycontext,
    sum: u32,
}

impl Test {
    #[within(context = manage(self.context.clone())?)]
    async fn method(&mut self, a: u32, b: u32) -> Result<u32, Raised> {
        context.log.push("call");
        self.sum += a * 10 + b;
        Ok(self.sum)
    }
}

/// Row d5. A method can be decorated, and its context can be made from `self`.
#[test]
fn test_decorating_method() {
    let mut test = Test {
        context: Mycontext::default(),
        sum: 100,
    };
    assert_eq!(block_on(test.method(1, 2)), Ok(112));
    assert_eq!(block_on(test.method(3, 4)), Ok(146));
    assert_eq!(
        test.context.log.line(),
        ["started call Completed"; 2].join(" ")
    );
}

/// A context that implements only the poll methods.
#[derive(Default)]
struct Existing {
    log: Log,
}

impl AsyncContext for Existing {
    type Resource = Log;
    type Error = Infallible;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.log.push("enter");
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut Log {
        &mut self.get_mut().log
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), Infallible>> {
        self.log.push(format_args!("exit({outcome:?})"));
        Poll::Ready(Ok(()))
    }
}

#[within(log = Existing { log: log.clone() })]
async fn with_mixin(log: Log) {
    log.push("call");
}

/// Row d8. Every implementation of the trait can be used like any context: with decorators, methods,
/// adapters, and on a stack. In Python it has to inherit from `ContextDecorator`.
#[test]
fn test_contextdecorator_as_mixin() {
    let log = Log::new();
    let existing = || Existing { log: log.clone() };
    block_on(async {
        with_mixin(log.clone()).await;
        assert_eq!(log.line(), "enter call exit(Completed)");
        existing().run(async |log| log.push("run")).await;
        assert_eq!(log.line(), "enter run exit(Completed)");
        let used = existing()
            .with_error()
            .boxed()
            .with(async |_| Err::<(), _>(raised("body")))
            .await;
        assert_eq!(
            (used, log.line()),
            (Err(raised("body")), "enter exit(Failed(()))".into())
        );
        let mut stack = AsyncExitStack::<Raised>::new();
        stack
            .enter(existing().with_error())
            .await
            .unwrap()
            .push("stack");
        stack.close(Outcome::Completed).await.unwrap();
        assert_eq!(log.line(), "enter stack exit(Completed)");
    });
}

#[async_context]
async fn woohoo(log: Log, y: u32) {
    log.push(1);
    yield_resource!();
    log.push(y);
}

#[within(_woohoo = woohoo(log.clone(), 999))]
async fn test(log: Log, x: u32) {
    log.push(x);
}

/// Row d9. A decorated function can be called many times. Each call makes a new context.
#[test]
fn test_contextmanager_as_decorator() {
    let log = Log::new();
    block_on(async {
        test(log.clone(), 4).await;
        assert_eq!(log.line(), "1 4 999");
        test(log.clone(), 5).await;
        assert_eq!(log.line(), "1 5 999");
    });
}
