//! The same use with other crates. None of them catches a panic of the block or takes care of what is dropped half-way.

use std::future::Future;
use std::pin::{Pin, pin};

use async_safe_defer::SendAsyncScope;
use futures_util::StreamExt;
use genawaiter::sync::{Co, Gen};

use crate::work::{clean_up, set_up, use_it};

/// `async-stream`: the stream's only item is the resource. It is lent by value, and nothing tells the clean-up how the
/// block ended.
pub async fn async_stream<const S: bool>(n: u64) -> u64 {
    let mut context = pin!(async_stream::stream! {
        let resource = set_up::<S>(n).await;
        yield resource;
        clean_up::<S>(resource, true).await;
    });
    let mut resource = context.next().await.expect("it yields once");
    let value = use_it::<S>(&mut resource).await;
    assert!(context.next().await.is_none());
    value
}

/// `genawaiter`: as with a stream.
pub async fn genawaiter<const S: bool>(n: u64) -> u64 {
    let mut context = Gen::new(|co: Co<u64>| async move {
        let resource = set_up::<S>(n).await;
        co.yield_(resource).await;
        clean_up::<S>(resource, true).await;
    });
    let mut value = 0;
    while let genawaiter::GeneratorState::Yielded(mut resource) = context.async_resume().await {
        value = use_it::<S>(&mut resource).await;
    }
    value
}

/// `async-safe-defer`: the clean-up is an action of a scope, which is awaited at the end. What is dropped half-way is not
/// cleaned up.
pub async fn async_safe_defer<const S: bool>(n: u64) -> u64 {
    let mut scope = SendAsyncScope::with_capacity(1);
    let mut resource = set_up::<S>(n).await;
    scope.defer(move || clean_up::<S>(resource, true));
    let value = use_it::<S>(&mut resource).await;
    scope.finish().await;
    value
}

/// A function that takes the block as a closure that returns a boxed future.
pub async fn boxed_closure<const S: bool>(n: u64) -> u64 {
    type Block = dyn FnOnce(&mut u64) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> + Send;

    async fn with<const S: bool>(n: u64, block: Box<Block>) -> u64 {
        let mut resource = set_up::<S>(n).await;
        let value = block(&mut resource).await;
        clean_up::<S>(resource, true).await;
        value
    }

    with::<S>(n, Box::new(|resource| Box::pin(use_it::<S>(resource)))).await
}
