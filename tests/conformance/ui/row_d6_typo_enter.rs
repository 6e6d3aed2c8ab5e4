//! Row d6. A misspelt `enter` is found. Python: `TypeError` that names the protocol.

use guard_core::{AsyncManager, Outcome};
use std::convert::Infallible;

struct Session;

impl AsyncManager for Session {
    type Resource = Self;
    type Error = Infallible;

    async fn entre(&mut self) -> Result<&mut Self, Infallible> {
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() {}
