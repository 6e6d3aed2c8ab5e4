use guard_core::{AsyncContext, AsyncManager, Outcome, manage};
use std::convert::Infallible;

struct Session<'a>(&'a str);

impl AsyncManager for Session<'_> {
    type Resource = Self;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Self, Infallible> {
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
        Ok(())
    }
}

async fn open(name: &str) -> usize {
    manage(Session(name)).run(async |session| session.0.len()).await
}

fn main() {}
