//! What is copied or moved out of the resource may leave the block; only borrows may not.
use guard_core::{async_context, async_with, yield_resource};

#[async_context(scoped)]
async fn words<'a>(text: &'a str) -> Vec<&'a str> {
    let mut words: Vec<&str> = text.split(' ').collect();
    yield_resource!(words);
}

async fn first(text: &str) -> Option<&str> {
    let all = async_with!(words = words(text), { std::mem::take(words) });
    async_with!(words = words(text), { words.first().copied() }).or(all.last().copied())
}

fn main() {
    drop(first("a b"));
}
