//! Contexts that several examples use, and that can be copied as they are.

pub mod files;
pub mod http;
#[path = "../redis_lock/lock.rs"]
pub mod redis_lock;
pub mod servers;
pub mod service;
#[path = "../database/session.rs"]
pub mod session;
