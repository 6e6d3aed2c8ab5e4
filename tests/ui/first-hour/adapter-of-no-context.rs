use guard_core::{AsyncContext, async_context, async_with, closing, lazy, manage, swap, yield_resource};
use std::io;

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn number() -> u32 {
    1
}

async fn lazily() -> io::Result<()> {
    async_with!(number = lazy(number)?, {
        number.get().await?;
    });
    async_with!(file = lazy(file())?, {
        file.get().await?;
    });
    Ok(())
}

async fn swapped() -> io::Result<()> {
    async_with!(number = swap(number())?, {
        number.current();
        number.replace(number()).await?;
    });
    let guard = swap(file().enter().await?).enter().await?;
    guard.exit().await
}

async fn without_a_trait() -> io::Result<()> {
    async_with!(number = closing(1)?, {
        *number += 1;
    });
    async_with!(number = manage(1)?, {
        *number += 1;
    });
    closing(1).with(async |_| Ok(())).await
}

fn main() {}
