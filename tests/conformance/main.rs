//! Python's own tests of its asynchronous context managers, one by one.
//!
//! The rows are those of the table in `docs/from_python.md`. Rows 1 to 58 are `test_contextlib_async.py` of
//! CPython 3.13, in its order; rows with a letter come from `test_contextlib.py`. A test has the name of
//! Python's test, and its comment begins with its row. A test about code that must not compile is a file
//! `ui/row_….rs`. Each test checks Python's behaviour, or guard-core's where the two differ, and then its
//! comment says so. No Python code was copied.
//!
//! [`table`] compares the table with the tests, so that they stay the same.

mod raised;
#[path = "../behavior/reports.rs"]
mod reports;
mod table;
mod ui;

mod abstract_async_context_manager;
mod aclosing;
mod async_context_manager;
mod async_exit_stack;
mod async_nullcontext;
mod base_exit_stack;
mod context_decorator;
mod context_manager;
mod nullcontext_and_closing;
mod stack_against_nesting;
mod suppress;
