//! Python's own tests of its asynchronous context managers, one by one.
//!
//! The rows are those of the table in `docs/from_python.md`: 1 to 58 are
//! `test_contextlib_async.py` of CPython 3.13 in its order, those with a letter come from
//! `test_contextlib.py`. A test is named after Python's and says its row first; where a test is about
//! code that must not compile, it is a file `ui/row_….rs`. What a test pins is Python's behaviour, or,
//! where the two differ, ours, and then its comment says so. None of Python's code is here.
//!
//! [`table`] compares the table with the suite, so neither can go without the other.

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
