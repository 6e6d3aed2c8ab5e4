//! What a use allocates, and what it occupies while it waits.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::Poll;

use allocation_counter::measure;
use guard_benches::work::{finish, poll_once};
use guard_benches::{by_hand, large, uses};
use guard_core::{AsyncClose, AsyncContext, AsyncManager, Outcome, closing, from_fns, manage};

fn allocations<F: Future>(make: impl Fn() -> F) -> u64 {
    // The first use initializes what every thread has once.
    finish(make());
    measure(|| drop(finish(make()))).count_total
}

#[test]
fn a_scoped_use_allocates_nothing() {
    assert_eq!(allocations(|| uses::scoped_block::<true>(0)), 0);
    assert_eq!(allocations(|| uses::scoped_run::<true>(0)), 0);
    assert_eq!(allocations(|| uses::scoped_with::<true>(0)), 0);
    assert_eq!(allocations(|| uses::scoped_within::<true>(0)), 0);
    assert_eq!(allocations(|| uses::scoped_3::<true>(0)), 0);
    assert_eq!(allocations(|| uses::joined::<true>(0)), 0);
}

#[test]
fn a_default_use_allocates_once_a_context() {
    assert_eq!(allocations(|| uses::default_block::<true>(0)), 1);
    assert_eq!(allocations(|| uses::default_run::<true>(0)), 1);
    assert_eq!(allocations(|| uses::default_3::<true>(0)), 3);
}

/// One allocation is the context, one the `BoxContext` that hides its type, and one the `Any` in which that is kept.
#[test]
fn a_use_of_closing_manage_and_from_fns_allocates_three_times() {
    struct Closed;

    impl AsyncClose for Closed {
        type Error = Infallible;

        async fn close(self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    impl AsyncManager for Closed {
        type Resource = Self;
        type Error = Infallible;

        async fn enter(&mut self) -> Result<&mut Self, Infallible> {
            Ok(self)
        }

        async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
            Ok(())
        }
    }

    let made = || {
        from_fns(
            async || Ok::<_, Infallible>(0),
            async |_: u64, _: Outcome| Ok(()),
        )
    };
    assert_eq!(allocations(|| closing(Closed).run(async |_| ())), 3);
    assert_eq!(allocations(|| manage(Closed).run(async |_| ())), 3);
    assert_eq!(allocations(|| made().run(async |_| ())), 3);
}

#[test]
fn an_entry_of_a_stack_allocates_three_times() {
    let one = allocations(|| uses::stack::<true, 1>(0));
    let eleven = allocations(|| uses::stack::<true, 11>(0));
    println!("one entry: {one} allocations, eleven: {eleven}");
    assert_eq!(one, 4, "one entry");
    assert!(eleven - one <= 32, "{} for ten entries", eleven - one);
}

/// The bytes that are allocated for one use while it waits in its block.
fn live<F: Future<Output = u64>>(make: impl Fn(u64) -> F) -> u64 {
    const COUNT: u64 = 10_000;
    let mut uses: Vec<Pin<Box<F>>> = Vec::with_capacity(10_000);
    let allocated = measure(|| {
        for n in 0..COUNT {
            let mut used = Box::pin(make(n));
            // The first poll is in the set-up, the second in the block.
            for _ in 0..2 {
                assert_eq!(poll_once(used.as_mut()), Poll::Pending);
            }
            uses.push(used);
        }
    });
    for used in &mut uses {
        while poll_once(used.as_mut()).is_pending() {}
    }
    u64::try_from(allocated.bytes_current).expect("more was allocated than freed") / COUNT
}

#[test]
fn a_use_that_waits_does_not_occupy_more_than_its_limit() {
    let by_hand = live(by_hand::scoped::<true>);
    let scoped = live(uses::scoped_block::<true>);
    let default = live(uses::default_block::<true>);
    println!("bytes of a use that waits: by hand {by_hand}, scoped {scoped}, default {default}");
    assert!(scoped <= by_hand + 144);
    assert!(default <= by_hand + 168);
}

/// The future of a use has room for the 1 KiB of each context and for the 1 KiB of the block, and not for more.
#[test]
fn what_is_held_across_an_await_is_stored_once() {
    let [by_hand, one, three] = [
        size_of_val(&large::by_hand()),
        size_of_val(&large::one()),
        size_of_val(&large::three_nested()),
    ];
    println!("bytes with 1 KiB held: by hand {by_hand}, one use {one}, three nested {three}");
    assert!(one <= 2 * 1024 + 176);
    assert!(three <= 4 * 1024 + 3 * 176);
}
