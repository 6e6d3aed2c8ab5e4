//! The contexts that the examples share, in every way in which their use can end.

mod files;
mod http;
mod ways;
