//! No `From` can be implemented for two types of other crates.

use guard_core::{async_context, async_with, yield_resource};
use std::error::Error;

#[async_context]
async fn connect() -> Result<String, Box<dyn Error>> {
    let mut connection = String::new();
    yield_resource!(connection);
    Ok(())
}

async fn length() -> anyhow::Result<usize> {
    Ok(async_with!(connection = connect()?, { connection.len() }))
}

fn main() {}
