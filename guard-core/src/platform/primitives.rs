//! Locks, atomics and statics of the standard library.

pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

/// A static.
macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$attribute])*
        static $name: $type = $value;
    };
}
pub(crate) use global;

/// A static of which each thread has its own.
macro_rules! per_thread {
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        std::thread_local! {
            $(#[$attribute])*
            $vis static $name: $type = const { $value };
        }
    };
}
pub(crate) use per_thread;
