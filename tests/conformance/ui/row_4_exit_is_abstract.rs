//! Row 4. A context without an exit cannot be made. Python: `TypeError` when it is instantiated.

use guard_core::AsyncManager;
use std::convert::Infallible;

struct Session;

impl AsyncManager for Session {
    type Resource = Self;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Self, Infallible> {
        Ok(self)
    }
}

fn main() {}
