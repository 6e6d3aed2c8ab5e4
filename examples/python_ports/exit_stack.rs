//! Connections that are opened all or not at all, stay open, and are closed later. The same as `exit_stack.py`.

use guard_core::{AsyncExitStack, EntryKey, async_context, async_with, exit_stack, yield_resource};
use tokio::task::yield_now;

#[async_context]
async fn connection(address: &'static str) -> Result<Vec<&'static str>, String> {
    if address == "nowhere" {
        return Err(format!("{address} does not answer"));
    }
    println!("open {address}");
    let mut sent = vec![address];
    yield_resource!(sent);
    yield_now().await;
    println!("close {address} after {} messages", sent.len() - 1);
    Ok(())
}

async fn say_goodbye(members: usize) -> Result<(), String> {
    yield_now().await;
    println!("goodbye to {members} members");
    Ok(())
}

struct Cluster {
    stack: AsyncExitStack<String>,
    // Python keeps the connections. Here the stack has them, and the keys say which is which.
    connections: Vec<EntryKey<Vec<&'static str>>>,
}

impl Cluster {
    async fn open(addresses: &[&'static str]) -> Result<Self, String> {
        async_with!(stack = exit_stack::<String>()?, {
            let mut connections = Vec::new();
            for address in addresses {
                connections.push(stack.enter_keyed(connection(address)).await?);
            }
            let members = connections.len();
            stack.defer(async move || say_goodbye(members).await);
            // All are open, so they stay open: the block leaves nothing to close.
            let stack = stack.pop_all();
            return Ok(Self { stack, connections });
        })
    }

    fn send(&mut self, message: &'static str) {
        for key in &self.connections {
            let sent = &mut self.stack[key];
            sent.push(message);
            println!("send {message} to {}", sent[0]);
        }
    }

    async fn close(self) -> Result<(), String> {
        self.stack.aclose().await
    }
}

pub async fn main() -> anyhow::Result<()> {
    let mut cluster = Cluster::open(&["a", "b", "c"])
        .await
        .map_err(anyhow::Error::msg)?;
    cluster.send("hello");
    cluster.send("world");
    cluster.close().await.map_err(anyhow::Error::msg)?;

    if let Err(error) = Cluster::open(&["a", "b", "nowhere", "c"]).await {
        println!("not opened: {error}");
    }
    Ok(())
}
