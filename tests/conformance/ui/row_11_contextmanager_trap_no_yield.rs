//! Row 11. A context cannot end its set-up without a yield. Python: `RuntimeError("generator didn't
//! yield")` when it is entered. To leave with an error before the yield is fine, as raising is in Python.

use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn without_a_yield(path: String) -> String {
    drop(path);
}

#[async_context]
async fn sometimes(path: String, exists: bool) -> io::Result<String> {
    let mut path = path;
    if exists {
        yield_resource!(path);
    }
    Ok(())
}

#[async_context]
async fn fails_early(path: String, exists: bool) -> io::Result<String> {
    let mut path = path;
    if !exists {
        return Err(io::ErrorKind::NotFound.into());
    }
    yield_resource!(path);
    Ok(())
}

fn main() {}
