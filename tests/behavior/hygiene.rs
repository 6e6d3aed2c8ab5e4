//! The names of the expansion and of the code around it do not conflict.

/// Parameters, locals, patterns and labels with the names that the expansion uses.
mod names {
    use std::fmt;

    use guard_core::{AsyncContext, async_context, async_with, yield_resource};
    use guard_tests::block_on;

    #[async_context]
    #[allow(clippy::too_many_arguments)]
    async fn parameters(
        the_one_yield: u32,
        a_yield_or_err_on_every_path: u32,
        yielder: u32,
        out: u32,
        argument_0: u32,
        (argument_1, handle): (u32, u32),
        owned: u32,
        proof: u32,
    ) -> Result<u32, fmt::Error> {
        let mut sum = the_one_yield
            + a_yield_or_err_on_every_path
            + yielder
            + out
            + argument_0
            + argument_1
            + handle
            + owned
            + proof;
        yield_resource!(sum);
        let the_one_yield = sum;
        let a_yield_or_err_on_every_path = the_one_yield;
        if a_yield_or_err_on_every_path == 46 {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }

    #[async_context]
    async fn locals() -> u32 {
        let (yielder, out, the_one_yield, a_yield_or_err_on_every_path) = (1, 2, 3, 4);
        let mut resource = yielder + out + the_one_yield + a_yield_or_err_on_every_path;
        yield_resource!(resource);
        let (yielder, out) = (out, yielder);
        assert_eq!((yielder, out, resource), (2, 1, 11));
    }

    #[test]
    fn a_definition_may_use_the_names_of_its_expansion() {
        let sum = parameters(1, 2, 3, 4, 5, (6, 7), 8, 9);
        let sum = block_on(sum.with(async |sum| {
            *sum += 1;
            Ok::<_, fmt::Error>(*sum)
        }));
        assert_eq!(sum, Ok(46));
        block_on(locals().run(async |resource| *resource += 1));
    }

    #[test]
    fn a_use_may_use_the_names_of_its_expansion() {
        async fn uses(
            value: u32,
            returns: u32,
            signal: u32,
            order: u32,
            jump: u32,
        ) -> Result<u32, fmt::Error> {
            let (context, left, ended, error, returned, out, failed, carried_1) =
                (1, 2, 3, 4, 5, 6, 7, 8);
            let mut total = 0;
            'leave: loop {
                let resource = 9;
                async_with!(
                    number = locals(),
                    resource_2 = parameters(1, 2, 3, 4, 5, (6, 7), 8, 9)?,
                    {
                        *number += 1;
                        *resource_2 += 1;
                        total += value + returns + signal + order + jump + context + left + ended;
                        total += error + returned + out + failed + carried_1 + resource;
                        let (value, signal, returns, order, context) = (1, 1, 1, 1, 1);
                        let (left, ended, resource, jump, out) = (1, 1, 1, 1, 1);
                        total += value + signal + returns + order + context;
                        total += left + ended + resource + jump + out;
                        if total > 100 {
                            break 'leave;
                        }
                        if total > 1_000 {
                            return Ok(value);
                        }
                    }
                );
            }
            Ok(total)
        }
        assert_eq!(block_on(uses(1, 2, 3, 4, 5)), Ok(140));
    }

