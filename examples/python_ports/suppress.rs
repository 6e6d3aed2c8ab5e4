//! Errors that are swallowed: the ready-made `suppress`, and a context that says what it swallowed. The same
//! as `suppress.py`.

use std::fmt;
use std::io;

use guard_core::{Outcome, async_context, async_with, suppress, yield_resource};
use guard_examples::files::temporary_directory;
use tokio::fs;

#[derive(Debug)]
enum LoadError {
    Invalid,
    Full(u32),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("not a number"),
            Self::Full(row) => write!(f, "no room for {row}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Only a context that says `catch` can swallow an error: it is given the error, and returns `Ok(())`.
#[async_context(catch)]
async fn skipping(row: &'static str) -> Result<(), LoadError> {
    match yield_resource!() {
        Outcome::Failed(error @ LoadError::Invalid) => {
            println!("skipped {row}: {error}");
            Ok(())
        }
        Outcome::Failed(error) => Err(error),
        Outcome::Completed | Outcome::Panicked | Outcome::Cancelled => Ok(()),
    }
}

#[async_context]
async fn savepoint(row: &'static str) {
    println!("savepoint for {row}");
    let outcome = yield_resource!();
    if outcome.is_completed() {
        println!("kept");
    } else {
        println!("undone");
    }
}

async fn load(rows: &[&'static str]) -> Result<(), LoadError> {
    for &row in rows {
        // The savepoint is the inner one: it is told of the error, and then the error is swallowed.
        async_with!(catch(() = skipping(row)?), () = savepoint(row), {
            let number: u32 = row.parse().map_err(|_| LoadError::Invalid)?;
            if number > 9 {
                Err(LoadError::Full(number))?;
            }
            println!("loaded {row}");
        });
    }
    Ok(())
}

pub async fn main() -> anyhow::Result<()> {
    let missing = suppress(|error: &io::Error| error.kind() == io::ErrorKind::NotFound);
    async_with!(directory = temporary_directory()?, {
        let path = directory.path().join("cache");
        fs::write(&path, "old").await?;
        for attempt in [1, 2] {
            async_with!(catch(_ = missing?), {
                fs::remove_file(&path).await?;
                println!("attempt {attempt}: removed");
            });
            println!("attempt {attempt}: the file is gone");
        }
    });

    load(&["1", "x", "2"]).await?;
    if let Err(error) = load(&["3", "10", "4"]).await {
        println!("not swallowed: {error}");
    }
    Ok(())
}
