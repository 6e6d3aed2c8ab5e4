//! Valid Rust code that macros are known to break. It has the same meaning in guard-core's macros as outside.

#![allow(
    clippy::from_str_radix_10,
    clippy::map_identity,
    clippy::never_loop,
    clippy::diverging_sub_expression,
    clippy::await_holding_lock,
    reason = "the tests are about them"
)]

use std::fmt;
use std::future::ready;
use std::io;

use anyhow::Context as _;
use guard_core::{AsyncContext as _, Outcome, async_context, async_with, within, yield_resource};
use guard_tests::{Log, block_on};

#[async_context]
async fn number(number: u8) -> u8 {
    let mut number = number;
    yield_resource!(number);
}

#[async_context]
async fn fallible(number: u8) -> io::Result<u8> {
    let mut number = number;
    yield_resource!(number);
    Ok(())
}

/// Macros with a loop that their arguments do not show.
mod jumps {
    use super::*;

    macro_rules! forever {
        ($($code:tt)*) => { loop { $($code)* } };
    }

    macro_rules! once {
        ($($code:tt)*) => {{ $($code)* }};
    }

    macro_rules! twice {
        ($($code:tt)*) => { for _ in 0..2 { $($code)* } };
    }

    struct Item {
        at: u32,
    }

    fn items() -> [Item; 3] {
        [0, 1, 2].map(|at| Item { at })
    }

    #[test]
    fn a_break_leaves_the_loop_of_a_macro() {
        let count = block_on(async {
            let mut turns = 0;
            for _ in 0..3 {
                async_with!(_number = number(1), {
                    let mut count = 0;
                    forever! {
                        count += 1;
                        if count == 2 {
                            break;
                        }
                    }
                    turns += count;
                });
            }
            turns
        });
        assert_eq!(count, 6);
    }

    #[test]
    fn a_continue_goes_on_with_the_loop_of_a_macro() {
        let count = block_on(async {
            let mut count = 0;
            for turn in 0..3 {
                async_with!(_number = number(1), {
                    twice! {
                        count += 1;
                        if turn == 1 {
                            continue;
                        }
                        count += 10;
                    }
                    count += 100;
                });
            }
            count
        });
        assert_eq!(count, 6 + 40 + 300);
    }

    #[test]
    fn a_jump_leaves_the_block_when_the_macro_has_no_loop() {
        let log = Log::new();
        block_on(async {
            for turn in 0..5 {
                async_with!(_number = number(1), {
                    once! {
                        log.push(turn);
                        if turn == 1 {
                            continue;
                        }
                        if turn == 3 {
                            break;
                        }
                    }
                    log.push("after");
                });
                log.push("outside");
            }
        });
        assert_eq!(log.line(), "0 after outside 1 2 after outside 3");
    }

    #[test]
    fn a_labelled_jump_leaves_an_unknown_macro() {
        let (turns, found) = block_on(async {
            let mut turns = 0;
            let found = 'found: {
                'outer: for outer in 0..3 {
                    loop {
                        async_with!(_number = number(1), {
                            turns += 1;
                            once! {
                                if outer == 1 {
                                    break 'found outer * 10;
                                }
                                continue 'outer
                            }
                        });
                    }
                }
                0
            };
            (turns, found)
        });
        assert_eq!((turns, found), (2, 10));
    }

    #[test]
    fn a_break_carries_its_value_out_of_a_macro() {
        let value = block_on(async {
            loop {
                let one = async_with!(one = number(1), {
                    once! { if *one == 2 { 3 } else { break *one + 4 } }
                });
                assert_eq!(one, 3);
            }
        });
        assert_eq!(value, 5);
    }

    #[test]
    fn the_braces_of_a_pattern_are_not_taken_for_a_loop() {
        let turns = block_on(async {
            let mut turns = 0;
            for _ in 0..3 {
                async_with!(_number = number(1), {
                    tokio::select! {
                        () = ready(()) => for Item { at } in items() { if at == 1 { break } },
                    }
                    turns += 1;
                });
            }
            turns
        });
        assert_eq!(turns, 3);
    }

    #[test]
    fn a_handler_of_select_can_have_a_labelled_loop() {
        block_on(async {
            async_with!(_number = number(1), {
                tokio::select! { () = ready(()) => 'outer: loop { loop { break 'outer } }, }
            });
        });
    }

    #[test]
    fn a_handler_of_select_can_jump_out_of_the_block_and_move_a_value() {
        let log = Log::new();
        block_on(async {
            for name in ["a", "b", "c"].map(String::from) {
                async_with!(_number = number(1), {
                    tokio::select! {
                        () = ready(()) => {
                            if name == "b" {
                                continue;
                            }
                            if name == "c" {
                                break;
                            }
                        }
                    }
                    log.push(name);
                });
            }
            log.push("over");
        });
        assert_eq!(log.line(), "a over");
    }
}

