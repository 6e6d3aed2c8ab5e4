//! The macros as functions on tokens: what they write, and that they bear whatever they are given.

mod expansion;
mod soup;
