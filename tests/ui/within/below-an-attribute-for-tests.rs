use guard_core::{nullcontext, within};

// What `#[sqlx::test]`, or `#[rstest]` without cases, hands on.
#[within(number = nullcontext(1))]
fn stored() {
    async fn stored() {
        assert_eq!(*number, 1);
    }
    let _ = stored();
}

fn main() {}
