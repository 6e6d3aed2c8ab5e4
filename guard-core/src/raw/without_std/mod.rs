//! A lock, and a cell for function pointers, in place of those of `std`.

#![warn(dead_code, unused_imports)]

mod fn_cell;
#[cfg(feature = "alloc")]
mod locked;

pub(crate) use fn_cell::FnCell;
#[cfg(feature = "alloc")]
pub(crate) use locked::Locked;
