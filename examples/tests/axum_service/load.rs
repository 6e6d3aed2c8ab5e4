//! Many requests at once. Their clients drop a third of them.

use guard_core::async_with;
use guard_examples::service::Result;
use tokio::task::JoinSet;

use crate::requests::{Request, request};
use crate::world::{Counts, World, world};

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
