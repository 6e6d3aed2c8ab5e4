//! rustc itself proposes `Box<dyn AsyncContext>` where two branches have contexts of different types.

use guard_core::{AsyncContext, async_context, async_with, nullcontext, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn two_types(is_known: bool) -> io::Result<()> {
    let context = if is_known { nullcontext(vec![1]).with_error() } else { numbers() };
    async_with!(numbers = context?, { numbers.push(2) });
    Ok(())
}

async fn boxed(is_known: bool) -> io::Result<()> {
    let context: Box<dyn AsyncContext<Resource = Vec<u32>, Error = io::Error> + Send> =
        if is_known { Box::new(nullcontext(vec![1]).with_error()) } else { Box::new(numbers()) };
    async_with!(numbers = context?, { numbers.push(2) });
    Ok(())
}

async fn without_a_question_mark() {
    let context: Box<dyn AsyncContext<Resource = Vec<u32>, Error = io::Error>> = Box::new(numbers());
    async_with!(numbers = context, { numbers.push(2) });
}

fn main() {}
