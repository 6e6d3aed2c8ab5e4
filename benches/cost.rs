//! The cost of a use: each way of using a context beside the same code written by hand.
//!
//! `cargo run --release -p guard-benches` prints times and their ratios, measured in one run, and the sizes
//! of the futures. `bash benches/instructions` counts instructions with valgrind, and its results do not
//! vary.
//!
//! The work inside is a few additions. The set-up, the use and the clean-up are each suspended never or once,
//! so the numbers are the cost of the library. The code by hand gives the guarantees of a context: a panic is
//! caught and unwinds after the clean-up, and a future that is dropped before its end is reported, or handed
//! off.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// One way to use a context.
struct Way {
    name: &'static str,
    /// The name of the way that this one is compared with.
    base: &'static str,
    /// Runs the way this many times.
    run: fn(u64) -> u64,
    /// The size of its future.
    size: usize,
}

macro_rules! ways {
    ($module:ident, $suspend:literal, $suspended:literal) => {
        mod $module {
            use super::*;
            use guard_core::{AsyncContext, async_context, async_with, exit_stack, yield_resource};
            use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

            async fn set_up(n: u64) -> u64 {
                Suspend($suspend).await;
                black_box(n + 1)
            }

            async fn use_it(resource: &mut u64) -> u64 {
                Suspend($suspend).await;
                *resource += 1;
                *resource
            }

            async fn clean_up(resource: u64, completed: bool) {
                Suspend($suspend).await;
                black_box((resource, completed));
            }

            struct Catch<'a, F>(Pin<&'a mut F>);

            impl<F: Future> Future for Catch<'_, F> {
                type Output = std::thread::Result<F::Output>;

                fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                    match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
                        Ok(Poll::Pending) => Poll::Pending,
                        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
                        Err(panic) => Poll::Ready(Err(panic)),
                    }
                }
            }

            /// Reports if it is dropped before it is finished.
            struct ReportOnDrop(bool, &'static Location<'static>);

            impl Drop for ReportOnDrop {
                fn drop(&mut self) {
                    if !self.0 {
                        report(self.1);
                    }
                }
            }

            #[cold]
            #[inline(never)]
            fn report(place: &Location<'_>) {
                eprintln!("{place}: dropped before its end");
            }

            async fn around(n: u64, body: impl AsyncFnOnce(&mut u64) -> u64) -> u64 {
                let mut resource = set_up(n).await;
                let mut report_on_drop = ReportOnDrop(false, Location::caller());
                let value = {
                    let body = pin!(body(&mut resource));
                    Catch(body).await
                };
                clean_up(resource, value.is_ok()).await;
                report_on_drop.0 = true;
                value.unwrap_or_else(|panic| resume_unwind(panic))
            }

            async fn by_hand(n: u64) -> u64 {
                around(n, use_it).await
            }

            async fn by_hand_3(n: u64) -> u64 {
                around(n, async |a| {
                    around(*a, async |b| around(*b, use_it).await).await
                })
                .await
            }

            /// A future on the heap that goes on in its runtime when it is dropped.
            struct Owned {
                future: Option<Pin<Box<dyn Future<Output = u64> + Send>>>,
                runtime: Option<tokio::runtime::Handle>,
            }

            impl Owned {
                fn new(future: impl Future<Output = u64> + Send + 'static) -> Self {
                    Self {
                        future: Some(Box::pin(future)),
                        runtime: None,
                    }
                }
            }

            impl Future for Owned {
                type Output = u64;

                fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
                    if self.runtime.is_none() {
                        self.runtime = tokio::runtime::Handle::try_current().ok();
                    }
                    let future = self.future.as_mut().expect("polled after its end");
                    let polled = future.as_mut().poll(cx);
                    if polled.is_ready() {
                        self.future = None;
                    }
                    polled
                }
            }

            impl Drop for Owned {
                fn drop(&mut self) {
                    if let (Some(future), Some(runtime)) = (self.future.take(), self.runtime.take())
                    {
                        runtime.spawn(future);
                    }
                }
            }

            fn boxed_by_hand(n: u64) -> Owned {
                Owned::new(by_hand(n))
            }

            fn boxed_by_hand_3(n: u64) -> Owned {
                Owned::new(around(n, async |a| {
                    Owned::new(around(*a, async |b| Owned::new(by_hand(*b)).await)).await
                }))
            }

            #[async_context(scoped)]
            async fn scoped(n: u64) -> u64 {
                let mut resource = set_up(n).await;
                let outcome = yield_resource!(resource);
                clean_up(resource, outcome.is_completed()).await;
            }

            #[async_context]
            async fn default(n: u64) -> u64 {
                let mut resource = set_up(n).await;
                let outcome = yield_resource!(resource);
                clean_up(resource, outcome.is_completed()).await;
            }

            async fn scoped_block(n: u64) -> u64 {
                async_with!(resource = scoped(n), { use_it(resource).await })
            }

            async fn scoped_closure(n: u64) -> u64 {
                scoped(n).run(use_it).await
            }

            async fn scoped_3_nested(n: u64) -> u64 {
                async_with!(a = scoped(n), {
                    async_with!(b = scoped(*a), {
                        async_with!(c = scoped(*b), { use_it(c).await })
                    })
                })
            }

            async fn scoped_3(n: u64) -> u64 {
                async_with!(a = scoped(n), b = scoped(*a), c = scoped(*b), {
                    use_it(c).await
                })
            }

            async fn default_block(n: u64) -> u64 {
                async_with!(resource = default(n), { use_it(resource).await })
            }

            async fn default_closure(n: u64) -> u64 {
                default(n).run(use_it).await
            }

            async fn default_guard(n: u64) -> u64 {
                let Ok(mut guard) = default(n).enter().await;
                let value = use_it(&mut guard).await;
                let Ok(()) = guard.exit().await;
                value
            }

            async fn default_3(n: u64) -> u64 {
                async_with!(a = default(n), b = default(*a), c = default(*b), {
                    use_it(c).await
                })
            }

            async fn stack_of_one(n: u64) -> u64 {
                async_with!(stack = exit_stack::<()>(), {
                    match stack.enter(default(n).with_error()).await {
                        Ok(resource) => use_it(resource).await,
                        Err(()) => 0,
                    }
                })
            }

            macro_rules! way {
                ($name:literal, $base:literal, $way:ident) => {
                    Way {
                        name: concat!($name, ", ", $suspended),
                        base: concat!($base, ", ", $suspended),
                        run: |count| repeat(count, $way),
                        size: size_of_val(&$way(0)),
                    }
                };
            }

            pub(super) fn ways() -> Vec<Way> {
                vec![
                    way!("by hand", "by hand", by_hand),
                    way!("scoped, async_with!", "by hand", scoped_block),
                    way!("scoped, run", "by hand", scoped_closure),
                    way!("three by hand", "three by hand", by_hand_3),
                    way!("three scoped, one call", "three by hand", scoped_3),
                    way!("three scoped, nested", "three by hand", scoped_3_nested),
                    way!("boxed by hand", "boxed by hand", boxed_by_hand),
                    way!("default, async_with!", "boxed by hand", default_block),
                    way!("default, run", "boxed by hand", default_closure),
                    way!("default, guard", "boxed by hand", default_guard),
                    way!("stack of one", "boxed by hand", stack_of_one),
                    way!(
                        "three boxed by hand",
                        "three boxed by hand",
                        boxed_by_hand_3
                    ),
                    way!("three default, one call", "three boxed by hand", default_3),
                ]
            }
        }
    };
}

