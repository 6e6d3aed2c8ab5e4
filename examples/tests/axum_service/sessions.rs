//! The session of a request: it is committed or rolled back, and its connection is returned.

use guard_core::async_with;
use guard_examples::service::Result;

use crate::requests::Request;
use crate::world::{Counts, world};

#[tokio::test]
async fn the_commit_is_visible_when_the_response_arrives() -> Result<()> {
    async_with!(world = world()?, {
        for item in 1..=50 {
            let (status, _) = world.request("POST", &format!("/item/{item}")).await;
            assert_eq!(status, 200);
            assert!(world.has(item).await);
        }
        let Counts {
            begun, committed, ..
        } = world.counts().await;
        assert_eq!((begun, committed), (50, 50));
    });
    Ok(())
}

#[tokio::test]
async fn an_error_status_rolls_back_and_any_other_commits() -> Result<()> {
    async_with!(world = world()?, {
        let statuses = [200, 201, 204, 302, 304, 400, 401, 404, 409, 422, 500, 503];
        for status in statuses {
            let path = format!("/item/{status}/status/{status}");
            assert_eq!(world.request("POST", &path).await.0, status);
            assert_eq!(world.has(status.into()).await, status < 400, "{status}");
        }
        assert_eq!(world.items().await, [200, 201, 204, 302, 304]);
        let Counts {
            begun,
            committed,
            rolled_back,
            ..
        } = world.settled().await;
        assert_eq!((begun, committed, rolled_back), (12, 5, 7));
    });
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_handler_rolls_back() -> Result<()> {
    async_with!(world = world()?, {
        world.request("POST", "/item/1").await;
        // The key exists.
        let (status, body) = world.request("POST", "/item/1").await;
        assert_eq!((status, body.as_str()), (500, "the database failed"));
        let Counts {
            committed,
            rolled_back,
            ..
        } = world.settled().await;
        assert_eq!((committed, rolled_back), (1, 1));
    });
    Ok(())
}

#[tokio::test]
async fn a_panic_rolls_back_and_answers_500() -> Result<()> {
    async_with!(world = world()?, {
        assert_eq!(world.request("POST", "/item/1/panic").await.0, 500);
        assert!(!world.has(1).await);
        // The roll-back comes before the response, like every exit.
        let Counts {
            begun, rolled_back, ..
        } = world.counts().await;
        assert_eq!((begun, rolled_back), (1, 1));
        world.settled().await;
    });
    Ok(())
}

#[tokio::test]
async fn a_failed_commit_answers_500_and_leaves_nothing() -> Result<()> {
    async_with!(world = world()?, {
        let (status, body) = world.request("POST", "/item/1/orphan/true").await;
        assert_eq!((status, body.as_str()), (500, "the database failed"));
        assert!(!world.has(1).await);
        // The connection can be used again: its transaction is not open any more.
        for item in 2..10 {
            assert_eq!(world.request("POST", &format!("/item/{item}")).await.0, 200);
        }
        let Counts {
            committed,
            rolled_back,
            ..
        } = world.settled().await;
        assert_eq!((committed, rolled_back), (8, 1));
    });
    Ok(())
}

#[tokio::test]
async fn the_cache_removes_changed_values_after_the_commit_and_not_before() -> Result<()> {
    async_with!(world = world()?, {
        world.request("POST", "/item/1/orphan/true").await;
        assert_eq!(world.request("GET", "/cached").await.1, "Some(1)");
        world.request("POST", "/item/2/orphan/false").await;
        assert_eq!(world.request("GET", "/cached").await.1, "None");
        assert_eq!(world.items().await, [2]);
    });
    Ok(())
}

#[tokio::test]
async fn the_session_of_a_client_that_goes_away_is_rolled_back_and_its_connection_returned()
-> Result<()> {
    async_with!(world = world()?, {
        // More times than there are connections.
        for item in 1..=20 {
            let request =
                Request::send(world.address, "POST", &format!("/item/{item}/stuck")).await;
            world.signals.get(item).notified().await;
            drop(request);
        }
        let Counts {
            begun,
            committed,
            rolled_back,
            ..
        } = world.settled().await;
        assert_eq!((begun, committed, rolled_back), (20, 0, 20));
        assert!(world.items().await.is_empty());
        assert_eq!(world.request("POST", "/item/1").await.0, 200);
    });
    Ok(())
}

#[tokio::test]
async fn a_request_has_one_session_for_all_extractors() -> Result<()> {
    async_with!(world = world()?, {
        let (status, seen) = world.request("POST", "/item/1/twice").await;
        assert_eq!((status, seen.as_str()), (200, "1"));
        assert_eq!(world.counts().await.begun, 1);
    });
    Ok(())
}

#[tokio::test]
async fn a_request_that_does_not_ask_has_no_session() -> Result<()> {
    async_with!(world = world()?, {
        world.request("GET", "/counts").await;
        world.request("GET", "/no-such-page").await;
        // The path is not a number. Its extractor runs after that of the session.
        assert_eq!(world.counts().await.begun, 0);
        assert_eq!(world.request("POST", "/item/seven").await.0, 400);
        let Counts {
            begun, rolled_back, ..
        } = world.settled().await;
        assert_eq!((begun, rolled_back), (1, 1));
    });
    Ok(())
}

#[tokio::test]
async fn a_session_that_leaves_its_handler_is_not_committed() -> Result<()> {
    async_with!(world = world()?, {
        let (status, _) = world.request("POST", "/item/1/carry-off").await;
        let rolled_back = world.counts().await.rolled_back;
        world.signals.get("let go").notify_one();
        assert_eq!((status, rolled_back), (500, 0));
        let Counts {
            begun, rolled_back, ..
        } = world.settled().await;
        assert_eq!((begun, rolled_back), (1, 1));
        assert!(!world.has(1).await);
    });
    Ok(())
}
