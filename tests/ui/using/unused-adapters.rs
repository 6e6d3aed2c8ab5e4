#![deny(unused_must_use)]

use guard_core::{
    AsyncContext, async_context, exit_stack, lazy, nullcontext, optional, scoped_exit_stack, suppress, swap, task_group, yield_resource,
};
use std::io;
use std::time::Duration;

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn forget() {
    nullcontext(1);
    nullcontext(1).with_error::<io::Error>();
    file().map_err(|error| error.kind());
    file().expect("a file");
    file().exit_timeout(Duration::from_secs(1));
    file().exit_until(std::future::ready(()));
    file().boxed();
    lazy(file);
    swap(file());
    optional(Some(file()));
    suppress(|_: &io::Error| true);
    exit_stack::<io::Error>();
    exit_stack::<io::Error>().all_errors();
    scoped_exit_stack::<io::Error>();
    task_group::<io::Error>();
}

fn main() {}
