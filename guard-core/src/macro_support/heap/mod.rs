//! What generated code calls for contexts on the heap.

mod definition;
mod keep;
mod stack;
mod unpinned;

pub use self::definition::{guaranteed, local};
pub use self::keep::{Keep, KeepSelf, argument};
pub use self::stack::StackAndContext;
pub use self::unpinned::BoxAndContext;
