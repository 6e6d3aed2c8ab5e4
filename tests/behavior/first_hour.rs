//! Code as newcomers write it in their first hour, and as ported programs have it. No other file tests these cases.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, BoxContext, Guard, Outcome, async_context, async_with,
    exit_stack, nullcontext, optional, yield_resource,
};
use guard_tests::Log;

type BoxError = Box<dyn StdError + Send + Sync>;

#[async_context]
async fn file(number: u32) -> io::Result<u32> {
    let mut number = number;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn told(log: Log, name: &'static str) -> io::Result<Vec<&'static str>> {
    let mut lent = vec![name];
    let outcome = yield_resource!(lent);
    log.push(format_args!("{name}({outcome:?})"));
    Ok(())
}

mod places {
    use super::*;

    #[derive(Clone)]
    struct Pool;

    struct Connection;

    impl Pool {
        async fn get(&self) -> Result<Connection, BoxError> {
            Ok(Connection)
        }
    }

    impl Connection {
        #[async_context]
        async fn transaction(self) -> io::Result<Self> {
            let mut connection = self;
            yield_resource!(connection);
            Ok(())
        }
    }

    async fn chained(pool: &Pool) -> Result<u32, BoxError> {
        async_with!(_tx = pool.get().await?.transaction()?, { return Ok(1) })
    }

    async fn in_a_select(pool: &Pool) -> Result<u32, BoxError> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(9)) => Err("late".into()),
            connection = pool.get() => {
                async_with!(_tx = connection?.transaction()?, file = file(2)?, { return Ok(*file) })
            }
        }
    }

    async fn given(
        context: impl AsyncContext<Resource = u32, Error = io::Error>,
    ) -> Result<u32, BoxError> {
        async_with!(number = context?, { return Ok(*number) })
    }

    type Factory = dyn Fn(u32) -> BoxContext<'static, u32, io::Error> + Send + Sync;

    async fn made(factory: &Factory) -> Result<Vec<u32>, BoxError> {
        let mut all = vec![];
        for number in 0..3 {
            async_with!(number = factory(number)?, { all.push(*number) });
        }
        Ok(all)
    }

    async fn either(number: Option<u32>) -> Result<u32, BoxError> {
        let context = match number {
            Some(number) => file(number).boxed(),
            None => nullcontext(0).with_error::<io::Error>().boxed(),
        };
        async_with!(number = context?, { return Ok(*number) })
    }

    async fn let_else(number: u32) -> Result<u32, BoxError> {
        Ok(async_with!(file = file(number)?, {
            let Some(less) = file.checked_sub(2) else {
                return Err("small".into());
            };
            if less > 5 {
                return Ok(9);
            }
            less + 1
        }))
    }

    async fn spawned(pool: Pool) -> Result<u32, BoxError> {
        let task = async move {
            let chained = chained(&pool).await?;
            Ok::<_, BoxError>(chained + in_a_select(&pool).await?)
        };
        tokio::spawn(task).await?
    }

    #[tokio::test]
    async fn contexts_are_used_wherever_real_code_needs_them() -> Result<(), BoxError> {
        assert_eq!(chained(&Pool).await?, 1);
        assert_eq!(in_a_select(&Pool).await?, 2);
        assert_eq!(given(file(4)).await?, 4);
        assert_eq!(made(&|number| file(number).boxed()).await?, [0, 1, 2]);
        assert_eq!(either(None).await?, 0);
        assert_eq!(either(Some(5)).await?, 5);
        assert_eq!(let_else(3).await?, 2);
        assert_eq!(let_else(9).await?, 9);
        assert!(let_else(1).await.is_err());
        assert_eq!(spawned(Pool.clone()).await?, 3);
        Ok(())
    }
}

mod a_method_that_makes_a_context_of_what_it_owns {
    use super::*;

    #[derive(Clone)]
    struct Pool(Arc<u32>);

    #[async_context]
    async fn checkout(number: Arc<u32>, name: String) -> io::Result<(u32, String)> {
        let mut lent = (*number, name);
        yield_resource!(lent);
        Ok(())
    }

