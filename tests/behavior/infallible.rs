//! A `?` after a context that cannot fail.

use std::io;

use guard_core::{AsyncContext, async_context, async_with, within, yield_resource};
use guard_tests::block_on;

#[async_context]
async fn turn() -> u32 {
    let mut turn = 1;
    yield_resource!(turn);
}

#[async_context]
async fn name() -> Result<String, io::Error> {
    let mut name = String::from("name");
    yield_resource!(name);
    Ok(())
}

#[test]
fn a_question_mark_after_a_context_that_cannot_fail_is_accepted() {
    async fn in_a_result() -> io::Result<u32> {
        Ok(async_with!(turn = turn()?, name = name()?, {
            *turn + u32::from(name.is_empty())
        }))
    }
    async fn with_an_error_of_its_own() -> Result<u32, &'static str> {
        Ok(async_with!(turn = turn()?, { *turn }))
    }
    async fn in_an_option() -> Option<u32> {
        Some(async_with!(turn = turn()?, { *turn }))
    }
    async fn joined() -> io::Result<u32> {
        Ok(async_with!(join(turn = turn()?, name = name()?), {
            *turn + u32::from(name.is_empty())
        }))
    }
    async fn attempted() -> Result<u32, &'static str> {
        async_with!(attempt(turn = turn()?), { *turn })
    }
    #[within(turn = turn()?)]
    async fn around() -> io::Result<u32> {
        Ok(*turn)
    }
    async fn generic<C>(context: C) -> Result<(), C::Error>
    where
        C: AsyncContext,
    {
        async_with!(_resource = context?, {});
        Ok(())
    }
    assert_eq!(block_on(in_a_result()).ok(), Some(1));
    assert_eq!(block_on(with_an_error_of_its_own()), Ok(1));
    assert_eq!(block_on(in_an_option()), Some(1));
    assert_eq!(block_on(joined()).ok(), Some(1));
    assert_eq!(block_on(attempted()), Ok(1));
    assert_eq!(block_on(around()).ok(), Some(1));
    assert_eq!(block_on(generic(turn())), Ok(()));
    let inferred = block_on(async {
        let turn = async_with!(turn = turn()?, { *turn });
        Ok::<_, io::Error>(turn)
    });
    assert_eq!(inferred.ok(), Some(1));
}
