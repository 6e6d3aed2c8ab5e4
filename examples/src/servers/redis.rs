//! A Redis server for one test or one example.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use guard_core::{AsyncContext, async_context, yield_resource};

use super::process::Directory;
use super::programs::find;
use super::{Kind, Server, start};

struct Redis {
    program: PathBuf,
}

/// An empty Redis server, which keeps its data in memory.
///
/// # Errors
///
/// Redis is not installed, or does not start or stop.
pub fn redis() -> impl AsyncContext<Resource = Server, Error = anyhow::Error> + Send + 'static {
    redis_on(0)
}

/// [`redis()`] on a given port, such as that of a server that was killed.
///
/// # Errors
///
/// The errors of `redis`, or the port is taken.
#[async_context]
pub async fn redis_on(port: u16) -> anyhow::Result<Server> {
    let usual = [PathBuf::from("/usr/bin")];
    let program = find("redis-server", &usual, "redis-server")?;
    let directory = Directory::new("redis")?;
    let mut server = start(&Redis { program }, directory, port).await?;
    yield_resource!(server);
    server.stop().await
}

impl Kind for Redis {
    const STOP: &'static str = "TERM";

    fn command(&self, directory: &Path, port: u16) -> Vec<String> {
        let program = self.program.display().to_string();
        let directory = directory.display().to_string();
        let port = port.to_string();
        let settings = [
            ["--bind", "127.0.0.1"],
            ["--port", &port],
            ["--dir", &directory],
            ["--save", ""],
            ["--appendonly", "no"],
        ];
        let settings = settings.into_iter().flatten().map(str::to_owned);
        [program].into_iter().chain(settings).collect()
    }

    fn url(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}/")
    }

    async fn serves(&self, url: &str) -> anyhow::Result<String> {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut settings: std::collections::HashMap<String, String> = redis::cmd("CONFIG")
            .arg(&["GET", "dir"])
            .query_async(&mut connection)
            .await?;
        settings
            .remove("dir")
            .context("the server did not return its directory")
    }
}