/// Tokens in `stringify!` are not changed.
mod quoted {
    use super::*;

    macro_rules! shown {
        ($($token:tt)*) => { stringify!($($token)*) };
    }

    #[test]
    fn stringify_is_not_changed_in_a_block() {
        let quoted = block_on(async {
            let mut quoted = Vec::new();
            'outer: for _ in 0..1 {
                let tokens = async_with!(_number = number(1), {
                    [
                        stringify!(return x.y),
                        stringify!(break 'outer x.y),
                        shown!(break 'outer),
                        shown!(continue),
                    ]
                });
                quoted.extend(tokens);
            }
            quoted
        });
        assert_eq!(quoted[..2], ["return x.y", "break 'outer x.y"]);
        assert_eq!(quoted[2..], ["break 'outer", "continue"]);
    }

    #[test]
    fn stringify_is_not_changed_in_a_context() {
        #[async_context]
        async fn quoting() -> &'static str {
            let mut text = stringify!(return x.y);
            yield_resource!(text);
        }
        block_on(async { async_with!(text = quoting(), { assert_eq!(*text, "return x.y") }) });
    }
}

/// Fragments that other macros pass on.
mod fragments {
    use super::*;

    macro_rules! context {
        ($name:ident $body:block) => {
            #[async_context]
            async fn $name() -> u8 $body
        };
    }
    context!(with_a_block {
        let mut one = 1;
        yield_resource!(one);
    });

    macro_rules! around {
        ($name:ident $body:block) => {
            #[within(_one = with_a_block())]
            async fn $name() -> u8 $body
        };
    }
    around!(around_a_block { 5 });

    #[test]
    fn a_body_can_be_a_fragment() {
        block_on(async {
            async_with!(one = with_a_block(), { assert_eq!(*one, 1) });
            assert_eq!(around_a_block().await, 5);
        });
    }

    macro_rules! one {
        ($name:ident = $context:expr => $value:expr) => {
            async_with!($name = $context, { $value })
        };
    }
    macro_rules! several {
        ($($name:ident = $context:expr),+ => $block:block) => {
            async_with!($($name = $context),+, $block)
        };
    }
    macro_rules! pattern {
        ($name:pat = $context:expr => $block:block) => {
            async_with!($name = $context, $block)
        };
    }
    macro_rules! tokens {
        ($($token:tt)*) => { async_with!($($token)*) };
    }
    macro_rules! joined {
        ($first:expr, $second:expr) => {
            async_with!(join(first = $first, second = $second), { *first + *second })
        };
    }
    macro_rules! returning {
        ($context:expr, $value:expr) => {
            async_with!(one = $context, {
                if *one == 1 {
                    return $value;
                }
            })
        };
    }
    macro_rules! trying {
        ($context:expr, $step:expr) => {
            async_with!(one = $context, {
                $step;
                *one
            })
        };
    }
    macro_rules! statement {
        ($context:expr, $step:stmt) => {
            async_with!(one = $context, {
                $step;
                *one
            })
        };
    }
    macro_rules! attribute {
        ($name:ident, $context:expr) => {
            #[within(one = $context)]
            async fn $name() -> io::Result<u8> {
                Ok(*one)
            }
        };
    }
    attribute!(by_attribute, fallible(3)?);

