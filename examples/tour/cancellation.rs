//! Several contexts, cancelled while they are in use.

use std::path::PathBuf;

use guard_core::{async_with, manage};
use guard_examples::files::temporary_directory;
use tokio::sync::oneshot;

use crate::by_hand::LockFile;
use crate::transactions::{database, insert, transaction};
use crate::transcript::Transcript;

pub(crate) async fn run(transcript: &mut Transcript) -> anyhow::Result<()> {
    transcript.section("Cancelled in the middle: a task with four contexts is aborted");

    let (ready, is_ready) = oneshot::channel();
    let task = tokio::spawn(work(ready));
    let paths = is_ready.await?;
    let there = paths.iter().all(|path| path.exists());
    transcript.check(
        there,
        "the directory, the lock file and the database are there",
    );

    task.abort();
    let aborted = task.await.is_err_and(|error| error.is_cancelled());
    transcript.check(
        aborted,
        "the task is gone, and ran none of its own code any more",
    );

    guard_core::drain().await;
    let gone = !paths.iter().any(|path| path.exists());
    transcript.check(
        gone,
        "they are gone too: all four contexts ended in the background, the inner ones first",
    );
    transcript.check(
        guard_core::pending_cleanups().is_empty(),
        "nothing is left to be done",
    );
    Ok(())
}

async fn work(ready: oneshot::Sender<[PathBuf; 3]>) -> anyhow::Result<()> {
    async_with!(
        directory = temporary_directory()?,
        lock = manage(LockFile {
            path: directory.path().join("work.lock")
        })?,
        pool = database(directory.path().join("work.db"))?,
        tx = transaction(pool.clone())?,
        {
            sqlx::query("CREATE TABLE entry (amount INTEGER NOT NULL)")
                .execute(&mut **tx)
                .await?;
            insert(tx, 1).await?;
            let paths = [
                directory.path().to_owned(),
                lock.path.clone(),
                directory.path().join("work.db"),
            ];
            ready.send(paths).expect("the tour waits for the paths");
            std::future::pending::<()>().await;
        }
    );
    Ok(())
}