ways!(never, false, "never");
ways!(once, true, "once");

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let mut ways = never::ways();
    ways.extend(once::ways());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => compare(&ways),
        [list] if list == "list" => {
            for Way {
                name, base, size, ..
            } in &ways
            {
                println!("{name}\t{base}\t{size}");
            }
        }
        // For valgrind: runs one way this many times.
        [name, count] => {
            let way = ways.iter().find(|way| way.name == name).expect("a way");
            black_box((way.run)(count.parse().expect("a count")));
        }
        _ => panic!("usage: cost [list | WAY COUNT]"),
    }
}

/// Runs all ways in turn, several times, and prints the fastest run of each.
fn compare(ways: &[Way]) {
    const COUNT: u64 = 200_000;
    let mut best = vec![Duration::MAX; ways.len()];
    for _ in 0..15 {
        for (best, way) in best.iter_mut().zip(ways) {
            let start = Instant::now();
            black_box((way.run)(COUNT));
            *best = start.elapsed().min(*best);
        }
    }
    println!("{:<30}{:>10}{:>8}{:>36}", "", "ns a use", "bytes", "ratio");
    for (way, time) in ways.iter().zip(&best) {
        let Way {
            name, base, size, ..
        } = way;
        let at = ways.iter().position(|way| way.name == *base);
        let ratio = time.as_secs_f64() / best[at.expect("a base")].as_secs_f64();
        let nanos = time.as_secs_f64() * 1e9 / 200_000.0;
        println!("{name:<30}{nanos:>10.1}{size:>8}{ratio:>12.2} x {base}");
    }
}

fn repeat<F: Future<Output = u64>>(count: u64, once: impl Fn(u64) -> F) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        sum += finish(once(black_box(n)));
    }
    sum
}

/// Polls the future until it is ready.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// Is pending once, if the field is true.
struct Suspend(bool);

impl Future for Suspend {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.0) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}
