use guard_core::{async_with, nullcontext};

async fn number() {
    async_with!(number = nullcontext(1), move {
        *number += 1;
    });
}

fn main() {}