    impl Pool {
        fn checkout(
            &self,
            name: &str,
        ) -> impl AsyncContext<Resource = (u32, String), Error = io::Error> + Send + use<> {
            checkout(self.0.clone(), name.to_owned())
        }
    }

    #[tokio::test]
    async fn an_owned_context_outlives_its_receiver_and_its_argument() -> io::Result<()> {
        let context = {
            let name = String::from("a");
            Pool(Arc::new(3)).checkout(&name)
        };
        async_with!(lent = context?, {
            assert_eq!(*lent, (3, "a".to_string()));
        });
        let guard = {
            let name = String::from("b");
            Pool(Arc::new(4)).checkout(&name).enter().await?
        };
        assert_eq!(guard.0, 4);
        tokio::spawn(guard.exit()).await?
    }
}

#[tokio::test]
async fn a_guard_that_is_not_exited_is_cancelled() -> io::Result<()> {
    let log = Log::new();
    {
        let mut guard = told(log.clone(), "tx").enter().await?;
        guard.push("insert");
    }
    guard_core::drain().await;
    assert_eq!(log.line(), "tx(Cancelled)");
    Ok(())
}

#[tokio::test]
async fn a_context_is_entered_if_it_is_configured() -> io::Result<()> {
    for (configured, wanted) in [(None, 0), (Some(3), 3)] {
        async_with!(stack = exit_stack::<io::Error>()?, {
            let cache = match configured {
                Some(number) => Some(stack.enter(file(number)).await?),
                None => None,
            };
            assert_eq!(cache.map_or(0, |cache| *cache), wanted);
        });
        async_with!(cache = optional(configured.map(file))?, {
            assert_eq!(cache.get().copied().unwrap_or(0), wanted);
        });
    }
    Ok(())
}

#[tokio::test]
async fn a_closure_that_never_returns_makes_a_context_that_cannot_fail() {
    async_with!(number = file(1).map_err(|error| panic!("{error}")), {
        assert_eq!(*number, 1);
    });
}

#[tokio::test]
async fn a_fixture_for_all_tests_lies_in_a_static() -> io::Result<()> {
    static FILE: tokio::sync::OnceCell<Guard<BoxContext<'static, u32, io::Error>>> =
        tokio::sync::OnceCell::const_new();
    let file = FILE.get_or_try_init(async || file(7).boxed().enter().await);
    assert_eq!(**file.await?, 7);
    Ok(())
}

/// The way out for a context whose code has a `?` between what it takes and what it gives back.
#[async_context]
async fn database(log: Log, migrates: bool) -> io::Result<()> {
    async_with!(stack = exit_stack::<io::Error>()?, {
        log.push("create");
        let dropped = log.clone();
        stack.defer(async move || {
            dropped.push("drop");
            Ok(())
        });
        if !migrates {
            Err(io::ErrorKind::InvalidData)?;
        }
        stack.enter(told(log.clone(), "lease")).await?;
        yield_resource!();
    });
    Ok(())
}

#[tokio::test]
async fn a_deferred_release_runs_after_a_question_mark_in_the_set_up() {
    let log = Log::new();
    let used = database(log.clone(), false).with(async |()| Ok::<_, io::Error>(()));
    assert!(used.await.is_err());
    assert_eq!(log.line(), "create drop");
    let used = database(log.clone(), true).with(async |()| Ok::<_, io::Error>(()));
    assert!(used.await.is_ok());
    assert_eq!(log.line(), "create lease(Completed) drop");
}

#[tokio::test]
async fn close_returns_all_errors_and_aclose_the_first() {
    let filled = || {
        let stack = AsyncExitStack::<io::Error>::new();
        stack.defer(async || Err(io::Error::other("second")));
        stack.defer(async || Err(io::Error::other("first")));
        stack
    };
    let all = filled().close(Outcome::Completed).await.unwrap_err();
    assert_eq!(all.to_string(), "first; then second");
    crate::reports::collect();
    let first = filled().aclose().await.unwrap_err();
    assert_eq!(first.to_string(), "first");
    assert_eq!(crate::reports::take().len(), 1);
}
