//! Temporary files and directories are removed, however their use ends.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use guard_core::testing::cancel_at_every_poll;
use guard_core::{AsyncContext, TryWithError, async_with, drain};
use guard_examples::files::{temporary_directory, temporary_directory_in, temporary_file};

use tokio::io::AsyncWriteExt;

use crate::ways::{WAYS, leave};

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory)
        .expect("the directory exists")
        .count()
}

#[tokio::test]
async fn a_directory_is_removed_however_its_use_ends() -> io::Result<()> {
    async_with!(parent = temporary_directory()?, {
        for way in WAYS {
            let context = temporary_directory_in(parent.path().to_owned());
            leave(way, context, |directory| {
                // The directory is not empty.
                std::fs::create_dir(directory.path().join("inner")).unwrap();
                std::fs::write(directory.path().join("inner/file"), "text").unwrap();
            })
            .await;
            assert_eq!(entries(parent.path()), 0, "{way:?}");
        }
    });
    Ok(())
}

#[tokio::test]
async fn a_file_is_removed_however_its_use_ends() -> io::Result<()> {
    async_with!(parent = temporary_directory()?, {
        for way in WAYS {
            leave(
                way,
                temporary_file(parent.path().join("file")),
                |temporary| {
                    assert!(temporary.path.exists());
                },
            )
            .await;
            assert_eq!(entries(parent.path()), 0, "{way:?}");
        }
    });
    Ok(())
}

/// Polls the future this many times, or until it is ready, and drops it.
fn give_up_after(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if future.as_mut().poll(&mut cx).is_ready() {
            return;
        }
    }
}

#[tokio::test]
async fn a_context_that_is_dropped_while_it_enters_leaves_nothing() -> io::Result<()> {
    async_with!(parent = temporary_directory()?, {
        // Other threads do the work, so how far the set-up is after the third poll is not known.
        for polls in [0, 1, 2, 3].repeat(50) {
            give_up_after(
                polls,
                temporary_directory_in(parent.path().to_owned()).enter(),
            );
            give_up_after(polls, temporary_file(parent.path().join("file")).enter());
            drain().await;
            assert_eq!(entries(parent.path()), 0, "{polls}");
        }
    });
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_wherever_its_use_is_cancelled() -> io::Result<()> {
    async_with!(parent = temporary_directory()?, {
        cancel_at_every_poll(
            async || {
                // The file is not in the directory: no exit waits for a set-up that was cancelled, so the directory
                // might go first, and the file with it.
                let path = parent.path().join("file");
                async_with!(
                    _directory = temporary_directory_in(parent.path().to_owned())?,
                    temporary = temporary_file(path)?,
                    {
                        temporary.file.write_all(b"text").await?;
                        temporary.file.flush().await
                    }
                )
            },
            async |cut| {
                assert_eq!(entries(parent.path()), 0, "files are left");
                assert!(cut.reports().is_empty(), "an error was lost");
            },
        )
        .await?;
    });
    Ok(())
}

#[tokio::test]
async fn a_file_that_exists_is_not_touched() -> io::Result<()> {
    async_with!(parent = temporary_directory()?, {
        let path = parent.path().join("file");
        std::fs::write(&path, "mine")?;
        let entered = temporary_file(path.clone()).enter().await;
        assert_eq!(entered.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path)?, "mine");
    });
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_is_an_error() -> io::Result<()> {
    async_with!(parent = temporary_directory()?, {
        let used = temporary_file(parent.path().join("file"))
            .try_with(async |temporary| std::fs::remove_file(&temporary.path))
            .await;
        let Err(TryWithError::Exit { error, .. }) = used else {
            panic!("{used:?}")
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    });
    Ok(())
}
