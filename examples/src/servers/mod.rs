//! Servers for one test or one example.
//!
//! Each is a context. The set-up starts a new server, in a temporary directory and on a free port of the
//! loopback interface, and waits until it answers. The exit stops the server and removes the directory.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use guard_core::async_with;
//! use guard_examples::servers::redis;
//!
//! async_with!(server = redis()?, {
//!     let client = redis::Client::open(server.url())?;
//!     let mut connection = client.get_multiplexed_async_connection().await?;
//!     redis::cmd("SET").arg("greeting").arg("hello").exec_async(&mut connection).await?;
//! });
//! # Ok(()) }
//! ```
//!
//! The programs come from Debian's or Ubuntu's packages, or from `PATH`. If one is missing, the error names
//! the command that installs it.

mod mariadb;
mod postgres;
mod process;
mod programs;
mod redis;

pub use mariadb::mariadb;
pub use postgres::postgres;
pub use redis::{redis, redis_on};

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use process::{Directory, Process};
use tokio::time::{Instant, sleep, timeout};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(60);
/// How long the server may take to answer one request, before the request is repeated.
const ANSWER: Duration = Duration::from_secs(5);
/// How many ports are tried, if other programs take them first.
const ATTEMPTS: usize = 5;

/// A running server.
pub struct Server {
    url: String,
    port: u16,
    process: Process,
    // Dropped after the process: a server that is dropped without an exit still writes to its directory.
    directory: Directory,
}

impl Server {
    /// The URL for its client library.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The directory with its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills the server, as a crash would, and waits until the process is gone.
    ///
    /// # Errors
    ///
    /// The process is still there after a while.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        let stopped = self.process.stop().await;
        self.directory.remove()?;
        stopped
    }
}

/// The differences between the kinds of servers.
trait Kind: Send + Sync {
    /// The signal that stops the server without waiting for its clients.
    const STOP: &'static str;

    /// The program and its arguments to serve the data in `directory` on `port`.
    fn command(&self, directory: &Path, port: u16) -> Vec<String>;

    /// The URL for clients.
    fn url(&self, port: u16) -> String;

    /// Asks the server for a path below its directory, to know that it is the one that was started.
    fn serves(&self, url: &str) -> impl Future<Output = anyhow::Result<String>> + Send;
}

/// Starts a server on `port`, or on a free port if that is 0, and waits until it answers.
async fn start(kind: &impl Kind, directory: Directory, port: u16) -> anyhow::Result<Server> {
    let mut attempt = 1;
    loop {
        let port = if port == 0 { free_port()? } else { port };
        let url = kind.url(port);
        let command = kind.command(directory.path(), port);
        let mut process = Process::start(&directory, stop_signal(kind), &command).await?;
        match until_it_answers(kind, &url, &directory, &mut process).await {
            Ok(()) => {
                return Ok(Server {
                    url,
                    port,
                    process,
                    directory,
                });
            }
            // Another program may have taken the port after it was found free.
            Err(_) if attempt < ATTEMPTS && process.has_ended()? => attempt += 1,
            Err(error) => {
                process.kill().await?;
                return Err(error.context(directory.log()));
            }
        }
    }
}

fn stop_signal<K: Kind>(_: &K) -> &'static str {
    K::STOP
}

async fn until_it_answers(
    kind: &impl Kind,
    url: &str,
    directory: &Directory,
    process: &mut Process,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + START;
    loop {
        let last = match timeout(ANSWER, kind.serves(url)).await {
            Ok(Ok(served)) if directory.contains(Path::new(&served)) => return Ok(()),
            // The server that was started will notice the other one, and end.
            Ok(Ok(served)) => anyhow!("another server has the port, which serves {served}"),
            Ok(Err(error)) => error,
            Err(elapsed) => elapsed.into(),
        };
        if process.has_ended()? || Instant::now() > deadline {
            return Err(last).context("it does not answer");
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
