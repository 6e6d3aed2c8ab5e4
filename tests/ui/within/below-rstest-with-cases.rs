use guard_core::{nullcontext, within};

// What `#[rstest]` makes for its cases: the attribute is on the functions that call the test.
async fn stored(number: u32) {
    assert_eq!(number, 1);
}

mod cases {
    use super::*;

    #[within(one = nullcontext(number))]
    async fn case_1() {
        let number = 1;
        stored(number).await
    }
}

fn main() {}
