//! Counts instructions under callgrind: the same on every run, so they have limits.
//!
//! `cargo bench --bench instructions`; needs valgrind, and `cargo install gungraun-runner --version 0.20.0`. The counts
//! are of [`USES`] uses. A limit is of one use; where it is exceeded, the benchmark fails. Lower it when a change
//! lowers the count. Other crates have no limit: their counts are not ours to keep.

use std::hint::black_box;

use guard_benches::{Program, programs};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

const USES: u64 = 1000;

type Run = fn(u64) -> u64;

/// Not more instructions than this, and 3 % for another libc.
fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let limit = USES * instructions * 103 / 100;
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn program(name: &str) -> Program {
    let mut programs = programs().into_iter();
    let found = programs.find(|program| program.name == name);
    found.expect("there is a program of this name")
}

fn never(name: &str) -> Run {
    program(name).never
}

fn once(name: &str) -> Run {
    program(name).once
}

#[library_benchmark]
#[bench::by_hand(args = (never("by hand")), config = limit(105))]
#[bench::scoped_block(args = (never("scoped, async_with!")), config = limit(239))]
#[bench::scoped_run(args = (never("scoped, run")), config = limit(196))]
#[bench::scoped_with(args = (never("scoped, with")), config = limit(213))]
#[bench::scoped_catch(args = (never("scoped, catch")), config = limit(209))]
#[bench::scoped_within(args = (never("scoped, within")), config = limit(258))]
#[bench::async_stream(args = (never("async-stream")))]
#[bench::genawaiter(args = (never("genawaiter")))]
#[bench::async_safe_defer(args = (never("async-safe-defer")))]
#[bench::boxed_closure(args = (never("boxed closure")))]
#[bench::three_by_hand(args = (never("three by hand")), config = limit(255))]
#[bench::three_scoped(args = (never("three scoped, one call")), config = limit(764))]
#[bench::three_scoped_nested(args = (never("three scoped, nested")), config = limit(743))]
#[bench::two_joined_by_hand(args = (never("two joined by hand")), config = limit(324))]
#[bench::two_scoped_joined(args = (never("two scoped, join")), config = limit(787))]
#[bench::boxed_by_hand(args = (never("boxed by hand")), config = limit(397))]
#[bench::default_block(args = (never("default, async_with!")), config = limit(475))]
#[bench::default_run(args = (never("default, run")), config = limit(463))]
#[bench::default_guard(args = (never("default, guard")), config = limit(812))]
#[bench::default_guard_drive(args = (never("default, guard.drive")), config = limit(903))]
#[bench::three_boxed_by_hand(args = (never("three boxed by hand")), config = limit(1194))]
#[bench::three_default(args = (never("three default, one call")), config = limit(1453))]
#[bench::closures_of_one(args = (never("closures of one")), config = limit(906))]
#[bench::stack_of_one(args = (never("stack of one")), config = limit(2019))]
#[bench::closures_of_eleven(args = (never("closures of eleven")), config = limit(8426))]
#[bench::stack_of_eleven(args = (never("stack of eleven")), config = limit(15699))]
#[bench::dropped_by_hand(args = (never("dropped by hand")), config = limit(2762))]
#[bench::dropped_drained(args = (never("dropped, drained")), config = limit(3083))]
fn never_suspended(run: Run) -> u64 {
    black_box(run(black_box(USES)))
}

#[library_benchmark]
#[bench::by_hand(args = (once("by hand")), config = limit(211))]
#[bench::scoped_block(args = (once("scoped, async_with!")), config = limit(394))]
#[bench::scoped_run(args = (once("scoped, run")), config = limit(332))]
#[bench::scoped_with(args = (once("scoped, with")), config = limit(350))]
#[bench::scoped_catch(args = (once("scoped, catch")), config = limit(339))]
#[bench::scoped_within(args = (once("scoped, within")), config = limit(411))]
#[bench::async_stream(args = (once("async-stream")))]
#[bench::genawaiter(args = (once("genawaiter")))]
#[bench::async_safe_defer(args = (once("async-safe-defer")))]
#[bench::boxed_closure(args = (once("boxed closure")))]
#[bench::three_by_hand(args = (once("three by hand")), config = limit(583))]
#[bench::three_scoped(args = (once("three scoped, one call")), config = limit(1391))]
#[bench::three_scoped_nested(args = (once("three scoped, nested")), config = limit(1409))]
#[bench::two_joined_by_hand(args = (once("two joined by hand")), config = limit(557))]
#[bench::two_scoped_joined(args = (once("two scoped, join")), config = limit(1235))]
#[bench::boxed_by_hand(args = (once("boxed by hand")), config = limit(672))]
#[bench::default_block(args = (once("default, async_with!")), config = limit(639))]
#[bench::default_run(args = (once("default, run")), config = limit(628))]
#[bench::default_guard(args = (once("default, guard")), config = limit(1051))]
#[bench::default_guard_drive(args = (once("default, guard.drive")), config = limit(1216))]
#[bench::three_boxed_by_hand(args = (once("three boxed by hand")), config = limit(2539))]
#[bench::three_default(args = (once("three default, one call")), config = limit(2098))]
#[bench::closures_of_one(args = (once("closures of one")), config = limit(1007))]
#[bench::stack_of_one(args = (once("stack of one")), config = limit(2335))]
#[bench::closures_of_eleven(args = (once("closures of eleven")), config = limit(9537))]
#[bench::stack_of_eleven(args = (once("stack of eleven")), config = limit(19215))]
#[bench::dropped_by_hand(args = (once("dropped by hand")), config = limit(2762))]
#[bench::dropped_drained(args = (once("dropped, drained")), config = limit(3083))]
fn once_suspended(run: Run) -> u64 {
    black_box(run(black_box(USES)))
}

library_benchmark_group!(name = uses, benchmarks = [never_suspended, once_suspended]);

main!(library_benchmark_groups = uses);
