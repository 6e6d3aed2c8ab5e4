//! The rows whose Python test is about an error at run time that is one at compile time here.
//!
//! As for `tests/ui.rs`, the messages are those of the compiler in `rust-toolchain.toml`; write them anew
//! with `TRYBUILD=overwrite cargo test -p guard-tests --test conformance ui`.

#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages are those of the compiler in rust-toolchain.toml"
)]
#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("conformance/ui/*.rs");
}
