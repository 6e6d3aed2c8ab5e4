use guard_core::{AsyncManager, Outcome, async_with};
use std::convert::Infallible;

struct Session;

impl AsyncManager for Session {
    type Resource = Self;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Self, Infallible> {
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
        Ok(())
    }
}

async fn open() {
    async_with!(_session = Session, {});
}

fn main() {}
