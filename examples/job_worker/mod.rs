//! A queue of jobs in a database, and its workers.

mod queue;
mod workers;

pub use queue::{Job, JobError, Queue};
pub use workers::run_workers;
