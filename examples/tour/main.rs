//! A tour of what the library does, on real resources: files, a SQLite database, an HTTP server.
//!
//! It needs nothing installed. It checks what it says, and fails if something does not hold.
//!
//! ```sh
//! cargo run -p guard-examples --example tour
//! ```

mod by_hand;
mod cancellation;
mod nesting;
mod story;
mod transactions;
mod web;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use story::Story;

#[tokio::main]
async fn main() -> ExitCode {
    // A panic is part of the tour; its message need not fill the screen.
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("(no message)");
        println!("     panic: {message}");
    }));
    let mut story = Story::default();
    if let Err(error) = tell(&mut story).await {
        story.claim(false, format!("no part of the tour fails ({error:#})"));
    }
    story.end()
}

async fn tell(story: &mut Story) -> anyhow::Result<()> {
    // An error in the background has no caller to go to. A lock file, for one, could not be removed from
    // a directory that had been removed before it.
    static REPORTS: AtomicUsize = AtomicUsize::new(0);
    guard_core::set_reporter(|report| {
        REPORTS.fetch_add(1, Ordering::SeqCst);
        println!("     reported: {report}");
    });

    transactions::tell(story).await?;
    nesting::tell(story).await?;
    web::tell(story).await?;
    by_hand::tell(story).await?;
    cancellation::tell(story).await?;

    let reports = REPORTS.load(Ordering::SeqCst);
    story.claim(
        reports == 0,
        "and no clean-up on the whole tour was lost or failed",
    );
    Ok(())
}
