//! Contexts and the futures of their uses are `Send`, `Sync` and `Unpin` if their parts are.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use guard_core::{
    AsyncContext, AsyncManager, BoxContext, Guard, LocalBoxContext, Outcome, async_context,
    async_with, manage, manage_scoped, yield_resource,
};
use guard_tests::{block_on, yield_once};

use crate::reports;

/// Compiles if, and only if, the value implements the trait (`: Trait`) or does not implement it (`:
/// !Trait`).
///
/// For `!Trait` the type has one implementation of `Ambiguous`, and a second one if it implements the trait.
/// With two of them the compiler cannot infer which one is meant.
macro_rules! check {
    ($value:expr, $($rest:tt)+) => {{
        // A separate function, because inside one body the compiler does not know the auto traits of its
        // futures yet.
        fn make() -> impl Sized {
            $value
        }
        let value = make();
        check!(@ value $($rest)+);
    }};
    (@ $value:ident ! $trait:ident $(, $($rest:tt)+)?) => {
        {
            trait Ambiguous<A> {
                fn check(&self) {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            #[allow(dead_code)]
            struct Implemented;
            impl<T: ?Sized + $trait> Ambiguous<Implemented> for T {}
            Ambiguous::<_>::check(&$value);
        }
        $(check!(@ $value $($rest)+);)?
    };
    (@ $value:ident $trait:ident $(, $($rest:tt)+)?) => {
        {
            fn check<T: ?Sized + $trait>(_: &T) {}
            check(&$value);
        }
        $(check!(@ $value $($rest)+);)?
    };
}

#[async_context]
async fn owned(text: String) -> Result<String, fmt::Error> {
    let mut text = text;
    yield_resource!(text);
    Ok(())
}

#[async_context(scoped)]
async fn borrowed<'a>(text: &'a str) -> Result<&'a str, fmt::Error> {
    let mut text = text;
    yield_resource!(text);
    Ok(())
}

#[async_context(scoped)]
async fn mutable(text: &mut String) -> Result<String, fmt::Error> {
    yield_resource!(*text);
    Ok(())
}

/// `Rc` is an argument.
#[async_context(scoped)]
async fn rc_argument(shared: Rc<u32>) -> Result<u32, fmt::Error> {
    let mut number = *shared;
    yield_resource!(number);
    Ok(())
}

/// `Rc` is held across the yield.
#[async_context(scoped)]
async fn rc_local() -> Result<u32, fmt::Error> {
    let shared = Rc::new(1);
    let mut number = 1;
    yield_resource!(number);
    drop(shared);
    Ok(())
}

/// `Rc` is dropped before the yield.
#[async_context(scoped)]
async fn rc_before() -> Result<u32, fmt::Error> {
    let mut number = *Rc::new(1);
    yield_resource!(number);
    Ok(())
}

/// `Rc` is the resource.
#[async_context(scoped)]
async fn rc_resource() -> Result<Rc<u32>, fmt::Error> {
    let mut shared = Rc::new(1);
    yield_resource!(shared);
    Ok(())
}

/// The resource is a `Cell`, which is `Send` but not `Sync`.
#[async_context]
async fn cell() -> Result<Cell<u32>, fmt::Error> {
    let mut cell = Cell::new(1);
    yield_resource!(cell);
    Ok(())
}

