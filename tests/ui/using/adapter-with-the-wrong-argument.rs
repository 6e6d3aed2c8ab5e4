use guard_core::{AsyncContext, BoxContext, async_context, async_with, yield_resource};
use std::io;
use std::time::Duration;

struct Failed;

#[derive(Debug)]
struct Other;

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn error_without_debug() -> Result<(), Failed> {
    async_with!(text = file().map_err(|_| Failed)?, {
        text.push('a');
    });
    Ok(())
}

async fn no_closure() -> Result<(), Other> {
    async_with!(text = file().map_err(Other)?, {
        text.push('a');
    });
    Ok(())
}

async fn expected_without_debug(context: BoxContext<'static, u32, Failed>) {
    async_with!(number = context.expect("a number"), {
        *number += 1;
    });
}

async fn can_fail() -> io::Result<()> {
    async_with!(text = file().with_error::<io::Error>()?, {
        text.push('a');
    });
    file()
        .with_error::<io::Error>()
        .with(async |text| {
            text.push('a');
            Ok(())
        })
        .await
}

async fn no_future() -> io::Result<()> {
    let context = file().exit_until(Duration::from_secs(5));
    async_with!(text = context.map_err(|_| io::Error::other("late"))?, {
        text.push('a');
    });
    Ok(())
}

fn main() {}
