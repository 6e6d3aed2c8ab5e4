//! A MariaDB server for one test or one example.

use std::path::{Path, PathBuf};

use guard_core::{async_context, yield_resource};
use sqlx::{Connection, MySqlConnection};

use super::process::Directory;
use super::programs::find;
use super::{Kind, Server, start};

struct MariaDb {
    program: PathBuf,
}

/// A MariaDB server with an empty database.
///
/// # Errors
///
/// MariaDB is not installed, or does not start or stop.
#[async_context]
pub async fn mariadb() -> anyhow::Result<Server> {
    let usual = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    let install = find("mariadb-install-db", &usual, "mariadb-server")?;
    let program = find("mariadbd", &usual, "mariadb-server")?;
    let directory = Directory::new("mariadb")?;
    let data = directory.path().join("data");
    directory
        .prepare(&[
            install.display().to_string(),
            "--no-defaults".to_owned(),
            format!("--datadir={}", data.display()),
            "--auth-root-authentication-method=normal".to_owned(),
            "--skip-name-resolve".to_owned(),
        ])
        .await?;
    let mut server = start(&MariaDb { program }, directory, 0).await?;
    yield_resource!(server);
    server.stop().await
}

impl Kind for MariaDb {
    const STOP: &'static str = "TERM";

    fn command(&self, directory: &Path, port: u16) -> Vec<String> {
        let directory = directory.display();
        vec![
            self.program.display().to_string(),
            "--no-defaults".to_owned(),
            format!("--datadir={directory}/data"),
            format!("--socket={directory}/socket"),
            format!("--pid-file={directory}/pid"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={port}"),
            "--skip-name-resolve".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
        ]
    }

    fn url(&self, port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/test?ssl-mode=disabled")
    }

    async fn serves(&self, url: &str) -> anyhow::Result<String> {
        let mut connection = MySqlConnection::connect(url).await?;
        let directory = sqlx::query_scalar("SELECT @@datadir")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(directory)
    }
}
