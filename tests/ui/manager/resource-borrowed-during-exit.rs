use guard_core::{AsyncManager, Outcome};
use std::convert::Infallible;

struct Session(String);

impl AsyncManager for Session {
    type Resource = String;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut String, Infallible> {
        let mut name = self.0.clone();
        Ok(&mut name)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() {}
