//! Code that must not compile, and the messages that its author gets.
//!
//! The messages are those of one compiler, the one in `rust-toolchain.toml`. After a change, write them
//! anew with `TRYBUILD=overwrite cargo test -p guard-tests --test ui`, and read each as the person who
//! gets it: the first line names the problem, and the span is the user's own code.

#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages are those of the compiler in rust-toolchain.toml"
)]
#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    for area in [
        "arguments",
        "catch",
        "escape",
        "first-hour",
        "grammar",
        "item",
        "join",
        "manager",
        "ownership",
        "stack",
        "types",
        "using",
        "within",
        "yields",
    ] {
        cases.compile_fail(format!("ui/{area}/*.rs"));
    }
}
