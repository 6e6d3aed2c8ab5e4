//! A context lends nothing before it is entered.

use guard_core::{async_context, yield_resource};
use std::io;

struct Connection {
    rows: u32,
}

impl Connection {
    fn number(&self) -> u32 {
        self.rows
    }
}

#[async_context]
async fn connect() -> Result<Connection, io::Error> {
    let mut connection = Connection { rows: 1 };
    yield_resource!(connection);
    Ok(())
}

fn print(connection: &Connection) {
    println!("{}", connection.rows);
}

async fn called() -> u32 {
    let connection = connect();
    connection.number()
}

async fn read() -> u32 {
    let connection = connect();
    connection.rows
}

async fn passed() {
    let connection = connect();
    print(&connection);
}

async fn asked() -> Result<u32, io::Error> {
    let connection = connect()?;
    Ok(connection.number())
}

fn main() {}