    async fn all() -> io::Result<u8> {
        let mut sum = one!(a = fallible(1)? => *a);
        sum += several!(a = fallible(1)?, b = fallible(2)? => { *a + *b });
        sum += pattern!(x = fallible(1)? => { *x });
        sum += tokens!(x = fallible(1)?, y = fallible(*x)?, { *y });
        sum += joined!(fallible(1)?, fallible(2)?);
        sum += trying!(
            fallible(1)?,
            fallible(2).with(async |_| io::Result::Ok(())).await?
        );
        sum += statement!(fallible(1)?, let _two = 2);
        returning!(fallible(1)?, Ok(sum));
        Ok(0)
    }

    #[test]
    fn contexts_patterns_blocks_and_statements_can_be_fragments() {
        assert_eq!(block_on(all()).unwrap(), 11);
        assert_eq!(block_on(by_attribute()).unwrap(), 3);
    }

    macro_rules! lending {
        ($name:ident, $value:ident, $place:expr) => {
            #[async_context]
            async fn $name(mut $value: (u8, u8)) -> u8 {
                yield_resource!($place);
            }
        };
    }
    lending!(lends_a_field, pair, pair.1);

    macro_rules! failing {
        ($tail:ident, $returning:ident, $error:expr) => {
            #[async_context]
            async fn $tail(fails: bool) -> io::Result<u8> {
                let mut one = 1;
                if fails {
                    $error
                } else {
                    yield_resource!(one);
                    Ok(())
                }
            }

            #[async_context]
            async fn $returning(fails: bool) -> io::Result<u8> {
                let mut one = 1;
                if fails {
                    return $error;
                }
                yield_resource!(one);
                Ok(())
            }
        };
    }
    failing!(fails_in_the_end, fails_early, Err(io::Error::other("bad")));

    #[test]
    fn places_and_errors_can_be_fragments() {
        assert_eq!(block_on(lends_a_field((1, 2)).run(async |two| *two)), 2);
        assert!(block_on(fails_in_the_end(true).enter()).is_err());
        assert!(block_on(fails_early(true).enter()).is_err());
    }
}

/// Errors before the yield.
mod failing {
    use super::*;

    fn bad() -> io::Error {
        io::Error::other("bad")
    }

    #[async_context]
    #[allow(unused_braces, unused_parens)]
    async fn in_every_way(way: u8) -> io::Result<u8> {
        let mut one = 1;
        if way == 0 {
            return (Err(bad()));
        }
        if way == 1 {
            return { Err(bad()) };
        }
        if way == 2 {
            return io::Result::Err(bad());
        }
        if way == 3 {
            return Err(bad()).map_err(|error| error);
        }
        return match way {
            4 => Err(bad()),
            _ => {
                yield_resource!(one);
                Ok(())
            }
        };
    }

    #[async_context]
    async fn with_something_added(fails: bool) -> anyhow::Result<u8> {
        let mut one = match u8::from_str_radix(if fails { "?" } else { "1" }, 10) {
            Ok(one) => one,
            Err(error) => return Err(error).context("no number"),
        };
        yield_resource!(one);
        Ok(())
    }

    #[test]
    fn a_context_can_fail_in_every_way_before_the_yield() {
        for way in 0..5 {
            assert!(block_on(in_every_way(way).enter()).is_err(), "{way}");
        }
        assert_eq!(
            block_on(in_every_way(5).enter()).ok().map(|one| *one),
            Some(1)
        );
        let error = block_on(with_something_added(true).enter()).err().unwrap();
        assert_eq!(
            format!("{error:#}"),
            "no number: invalid digit found in string"
        );
        assert!(block_on(with_something_added(false).enter()).is_ok());
    }
}

