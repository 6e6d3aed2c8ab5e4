//! What a context does, feature by feature.

mod auto_traits;
mod definition;
mod drop_order;
mod hygiene;
mod nested;
mod protocol;
mod recursion;
mod reports;
mod stack;
mod stack_many;
mod using;
mod yields;

/// Whether this is compiled as the fixture of that edition.
const EDITION_2021: bool = false;
