//! An `.await` or a `?` inside the expression of a context.

use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use std::num::ParseIntError;

#[async_context]
async fn parsed(text: String) -> Result<u32, ParseIntError> {
    let mut number = text.parse()?;
    yield_resource!(number);
    Ok(())
}

struct Pool;

struct Connection<'a>(&'a Pool);

impl Pool {
    async fn get(&self) -> Result<Connection<'_>, ParseIntError> {
        Ok(Connection(self))
    }
}

impl Connection<'_> {
    fn begin(&self) -> impl AsyncContext<Resource = u32, Error = ParseIntError> + Send + use<> {
        let Pool = self.0;
        parsed("1".into())
    }

    async fn opened(self) -> impl AsyncContext<Resource = u32, Error = ParseIntError> + Send {
        parsed("1".into())
    }
}

async fn sum() -> Result<u32, ParseIntError> {
    let made = Ok::<_, ParseIntError>(parsed("2".into()));
    let later = Box::pin(async { Ok::<_, ParseIntError>(parsed("3".into())) });
    Ok(async_with!(
        first = Pool.get().await?.begin()?,
        second = Pool.get().await?.opened().await?,
        third = made?.boxed()?,
        fourth = later.await??,
        { *first + *second + *third + *fourth }
    ))
}

fn is_send(_: impl Send) {}

fn main() {
    is_send(sum());
}
