//! Lints do not fire about the expansion, and fire about the user's code in it.
//!
//! `cargo test` checks the lints of the compiler, and `cargo clippy` those of clippy.

/// Denies every lint there is around definitions and uses of every shape.
mod silent {
    #![forbid(unsafe_code)]
    #![deny(warnings)]
    #![deny(
        keyword_idents,
        let_underscore,
        nonstandard_style,
        refining_impl_trait,
        rust_2018_idioms,
        unused
    )]
    #![deny(
        absolute_paths_not_starting_with_crate,
        ambiguous_negative_literals,
        closure_returning_async_block,
        deprecated_in_future,
        elided_lifetimes_in_paths,
        explicit_outlives_requirements,
        impl_trait_redundant_captures,
        let_underscore_drop,
        macro_use_extern_crate,
        meta_variable_misuse,
        missing_abi,
        missing_copy_implementations,
        missing_debug_implementations,
        missing_docs,
        redundant_imports,
        redundant_lifetimes,
        single_use_lifetimes,
        tail_expr_drop_order,
        trivial_casts,
        trivial_numeric_casts,
        unit_bindings,
        unnameable_types,
        unreachable_pub,
        unused_extern_crates,
        unused_import_braces,
        unused_lifetimes,
        unused_macro_rules,
        unused_qualifications,
        unused_results,
        variant_size_differences
    )]
    #![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
    #![allow(
        clippy::blanket_clippy_restriction_lints,
        clippy::absolute_paths,
        clippy::arbitrary_source_item_ordering,
        clippy::arithmetic_side_effects,
        clippy::default_numeric_fallback,
        clippy::float_arithmetic,
        clippy::implicit_return,
        clippy::integer_division,
        clippy::min_ident_chars,
        clippy::missing_docs_in_private_items,
        clippy::missing_trait_methods,
        clippy::panic,
        clippy::needless_return,
        clippy::pattern_type_mismatch,
        clippy::pub_with_shorthand,
        clippy::question_mark_used,
        clippy::redundant_pub_crate,
        clippy::separated_literal_suffix,
        clippy::shadow_reuse,
        clippy::shadow_unrelated,
        clippy::single_call_fn,
        clippy::std_instead_of_core,
        clippy::tests_outside_test_module,
        clippy::unused_trait_names,
        clippy::wildcard_enum_match_arm,
        reason = "they fire about the code of this module itself, with or without macros"
    )]

    use core::fmt;

    use guard_core::{
        AsyncContext as _, Outcome, async_context, async_with, cancellable, yield_resource,
    };

    /// A definition with everything: used and unused arguments, both kinds of return, `cancellable!`.
    #[async_context]
    pub(super) async fn guaranteed(
        name: String,
        (left, mut right): (u32, u32),
        _unused: u32,
        _: u32,
    ) -> Result<String, fmt::Error> {
        cancellable!(core::future::ready(()));
        right += left;
        let mut text = format!("{name}{right}");
        if text.is_empty() {
            return Err(fmt::Error);
        }
        match yield_resource!(text) {
            Outcome::Completed => Ok(()),
            _ => Err(fmt::Error),
        }
    }

    #[async_context(scoped)]
    pub(super) async fn scoped(text: &str, length: &mut usize) -> usize {
        *length = text.len();
        yield_resource!(*length);
        *length = 0;
    }

    #[async_context]
    pub(super) async fn nothing() {
        yield_resource!();
    }

    #[async_context]
    pub(super) async fn on_each_path(which: bool) -> u32 {
        let mut number = 1;
        if which {
            yield_resource!(number);
        } else {
            number += 1;
            yield_resource!(number);
            return;
        }
    }

    /// The end of this body is not reached.
    #[async_context]
    pub(super) async fn diverging(fails: bool) -> Result<u32, fmt::Error> {
        let mut number = 1;
        yield_resource!(number);
        if fails {
            return Err(fmt::Error);
        }
        return Ok(());
    }

    /// The end of this body is not reached.
    #[async_context]
    pub(super) async fn returning() -> Result<(), fmt::Error> {
        yield_resource!();
        return Ok(());
    }

    /// The end of this body is not reached.
    #[async_context]
    pub(super) async fn panicking() {
        yield_resource!();
        panic!("expected");
    }

    #[async_context(catch)]
    pub(super) async fn catching() -> Result<(), fmt::Error> {
        match yield_resource!() {
            Outcome::Failed(error) => Err(error),
            _ => Ok(()),
        }
    }

    #[async_context]
    pub(super) async fn nested() -> Result<String, fmt::Error> {
        async_with!(text = guaranteed(String::new(), (1, 2), 3, 4)?, {
            if yield_resource!(*text).is_failed() {
                text.clear();
            }
        });
        Ok(())
    }

    pub(super) struct Pool;

    impl Pool {
        #[async_context(scoped)]
        pub(super) async fn by_reference(&self) -> u32 {
            let mut number = 1;
            yield_resource!(number);
        }

        #[async_context]
        pub(super) async fn by_value(self) -> Self {
            let mut pool = self;
            yield_resource!(pool);
        }
    }

    pub(super) async fn uses(fails: bool) -> Result<usize, fmt::Error> {
        let mut length = 0;
        let sum = async_with!(
            text = guaranteed(String::from("text"), (1, 2), 3, 4)?,
            length = scoped(text, &mut length),
            {
                if fails {
                    return Err(fmt::Error);
                }
                *length
            }
        );
        Ok(sum + more_uses(fails).await?)
    }

    async fn more_uses(fails: bool) -> Result<usize, fmt::Error> {
        let mut turns = 0;
        while turns < 3 {
            turns += 1;
            async_with!(number = on_each_path(fails), {
                if *number == 1 {
                    continue;
                }
                if *number == 5 {
                    break;
                }
            });
        }
        loop {
            async_with!(number = on_each_path(fails), {
                if turns > 5 {
                    turns -= usize::from(*number > 0);
                    continue;
                }
                break;
            });
        }
        let found = loop {
            async_with!(number = diverging(fails)?, {
                if turns > 5 {
                    break *number;
                }
            });
            turns += 1;
        };
        Ok(usize::try_from(found).unwrap_or_default() + by_methods().await?)
    }

    async fn by_methods() -> Result<usize, fmt::Error> {
        async_with!(() = nothing(), {});
        async_with!(_pool = Pool.by_value(), {});
        let with = nested()
            .with(async |text| Ok::<usize, fmt::Error>(text.len()))
            .await?;
        let run = Pool.by_reference().run(async |number| *number).await;
        let caught = catching()
            .catch(async |()| Err::<(), fmt::Error>(fmt::Error))
            .await;
        assert!(
            caught.is_err(),
            "the context returns the error that it caught"
        );
        let guard = nested().enter().await?;
        guard.exit().await?;
        Ok(with + usize::try_from(run).unwrap_or_default())
    }

    pub(super) async fn early(number: u32) -> u32 {
        async_with!(one = on_each_path(number == 1), {
            return number + *one;
        })
    }

    pub(super) async fn always_panics() -> u32 {
        async_with!(() = panicking(), {
            let () = returning()
                .with(async |()| Ok::<(), fmt::Error>(()))
                .await
                .unwrap_or_default();
            panic!("expected");
        })
    }

    pub(super) async fn always_breaks(mut turns: u32) -> u32 {
        loop {
            turns += 1;
            if turns < 3 {
                continue;
            }
            async_with!(() = nothing(), {
                break turns;
            });
        }
    }
}

