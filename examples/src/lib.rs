//! Contexts that several examples use. Each of them can be copied.

#[path = "../blocking_library/transaction.rs"]
pub mod blocking_library;
pub mod files;
pub mod http;
#[path = "../job_worker/mod.rs"]
pub mod job_worker;
#[path = "../rate_limiter/limiter.rs"]
pub mod rate_limiter;
#[path = "../redis_lock/lock.rs"]
pub mod redis_lock;
#[path = "../savepoints/savepoint.rs"]
pub mod savepoint;
pub mod servers;
#[path = "../axum_service/service/mod.rs"]
pub mod service;
#[path = "../database/session.rs"]
pub mod session;
#[path = "../test_fixtures/database.rs"]
pub mod test_database;
