use guard_core::{async_with, nullcontext};

macro_rules! stop_or {
    ($stops:expr, $code:expr) => {
        if $stops { break } else { $code }
    };
}

async fn user() {
    for turn in 0..3 {
        async_with!(_one = nullcontext(1), {
            stop_or!(turn == 1, continue)
        });
    }
}

fn main() {}
