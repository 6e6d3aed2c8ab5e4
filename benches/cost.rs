//! What a use costs: each way of using a context beside the same thing written by hand.
//!
//! `cargo run --release -p guard-benches` prints times and their ratios, measured side by side in one run.
//! `bash benches/instructions` counts instructions instead, with valgrind, which does not vary.
//!
//! The work inside is a few additions and one suspension each in set-up, use and clean-up, so that what is
//! measured is the machinery.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use guard_core::{AsyncContext, async_context, async_with, exit_stack, yield_resource};

/// One way of doing it: its name, what it is compared with, and a function that does it so many times.
type Way = (&'static str, &'static str, fn(u64) -> u64);

const WAYS: &[Way] = &[
    ("by hand", "by hand", |count| repeat(count, by_hand)),
    ("scoped, async_with!", "by hand", |count| {
        repeat(count, scoped_block)
    }),
    ("scoped, run", "by hand", |count| {
        repeat(count, scoped_closure)
    }),
    ("boxed by hand", "boxed by hand", |count| {
        repeat(count, boxed_by_hand)
    }),
    ("guaranteed, async_with!", "boxed by hand", |count| {
        repeat(count, guaranteed_block)
    }),
    ("guaranteed, run", "boxed by hand", |count| {
        repeat(count, guaranteed_closure)
    }),
    ("guaranteed, guard", "boxed by hand", |count| {
        repeat(count, guaranteed_guard)
    }),
    ("stack of one", "boxed by hand", |count| {
        repeat(count, stack_of_one)
    }),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => compare(),
        [list] if list == "list" => {
            for (name, base, _) in WAYS {
                println!("{name}\t{base}");
            }
        }
        // For valgrind: one way, so many times.
        [name, count] => {
            let (_, _, run) = WAYS.iter().find(|way| way.0 == name).expect("a way");
            black_box(run(count.parse().expect("a count")));
        }
        _ => panic!("usage: cost [list | WAY COUNT]"),
    }
}

/// Runs all ways in turn, many times, and prints the fastest turn of each.
fn compare() {
    const COUNT: u64 = 200_000;
    let mut best = vec![Duration::MAX; WAYS.len()];
    for _ in 0..15 {
        for (best, (_, _, run)) in best.iter_mut().zip(WAYS) {
            let start = Instant::now();
            black_box(run(COUNT));
            *best = start.elapsed().min(*best);
        }
    }
    println!("{:<26}{:>10}{:>28}", "", "ns a use", "ratio");
    for ((name, base, _), time) in WAYS.iter().zip(&best) {
        let at = WAYS.iter().position(|way| way.0 == *base).expect("a base");
        let ratio = time.as_secs_f64() / best[at].as_secs_f64();
        let nanos = time.as_secs_f64() * 1e9 / 200_000.0;
        println!("{name:<26}{nanos:>10.1}{ratio:>12.2} x {base}");
    }
}

fn repeat<F: Future<Output = u64>>(count: u64, once: impl Fn(u64) -> F) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        sum += finish(once(black_box(n)));
    }
    sum
}

/// Polls to the end.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

async fn suspend() {
    let mut pending = true;
    std::future::poll_fn(|_| {
        if std::mem::take(&mut pending) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

async fn set_up(n: u64) -> u64 {
    suspend().await;
    black_box(n + 1)
}

async fn use_it(resource: &mut u64) -> u64 {
    suspend().await;
    *resource += 1;
    *resource
}

async fn clean_up(resource: u64) {
    suspend().await;
    black_box(resource);
}

async fn by_hand(n: u64) -> u64 {
    let mut resource = set_up(n).await;
    let value = use_it(&mut resource).await;
    clean_up(resource).await;
    value
}

/// What owns its future and can be handed on costs a box.
async fn boxed_by_hand(n: u64) -> u64 {
    let whole: std::pin::Pin<Box<dyn Future<Output = u64> + Send>> = Box::pin(by_hand(n));
    whole.await
}

#[async_context(scoped)]
async fn scoped(n: u64) -> u64 {
    let mut resource = set_up(n).await;
    yield_resource!(resource);
    clean_up(resource).await;
}

#[async_context]
async fn guaranteed(n: u64) -> u64 {
    let mut resource = set_up(n).await;
    yield_resource!(resource);
    clean_up(resource).await;
}

async fn scoped_block(n: u64) -> u64 {
    async_with!(resource = scoped(n), { use_it(resource).await })
}

async fn scoped_closure(n: u64) -> u64 {
    scoped(n).run(use_it).await
}

async fn guaranteed_block(n: u64) -> u64 {
    async_with!(resource = guaranteed(n), { use_it(resource).await })
}

async fn guaranteed_closure(n: u64) -> u64 {
    guaranteed(n).run(use_it).await
}

async fn guaranteed_guard(n: u64) -> u64 {
    let Ok(mut guard) = guaranteed(n).enter().await;
    let value = use_it(&mut guard).await;
    let Ok(()) = guard.exit().await;
    value
}

async fn stack_of_one(n: u64) -> u64 {
    async_with!(stack = exit_stack::<()>(), {
        match stack.enter(guaranteed(n).with_error()).await {
            Ok(resource) => use_it(resource).await,
            Err(()) => 0,
        }
    })
}
