//! Row d7. A misspelt `exit` is found. Python: `TypeError` that names `__exit__`.

use guard_core::{AsyncManager, Outcome};
use std::convert::Infallible;

struct Session;

impl AsyncManager for Session {
    type Resource = Self;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Self, Infallible> {
        Ok(self)
    }

    async fn exti(&mut self, _: Outcome) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() {}
