//! Functions that end without a value, and do not reach their end.
#![deny(warnings)]
#![allow(unreachable_code)]

use guard_core::{async_context, async_with, nullcontext, within, yield_resource};
use std::convert::Infallible;
use std::io;
use std::str::FromStr as _;

async fn forever() -> ! {
    loop {
        tokio::task::yield_now().await;
    }
}

#[within(n = nullcontext(1))]
async fn served() -> io::Result<()> {
    u32::from_str("1").map_err(io::Error::other)?;
    println!("{n}");
    forever().await;
}

#[within(n = nullcontext(1))]
async fn left_in_each_branch() -> io::Result<u32> {
    if *n == 1 {
        return Ok(*n);
    } else {
        panic!("{n}");
    }
}

#[within(_n = nullcontext(1))]
async fn to_be_written() -> io::Result<u32> {
    todo!();
    println!("written");
}

#[within(n = nullcontext(1))]
async fn left_at_a_match() -> Result<u32, Infallible> {
    match *n {
        1 => println!("one"),
        _ => return Ok(*n),
    }
    loop {
        println!("{n}");
    }
}

#[within(_n = nullcontext(1))]
async fn without_the_attribute() -> io::Result<()> {
    return Ok(());
    #[cfg(windows)]
    println!("windows");
}

#[async_context]
async fn lent(n: u32) -> io::Result<u32> {
    let mut n = n;
    yield_resource!(n);
    if n == 1 {
        return Ok(());
    } else {
        return Err(io::Error::other("another"));
    }
}

#[async_context]
async fn lent_on(n: u32) -> io::Result<u32> {
    async_with!(attempt(n = lent(n)?), {
        yield_resource!(n);
    })
}

fn main() {
    let _ = (served(), left_in_each_branch(), to_be_written(), left_at_a_match());
    let _ = (without_the_attribute(), lent_on(1));
}
