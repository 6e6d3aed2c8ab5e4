//! Uses of contexts, in each form.

use std::pin::pin;

use guard_core::{
    AsyncContext, Outcome, async_context, async_with, drain, exit_stack, within, yield_resource,
};

use crate::work::{clean_up, poll_once, set_up, use_it};

#[async_context(scoped)]
pub async fn scoped<const S: bool>(n: u64) -> u64 {
    let mut resource = set_up::<S>(n).await;
    let outcome = yield_resource!(resource);
    clean_up::<S>(resource, outcome.is_completed()).await;
}

#[async_context(scoped, catch)]
pub async fn scoped_catching<const S: bool>(n: u64) -> Result<u64, ()> {
    let mut resource = set_up::<S>(n).await;
    let outcome = yield_resource!(resource);
    clean_up::<S>(resource, outcome.is_completed()).await;
    match outcome {
        Outcome::Failed(()) => Err(()),
        _ => Ok(()),
    }
}

#[async_context]
pub async fn default<const S: bool>(n: u64) -> u64 {
    let mut resource = set_up::<S>(n).await;
    let outcome = yield_resource!(resource);
    clean_up::<S>(resource, outcome.is_completed()).await;
}

pub async fn scoped_block<const S: bool>(n: u64) -> u64 {
    async_with!(resource = scoped::<S>(n), { use_it::<S>(resource).await })
}

pub async fn scoped_run<const S: bool>(n: u64) -> u64 {
    scoped::<S>(n).run(use_it::<S>).await
}

pub async fn scoped_with<const S: bool>(n: u64) -> u64 {
    let used = scoped::<S>(n).with_error::<()>();
    let value = used.with(async |resource| Ok::<_, ()>(use_it::<S>(resource).await));
    value.await.unwrap_or(0)
}

pub async fn scoped_catch<const S: bool>(n: u64) -> u64 {
    let used = scoped_catching::<S>(n);
    let value = used.catch(async |resource| Ok(use_it::<S>(resource).await));
    value.await.ok().flatten().unwrap_or(0)
}

pub async fn scoped_3<const S: bool>(n: u64) -> u64 {
    async_with!(
        a = scoped::<S>(n),
        b = scoped::<S>(*a),
        c = scoped::<S>(*b),
        { use_it::<S>(c).await }
    )
}

pub async fn scoped_3_nested<const S: bool>(n: u64) -> u64 {
    async_with!(a = scoped::<S>(n), {
        async_with!(b = scoped::<S>(*a), {
            async_with!(c = scoped::<S>(*b), { use_it::<S>(c).await })
        })
    })
}

#[within(resource = scoped::<S>(n))]
pub async fn scoped_within<const S: bool>(n: u64) -> u64 {
    use_it::<S>(resource).await
}

pub async fn joined<const S: bool>(n: u64) -> u64 {
    async_with!(join(a = scoped::<S>(n), b = scoped::<S>(n)), {
        use_it::<S>(a).await + use_it::<S>(b).await
    })
}

pub async fn default_block<const S: bool>(n: u64) -> u64 {
    async_with!(resource = default::<S>(n), { use_it::<S>(resource).await })
}

pub async fn default_run<const S: bool>(n: u64) -> u64 {
    default::<S>(n).run(use_it::<S>).await
}

pub async fn default_guard<const S: bool>(n: u64) -> u64 {
    let Ok(mut guard) = default::<S>(n).enter().await;
    let value = use_it::<S>(&mut guard).await;
    let Ok(()) = guard.exit().await;
    value
}

pub async fn default_guard_drive<const S: bool>(n: u64) -> u64 {
    let Ok(mut guard) = default::<S>(n).enter().await;
    let Ok(value) = guard
        .drive(async |resource| use_it::<S>(resource).await)
        .await;
    let Ok(()) = guard.exit().await;
    value
}

pub async fn default_3<const S: bool>(n: u64) -> u64 {
    async_with!(
        a = default::<S>(n),
        b = default::<S>(*a),
        c = default::<S>(*b),
        { use_it::<S>(c).await }
    )
}

pub async fn stack<const S: bool, const ENTRIES: usize>(n: u64) -> u64 {
    async_with!(stack = exit_stack::<()>(), {
        let mut sum = 0;
        for _ in 0..ENTRIES {
            if let Ok(resource) = stack.enter(default::<S>(n).with_error()).await {
                sum += use_it::<S>(resource).await;
            }
        }
        sum
    })
}

#[async_context]
async fn cancelled_context(n: u64) -> u64 {
    let mut resource = set_up::<false>(n).await;
    let outcome = yield_resource!(resource);
    clean_up::<false>(resource, outcome.is_completed()).await;
}

/// A use that is dropped in its block.
pub fn cancelled(n: u64) {
    let used = pin!(async {
        async_with!(resource = cancelled_context(n), {
            use_it::<true>(resource).await
        })
    });
    assert!(poll_once(used).is_pending());
}

/// Uses that are dropped in their blocks, and drained one by one.
pub fn cancelled_and_drained(count: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        for n in 0..count {
            cancelled(n);
            drain().await;
        }
    });
    count
}