/// Denies lints about style, around code that is written as these lints want it.
mod explicit {
    #![forbid(unsafe_code)]
    #![deny(
        warnings,
        unused,
        unreachable_code,
        let_underscore_drop,
        unused_results
    )]
    #![deny(clippy::pedantic, clippy::nursery, clippy::large_futures)]
    #![deny(
        clippy::blocks_in_conditions,
        clippy::default_trait_access,
        clippy::else_if_without_else,
        clippy::exhaustive_structs,
        clippy::expect_used,
        clippy::if_then_some_else_none,
        clippy::implicit_return,
        clippy::infinite_loop,
        clippy::let_underscore_must_use,
        clippy::let_underscore_untyped,
        clippy::let_unit_value,
        clippy::missing_inline_in_public_items,
        clippy::no_effect_underscore_binding,
        clippy::panic,
        clippy::pattern_type_mismatch,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::ref_patterns,
        clippy::semicolon_inside_block,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_in_result,
        clippy::unwrap_used,
        clippy::used_underscore_binding
    )]
    #![allow(
        clippy::needless_return,
        clippy::redundant_pub_crate,
        clippy::unused_async,
        reason = "they contradict the lints above"
    )]

    use guard_core::{
        AsyncContext as _, Outcome, async_context, async_with, within, yield_resource,
    };
    use std::io;

    #[async_context]
    pub(super) async fn plain(_unused: u8, _other: String) {
        yield_resource!();
    }

    #[async_context]
    pub(super) async fn fallible(number: u8) -> io::Result<u8> {
        let mut lent = number;
        yield_resource!(lent);
        return Ok(());
    }

    #[async_context]
    pub(super) async fn by_outcome(number: u8) -> io::Result<u8> {
        let mut lent = number;
        match yield_resource!(lent) {
            Outcome::Completed => return Ok(()),
            _ => return Err(io::Error::other("told")),
        }
    }

    #[async_context(scoped)]
    pub(super) async fn scoped(_text: &str) -> usize {
        let mut number = 1;
        yield_resource!(number);
        return;
    }

    #[within(one = fallible(1)?, _two = plain(2, String::new()))]
    pub(super) async fn decorated(_number: u8) -> io::Result<u8> {
        return Ok(*one);
    }

    pub(super) async fn in_place() -> io::Result<u8> {
        let sum = async_with!(one = fallible(1)?, two = scoped("a"), {
            if *one > 3 {
                return Ok(1);
            }
            *one + u8::try_from(*two).map_err(io::Error::other)?
        });
        return Ok(sum);
    }

    pub(super) async fn jumping() -> io::Result<u8> {
        let mut turns = 0;
        loop {
            turns += 1;
            async_with!(one = fallible(1)?, {
                assert!(if turns == 1 { continue } else { *one == 1 }, "at first");
                assert!(if turns == 3 { break } else { *one == 1 }, "in the end");
            });
        }
        return Ok(turns);
    }

    pub(super) async fn by_method() -> io::Result<u8> {
        return fallible(1)
            .with(async |one: &mut u8| {
                return io::Result::Ok(*one);
            })
            .await;
    }
}

