//! A value behind a lock that spins.

pub(crate) use crate::raw::without_std::Locked;
