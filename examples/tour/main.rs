//! A tour of the library with real resources: files, a SQLite database, an HTTP server.
//!
//! It needs nothing installed. It checks what it prints, and fails if a check fails.
//!
//! ```sh
//! cargo run -p guard-examples --example tour
//! ```

mod by_hand;
mod cancellation;
mod nesting;
mod transactions;
mod transcript;
mod web;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use transcript::Transcript;

#[tokio::main]
async fn main() -> ExitCode {
    // A panic is a part of the tour. Its message takes one line.
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("(no message)");
        println!("     panic: {message}");
    }));
    let mut transcript = Transcript::default();
    if let Err(error) = run(&mut transcript).await {
        transcript.check(false, format!("no part of the tour fails ({error:#})"));
    }
    transcript.end()
}

async fn run(transcript: &mut Transcript) -> anyhow::Result<()> {
    // A failed clean-up in the background has no caller. For example, a lock file cannot be removed if its
    // directory was removed before.
    static REPORTS: AtomicUsize = AtomicUsize::new(0);
    guard_core::set_reporter(|report| {
        REPORTS.fetch_add(1, Ordering::SeqCst);
        println!("     reported: {report}");
    });

    transactions::run(transcript).await?;
    nesting::run(transcript).await?;
    web::run(transcript).await?;
    by_hand::run(transcript).await?;
    cancellation::run(transcript).await?;

    let reports = REPORTS.load(Ordering::SeqCst);
    transcript.check(
        reports == 0,
        "and no clean-up on the whole tour was lost or failed",
    );
    Ok(())
}
