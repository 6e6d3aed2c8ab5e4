//! `expect`: contexts that panic when they fail.

use std::convert::Infallible;

use guard_core::{AsyncContext, async_context, async_with, drain, within, yield_resource};
use guard_tests::{block_on, panic_message, poll_once};

use crate::reports;

#[async_context]
async fn database(
    enter: Result<(), &'static str>,
    exit: Result<(), &'static str>,
) -> Result<u32, &'static str> {
    enter?;
    let mut rows = 3;
    yield_resource!(rows);
    exit
}

#[test]
fn an_expected_context_needs_no_question_mark() {
    fn cannot_fail(_: &impl AsyncContext<Error = Infallible>) {}
    cannot_fail(&database(Ok(()), Ok(())).expect("a database"));
    block_on(async {
        async_with!(rows = database(Ok(()), Ok(())).expect("a database"), {
            assert_eq!(*rows, 3);
        });
    });
}

#[test]
fn the_panic_has_the_message_the_error_and_the_location() {
    let entering = async {
        async_with!(
            _rows = database(Err("refused"), Ok(())).expect("a database"),
            {}
        );
    };
    let message = panic_message(|| block_on(entering));
    assert!(
        message.starts_with("a database: \"refused\" (expected at "),
        "{message}"
    );
    assert!(message.contains("behavior/expect.rs:"), "{message}");
    let exiting = database(Ok(()), Err("lost")).expect(String::from("2 databases"));
    let message = panic_message(|| block_on(exiting.run(async |_| ())));
    assert!(message.starts_with("2 databases: \"lost\""), "{message}");
}

#[test]
fn an_error_after_a_panic_of_the_body_is_reported() {
    reports::collect();
    let used = database(Ok(()), Err("lost")).expect("a database");
    let message = panic_message(|| block_on(used.run::<(), _>(async |_| panic!("body"))));
    assert_eq!(message, "body");
    let reports = reports::take();
    assert_eq!(reports, ["Panicked"]);
}

#[test]
fn an_error_in_the_background_is_reported() {
    reports::collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let used = database(Ok(()), Err("lost"))
            .expect("a database")
            .run(async |_| std::future::pending::<()>().await);
        assert!(poll_once(std::pin::pin!(used)).is_pending());
        drain().await;
    });
    let reports = reports::take();
    assert_eq!(reports, ["Failed(lost)"]);
}

// How a test without a return type uses a fixture.

#[tokio::test]
#[within(rows = database(Ok(()), Ok(())).expect("a database"))]
async fn a_test_may_return_nothing() {
    assert_eq!(*rows, 3);
}

#[tokio::test]
#[within(_rows = database(Err("refused"), Ok(())).expect("a database"))]
#[should_panic(expected = "a database: \"refused\"")]
async fn a_test_may_expect_the_panic() {}

#[test]
fn an_error_that_is_mapped_to_a_panic_needs_no_question_mark() {
    async fn use_it(enter: Result<(), &'static str>) -> u32 {
        async_with!(
            rows = database(enter, Ok(())).map_err(|error| panic!("no database: {error}")),
            { *rows }
        )
    }
    assert_eq!(block_on(use_it(Ok(()))), 3);
    assert_eq!(
        panic_message(|| block_on(use_it(Err("refused")))),
        "no database: refused"
    );
}
