//! What generated code calls for contexts on the heap.

mod definition;
mod keep;
mod stack;

pub use self::definition::{guaranteed, local};
pub use self::keep::{Keep, KeepSelf, keep};
pub use self::stack::StackAndContext;
