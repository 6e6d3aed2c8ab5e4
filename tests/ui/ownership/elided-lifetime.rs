use guard_core::{async_context, yield_resource};

struct Lines<'a>(&'a str);

#[async_context]
async fn count(lines: Lines) -> usize {
    let mut count = lines.0.len();
    yield_resource!(count);
}

fn main() {}