    #[test]
    fn names_may_be_raw_identifiers() {
        #[async_context]
        async fn r#match(r#type: u32, r#async: u32) -> Result<u32, fmt::Error> {
            let mut r#struct = r#type + r#async;
            yield_resource!(r#struct);
            Ok(())
        }
        async fn uses() -> Result<u32, fmt::Error> {
            Ok(async_with!(r#loop = r#match(1, 2)?, { *r#loop }))
        }
        assert_eq!(block_on(uses()), Ok(3));
    }

    #[test]
    fn a_macro_may_use_the_same_names_with_its_own_hygiene() {
        macro_rules! shadow {
            ($value:expr) => {{
                let value = $value;
                let the_one_yield = value + 1;
                let a_yield_or_err_on_every_path = the_one_yield;
                a_yield_or_err_on_every_path
            }};
        }
        #[async_context]
        async fn number(value: u32) -> u32 {
            let mut number = shadow!(value);
            yield_resource!(number);
            number = shadow!(number);
            assert_eq!(number, 3);
        }
        let doubled = block_on(async { async_with!(value = number(1), { shadow!(*value) * 2 }) });
        assert_eq!(doubled, 6);
    }
}

/// The user's own trait, which every type implements. Its methods take `self` by value, so they are found
/// first.
mod methods_for_everything {
    use futures::executor::block_on;
    use guard_core::{Outcome, async_context, async_with, exit_stack, yield_resource};
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    trait Everything: Sized {
        fn asked(self) {}
        fn unasked(self) {}
        fn context(self) {}
        #[expect(clippy::wrong_self_convention, reason = "by value it is found first")]
        fn is_failure(self) -> bool {
            false
        }
    }

    impl<T> Everything for T {}

    #[async_context]
    async fn failed(got_failed: Arc<AtomicBool>) -> Cell<u8> {
        let mut nothing = Cell::new(0);
        let outcome = yield_resource!(nothing);
        got_failed.store(outcome == Outcome::Failed(()), Ordering::Relaxed);
    }

    #[test]
    fn the_expansion_calls_no_methods_of_user_traits() {
        async fn fails(got_failed: Arc<AtomicBool>, result: Result<(), u8>) -> Result<(), u8> {
            async_with!(stack = exit_stack::<u8>(), _failed = failed(got_failed), {
                stack.callback(|| {});
                return result;
            })
        }
        let got_failed = Arc::new(AtomicBool::new(false));
        assert_eq!(block_on(fails(got_failed.clone(), Err(1))), Err(1));
        assert!(got_failed.load(Ordering::Relaxed));
        // Without the macros these methods are found first.
        ().asked();
        ().unasked();
        ().context();
        assert!(!().is_failure());
    }
}

/// A crate root with the names of everything that the expansion uses.
mod decoys {
    #![allow(dead_code, unused_imports, unused_macros)]

    mod core {}
    mod std {}
    mod alloc {}
    mod guard_core {}
    mod guard_macros {}
    mod __private {}

    struct Result<T>(T);
    struct Option<T>(T);
    struct String;
    trait Send {}
    trait Future {}
    trait AsyncContext {}
    trait From<T> {}
    fn drop() {}
    #[allow(non_snake_case)]
    fn Ok() {}
    #[allow(non_snake_case)]
    fn Some() {}
    struct Outcome;
    struct Yielded;
    struct Infallible;

    // A trait with the names of the methods that the expansion calls, for every type.
    trait Decoy {
        fn handle(&self) {}
        fn lend(&self) {}
        fn told(&self) {}
        fn returned(&self) {}
        fn finish(&self) {}
        fn as_mut(&mut self) {}
        fn printer(&self) {}
        fn never(&self) {}
        fn typed(&self) {}
        fn is_failure(&self) {}
        fn reporting(&self) {}
    }
    impl<T: ?Sized> Decoy for T {}

    use ::guard_core::{async_context, async_with, yield_resource};

    #[async_context]
    async fn number(start: u32) -> ::core::result::Result<u32, ::core::fmt::Error> {
        let mut number = start;
        if number == 0 {
            return ::core::result::Result::Err(::core::fmt::Error);
        }
        yield_resource!(number);
        ::core::result::Result::Ok(())
    }

    #[async_context(scoped)]
    async fn infallible(start: &u32) -> u32 {
        let mut number = *start;
        yield_resource!(number);
    }

    async fn uses(start: u32) -> ::core::result::Result<u32, ::core::fmt::Error> {
        #[allow(clippy::never_loop)]
        loop {
            async_with!(number = number(start)?, infallible = infallible(&start), {
                if *number == 2 {
                    break;
                }
                return ::core::result::Result::Ok(*number + *infallible);
            });
        }
        ::core::result::Result::Ok(0)
    }

    #[test]
    fn the_expansion_does_not_use_names_of_the_crate_root() {
        assert_eq!(guard_tests::block_on(uses(1)).unwrap(), 2);
        assert_eq!(guard_tests::block_on(uses(2)).unwrap(), 0);
        assert!(guard_tests::block_on(uses(0)).is_err());
    }
}

/// A module without a prelude.
mod without_a_prelude {
    #![no_implicit_prelude]
    #![forbid(unsafe_code)]

    use ::core::fmt::Error;
    use ::core::result::Result::{self, Err, Ok};
    use ::guard_core::{async_context, async_with, yield_resource};

    #[async_context]
    async fn number(start: u32) -> Result<u32, Error> {
        let mut number = start;
        if start == 0 {
            return Err(Error);
        }
        yield_resource!(number);
        Ok(())
    }

    #[async_context(scoped)]
    async fn infallible(start: &u32) -> u32 {
        let mut number = *start;
        yield_resource!(number);
    }

    async fn uses(start: u32) -> Result<u32, Error> {
        for _ in [1, 2] {
            async_with!(number = number(start)?, infallible = infallible(number), {
                if *infallible == 2 {
                    continue;
                }
                return Ok(*number + 1);
            });
        }
        Ok(0)
    }

    #[test]
    fn the_expansion_uses_absolute_paths() {
        ::std::assert_eq!(::guard_tests::block_on(uses(1)), Ok(2));
        ::std::assert_eq!(::guard_tests::block_on(uses(2)), Ok(0));
        ::std::assert_eq!(::guard_tests::block_on(uses(0)), Err(Error));
    }
}

/// Items in a body are in the scope of the function.
mod items_in_the_body {
    #![allow(
        clippy::needless_return,
        reason = "the test is about a `return` in a function inside"
    )]

    use guard_core::{AsyncContext, async_context, async_with, yield_resource};
    use guard_tests::block_on;

    #[async_context]
    async fn items() -> u32 {
        use std::fmt::Result;
        const START: u32 = 3;
        struct Local(u32);
        impl Local {
            fn get(&self) -> Result {
                if self.0 == START {
                    Ok(())
                } else {
                    Err(std::fmt::Error)
                }
            }
        }
        fn helper() -> u32 {
            return START;
        }
        let mut number = helper();
        yield_resource!(number);
        assert!(Local(number).get().is_ok());
    }

    #[test]
    fn items_can_be_defined_in_definitions_and_uses() {
        let number = block_on(async {
            async_with!(number = items(), {
                type Number = u32;
                fn double(number: Number) -> Number {
                    return number * 2;
                }
                double(*number)
            })
        });
        assert_eq!(number, 6);
        block_on(items().run(async |_| ()));
    }

    #[test]
    fn a_context_may_be_defined_in_another() {
        #[async_context]
        async fn outer() -> u32 {
            #[async_context]
            async fn inner() -> u32 {
                let mut number = 4;
                yield_resource!(number);
            }
            async_with!(number = inner(), { yield_resource!(*number) });
        }
        assert_eq!(block_on(outer().run(async |number| *number)), 4);
    }

    #[test]
    fn a_use_may_stand_in_the_context_expression_of_another() {
        let number = block_on(async {
            async_with!(
                number = {
                    let name = async_with!(inner = items(), { *inner });
                    assert_eq!(name, 3);
                    items()
                },
                { *number }
            )
        });
        assert_eq!(number, 3);
    }
}
