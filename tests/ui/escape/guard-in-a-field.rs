//! The exit of a guard takes it by value.

use guard_core::{BoxContext, Guard};
use std::io;
use std::sync::Arc;
use tokio::sync::Mutex;

type Connection = Guard<BoxContext<'static, String, io::Error>>;

struct Client {
    connection: Connection,
}

impl Client {
    async fn close(&mut self) -> io::Result<()> {
        self.connection.exit().await
    }
}

struct Shared {
    connection: Arc<Mutex<Connection>>,
}

impl Shared {
    async fn close(&self) -> io::Result<()> {
        self.connection.lock().await.exit().await
    }
}

async fn close_all(connections: &mut Vec<Connection>) -> io::Result<()> {
    for connection in connections {
        connection.exit().await?;
    }
    Ok(())
}

fn main() {}
