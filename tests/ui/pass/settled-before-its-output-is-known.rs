//! What waits for a future has a type also where the output of the future is not known yet.
use guard_core::{detached, settled, try_settled};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut waits = Box::pin(settled(async { Ok(1) }));
    let _ = waits.as_mut();
    let value: Result<u32, String> = waits.await;
    let mut waits = Box::pin(try_settled(async { None }));
    let _ = waits.as_mut();
    let none: Option<u32> = waits.await.unwrap_or_default();
    let mut waits = Box::pin(detached(async { None }));
    let _ = waits.as_mut();
    let nothing: Option<u32> = waits.await;
    assert_eq!((value, none, nothing), (Ok(1), None, None));
}
