//! [`primitives`](super::primitives) of the model checker. Each execution of a model has statics of its own.

pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

macro_rules! global {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! {
            $(#[$attribute])*
            static ref $name: $type = $value;
        }
    };
}
pub(crate) use global;

macro_rules! per_thread {
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        loom::thread_local! {
            $(#[$attribute])*
            $vis static $name: $type = $value;
        }
    };
}
pub(crate) use per_thread;
