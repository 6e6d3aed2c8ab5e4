//! The limits hold, however requests end. No time passes: tokio's clock is paused.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use guard_core::testing::cancel_at_every_poll;
use guard_core::{AsyncContext, async_with, settled};
use guard_examples::rate_limiter::RateLimiter;
use tokio::time::{Instant, sleep, timeout};

const FASTEST: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_millis(800);

#[tokio::test(start_paused = true)]
async fn starts_are_an_interval_apart_and_places_are_limited() {
    let limiter = RateLimiter::new(3, FASTEST, SLOWEST);
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begin = Instant::now();
    let starts = join_all((0..12).map(async |_| {
        async_with!(() = limiter.turn(), {
            let started = begin.elapsed();
            most.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
            sleep(Duration::from_millis(450)).await;
            running.fetch_sub(1, Relaxed);
            started
        })
    }));
    let mut starts = starts.await;
    starts.sort();
    assert_eq!(most.load(Relaxed), 3);
    assert_eq!(starts[..4], [0, 100, 200, 450].map(Duration::from_millis));
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= FASTEST));
}

#[tokio::test(start_paused = true)]
async fn the_pace_adapts_to_the_outcome() {
    let limiter = RateLimiter::new(1, FASTEST, SLOWEST);
    let interval = |times: u32| assert_eq!(limiter.interval(), FASTEST * times);
    let fails = async || {
        let failed: Result<(), ()> = limiter.turn().run(async |()| Err(())).await;
        failed.unwrap_err();
    };
    fails().await;
    interval(2);
    let hangs = limiter.turn().run(async |()| pending::<()>().await);
    settled(timeout(Duration::from_secs(9), hangs))
        .await
        .unwrap_err();
    interval(4);
    fails().await;
    interval(8);
    fails().await;
    interval(8); // the slowest

    let before = Instant::now();
    limiter.turn().run(async |()| ()).await;
    assert_eq!(before.elapsed(), SLOWEST);
    interval(7);
    for _ in 0..9 {
        limiter.turn().run(async |()| ()).await;
    }
    interval(1); // the fastest

    let panics = {
        let limiter = limiter.clone();
        async move { limiter.turn().run(async |()| panic!("expected")).await }
    };
    assert!(tokio::spawn(panics).await.unwrap_err().is_panic());
    interval(1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_cancelled_takes_neither_a_place_nor_a_turn() {
    let limiter = RateLimiter::new(1, FASTEST, SLOWEST);
    let begin = Instant::now();
    async_with!(() = limiter.turn(), {
        for _ in 0..5 {
            let waiting = limiter.turn().run(async |()| ());
            timeout(Duration::from_millis(10), waiting)
                .await
                .unwrap_err();
        }
    });
    // This one waits for its start, and has the place.
    let waiting = limiter.turn().run(async |()| ());
    timeout(Duration::from_millis(10), waiting)
        .await
        .unwrap_err();
    limiter.turn().run(async |()| ()).await;
    assert_eq!(begin.elapsed(), FASTEST);
    assert_eq!(limiter.interval(), FASTEST);
}

#[tokio::test(start_paused = true)]
async fn the_place_is_free_wherever_a_request_is_cut_off() {
    let limiter = RateLimiter::new(1, FASTEST, SLOWEST);
    cancel_at_every_poll(
        async || {
            let request = limiter.turn().run(async |()| {
                sleep(Duration::from_millis(10)).await;
            });
            request.await;
        },
        async |_| {
            let next = limiter.turn().run(async |()| ());
            timeout(SLOWEST, next).await
        },
    )
    .await;
}
