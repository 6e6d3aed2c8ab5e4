//! What a context does. Each file tests one feature.

mod adapters;
mod attempt;
mod auto_traits;
mod boxed;
mod catch;
mod control_flow;
mod deadlines;
mod definition;
mod drop_order;
mod expect;
mod first_hour;
mod hygiene;
mod infallible;
mod join;
mod lazy;
mod legal;
mod many;
mod nested;
mod optional;
mod outcome;
mod owned;
mod protocol;
mod recursion;
mod regressions;
mod reports;
mod stack;
mod stack_keyed;
mod stack_many;
mod stack_model;
mod streams;
mod swap;
mod testing;
mod using;
mod within;
mod yields;

/// Whether the file is compiled in edition 2021, as in `fixtures/edition-2021`.
const EDITION_2021: bool = false;
