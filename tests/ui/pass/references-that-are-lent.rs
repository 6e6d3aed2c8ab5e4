//! References may be lent where they are declared.

use guard_core::{async_context, yield_resource};

#[async_context(scoped)]
async fn name<'a>(name: &'a mut String) -> &'a mut String {
    let mut name = name;
    yield_resource!(name);
}

#[async_context(scoped)]
async fn word(word: &str) -> &str {
    let mut word = word;
    yield_resource!(word);
}

#[async_context]
async fn constant() -> &'static str {
    let mut constant = "one";
    yield_resource!(constant);
}

#[async_context]
async fn nothing() {
    let mut nothing = ();
    yield_resource!(nothing);
}

fn main() {
    drop((name(&mut String::new()), word(""), constant(), nothing()));
}
