//! The rows about an error at run time in Python, which is a compile error here.
//!
//! As in `tests/ui.rs`, the messages are those of the compiler in `rust-toolchain.toml`. Write them anew with
//! `TRYBUILD=overwrite cargo test -p guard-tests --test conformance ui`.

#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages are those of the compiler in rust-toolchain.toml"
)]
#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("conformance/ui/*.rs");
}
