//! How the costs grow: `cargo run --release --bin growth`.
//!
//! Many uses alive at once, many entries of one stack, uses inside uses, and uses that one and two threads drop at once.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use guard_benches::work::{clean_up, poll_once, use_it};
use guard_benches::{by_hand, uses};
use guard_core::{AsyncContext, async_with, drain, exit_stack};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;

fn main() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    // Before the others, which leave millions of free blocks of memory for the allocator to sort.
    many_entries(&runtime);
    deep(&runtime);
    many_at_once(&runtime);
    dropped_by_threads(&runtime);
}

fn each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

/// 1,000,000 uses that are in their blocks at the same time.
fn many_at_once(runtime: &Runtime) {
    const COUNT: usize = 1_000_000;

    fn measure<F: Future<Output = u64>>(name: &str, make: impl Fn(u64) -> F) {
        let start = Instant::now();
        let mut uses: Vec<Pin<Box<F>>> = (0..COUNT as u64).map(|n| Box::pin(make(n))).collect();
        // The first poll is in the set-up, the second in the block, the third in the clean-up.
        for _ in 0..3 {
            for used in &mut uses {
                assert!(poll_once(used.as_mut()).is_pending());
            }
        }
        for used in &mut uses {
            assert!(poll_once(used.as_mut()).is_ready());
        }
        drop(uses);
        println!("  {name:<12}{:>8.0} ns a use", each(start.elapsed(), COUNT));
    }

    let _entered = runtime.enter();
    println!("{COUNT} uses at once");
    measure("by hand", by_hand::scoped::<true>);
    measure("scoped", uses::scoped_block::<true>);
    measure("boxed", by_hand::boxed::<true>);
    measure("default", uses::default_block::<true>);
}

/// A stack with very many entries.
fn many_entries(runtime: &Runtime) {
    println!("entries of one stack");
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let start = Instant::now();
        runtime.block_on(async {
            async_with!(stack = exit_stack::<()>(), {
                for n in 0..count as u64 {
                    let entered = stack.enter(uses::default::<false>(n).with_error()).await;
                    black_box(entered.expect("it cannot fail"));
                }
            });
        });
        println!(
            "  {count:<12}{:>8.0} ns an entry",
            each(start.elapsed(), count)
        );
    }
}

fn nested(depth: usize) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        async_with!(resource = uses::scoped::<true>(1), {
            match depth {
                1 => use_it::<true>(resource).await,
                _ => nested(depth - 1).await,
            }
        })
    })
}

/// A use inside a use inside a use.
fn deep(runtime: &Runtime) {
    println!("uses inside each other, polled only when they can go on");
    for depth in [1, 10, 100, 1_000, 10_000] {
        // A poll goes through all that are around, so the time of one use grows with the depth.
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        let time = std::thread::scope(|scope| {
            let running = thread.spawn_scoped(scope, || {
                runtime.block_on(async {
                    // What a thread does once.
                    guard_benches::work::finish(nested(1));
                    let start = Instant::now();
                    guard_benches::work::finish(nested(depth));
                    start.elapsed()
                })
            });
            running.expect("a thread").join().expect("no panic")
        });
        println!(
            "  {depth:<12}{:>8.1} ns a use and level",
            each(time, depth * depth)
        );
    }
}

/// Drops uses in their blocks, on one thread and on two, and waits for the clean-ups.
fn dropped_by_threads(runtime: &Runtime) {
    const COUNT: usize = 100_000;

    fn on_threads(threads: usize, runtime: &Runtime, each: impl Fn(u64) + Sync) -> Duration {
        let barrier = Barrier::new(threads + 1);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let _entered = runtime.enter();
                        barrier.wait();
                        for n in 0..(COUNT / threads) as u64 {
                            each(n);
                        }
                    })
                })
                .collect();
            barrier.wait();
            let start = Instant::now();
            for thread in running {
                thread.join().expect("no panic");
            }
            start.elapsed()
        })
    }

    println!("dropped in their blocks, on a runtime with two workers");
    for threads in [1, 2] {
        let tracker = TaskTracker::new();
        let spawned = on_threads(threads, runtime, |n| {
            tracker.spawn(clean_up::<false>(n, false));
        });
        tracker.close();
        runtime.block_on(tracker.wait());
        let handed_off = on_threads(threads, runtime, |n| {
            uses::cancelled(n);
        });
        runtime.block_on(drain());
        println!(
            "  {threads} threads: {:.0} ns a use that is dropped, {:.0} ns a plain `tokio::spawn` of the clean-up",
            each(handed_off, COUNT),
            each(spawned, COUNT)
        );
    }
}
