//! Times: `cargo bench --bench times`. All programs run in one process, so that they can be compared.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use guard_benches::{Program, programs};

const USES: u64 = 1000;

fn main() {
    divan::main();
}

/// One program, named in the table.
struct Named(Program);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

fn named() -> impl Iterator<Item = Named> {
    programs().into_iter().map(Named)
}

#[divan::bench(args = named())]
fn never_suspended(bencher: Bencher<'_, '_>, program: &Named) {
    let run = program.0.never;
    bencher
        .counter(ItemsCount::new(USES))
        .bench(|| run(black_box(USES)));
}

#[divan::bench(args = named())]
fn once_suspended(bencher: Bencher<'_, '_>, program: &Named) {
    let run = program.0.once;
    bencher
        .counter(ItemsCount::new(USES))
        .bench(|| run(black_box(USES)));
}
