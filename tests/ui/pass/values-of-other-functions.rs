//! What an `async` block or a closure in the body returns is not what the context ends with.
use guard_core::{async_context, yield_resource};
use std::io;

struct Connection {
    number: u32,
}

#[async_context]
async fn connection() -> io::Result<Connection> {
    let open = async |number| {
        if number == 0 {
            return Ok(Connection { number });
        }
        Err(io::Error::other("busy"))
    };
    let first = async {
        let connection = open(0).await;
        if connection.is_err() {
            return Ok(Connection { number: 1 });
        }
        connection
    };
    let mut connection = first.await?;
    yield_resource!(connection);
    let end = async {
        if connection.number > 1 {
            return Ok(connection);
        }
        Err(io::Error::other("never opened"))
    };
    end.await?;
    Ok(())
}

fn main() {
    drop(connection());
}
