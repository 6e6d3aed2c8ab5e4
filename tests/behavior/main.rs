//! What a context does, feature by feature.

mod adapters;
mod auto_traits;
mod boxed;
mod catch;
mod deadlines;
mod definition;
mod drop_order;
mod expect;
mod handled;
mod hygiene;
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
mod stack_many;
mod stack_model;
mod sure;
mod swap;
mod testing;
mod using;
mod within;
mod yields;

/// Whether this is compiled as the fixture of that edition.
const EDITION_2021: bool = false;
