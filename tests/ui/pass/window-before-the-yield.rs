//! `cancellable!` stands before the yield, on whatever path.
#![deny(warnings)]

use std::future::ready;

use guard_core::{async_context, async_with, cancellable, nullcontext, yield_resource};

#[async_context]
pub async fn after_a_branch(number: u32) -> u32 {
    let mut number = number;
    if cancellable!(ready(number)) == 1 {
        yield_resource!(number);
        return;
    }
    number = cancellable!(ready(2));
    yield_resource!(number);
}

#[async_context]
pub async fn in_a_loop(number: u32) -> u32 {
    let mut number = number;
    loop {
        number -= 1;
        if cancellable!(ready(number)) == 0 {
            yield_resource!(number);
            break;
        }
    }
}

#[async_context]
pub async fn before_another_macro() -> u32 {
    let more = cancellable!(ready(1));
    async_with!(number = nullcontext(1), {
        *number += more;
        yield_resource!(number);
    });
}

fn main() {}
