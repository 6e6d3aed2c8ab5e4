//! What `docs/using.md` says to write, where rustc does not.
#![deny(warnings)]

use guard_core::{
    AsyncContext, BoxContext, GroupError, Guard, async_context, async_with, lazy, nullcontext,
    optional, scoped_exit_stack, suppress, swap, task_group, yield_resource,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;

#[async_context]
async fn connect(name: String) -> io::Result<String> {
    let mut name = name;
    yield_resource!(name);
    Ok(())
}

#[async_context(scoped)]
async fn logged(log: &mut Vec<u32>) -> io::Result<usize> {
    let mut length = log.len();
    yield_resource!(length);
    log.push(1);
    Ok(())
}

#[derive(Clone)]
struct Pool {
    name: String,
}

impl Pool {
    #[async_context(owned)]
    async fn acquire(&self, suffix: &str) -> io::Result<String> {
        let mut name = self.name.clone();
        name.push_str(suffix);
        yield_resource!(name);
        Ok(())
    }
}

trait Storage: Send + Sync {
    #[async_context(owned, boxed)]
    async fn session(&self) -> io::Result<String>;
}

impl Storage for Pool {
    #[async_context(owned, boxed)]
    async fn session(&self) -> io::Result<String> {
        let mut name = self.name.clone();
        yield_resource!(name);
        Ok(())
    }
}

#[async_context(scoped)]
async fn lent(log: &mut Vec<u32>) -> io::Result<Vec<u32>> {
    yield_resource!(*log);
    log.push(1);
    Ok(())
}

#[async_context]
async fn boxed_error() -> Result<String, Box<dyn std::error::Error>> {
    let mut name = String::new();
    yield_resource!(name);
    Ok(())
}

async fn converted() -> anyhow::Result<usize> {
    let context = boxed_error().map_err(|error| anyhow::anyhow!("{error}"));
    Ok(async_with!(name = context?, { name.len() }))
}

async fn values(name: String, log: &mut Vec<u32>) -> io::Result<usize> {
    async_with!(log = lent(log)?, { log.clear() });
    let length = connect(name.clone()).with(async |name| Ok::<_, io::Error>(name.len())).await?;
    let mut name = connect(name).enter().await?;
    name.clear();
    name.exit().await?;
    Ok(length + nullcontext(1).run(async |n| *n).await)
}

fn orders() -> impl AsyncContext<Resource = String, Error = io::Error> {
    let pool = Pool { name: String::new() };
    pool.acquire("orders").boxed()
}

async fn futures(name: String) -> io::Result<()> {
    tokio::time::timeout(Duration::from_secs(1), async {
        async_with!(first = connect(name.clone())?, { first.clear() });
        Ok::<_, io::Error>(())
    })
    .await??;
    let entered = tokio::try_join!(connect(name.clone()).enter(), connect(name.clone()).enter());
    let (first, second) = entered?;
    first.exit().await?;
    second.exit().await?;
    async_with!(join(a = connect(name.clone())?, b = connect(name)?), { a.push_str(b) });
    Ok(())
}

async fn entries() -> io::Result<()> {
    let mut log = vec![];
    async_with!(stack = scoped_exit_stack::<io::Error>()?, {
        stack.enter(logged(&mut log)).await?;
    });
    Ok(())
}

async fn branches(known: bool, storage: Arc<dyn Storage>, name: String) -> io::Result<usize> {
    let context = if known {
        connect(name.clone()).boxed()
    } else {
        nullcontext(String::new()).with_error().boxed()
    };
    async_with!(text = context?, { text.clear() });
    async_with!(text = optional(known.then(|| connect(name.clone())))?, { drop(text.get_mut()) });
    for _ in 0..2 {
        async_with!(text = connect(name.clone())?, { text.clear() });
    }
    let length = async_with!(text = storage.session()?, { text.len() });
    Ok(length)
}

struct Client {
    guard: Guard<BoxContext<'static, String, io::Error>>,
    next: BoxContext<'static, String, io::Error>,
}

async fn client(name: String) -> io::Result<usize> {
    let guard = connect(name.clone()).boxed().enter().await?;
    let client = Client { guard, next: connect(name).boxed() };
    drop(client.next);
    let length = client.guard.len();
    client.guard.exit().await?;
    Ok(length)
}

async fn handles(name: String) -> io::Result<usize> {
    let connect = || connect(name.clone());
    async_with!(a = optional(Some(connect()))?, b = lazy(connect)?, {
        Ok(a.get().map_or(0, String::len) + b.get().await?.len())
    })
}

async fn swapped(name: String) -> io::Result<usize> {
    Ok(async_with!(text = swap(connect(name))?, { text.current().len() }))
}

async fn tasks() -> Result<u32, GroupError<io::Error>> {
    Ok(async_with!(group = task_group()?, {
        let task = group.spawn(async { io::Result::Ok(1) });
        task.await.unwrap_or_default()
    }))
}

async fn missing() -> io::Result<Option<String>> {
    let missing = suppress(|error: &io::Error| error.kind() == io::ErrorKind::NotFound);
    missing.catch(async |()| std::fs::read_to_string("none")).await
}

fn main() {
    let _ = (client(String::new()), handles(String::new()), swapped(String::new()));
    let _ = (tasks(), missing(), converted(), values(String::new(), &mut Vec::new()));
    let _ = (orders(), futures(String::new()), entries());
    let _ = |storage| branches(true, storage, String::new());
}
