#![deny(unused_must_use)]

use guard_core::{async_with, suppress};
use std::io;

async fn remove() -> io::Result<()> {
    Err(io::ErrorKind::NotFound.into())
}

async fn written() -> io::Result<()> {
    async_with!(catch(_suppressed = suppress(|_: &io::Error| true)?), {
        if remove().await.is_ok() {
            Ok(1)
        } else {
            Err(io::ErrorKind::NotFound)
        }
    });
    Ok(())
}

async fn as_data() -> io::Result<bool> {
    let removed = async_with!(catch(_suppressed = suppress(|_: &io::Error| true)?), {
        (remove().await,)
    });
    Ok(removed.is_some_and(|(removed,)| removed.is_ok()))
}

fn main() {}