/// Inner attributes and items at the start of a body.
mod inner_attributes {
    use super::*;

    #[async_context]
    async fn context() -> u8 {
        #![allow(unused_variables)]
        #![allow(unused_mut)]
        let unused = 1;
        let mut one = 1;
        yield_resource!(one);
    }

    #[within(_one = context())]
    async fn around() -> u8 {
        #![allow(unused_variables)]
        let unused = 1;
        5
    }

    #[test]
    fn inner_attributes_apply_to_the_function() {
        block_on(async {
            async_with!(one = context(), { assert_eq!(*one, 1) });
            assert_eq!(around().await, 5);
        });
    }
}

/// Other attributes around `#[within]`.
mod attributes {
    use super::*;

    #[async_context]
    async fn logged(log: Log, name: &'static str) -> &'static str {
        log.push(format_args!("enter({name})"));
        let mut name = name;
        let outcome = yield_resource!(name);
        log.push(format_args!("exit({name}, {outcome:?})"));
    }

    #[within(first = logged(log.clone(), "first"))]
    #[within(second = logged(log.clone(), if *first == "first" { "first+" } else { "another" }))]
    #[within(_third = logged(log.clone(), "third"), _fourth = logged(log.clone(), "fourth"))]
    async fn stacked(log: &Log) -> Result<(), u8> {
        log.push(*second);
        Err(1)
    }

    #[test]
    fn the_first_of_several_attributes_is_the_outermost() {
        let log = Log::new();
        assert_eq!(block_on(stacked(&log)), Err(1));
        assert_eq!(
            log.line(),
            "enter(first) enter(first+) enter(third) enter(fourth) first+ exit(fourth, Failed(())) \
             exit(third, Failed(())) exit(first+, Failed(())) exit(first, Failed(()))"
        );
    }

    #[within(one = number(1))]
    #[within(two = number(*one + 1))]
    #[tokio::test]
    async fn within_can_stand_above_tokio_test() {
        assert_eq!((*one, *two), (1, 2));
    }

    #[tokio::test]
    #[within(one = number(1))]
    #[within(two = number(*one + 1))]
    async fn within_can_stand_below_tokio_test() -> Result<(), u8> {
        assert_eq!((*one, *two), (1, 2));
        Ok(())
    }

    #[within(one = number(1))]
    #[tokio::test]
    #[within(two = number(*one + 1))]
    async fn within_can_stand_above_and_below_tokio_test() {
        assert_eq!((*one, *two), (1, 2));
    }

    #[async_trait::async_trait]
    trait Handler: Sync {
        async fn borrowed(&self, log: &Log, fails: bool) -> Result<u8, String>;
        async fn owned(self: Box<Self>, log: Log);
        async fn described(&self) -> String;
        #[within(_outer = logged(log.clone(), "provided"))]
        async fn provided(&self, log: &Log) -> u8 {
            self.borrowed(log, false).await.unwrap_or_default()
        }
    }

    struct Service {
        name: &'static str,
    }

    #[async_trait::async_trait]
    impl Handler for Service {
        #[within(name = logged(log.clone(), self.name))]
        async fn borrowed(&self, log: &Log, fails: bool) -> Result<u8, String> {
            if fails {
                return Err((*name).to_owned());
            }
            Ok(u8::try_from(self.name.len()).unwrap())
        }

        #[within(_name = logged(log.clone(), self.name))]
        async fn owned(self: Box<Self>, log: Log) {
            log.push(self.name);
        }

        #[within(text = self::described(format!("{self} {}", self::length(self.name))))]
        async fn described(&self) -> String {
            text.clone()
        }
    }

    impl fmt::Display for Service {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.name)
        }
    }

    #[async_context]
    async fn described(mut text: String) -> String {
        yield_resource!(text);
    }

    fn length(name: &str) -> usize {
        name.len()
    }

    #[test]
    fn within_works_on_methods_of_async_trait() {
        let log = Log::new();
        let service: Box<dyn Handler> = Box::new(Service { name: "it" });
        assert_eq!(block_on(service.borrowed(&log, true)), Err("it".to_owned()));
        assert_eq!(log.line(), "enter(it) exit(it, Failed(()))");
        assert_eq!(block_on(service.provided(&log)), 2);
        assert_eq!(
            log.line(),
            "enter(provided) enter(it) exit(it, Completed) exit(provided, Completed)"
        );
        block_on(service.owned(log.clone()));
        assert_eq!(log.line(), "enter(it) it exit(it, Completed)");
    }

    #[test]
    fn within_tells_self_from_the_module_and_finds_it_in_format_strings() {
        let service: Box<dyn Handler> = Box::new(Service { name: "it" });
        assert_eq!(block_on(service.described()), "it 2");
    }

    #[async_recursion::async_recursion]
    #[within(_depth = logged(log.clone(), "level"))]
    async fn down(log: &Log, depth: u8) -> u8 {
        if depth == 0 {
            0
        } else {
            down(log, depth - 1).await + 1
        }
    }

    #[within(_depth = logged(log.clone(), "level"))]
    #[async_recursion::async_recursion]
    async fn down_too(log: &Log, depth: u8) -> u8 {
        if depth == 0 {
            0
        } else {
            down_too(log, depth - 1).await + 1
        }
    }

    #[test]
    fn within_works_on_recursive_functions() {
        let log = Log::new();
        assert_eq!(block_on(down(&log, 1)), 1);
        let events = log.line();
        assert_eq!(
            events,
            "enter(level) enter(level) exit(level, Completed) exit(level, Completed)"
        );
        assert_eq!(block_on(down_too(&log, 1)), 1);
        assert_eq!(log.line(), events);
    }
}

