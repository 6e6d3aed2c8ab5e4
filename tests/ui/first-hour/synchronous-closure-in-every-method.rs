use guard_core::{AsyncContext, Outcome, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

#[async_context(catch)]
async fn catching() -> io::Result<u32> {
    let mut number = 1;
    match yield_resource!(number) {
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

#[async_context]
async fn turns() -> u32 {
    let mut turns = 1;
    yield_resource!(turns);
}

fn try_with() {
    let _ = numbers().try_with(|numbers| { numbers.push(1); Ok::<(), io::Error>(()) });
}

fn run() {
    let _ = turns().run(|turns| turns.checked_add(1));
}

fn catch() {
    let _ = catching().catch(|number| { number.count_ones(); Ok::<(), io::Error>(()) });
}

fn main() {}
