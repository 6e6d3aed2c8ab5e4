//! A context whose body is still to be written.
#![deny(warnings)]
#![allow(dead_code, reason = "only compiled")]

use std::{fmt, io};

use guard_core::{async_context, async_with};

pub struct Connection;

#[derive(Clone)]
pub struct Pool;

#[async_context]
async fn connect(_url: String) -> io::Result<Connection> {
    todo!()
}

#[async_context]
async fn counter() -> u32 {
    todo!();
}

#[async_context(catch)]
async fn forgiving() -> io::Result<()> {
    panic!("later")
}

#[async_context(scoped)]
async fn word(text: &str) -> Result<String, fmt::Error> {
    if text.is_empty() {
        return Err(fmt::Error);
    }
    std::unreachable!("{text}")
}

impl Pool {
    #[async_context]
    async fn acquire(self) -> io::Result<Connection> {
        unimplemented!("later")
    }

    #[async_context(owned)]
    async fn begin(&self) {
        tokio::task::yield_now().await;
        unimplemented!()
    }
}

trait Connects {
    fn connect(self) -> impl Future<Output = ()>;
}

impl Connects for Pool {
    async fn connect(self) {
        let _ = async {
            async_with!(_connection = self.acquire()?, {});
            io::Result::Ok(())
        };
    }
}

fn main() {
    drop((connect(String::new()), counter(), forgiving(), word("")));
    drop(Pool.connect());
}
