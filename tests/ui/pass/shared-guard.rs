//! A guard of a boxed context is shared: by tasks, in a `&self` method of a spawned task, in a `static`.

use guard_core::{AsyncContext, BoxContext, Guard, async_context, yield_resource};
use std::io;
use std::sync::Arc;
use tokio::sync::OnceCell;

type Shared = Guard<BoxContext<'static, String, io::Error>>;

#[async_context]
async fn database() -> io::Result<String> {
    let mut name = "database".to_owned();
    yield_resource!(name);
    Ok(())
}

struct Client {
    database: Shared,
}

impl Client {
    async fn ping(&self) -> usize {
        tokio::task::yield_now().await;
        self.database.len()
    }
}

static DATABASE: OnceCell<Shared> = OnceCell::const_new();

#[tokio::main]
async fn main() -> io::Result<()> {
    let client = Client { database: database().boxed().enter().await? };
    let client = Arc::new(client);
    let shared = client.clone();
    assert_eq!(tokio::spawn(async move { shared.ping().await }).await?, 8);
    let client = Arc::into_inner(client).unwrap();
    tokio::spawn(async move { client.database.exit().await }).await??;

    let name = DATABASE.get_or_try_init(async || database().boxed().enter().await).await?;
    assert_eq!(**name, "database");
    Ok(())
}
