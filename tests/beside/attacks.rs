//! Attacks on the memory that what is beside a block borrows. AddressSanitizer and valgrind fail a test that succeeds with
//! one: `.ci/sanitize asan -p guard-tests --test beside`.
