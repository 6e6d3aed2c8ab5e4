//! The contexts that the examples share, with every way to end a use.

mod files;
mod http;
mod ways;
