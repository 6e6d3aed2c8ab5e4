use guard_core::within;

#[within()]
async fn nothing() {}

#[within]
async fn nothing_at_all() {}

fn main() {
    let _ = (nothing(), nothing_at_all());
}
