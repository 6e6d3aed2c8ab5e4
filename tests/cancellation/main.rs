//! Clean-up that cannot be lost: every sentence of the table «what happens when», and the proof.
//!
//! - `matrix` is exhaustive: each of the `scenarios` (ways of using contexts, nested as in `nesting`), under every
//!   combination of faults, dropped after every number of polls, with the background cut after every number of
//!   polls. A run happens in a `simulation` of clock, background and spawner; `invariants` judges its log.
//!   `adapters`, `blocking`, `exit_limits` and `stack` put more scenarios before the same judge.
//! - `mutants` tests that judge by mutation: a small implementation of contexts keeps all invariants, and each
//!   defect that is put into it breaks one.
//! - `fuzz` compares random trees of contexts with a model that predicts what happens.
//! - The other files have single cases by topic.

mod adapters;
mod blocking;
mod drain;
mod exit_limits;
mod fuzz;
mod hand_off;
mod invariants;
mod limits;
mod matrix;
mod mutants;
mod nesting;
mod own_process;
mod panics;
mod regressions;
mod reports;
mod runtimes;
mod scenarios;
mod simulation;
mod stack;
mod windows;
