//! A context as a decorator: entered anew for every call of the function. The same as `decorator.py`.

use std::pin::Pin;

use anyhow::ensure;
use guard_core::{async_context, within, yield_resource};
use tokio::task::yield_now;

#[async_context]
async fn track_entry_and_exit(name: &'static str) {
    println!("entering: {name}");
    yield_resource!();
    yield_now().await;
    println!("exiting: {name}");
}

#[within(() = track_entry_and_exit("widget loader"))]
async fn load_widgets(count: usize) -> usize {
    println!("{count} widgets");
    count
}

#[within(() = track_entry_and_exit("outer"))]
#[within(() = track_entry_and_exit("inner"))]
async fn check(count: usize) -> anyhow::Result<usize> {
    ensure!(count <= 3, "{count} are too many");
    Ok(count)
}

struct Countdown;

impl Countdown {
    #[within(() = track_entry_and_exit("countdown"))]
    async fn run(&self, number: u32) {
        println!("{number}");
        if number > 1 {
            // An `async fn` that calls itself needs a box, with or without a context.
            let rest: Pin<Box<dyn Future<Output = ()>>> = Box::pin(self.run(number - 1));
            rest.await;
        }
    }
}

pub async fn main() -> anyhow::Result<()> {
    println!("loaded {}", load_widgets(2).await);
    println!("checked {}", check(3).await?);
    if let Err(error) = check(4).await {
        println!("refused: {error}");
    }
    Countdown.run(3).await;
    Ok(())
}
