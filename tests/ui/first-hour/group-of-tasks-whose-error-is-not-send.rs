use guard_core::{async_with, task_group};
use std::error::Error;

async fn named() {
    async_with!(attempt(tasks = task_group::<Box<dyn Error>>()?), {
        println!("{} tasks", tasks.len());
    });
}

fn main() {}
