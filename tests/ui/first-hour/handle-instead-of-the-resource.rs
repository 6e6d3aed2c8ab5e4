use guard_core::{async_context, async_with, lazy, optional, swap, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn of_optional(wanted: bool) -> io::Result<()> {
    async_with!(numbers = optional(wanted.then(numbers))?, {
        numbers.push(2)
    });
    Ok(())
}

async fn of_lazy() -> io::Result<()> {
    async_with!(numbers = lazy(numbers)?, { numbers.push(2) });
    Ok(())
}

async fn of_swap() -> io::Result<usize> {
    Ok(async_with!(numbers = swap(numbers())?, { numbers.len() }))
}

fn main() {}
