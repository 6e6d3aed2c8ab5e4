//! Several contexts at once: nested when the code names them, on an exit stack when the settings choose them.
//!
//! ```sh
//! cargo run -p guard-examples --example nested_and_stack
//! ```

use std::path::Path;

use anyhow::ensure;
use guard_core::{async_context, async_with, exit_stack, yield_resource};
use guard_examples::files::{temporary_directory, temporary_file};
use tokio::io::AsyncWriteExt;

/// The tables to export.
struct Settings {
    tables: &'static [&'static str],
    /// Whether to write a journal file.
    journal: bool,
}

/// A list of what was done. Its last line is the outcome.
#[async_context]
async fn journal(path: std::path::PathBuf) -> std::io::Result<Vec<String>> {
    let mut lines = vec!["begun".to_owned()];
    let outcome = yield_resource!(lines);
    lines.push(format!("{outcome:?}").to_lowercase());
    tokio::fs::write(path, lines.join("\n")).await
}

/// Writes each table to a file. All files are open at the same time.
async fn export(settings: &Settings, directory: &Path) -> anyhow::Result<String> {
    let exported = async_with!(stack = exit_stack::<anyhow::Error>()?, {
        // Entered only if it is configured. It exits in its turn.
        let mut journal = match settings.journal {
            true => Some(stack.enter(journal(directory.join("journal.txt"))).await?),
            false => None,
        };

        let mut files = Vec::new();
        for table in settings.tables {
            let path = directory.join(format!("{table}.csv"));
            files.push(stack.enter(temporary_file(path)).await?);
            // If a context fails to enter, the ones on the stack still exit.
            if let Some(journal) = &mut journal {
                journal.push(format!("opened {table}"));
            }
        }
        stack.defer(async || {
            println!("  all is written, and the files are about to go");
            Ok(())
        });

        for file in &mut files {
            file.file.write_all(b"id,name\n").await?;
        }
        ensure!(files.len() < 4, "there are too many tables");
        format!("{} files", files.len())
    });
    Ok(exported)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Nested contexts: each one uses the one before, and they exit in reverse order.
    let text = async_with!(
        directory = temporary_directory()?,
        notes = temporary_file(directory.path().join("notes.txt"))?,
        {
            notes
                .file
                .write_all(b"written in a directory that is just as temporary")
                .await?;
            notes.file.flush().await?;
            tokio::fs::read_to_string(&notes.path).await?
        }
    );
    println!("nested: {text}");

    async_with!(directory = temporary_directory()?, {
        let settings = [
            Settings {
                tables: &["users"],
                journal: false,
            },
            Settings {
                tables: &["users", "orders"],
                journal: true,
            },
            // The second table fails to enter, because its file exists.
            Settings {
                tables: &["users", "users"],
                journal: true,
            },
            Settings {
                tables: &["a", "b", "c", "d"],
                journal: true,
            },
        ];
        for settings in settings {
            println!("exporting {:?}", settings.tables);
            match export(&settings, directory.path()).await {
                Ok(exported) => println!("  exported {exported}"),
                Err(error) => println!("  failed: {error}"),
            }
            let journal = directory.path().join("journal.txt");
            if settings.journal {
                let text = tokio::fs::read_to_string(&journal).await?;
                println!("  journal: {}", text.replace('\n', ", "));
                tokio::fs::remove_file(journal).await?;
            }
            // The files of all tables are removed.
            let left = std::fs::read_dir(directory.path())?.count();
            ensure!(left == 0, "{left} files are left");
        }
    });
    Ok(())
}
