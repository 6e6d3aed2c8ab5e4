use guard_core::async_with;

async fn length<C>(context: C) -> usize {
    async_with!(text = context, { text.len() })
}

fn main() {}
