//! The ways to end a use.

use guard_core::{AsyncContext, drain};

/// How a use ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Ends,
    Fails,
    Panics,
    IsCancelled,
}

pub const WAYS: [Way; 4] = [Way::Ends, Way::Fails, Way::Panics, Way::IsCancelled];

/// Uses the context, calls `body` with the resource, and then ends the use in this way. Returns when all
/// clean-ups have ended.
pub async fn leave<C, B>(way: Way, context: C, body: B)
where
    C: AsyncContext<Resource: Send, Error: std::fmt::Debug + Send + 'static> + Send + 'static,
    B: for<'a> FnOnce(&'a mut C::Resource) + Send + 'static,
{
    let (inside, is_inside) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let used = context
            .try_with(async move |resource| {
                body(resource);
                inside.send(()).expect("the test waits for this");
                hold(way).await
            })
            .await;
        used.is_ok()
    });
    is_inside.await.expect("the context can be entered");
    if way == Way::IsCancelled {
        task.abort();
    }
    match (way, task.await) {
        (Way::Ends, Ok(true)) | (Way::Fails, Ok(false)) => {}
        (Way::Panics, Err(error)) if error.is_panic() => {}
        (Way::IsCancelled, Err(error)) if error.is_cancelled() => {}
        (way, ended) => panic!("{way:?}, but {ended:?}"),
    }
    drain().await;
}

async fn hold(way: Way) -> Result<(), &'static str> {
    match way {
        Way::Ends => Ok(()),
        Way::Fails => Err("failed"),
        // Without the panic hook, which would print.
        Way::Panics => std::panic::resume_unwind(Box::new("panicked")),
        Way::IsCancelled => std::future::pending().await,
    }
}
