//! A value behind a short lock, which spins.

pub(crate) use crate::raw::without_std::Shared;
