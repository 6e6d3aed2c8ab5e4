//! Beside CPython's `asynccontextmanager` and `AsyncExitStack`: `cargo run --release --bin python`.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use guard_benches::uses;
use guard_benches::work::repeat;

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/contexts.py");
    let output = match Command::new("python3").arg(script).output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!("python3: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: python3 is not there ({error}); `apt-get install python3`");
            return;
        }
    };
    let output = String::from_utf8(output.stdout).expect("python3 prints UTF-8");
    let python: HashMap<&str, f64> = output
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, nanos)| (name, nanos.parse().expect("a number")))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    for (ours, theirs, run) in [
        (
            "scoped",
            "one",
            (|count| repeat(count, uses::scoped_block::<false>)) as fn(u64) -> u64,
        ),
        ("default", "one", |count| {
            repeat(count, uses::default_block::<false>)
        }),
        ("stack of three", "stack_of_three", |count| {
            repeat(count, uses::stack::<false, 3>)
        }),
    ] {
        let nanos = fastest(run);
        let theirs = python[theirs];
        println!(
            "{ours:<16}{nanos:>8.1} ns, CPython {theirs:>8.1} ns: {:.0} times faster",
            theirs / nanos
        );
    }
}

/// The time of one use, in the fastest of several runs.
fn fastest(run: fn(u64) -> u64) -> f64 {
    const COUNT: u64 = 200_000;
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        std::hint::black_box(run(COUNT));
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e9 / COUNT as f64
}
