use guard_core::{GroupError, async_with, task_group};
use std::io;

async fn sum() -> Result<u32, GroupError<io::Error>> {
    Ok(async_with!(group = task_group()?, {
        let one = group.spawn(async { io::Result::Ok(1) });
        one.await?
    }))
}

fn main() {}
