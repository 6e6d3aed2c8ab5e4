//! What a use does, and how it is run.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Makes the resource.
pub async fn set_up<const SUSPEND: bool>(n: u64) -> u64 {
    Suspend(SUSPEND).await;
    black_box(n + 1)
}

/// Uses the resource.
pub async fn use_it<const SUSPEND: bool>(resource: &mut u64) -> u64 {
    Suspend(SUSPEND).await;
    *resource += 1;
    *resource
}

/// Cleans up.
pub async fn clean_up<const SUSPEND: bool>(resource: u64, completed: bool) {
    Suspend(SUSPEND).await;
    black_box((resource, completed));
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

/// Polls the future until it is ready.
pub fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// Polls the future once.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs this many uses, one after the other.
#[inline(never)]
pub fn repeat<F: Future<Output = u64>>(count: u64, once: impl Fn(u64) -> F) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        sum += finish(once(black_box(n)));
    }
    sum
}
