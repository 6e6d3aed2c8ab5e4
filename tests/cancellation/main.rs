//! Clean-up that cannot be lost: every sentence of the table «what happens when», and the proof.
//!
//! `matrix` drops every way of using a context (`ways`, `nested`) after every number of polls, under every
//! combination of faults, and `oracle` judges what happened by the log alone; `stack`, `adapted`, `blocking`
//! and `deadlines` put more before the same judge. `stand_in` seeds faults to show that the oracle notices
//! them. `model` tries random trees of contexts against a small model.

mod adapted;
mod alone;
mod blocking;
mod deadlines;
mod drain;
mod hand_off;
mod limits;
mod matrix;
mod model;
mod nested;
mod oracle;
mod panics;
mod regressions;
mod reports;
mod runtimes;
mod stack;
mod stand_in;
mod ways;
mod windows;
mod world;
