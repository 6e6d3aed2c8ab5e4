use guard_core::{async_context, yield_resource};

struct Lines<'a>(&'a str);

#[async_context]
async fn count<'a>(lines: Lines<'a>, more: Option<&str>) -> usize {
    let mut count = lines.0.len() + more.map_or(0, str::len);
    yield_resource!(count);
}

fn main() {}
