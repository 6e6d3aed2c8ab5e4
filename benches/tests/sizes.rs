//! How large the future of a use is. It is larger than by hand by what a context and its driver need.

use guard_benches::programs;

/// How many bytes more than by hand these programs have. Lower a limit when a change makes the program smaller.
const LIMITS: [(&str, usize); 9] = [
    ("scoped, async_with!", 144),
    ("scoped, run", 96),
    ("scoped, with", 128),
    ("scoped, within", 168),
    ("three scoped, one call", 464),
    ("two scoped, join", 320),
    ("default, async_with!", 144),
    ("default, run", 96),
    ("three default, one call", 480),
];

#[test]
fn the_future_of_a_use_is_not_larger_than_its_limit() {
    let programs = programs();
    let size = |name: &str| {
        let found = programs.iter().find(|program| program.name == name);
        found.expect("there is a program of this name")
    };
    let mut exceeded = Vec::new();
    for (name, more) in LIMITS {
        let program = size(name);
        let by_hand = size(program.base);
        println!("{name}: {} bytes, by hand {}", program.size, by_hand.size);
        if program.size > by_hand.size + more {
            exceeded.push(name);
        }
    }
    assert!(
        exceeded.is_empty(),
        "larger than their limits: {exceeded:?}"
    );
}
