//! Recursive contexts, and recursive functions that use contexts.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use guard_core::{AsyncContext, BoxContext, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on};

#[async_context]
async fn level(log: Log, depth: u32) -> Result<u32, fmt::Error> {
    log.push(depth);
    let mut depth = depth;
    yield_resource!(depth);
    log.push(format_args!("-{depth}"));
    Ok(())
}

#[test]
fn a_function_can_use_a_context_and_recurse_through_a_box() {
    async fn descend(log: &Log, depth: u32) -> Result<u32, fmt::Error> {
        if depth == 0 {
            return Ok(0);
        }
        Ok(async_with!(level = level(log.clone(), depth)?, {
            *level + Box::pin(descend(log, depth - 1)).await?
        }))
    }
    let log = Log::new();
    assert_eq!(block_on(descend(&log, 4)), Ok(10));
    assert_eq!(log.line(), "4 3 2 1 -1 -2 -3 -4");
}

#[test]
fn the_body_of_with_can_recurse_through_a_box() {
    fn descend(
        log: &Log,
        depth: u32,
    ) -> Pin<Box<dyn Future<Output = Result<u32, fmt::Error>> + Send + '_>> {
        Box::pin(async move {
            if depth == 0 {
                return Ok(0);
            }
            let context = level(log.clone(), depth);
            context
                .with(async |level| Ok(*level + descend(log, depth - 1).await?))
                .await
        })
    }
    let log = Log::new();
    assert_eq!(block_on(descend(&log, 3)), Ok(6));
    assert_eq!(log.line(), "3 2 1 -1 -2 -3");
}

#[test]
fn a_context_can_use_itself_through_a_box() {
    fn boxed(log: Log, depth: u32) -> BoxContext<'static, u32, fmt::Error> {
        Box::pin(tower(log, depth))
    }

    #[async_context]
    async fn tower(log: Log, depth: u32) -> Result<u32, fmt::Error> {
        log.push(depth);
        let outcome = if depth == 0 {
            let mut ground = 100;
            yield_resource!(ground)
        } else {
            async_with!(below = boxed(log.clone(), depth - 1)?, {
                *below += depth;
                yield_resource!(*below)
            })
        };
        log.push(format_args!("-{depth}({outcome:?})"));
        Ok(())
    }

    let log = Log::new();
    let height = block_on(tower(log.clone(), 3).with(async |height| Ok::<_, fmt::Error>(*height)));
    assert_eq!(height, Ok(106));
    assert_eq!(
        log.line(),
        "3 2 1 0 -0(Completed) -1(Completed) -2(Completed) -3(Completed)"
    );
}

#[test]
fn deep_recursion_fits_the_stack() {
    async fn descend(log: &Log, depth: u32) -> Result<u32, fmt::Error> {
        if depth == 0 {
            return Ok(0);
        }
        Ok(async_with!(level = level(log.clone(), 1)?, {
            *level + Box::pin(descend(log, depth - 1)).await?
        }))
    }
    assert_eq!(block_on(descend(&Log::new(), 200)), Ok(200));
}
