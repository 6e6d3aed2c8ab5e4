//! Row 10. A context cannot yield again after its body has failed. Python: `RuntimeError("generator didn't
//! stop after athrow()")` at run time.

use guard_core::{Outcome, async_context, yield_resource};

#[async_context]
async fn retries(attempts: u32) -> Result<u32, std::io::Error> {
    let mut attempts = attempts;
    if let Outcome::Failed(()) = yield_resource!(attempts) {
        attempts -= 1;
        yield_resource!(attempts);
    }
    Ok(())
}

fn main() {}
