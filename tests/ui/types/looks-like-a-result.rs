use guard_core::{async_context, yield_resource};

struct QueryResult<T>(T);

#[async_context]
async fn query() -> QueryResult<u32> {
    let mut result = QueryResult(1);
    yield_resource!(result);
}

fn main() {}
