//! A PostgreSQL server for one test or one example.

use std::path::{Path, PathBuf};

use guard_core::{async_context, yield_resource};
use sqlx::{Connection, PgConnection};

use super::process::Directory;
use super::programs::{find, versions};
use super::{Kind, Server, start};

struct Postgres {
    program: PathBuf,
}

/// A PostgreSQL server with an empty database.
///
/// # Errors
///
/// PostgreSQL is not installed, or does not start or stop.
#[async_context]
pub async fn postgres() -> anyhow::Result<Server> {
    let usual = versions("/usr/lib/postgresql", "bin");
    let initdb = find("initdb", &usual, "postgresql")?;
    let program = find("postgres", &usual, "postgresql")?;
    let directory = Directory::new("postgres")?;
    let data = directory.path().join("data");
    directory
        .prepare(&[
            initdb.display().to_string(),
            format!("--pgdata={}", data.display()),
            "--username=postgres".to_owned(),
            "--auth=trust".to_owned(),
            "--encoding=UTF8".to_owned(),
            "--no-locale".to_owned(),
            "--no-sync".to_owned(),
        ])
        .await?;
    let mut server = start(&Postgres { program }, directory, 0).await?;
    yield_resource!(server);
    server.stop().await
}

impl Kind for Postgres {
    // The "fast shutdown". SIGTERM would wait for the clients.
    const STOP: &'static str = "INT";

    fn command(&self, directory: &Path, port: u16) -> Vec<String> {
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
        ];
        let mut command = vec![
            self.program.display().to_string(),
            "-D".to_owned(),
            directory.join("data").display().to_string(),
        ];
        command.extend(settings.map(|setting| format!("-c{setting}")));
        command
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    async fn serves(&self, url: &str) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect(url).await?;
        let directory = sqlx::query_scalar("SHOW data_directory")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(directory)
    }
}