/// `return` values whose type is inferred from another place.
mod returned {
    use super::*;

    #[tokio::test]
    async fn a_bare_return_needs_no_type() {
        async_with!(one = number(1), {
            if *one == 1 {
                return;
            }
        });
        unreachable!();
    }

    #[tokio::test]
    async fn the_type_of_a_default_is_inferred_from_the_function() {
        async_with!(one = number(1), {
            if *one == 1 {
                return Default::default();
            }
        });
        unreachable!();
    }

    #[test]
    fn the_type_of_a_returned_value_is_inferred_from_the_function() {
        async fn parsed() -> u8 {
            async_with!(one = number(1), {
                if *one == 1 {
                    return "7".parse().unwrap();
                }
            });
            2
        }
        assert_eq!(block_on(parsed()), 7);
    }
}

/// A macro of the user that has the name of one of guard-core's.
mod names {
    use super::*;

    macro_rules! own {
        ($($token:tt)*) => {};
    }

    #[test]
    fn a_user_macro_named_yield_resource_gets_only_its_own_arguments() {
        use own as yield_resource;

        #[async_context]
        async fn lends() -> Box<[u64; 64]> {
            let mut lent = Box::new([7; 64]);
            let outcome = yield_resource!(lent);
            assert_eq!(outcome, Outcome::Completed);
            drop(lent);
        }
        assert_eq!(block_on(lends().run(async |lent| lent[3])), 7);
    }
}

/// Temporaries in the expression of a context live as long as the use.
mod temporaries {
    use super::*;

    #[async_context(scoped)]
    async fn length(of: &str) -> io::Result<usize> {
        let mut length = of.len();
        tokio::task::yield_now().await;
        yield_resource!(length);
        assert_eq!(length, of.len());
        Ok(())
    }

    #[tokio::test]
    async fn temporaries_of_async_with_live_until_the_use_has_ended() -> io::Result<()> {
        let text = std::sync::Mutex::new("text".to_owned());
        async_with!(
            first = length(&format!("{}:{}", "host", 1))?,
            second = length(&text.lock().unwrap().clone())?,
            {
                assert_eq!((*first, *second), (6, 4));
            }
        );
        Ok(())
    }
}