/// Lints about the user's code fire in the macros as they do outside.
mod firing {
    #![deny(unfulfilled_lint_expectations)]

    use guard_core::{async_context, async_with, within, yield_resource};

    #[expect(unused_variables)]
    #[async_context]
    async fn unused_local() {
        let local = 1;
        yield_resource!();
    }

    #[expect(unused_variables)]
    #[async_context]
    async fn unused_argument(argument: u32) {
        yield_resource!();
    }

    #[expect(unused_mut)]
    #[async_context]
    async fn unused_mut(mut argument: u32) {
        drop_it(argument);
        yield_resource!();
    }

    #[async_context]
    async fn on_arguments(
        #[expect(unused_variables)] argument: u32,
        #[expect(unused_variables)] (left, right): (u32, u32),
        #[expect(unused_mut)] mut used: u32,
    ) {
        drop_it(used);
        yield_resource!();
    }

    #[within(_nothing = nothing())]
    async fn on_an_argument_of_within(#[expect(unused_variables)] argument: u32) {}

    #[expect(unused_variables)]
    #[within(_nothing = nothing())]
    async fn unused_argument_of_within(argument: u32) {}

    #[async_context]
    async fn on_statements() {
        #[expect(unused_variables)]
        let local = 1;
        yield_resource!();
        #[expect(unused_must_use)]
        "1".parse::<u32>();
    }

    #[expect(unused_must_use)]
    #[async_context]
    async fn unused_result() {
        yield_resource!();
        "1".parse::<u32>();
    }

    #[expect(unused_must_use)]
    #[async_context]
    async fn unused_future() {
        yield_resource!();
        std::future::ready(());
    }

    #[expect(unreachable_code)]
    #[async_context]
    async fn unreachable() {
        yield_resource!();
        return;
        drop_it(1);
    }

    #[expect(unused_assignments)]
    #[async_context]
    async fn unused_assignment() -> u32 {
        let mut number = 1;
        yield_resource!(number);
        number = 2;
        number = 3;
        drop_it(number);
    }

    #[expect(deprecated)]
    #[async_context]
    async fn deprecated_call() {
        old();
        yield_resource!();
    }

    #[expect(dead_code)]
    #[async_context]
    async fn never_called() {
        yield_resource!();
    }

    #[expect(non_snake_case)]
    #[async_context]
    async fn Misnamed() {
        yield_resource!();
    }

    #[expect(clippy::needless_return)]
    #[async_context]
    async fn needless_return_in_a_closure() {
        yield_resource!();
        let closure = |number: u32| {
            return number;
        };
        drop_it(closure(1));
    }

    #[expect(clippy::len_zero)]
    #[async_context]
    async fn style() -> String {
        let mut text = String::new();
        yield_resource!(text);
        drop_it(u32::from(text.len() == 0));
    }

    #[expect(unused_variables)]
    async fn unused_local_in_a_use() {
        async_with!(_nothing = nothing(), {
            let local = 1;
        });
    }

    #[expect(unused_variables)]
    async fn unused_name_of_a_use() {
        async_with!(resource = nothing(), {});
    }

    #[expect(unused_must_use)]
    async fn unused_result_in_a_use() {
        async_with!(_nothing = nothing(), {
            "1".parse::<u32>();
        });
    }

    #[expect(unreachable_code)]
    async fn unreachable_in_a_use() {
        async_with!(_nothing = nothing(), {
            return;
            drop_it(1);
        });
    }

    #[expect(unused_must_use)]
    async fn unused_context() {
        nothing();
    }

    #[expect(clippy::len_zero)]
    async fn style_in_a_use(text: &str) {
        async_with!(_nothing = nothing(), {
            drop_it(u32::from(text.len() == 0));
        });
    }

    #[async_context]
    async fn nothing() {
        yield_resource!();
    }

    #[deprecated]
    fn old() {}

    fn drop_it(_: u32) {}

    #[test]
    fn lints_fire_in_the_code_of_the_user() {
        // If a lint had not fired, an expectation above would be unfulfilled, and that is an error.
        let _ = (
            unused_local(),
            unused_argument(1),
            unused_mut(1),
            unused_result(),
            unused_future(),
            unreachable(),
            unused_assignment(),
            deprecated_call(),
            Misnamed(),
            needless_return_in_a_closure(),
            style(),
        );
        let _ = (
            unused_local_in_a_use(),
            unused_name_of_a_use(),
            unused_result_in_a_use(),
            unreachable_in_a_use(),
            unused_context(),
            style_in_a_use(""),
        );
        let _ = (
            on_arguments(1, (2, 3), 4),
            on_an_argument_of_within(1),
            unused_argument_of_within(1),
            on_statements(),
        );
    }
}

#[test]
fn lints_are_silent_about_the_expansion() {
    // If a lint had fired, this file would not compile.
    use guard_core::AsyncContext as _;
    use guard_tests::block_on;

    guard_core::set_reporter(|_| {});
    assert_eq!(block_on(silent::uses(false)), Ok(5 + 1 + 1 + 1));
    assert!(block_on(silent::uses(true)).is_err());
    assert_eq!(block_on(silent::early(1)), 2);
    assert_eq!(block_on(silent::always_breaks(0)), 3);
    assert_eq!(block_on(explicit::decorated(1)).ok(), Some(1));
    assert_eq!(block_on(explicit::in_place()).ok(), Some(2));
    assert_eq!(block_on(explicit::jumping()).ok(), Some(3));
    assert_eq!(block_on(explicit::by_method()).ok(), Some(1));
    assert!(block_on(explicit::by_outcome(1).with(async |_| std::io::Result::Ok(()))).is_ok());
    let panics = std::panic::AssertUnwindSafe(|| block_on(silent::always_panics()));
    assert!(std::panic::catch_unwind(panics).is_err());
}
