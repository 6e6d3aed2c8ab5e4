use guard_core::{async_context, yield_resource};
use std::io;

struct Connection {
    is_open: bool,
}

#[async_context]
async fn connection(is_open: bool) -> io::Result<Connection> {
    if !is_open {
        return Ok(Connection { is_open });
    }
    let mut connection = Connection { is_open };
    yield_resource!(connection);
    Ok(())
}

fn main() {}
