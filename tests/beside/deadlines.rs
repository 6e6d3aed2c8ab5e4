//! `deadline`: a context that ends its block when its time is over. The clock of tokio is paused.

use std::io;
use std::time::Duration;

use guard_core::{
    AsyncContext, Elapsed, async_context, async_with, deadline, drain, yield_resource,
};
use guard_tests::Log;
use tokio::time::{Instant, sleep};

use crate::support::{Error, plain, work};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_its_block_in_time() {
    let start = Instant::now();
    let used = deadline(SECOND).with(async |()| {
        sleep(SECOND * 60).await;
        Ok::<_, Elapsed>(())
    });
    assert_eq!(used.await.unwrap_err().after(), SECOND);
    assert_eq!(start.elapsed(), SECOND);
    let used = deadline(SECOND).with(async |()| {
        sleep(SECOND / 2).await;
        Ok::<_, Elapsed>(7)
    });
    assert_eq!(used.await, Ok(7));
    assert_eq!(start.elapsed(), SECOND * 3 / 2);
}

#[tokio::test(start_paused = true)]
async fn contexts_inside_a_deadline_exit_before_the_use_fails() {
    let log = &Log::new();
    let used = async {
        async_with!(
            _limit = deadline(SECOND)?,
            resource = plain(log.clone()).map_err(|_| io::Error::other("plain"))?,
            {
                let worked = work(resource, log).await;
                worked.map_err(|_| io::Error::other("work"))?;
            }
        );
        Ok::<_, io::Error>(())
    };
    // The block of `work` never rests, so the clock has to be moved from outside.
    let (used, ()) = tokio::join!(used, tokio::time::advance(SECOND));
    assert_eq!(used.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(
        log.line(),
        "drop(block) plain:Cancelled closed drop(resource)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_limits_the_set_up_of_a_context_behind_it() {
    #[async_context]
    async fn slow(log: Log) -> io::Result<()> {
        sleep(SECOND * 60).await;
        log.push("entered");
        let outcome = yield_resource!();
        log.push(format!("{outcome:?}"));
        Ok(())
    }

    let start = Instant::now();
    let log = Log::new();
    let used = async {
        async_with!(_limit = deadline(SECOND)?, _slow = slow(log.clone())?, {
            log.push("block");
        });
        Ok::<_, io::Error>(())
    };
    assert_eq!(used.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed(), SECOND);
    // It is guaranteed, so its set-up goes on, for nobody.
    drain().await;
    assert_eq!(log.line(), "entered Cancelled");
}

/// Further away than a clock can tell.
#[tokio::test(start_paused = true)]
async fn a_deadline_may_be_as_far_away_as_it_likes() {
    let used = deadline(Duration::MAX).with(async |()| {
        sleep(SECOND).await;
        Err::<(), _>(Error::Block)
    });
    let used = used.await;
    assert_eq!(used, Err(Error::Block));
}

impl From<Elapsed> for Error {
    fn from(_: Elapsed) -> Self {
        Self::Lost
    }
}
