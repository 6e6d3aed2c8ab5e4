//! Many requests at once: their clients drop a third of them, or they time out while they wait for the pool.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use guard_core::{async_with, pending_cleanups};
use guard_examples::files::temporary_directory;
use guard_examples::service::{Result, application, lifespan};
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_http::timeout::TimeoutLayer;

use crate::requests::{Request, request};
use crate::world::{Counts, Signals, World, routes, settings, world};

const REQUESTS: i64 = 10_000;
const CLIENTS: i64 = 16;

/// How a request ended, as its client knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    /// The client got an answer, with success or without.
    Answered(bool),
    /// The client hung up while the handler was waiting, after it had inserted the row.
    GivenUp,
    /// The client hung up at some moment. The service may have answered.
    GivenUpBlindly,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_of_which_a_third_are_dropped_lose_no_session() -> Result<()> {
    async_with!(world = world()?, {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let address = world.address;
            let signals = world.signals.clone();
            clients.spawn(async move {
                let mut ended = Vec::new();
                for item in (client..REQUESTS).step_by(CLIENTS as usize) {
                    let how = match item % 6 {
                        0 | 3 => Ended::Answered(
                            request(address, "POST", &format!("/item/{item}")).await.0 == 200,
                        ),
                        1 => Ended::Answered(
                            request(address, "POST", &format!("/item/{item}/status/409"))
                                .await
                                .0
                                == 200,
                        ),
                        4 => Ended::Answered(
                            request(address, "POST", &format!("/item/{item}/panic"))
                                .await
                                .0
                                == 200,
                        ),
                        2 => {
                            let path = format!("/item/{item}/stuck");
                            let request = Request::send(address, "POST", &path).await;
                            signals.get(item).notified().await;
                            drop(request);
                            Ended::GivenUp
                        }
                        _ => {
                            Request::send(address, "POST", &format!("/item/{item}")).await;
                            Ended::GivenUpBlindly
                        }
                    };
                    ended.push((item, how));
                }
                ended
            });
        }
        let mut ended: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
        ended.sort_by_key(|(item, _)| *item);
        check(world, &ended).await;
    });
    Ok(())
}

async fn check(world: &World, ended: &[(i64, Ended)]) {
    assert_eq!(ended.len(), REQUESTS as usize);
    let Counts {
        begun,
        committed,
        rolled_back,
        connections,
        idle,
    } = world.settled().await;
    let items = world.items().await;

    assert_eq!(begun, committed + rolled_back);
    assert_eq!(connections, idle);
    assert_eq!(committed, items.len());
    for &(item, how) in ended {
        let there = items.binary_search(&item).is_ok();
        match how {
            Ended::Answered(ok) => assert_eq!(there, ok, "{item}"),
            Ended::GivenUp => assert!(!there, "{item}"),
            Ended::GivenUpBlindly => {}
        }
    }
    // Every request that waited for an answer got one: a success if and only if the handler succeeds.
    let succeeded = ended
        .iter()
        .filter(|(_, how)| *how == Ended::Answered(true))
        .count();
    assert_eq!(
        succeeded,
        (0..REQUESTS).filter(|item| item % 3 == 0).count()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_time_out_while_the_pool_is_empty_begin_nothing_and_the_next_waits_for_none()
-> Result<()> {
    async_with!(directory = temporary_directory()?, {
        let settings = settings(&directory.path().join("test.db"));
        let connections = settings.connections;
        async_with!(app = lifespan(settings)?, {
            let mut taken = Vec::new();
            for _ in 0..connections {
                taken.push(app.pool.acquire().await?);
            }
            let limit = Duration::from_millis(100);
            let service = application(routes(Signals::default()))
                .layer(TimeoutLayer::with_status_code(
                    StatusCode::GATEWAY_TIMEOUT,
                    limit,
                ))
                .with_state(app.clone());
            let post = |item: usize| {
                let request = axum::http::Request::post(format!("/item/{item}"));
                let request = request.body(Body::empty()).expect("a request");
                service.clone().oneshot(request)
            };

            let mut timed_out = JoinSet::new();
            for item in 0..1_000 {
                timed_out.spawn(post(item));
            }
            for response in timed_out.join_all().await {
                assert_eq!(response.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
            }
            // No set-up waits for a connection that nobody would use.
            let waiting = pending_cleanups().into_iter();
            let waiting = waiting.filter(|cleanup| cleanup.name().contains("service::session"));
            assert_eq!(waiting.count(), 0);

            drop(taken);
            assert_eq!(post(1_000).await.unwrap().status(), StatusCode::OK);
            let sessions = &app.sessions;
            let [begun, committed] =
                [&sessions.begun, &sessions.committed].map(|count| count.load(Relaxed));
            assert_eq!((begun, committed), (1, 1));
        });
    });
    Ok(())
}
