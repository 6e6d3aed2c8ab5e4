//! Well-known uses of Python's contextlib, beside the same with guard.
//!
//! Each module stands beside a Python program of the same name, and prints the same lines.
//!
//! ```sh
//! cargo run -p guard-examples --example python_ports               # all of them
//! cargo run -p guard-examples --example python_ports -- suppress   # one, to compare with the next line
//! python3 examples/python_ports/suppress.py
//! ```

mod decorator;
mod exit_stack;
mod lifespan;
mod suppress;
mod time_limit;
mod transaction;

use std::env;

use anyhow::bail;

const PORTS: [&str; 6] = [
    "transaction",
    "suppress",
    "exit_stack",
    "decorator",
    "time_limit",
    "lifespan",
];

async fn run(port: &str) -> anyhow::Result<()> {
    match port {
        "transaction" => transaction::main().await,
        "suppress" => suppress::main().await,
        "exit_stack" => exit_stack::main().await,
        "decorator" => decorator::main().await,
        "time_limit" => time_limit::main().await,
        "lifespan" => lifespan::main().await,
        _ => bail!("there is no {port:?} among {PORTS:?}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    if let Some(port) = env::args().nth(1) {
        return run(&port).await;
    }
    for port in PORTS {
        println!("--- {port}");
        run(port).await?;
    }
    Ok(())
}
