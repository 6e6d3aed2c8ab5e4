//! `optional`: a context around an `Option` of a context.

use std::fmt;
use std::pin::pin;

use guard_core::{
    AsyncContext, BoxContext, Outcome, async_context, async_with, drain, exit_stack, nullcontext,
    optional, yield_resource,
};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::reports;

#[async_context]
async fn cache(log: Log, enter: Result<(), &'static str>) -> Result<Vec<u32>, &'static str> {
    enter?;
    yield_once().await;
    let mut cache = vec![1];
    let outcome = yield_resource!(cache);
    yield_once().await;
    log.push(format_args!("{cache:?} {outcome:?}"));
    if cache.len() > 2 { Err("full") } else { Ok(()) }
}

#[test]
fn a_context_that_is_some_lends_its_resource() {
    let log = Log::new();
    let used = block_on(async {
        async_with!(cache = optional(Some(cache(log.clone(), Ok(()))))?, {
            assert!(cache.is_some() && !cache.is_none());
            assert_eq!(format!("{cache:?}"), "Some([1])");
            if let Some(cache) = cache.get_mut() {
                cache.push(2);
            }
            assert_eq!(cache.get().unwrap()[..], [1, 2]);
        });
        Ok::<_, &str>(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.line(), "[1, 2] Completed");
}

#[test]
fn a_context_that_is_none_does_nothing() {
    async fn length(
        there: Option<BoxContext<'static, Vec<u32>, fmt::Error>>,
    ) -> Result<usize, fmt::Error> {
        let length = async_with!(cache = optional(there)?, {
            assert!(cache.is_none() && !cache.is_some() && cache.get_mut().is_none());
            assert_eq!(format!("{cache:?}"), "None");
            cache.get().map_or(0, Vec::len)
        });
        Ok(length)
    }
    assert_eq!(block_on(length(None)), Ok(0));
}

#[test]
fn an_optional_context_has_the_errors_and_outcomes_of_the_inner_one() {
    let log = Log::new();
    let refused = optional(Some(cache(log.clone(), Err("refused"))));
    let used = block_on(refused.with(async |_| Ok::<_, &str>(())));
    assert_eq!(used, Err("refused"));
    let full = optional(Some(cache(log.clone(), Ok(()))));
    let used = block_on(full.with(async |cache| {
        cache.get_mut().unwrap().extend([2, 3]);
        Ok::<_, &str>(())
    }));
    assert_eq!(used, Err("full"));
    let failed = optional(Some(cache(log.clone(), Ok(()))));
    let used = block_on(failed.with(async |_| Err::<(), _>("body")));
    assert_eq!(used, Err("body"));
    assert_eq!(log.line(), "[1, 2, 3] Completed [1] Failed(())");
}

#[test]
fn an_optional_context_is_cleaned_up_when_its_user_is_cancelled() {
    let log = Log::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let waiting = optional(Some(cache(log.clone(), Ok(()))));
        {
            let used = waiting.with(async |_| std::future::pending::<Result<(), &str>>().await);
            let mut used = pin!(used);
            assert!(poll_once(used.as_mut()).is_pending());
            assert!(poll_once(used.as_mut()).is_pending());
        }
        drain().await;
    });
    assert_eq!(log.line(), "[1] Cancelled");
}

#[test]
fn an_error_without_a_caller_is_reported_with_the_name_of_the_inner_context() {
    reports::collect();
    let full = optional(Some(cache(Log::new(), Ok(()))));
    let used = block_on(full.with(async |cache| {
        cache.get_mut().unwrap().extend([2, 3]);
        Err::<(), _>("body")
    }));
    assert_eq!(used, Err("body"));
    assert_eq!(reports::take(), ["Failed(full)"]);
    assert_eq!(reports::take_names(), ["behavior::optional::cache"]);
}

#[test]
fn an_optional_context_may_be_entered_by_hand_or_on_a_stack() {
    block_on(async {
        let mut guard = optional(Some(nullcontext(1))).enter().await.unwrap();
        *guard.get_mut().unwrap() += 1;
        assert_eq!(guard.get(), Some(&2));
        assert_eq!(guard.exit_with(Outcome::Cancelled).await, Ok(()));
        async_with!(stack = exit_stack::<&str>()?, {
            let there = stack
                .enter(optional(Some(cache(Log::new(), Ok(())))))
                .await?;
            assert!(there.is_some());
            let none = Some(nullcontext(1)).filter(|_| there.is_none());
            let none = stack.enter(optional(none).with_error::<&str>()).await?;
            assert!(none.is_none());
        });
        Ok::<_, &str>(())
    })
    .unwrap();
}
