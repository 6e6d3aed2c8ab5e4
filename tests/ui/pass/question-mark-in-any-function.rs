//! A `?` after a context that cannot fail is accepted in every function; one after a context that can fail wherever a
//! `Result` is returned, also inside a `Poll`, and where the type of that is not known yet.

use guard_core::{async_context, async_with, within, yield_resource};
use std::error::Error;
use std::num::ParseIntError;
use std::task::Poll;

#[async_context]
async fn lock() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[async_context]
async fn parsed(text: &'static str) -> Result<u32, ParseIntError> {
    let mut number = text.parse()?;
    yield_resource!(number);
    Ok(())
}

async fn nothing() {
    async_with!(number = lock()?, { *number += 1 });
}

#[within(number = lock()?)]
async fn number() -> u32 {
    *number
}

async fn option() -> Option<u32> {
    async_with!(number = lock()?, { Some(*number) })
}

async fn poll() -> Poll<Result<u32, Box<dyn Error>>> {
    async_with!(number = parsed("1")?, { Poll::Ready(Ok(*number)) })
}

async fn poll_next() -> Poll<Option<Result<u32, ParseIntError>>> {
    async_with!(number = parsed("1")?, { Poll::Ready(Some(Ok(*number))) })
}

async fn opaque() -> impl Send {
    async_with!(_number = parsed("1")?, {});
    Ok::<_, ParseIntError>(())
}

fn main() {
    drop((nothing(), number(), option(), poll(), poll_next(), opaque()));
    let _ = async {
        async_with!(_number = parsed("1")?, _lock = lock()?, {});
        Ok::<_, Box<dyn Error>>(())
    };
    let _ = async || {
        if true {
            return Ok::<u32, ParseIntError>(1);
        }
        Ok(async_with!(number = parsed("1")?, { *number }))
    };
}
