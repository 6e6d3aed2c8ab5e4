use guard_core::{async_context, async_with, yield_resource};

type Fallible<T> = Result<T, std::io::Error>;

#[async_context]
async fn number() -> Fallible<u32> {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn plain() -> u32 {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

async fn both() -> Fallible<u32> {
    Ok(async_with!(number = number()?, plain = plain(), { *number + *plain }))
}

fn main() {}
