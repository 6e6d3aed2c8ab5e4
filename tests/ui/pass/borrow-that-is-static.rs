//! An elided lifetime of what is lent is `'static`, where that of an argument is, and none where a function takes it. And a type parameter need not be `Send`, if no value of it is kept.
#![deny(warnings)]
#![allow(mismatched_lifetime_syntaxes)]

use std::marker::PhantomData;

use guard_core::{async_context, yield_resource};
use tokio::sync::{Mutex, MutexGuard};

#[async_context]
async fn locked(rows: &'static Mutex<Vec<u32>>) -> MutexGuard<'_, Vec<u32>> {
    yield_resource!(rows.lock().await);
}

#[async_context]
async fn measured() -> Box<dyn Fn(&str, MutexGuard<'_, u32>) -> usize + Send> {
    let mut measured: Box<dyn Fn(&str, MutexGuard<'_, u32>) -> usize + Send> =
        Box::new(|text, _| text.len());
    yield_resource!(measured);
}

#[async_context]
async fn kept_by_its_type<T: 'static>(kind: PhantomData<fn() -> T>) -> PhantomData<fn() -> T> {
    let mut kind = kind;
    yield_resource!(kind);
}

#[async_context(local)]
async fn kept<T: 'static>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

fn main() {
    let _ = (locked, measured, kept_by_its_type::<*mut u8>, kept::<*mut u8>);
}
