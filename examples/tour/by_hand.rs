//! A context written by hand, as a type with an `enter` and an `exit`.

use std::io;
use std::path::PathBuf;

use guard_core::{AsyncContext, AsyncManager, Outcome, async_with, manage};
use guard_examples::files::temporary_directory;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::transcript::Transcript;

/// A file that tells other programs that this one runs. It contains the process id.
///
/// In Python: a class with `__aenter__` and `__aexit__`.
pub(crate) struct LockFile {
    pub(crate) path: PathBuf,
}

impl AsyncManager for LockFile {
    // The resource can be a part of the manager, or the manager itself.
    type Resource = Self;
    type Error = io::Error;

    async fn enter(&mut self) -> io::Result<&mut Self> {
        let mut file = File::create_new(&self.path).await?;
        let pid = std::process::id().to_string();
        file.write_all(pid.as_bytes()).await?;
        file.flush().await?;
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome) -> io::Result<()> {
        tokio::fs::remove_file(&self.path).await
    }
}

pub(crate) async fn run(transcript: &mut Transcript) -> anyhow::Result<()> {
    transcript.section("A context written by hand: a lock file");

    async_with!(directory = temporary_directory()?, {
        let path = directory.path().join("tour.lock");
        let lock = || manage(LockFile { path: path.clone() });

        async_with!(held = lock()?, {
            let pid = tokio::fs::read_to_string(&held.path).await?;
            transcript.check(
                pid == std::process::id().to_string(),
                "the file holds the number of this process",
            );

            let second = lock().with(async |_| anyhow::Ok(())).await;
            transcript.check(
                second.is_err() && held.path.exists(),
                "a second one cannot be entered, and takes nothing away",
            );
        });
        transcript.check(!path.exists(), "the file is gone after the block");

        let guard = lock().enter().await?;
        let there = guard.path.exists();
        guard.exit().await?;
        transcript.check(
            there && !path.exists(),
            "the same by hand: `.enter()` gives a guard, and `.exit()` takes it",
        );
    });
    Ok(())
}
