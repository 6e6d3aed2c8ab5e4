//! Whatever rustc's flow analysis accepts is accepted.
use guard_core::{async_context, yield_resource};

#[async_context]
async fn branches(which: u32) -> Result<u32, std::fmt::Error> {
    let mut number = match which {
        0 => return Err(std::fmt::Error),
        1 => panic!("diverges"),
        2 => loop {
            std::future::pending::<()>().await;
        },
        3 => "3".parse().map_err(|_| std::fmt::Error)?,
        4 => {
            let mut four = 4;
            yield_resource!(four);
            return Ok(());
        }
        number => number,
    };
    loop {
        number += 1;
        if number % 2 == 0 {
            continue;
        }
        yield_resource!(number);
        break;
    }
    Ok(())
}

fn main() {
    drop(branches(1));
}