/// The error is only returned, and never stored in the context.
#[async_context(scoped)]
async fn rc_error() -> Result<u32, Rc<u32>> {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn infallible() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

/// `Rc` is an argument, is held across the yield, and is what is lent.
#[async_context(local)]
async fn rc_everywhere(shared: Rc<u32>) -> Result<Rc<u32>, Rc<fmt::Error>> {
    let mut other = shared.clone();
    yield_resource!(other);
    yield_once().await;
    drop(shared);
    Ok(())
}

/// Everything in it could be sent.
#[async_context(local)]
async fn stays(number: u32) -> Result<u32, fmt::Error> {
    let mut number = number;
    yield_resource!(number);
    Ok(())
}

#[async_context(local, boxed)]
async fn stays_boxed(number: u32) -> Result<u32, fmt::Error> {
    let mut number = number;
    yield_resource!(number);
    Ok(())
}

#[test]
fn a_local_context_stays_on_its_thread_whatever_its_parts_are() {
    check!(rc_everywhere(Rc::new(1)), !Send, !Sync, Unpin);
    check!(stays(1), !Send, !Sync, Unpin);
    check!(stays_boxed(1), !Send, !Sync, Unpin);
    check!(stays(1).with(async |_| Ok::<_, fmt::Error>(())), !Send);
    check!(stays(1).try_with(async |_| Ok::<_, fmt::Error>(())), !Send);
    check!(stays(1).enter(), !Send);
    check!(
        async {
            async_with!(_r = stays(1)?, { yield_once().await });
            Ok::<_, fmt::Error>(())
        },
        !Send
    );
    fn is_static<T: 'static>(_: &T) {}
    is_static(&stays(1));
    let context: LocalBoxContext<'static, u32, fmt::Error> = stays_boxed(1);
    is_static(&context);
}

#[test]
fn contexts_have_the_auto_traits_of_their_parts() {
    check!(owned(String::new()), Send, Sync, Unpin);
    check!(borrowed("text"), Send, Sync, !Unpin);
    check!(mutable(Box::leak(Box::default())), Send, Sync, !Unpin);
    check!(rc_before(), Send, Sync, !Unpin);
    check!(rc_argument(Rc::new(1)), !Send, !Sync, !Unpin);
    check!(rc_local(), !Send, !Sync, !Unpin);
    check!(rc_resource(), !Send);
    check!(cell(), Send, Unpin);
    check!(manage(Session(1)), Send, Sync, Unpin);
    check!(manage_scoped(Session(1)), Send, Sync, !Unpin);
    check!(
        Box::pin(owned(String::new())) as BoxContext<'_, String, fmt::Error>,
        Send,
        !Sync,
        Unpin
    );
}

struct Session(u32);

impl AsyncManager for Session {
    type Resource = u32;
    type Error = fmt::Error;

    async fn enter(&mut self) -> Result<&mut u32, fmt::Error> {
        yield_once().await;
        Ok(&mut self.0)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), fmt::Error> {
        yield_once().await;
        Ok(())
    }
}

#[test]
fn futures_of_uses_have_the_auto_traits_of_their_parts() {
    macro_rules! uses {
        ($context:expr, $($expected:tt)+) => {{
            check!($context.with(async |_| Ok::<_, fmt::Error>(())), $($expected)+);
            check!($context.try_with(async |_| Ok::<_, fmt::Error>(())), $($expected)+);
            check!(
                async {
                    async_with!(_r = $context?, { yield_once().await });
                    Ok::<_, fmt::Error>(())
                },
                $($expected)+
            );
        }};
    }
    uses!(owned(String::new()), Send, !Unpin);
    uses!(borrowed("text"), Send, !Unpin);
    uses!(mutable(Box::leak(Box::default())), Send, !Unpin);
    uses!(rc_before(), Send, !Unpin);
    uses!(rc_argument(Rc::new(1)), !Send);
    uses!(rc_local(), !Send);
    uses!(rc_resource(), !Send);
    uses!(cell(), Send, !Unpin);
    uses!(manage(Session(1)), Send, !Unpin);
    uses!(manage_scoped(Session(1)), Send, !Unpin);
    check!(infallible().run(async |_| ()), Send, !Unpin);
    check!(infallible().run(async |_| Rc::new(1)), !Send);
}

#[test]
fn the_future_of_a_use_has_the_auto_traits_of_its_body() {
    check!(infallible().run(async |_| yield_once().await), Send);
    check!(
        {
            let shared = Rc::new(1);
            infallible().run(async move |_| *shared)
        },
        !Send
    );
    check!(
        infallible().run(async |_| {
            let shared = Rc::new(1);
            yield_once().await;
            drop(shared);
        }),
        !Send
    );
    check!(
        async {
            async_with!(_number = infallible(), {
                let shared = Rc::new(1);
                yield_once().await;
                drop(shared);
            });
        },
        !Send
    );
    check!(
        async {
            async_with!(_number = infallible(), {
                drop(Rc::new(1));
                yield_once().await;
            });
        },
        Send
    );
}

#[test]
fn guards_and_their_futures_have_the_auto_traits_of_their_parts() {
    reports::collect();
    check!(owned(String::new()).enter(), Send);
    check!(borrowed("text").enter(), Send);
    check!(rc_local().enter(), !Send);
    check!(cell().enter(), Send);
    fn entered<C: AsyncContext<Error = fmt::Error>>(context: C) -> Guard<C> {
        block_on(context.enter()).unwrap()
    }
    check!(entered(owned(String::new())), Send, Sync, Unpin);
    check!(entered(owned(String::new())).exit(), Send);
    // A shared guard gives only a shared resource.
    check!(entered(rc_local()), !Send, Sync);
    check!(entered(rc_local()).exit(), !Send);
    check!(entered(cell()), Send, !Sync);
    check!(entered(cell()).exit(), Send);
    check!(entered(owned(String::new()).boxed()), Send, Sync, Unpin);
    check!(entered(owned(String::new()).boxed()).exit(), Send, !Sync);
    check!(entered(cell().boxed()), Send, !Sync);
    check!(entered(rc_local().boxed_local()), !Send, Sync);
    reports::take();
}

#[test]
fn a_context_is_send_when_only_its_error_is_not() {
    check!(rc_error(), Send);
}

mod on_a_runtime {
    use super::*;

    type Text<'a> = (&'a str, u32);

    #[async_context(scoped)]
    async fn with_lifetime<'a>(text: &'a str) -> Result<Text<'a>, fmt::Error> {
        yield_once().await;
        let mut lent = (text, 0);
        yield_resource!(lent);
        yield_once().await;
        Ok(())
    }

    #[async_context(scoped)]
    async fn with_two_lifetimes<'a, 'b>(
        text: &'a mut Vec<&'b str>,
    ) -> Result<&'a mut Vec<&'b str>, fmt::Error> {
        let mut lent = text;
        yield_resource!(lent);
        yield_once().await;
        Ok(())
    }

    async fn borrowing(text: &str, words: &mut Vec<&str>) -> Result<usize, fmt::Error> {
        let by_block = async_with!(
            first = with_lifetime(text)?,
            second = with_lifetime(first.0)?,
            words = with_two_lifetimes(words)?,
            {
                yield_once().await;
                second.1 += 1;
                words.push("word");
                second.0.len() + words.len()
            }
        );
        let by_with = with_lifetime(text)
            .with(async |outer| {
                let length = with_lifetime(outer.0)
                    .with(async |inner| {
                        yield_once().await;
                        inner.1 += 1;
                        Ok::<_, fmt::Error>(inner.0.len())
                    })
                    .await?;
                outer.1 += 1;
                Ok::<_, fmt::Error>(length)
            })
            .await?;
        let by_try_with = with_lifetime(text)
            .try_with(async |lent| Ok::<_, fmt::Error>(lent.0.len()))
            .await
            .map_err(|_| fmt::Error)?;
        let mut guard = with_lifetime(text).enter().await?;
        yield_once().await;
        guard.1 += 1;
        let by_guard = guard.0.len();
        guard.exit().await?;
        Ok(by_block + by_with + by_try_with + by_guard)
    }

    async fn generic<C, E>(context: C) -> Result<String, E>
    where
        C: AsyncContext<Resource: AsRef<str> + Send, Error = E> + Send,
        E: From<fmt::Error> + Send,
    {
        let text = async_with!(text = context?, {
            yield_once().await;
            AsRef::<str>::as_ref(text).to_owned()
        });
        Ok(text)
    }

    async fn generic_with<C>(context: C) -> Result<usize, C::Error>
    where
        C: AsyncContext<Resource = String, Error: Send> + Send,
    {
        context
            .with(async |text| {
                yield_once().await;
                Ok::<_, C::Error>(text.len())
            })
            .await
    }

    #[async_context(scoped)]
    async fn generic_context<T: Clone + Send, C>(value: &T, inner: C) -> Result<T, C::Error>
    where
        C: AsyncContext<Resource: Send, Error: Send> + Send,
    {
        async_with!(_inner = inner?, {
            let mut value = value.clone();
            yield_resource!(value);
        });
        Ok(())
    }

    #[async_context]
    async fn made_of_contexts(text: String) -> Result<String, fmt::Error> {
        async_with!(_first = owned(text.clone())?, second = owned(text)?, {
            yield_once().await;
            yield_resource!(*second);
        });
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn uses_can_be_spawned() {
        let borrowed = tokio::spawn(async {
            let text = String::from("text");
            let mut words = Vec::new();
            borrowing(&text, &mut words).await
        });
        assert_eq!(borrowed.await.unwrap(), Ok(5 + 4 + 4 + 4));

        assert_eq!(
            tokio::spawn(generic(owned("a".into()))).await.unwrap(),
            Ok("a".into())
        );
        assert_eq!(
            tokio::spawn(generic_with(owned("ab".into())))
                .await
                .unwrap(),
            Ok(2)
        );
        assert_eq!(
            tokio::spawn(generic_with(made_of_contexts("abc".into())))
                .await
                .unwrap(),
            Ok(3)
        );

        let shared = Arc::new(String::from("shared"));
        let nested = tokio::spawn(async move {
            generic_context(&*shared, generic_context(&1, owned(String::new())))
                .with(async |text| Ok::<_, fmt::Error>(text.len()))
                .await
        });
        assert_eq!(nested.await.unwrap(), Ok(6));

        let boxed: BoxContext<'static, String, fmt::Error> = Box::pin(owned("boxed".into()));
        assert_eq!(tokio::spawn(generic_with(boxed)).await.unwrap(), Ok(5));
        let infallible = tokio::spawn(infallible().run(async |number| *number));
        assert_eq!(infallible.await.unwrap(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_context_that_is_not_send_can_be_used_on_a_local_set() {
        let local = tokio::task::LocalSet::new();
        let number = local
            .run_until(async {
                tokio::task::spawn_local(async {
                    let number = async_with!(
                        a = rc_argument(Rc::new(2))?,
                        b = rc_local()?,
                        c = rc_resource()?,
                        { *a + *b + **c }
                    );
                    Ok::<_, fmt::Error>(number)
                })
                .await
                .unwrap()
            })
            .await;
        assert_eq!(number, Ok(4));
    }

    #[test]
    fn a_trait_can_require_that_its_contexts_are_send() {
        trait Store: Send + Sync {
            fn session(&self) -> impl AsyncContext<Resource = u32, Error = Infallible> + Send;
        }
        struct Disk;
        impl Store for Disk {
            #[allow(refining_impl_trait)]
            #[async_context(scoped)]
            async fn session(&self) -> u32 {
                let mut number = 1;
                yield_resource!(number);
            }
        }
        fn spawnable<S: Store>(store: &S) -> impl Future<Output = u32> + Send + use<'_, S> {
            store.session().run(async |number| *number)
        }
        assert_eq!(block_on(spawnable(&Disk)), 1);
    }
}

#[test]
fn stacks_adapters_and_decorated_functions_have_the_auto_traits_of_their_parts() {
    use guard_core::{
        AsyncExitStack, ScopedExitStack, exit_stack, from_fns, nullcontext, suppress, within,
    };

    #[within(text = owned(String::new())?)]
    async fn decorated() -> Result<usize, fmt::Error> {
        yield_once().await;
        Ok(text.len())
    }
    async fn joined() -> Result<usize, fmt::Error> {
        let both = async_with!(join(a = owned("a".into())?, b = owned("b".into())?), {
            yield_once().await;
            a.len() + b.len()
        });
        Ok(both)
    }
    async fn stacked() -> Result<usize, fmt::Error> {
        let all = async_with!(stack = exit_stack::<fmt::Error>()?, {
            let one = stack.enter(owned("a".into())).await?;
            let two = stack.enter(owned("b".into())).await?;
            one.len() + two.len()
        });
        Ok(all)
    }

    check!(decorated(), Send);
    check!(joined(), Send);
    check!(stacked(), Send);
    check!(AsyncExitStack::<fmt::Error>::new(), Send, Sync, Unpin);
    check!(ScopedExitStack::<fmt::Error>::new(), !Send, !Sync, Unpin);
    check!(owned(String::new()).map_err(|error| error), Send);
    check!(rc_local().map_err(|error| error), !Send);
    check!(owned(String::new()).boxed(), Send);
    check!(owned(String::new()).boxed_local(), !Send);
    check!(nullcontext(1), Send, Sync);
    check!(nullcontext(Rc::new(1)), !Send, !Sync);
    check!(suppress(|_: &fmt::Error| true), Send, Sync);
    check!(
        from_fns(async || Ok::<_, fmt::Error>(1), async |_, _| Ok(())),
        Send
    );
}

#[test]
fn exit_stacks_are_unwind_safe() {
    use std::panic::{RefUnwindSafe, UnwindSafe};
    fn check<T: UnwindSafe + RefUnwindSafe>() {}
    check::<guard_core::ScopedExitStack<'static, Rc<Cell<u8>>>>();
    check::<guard_core::AsyncExitStack<String>>();
}

#[test]
fn public_types_are_debug() {
    use guard_core::context::{
        Detached, Drain, Enter, Exit, ExitTimeout, ExitUntil, Expect, Join, JoinError, Lazy,
        LazyResource, MapErr, NullContext, Optional, OptionalResource, Settled, Suppress, Swap,
        SwapResource, TrySettled, WithError,
    };
    use guard_core::exit_stack_parts::{
        AllErrors, ExitStackContext, Key, StackClosed, StackHandle,
    };
    use std::future::Ready;

    fn check<T: fmt::Debug>() {}
    type Context = NullContext<u8>;
    check::<Context>();
    check::<Detached<Ready<()>>>();
    check::<Drain>();
    check::<Enter<Context>>();
    check::<Exit<Context>>();
    check::<ExitTimeout<Context>>();
    check::<ExitUntil<Context, Ready<()>>>();
    check::<Expect<Context, &str>>();
    check::<Guard<Context>>();
    check::<Join<Context, Context>>();
    check::<JoinError<u8, u8>>();
    check::<LazyResource<Context, fn() -> Context>>();
    check::<Lazy<Context, fn() -> Context>>();
    check::<MapErr<Context, u8>>();
    check::<Optional<Context>>();
    check::<OptionalResource<Context>>();
    check::<Settled<Ready<()>>>();
    check::<Suppress<u8, u8>>();
    check::<Swap<Context>>();
    check::<SwapResource<Context>>();
    check::<TrySettled<Ready<()>>>();
    check::<WithError<Context, u8>>();
    check::<AllErrors<String>>();
    check::<ExitStackContext<String>>();
    check::<Key>();
    check::<StackClosed<u8>>();
    check::<StackHandle<String>>();
    check::<guard_core::AsyncExitStack<String>>();
    check::<guard_core::ExitErrors<String>>();
    check::<guard_core::OwnedReport>();
    check::<guard_core::PendingCleanup>();
    check::<guard_core::Report<'_>>();
    check::<guard_core::ReportKind<'_, u8>>();
    check::<guard_core::ScopedExitStack<'_, String>>();
    check::<guard_core::TimeoutError<String>>();
    check::<guard_core::TryWithError<u8, u8, u8>>();
    check::<guard_core::Unsettled<u8>>();
    fn check_value(_: &impl fmt::Debug) {}
    check_value(&guard_core::nullcontext(1).run(async |_| ()));
}
