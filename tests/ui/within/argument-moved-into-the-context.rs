use guard_core::{nullcontext, within};

#[within(n = nullcontext(text))]
async fn length(text: String) -> usize {
    n.len() + text.len()
}

fn main() {
    let _ = length(String::new());
}
