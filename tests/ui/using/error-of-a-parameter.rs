use guard_core::{AsyncContext, async_with};
use std::io;

async fn of_a_parameter<C: AsyncContext>(context: C) -> io::Result<()> {
    async_with!(_resource = context?, {});
    Ok(())
}

async fn without_its_error(context: impl AsyncContext<Resource = u32>) -> io::Result<u32> {
    Ok(async_with!(number = context?, { *number }))
}

fn main() {}
