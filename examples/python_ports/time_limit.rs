//! A time limit around contexts: what is cut off is cleaned up before the program goes on. The same as
//! `time_limit.py`.

use std::time::Duration;

use guard_core::{Elapsed, Outcome, async_context, async_with, deadline, yield_resource};
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

#[async_context]
async fn session(name: String) {
    println!("begin {name}");
    match yield_resource!() {
        Outcome::Cancelled => {
            // The clean-up awaits, although its user was dropped.
            sleep(Duration::from_millis(1)).await;
            println!("{name} was cancelled");
        }
        _ => {
            sleep(Duration::from_millis(1)).await;
            println!("{name} has ended");
        }
    }
}

async fn work(name: &str, time: Duration) {
    async_with!(
        () = session(name.to_owned()),
        () = session(format!("{name}'s step")),
        {
            println!("{name} works");
            sleep(time).await;
            println!("{name} is done");
        }
    );
}

async fn limited(name: &str, time: Duration, limit: Duration) {
    // The block ends where it waits, and the exit waits for what was cut off in it.
    let done: Result<(), Elapsed> = async_with!(attempt(() = deadline(limit)?), {
        work(name, time).await;
    });
    if done.is_err() {
        println!("{name} took too long");
    }
}

pub async fn main() -> anyhow::Result<()> {
    limited("quick", Duration::ZERO, LONG).await;
    limited("slow", LONG, SHORT).await;

    // The limit is inside of another session, which goes on, and ends after what was cut off in it.
    async_with!(() = session("report".to_owned()), {
        limited("chart", LONG, SHORT).await;
        println!("the report has no chart");
    });
    Ok(())
}
