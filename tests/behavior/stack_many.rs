//! Exit stacks with very many entries, and with none.

use std::cell::Cell;
use std::pin::pin;
use std::task::Poll;

use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, ScopedExitStack, async_context, async_with, exit_stack,
    scoped_exit_stack, suppress, yield_resource,
};
use guard_tests::{block_on, poll_once, yield_once};

/// So many entries that quadratic code would not end, and recursion over the entries would overflow the
/// stack.
const MANY: usize = 100_000;

/// Runs `action` on a thread whose stack is too small for recursion over the entries.
fn with_little_stack(action: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(action).unwrap().join().unwrap();
}

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Notes the exit of the entry with this index, and checks that it is the next one.
fn exited(index: usize) {
    assert_eq!(LEFT.replace(index), index + 1, "last in, first out");
}

/// Adds `count` entries, of every kind in turn.
async fn fill(stack: &AsyncExitStack<usize>, count: usize) {
    #[async_context]
    async fn context(index: usize) -> Result<(), usize> {
        yield_resource!();
        exited(index);
        Ok(())
    }

    for index in 0..count {
        match index % 4 {
            0 => drop(stack.enter(context(index)).await.unwrap()),
            1 => drop(stack.callback(move || exited(index))),
            2 => drop(stack.push_exit(async move |_| {
                exited(index);
                Ok(())
            })),
            _ => {
                stack.adopt(index, async |index| {
                    exited(index);
                    Ok(())
                });
            }
        }
    }
    LEFT.set(count);
}

#[test]
fn many_entries_are_closed() {
    with_little_stack(|| {
        let mut stack = AsyncExitStack::new();
        block_on(fill(&stack, MANY));
        assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
        assert_eq!(LEFT.get(), 0);
    });
}

#[test]
fn many_entries_are_found_by_their_keys_and_released_in_both_orders() {
    #[async_context]
    async fn number(number: usize) -> Result<usize, usize> {
        let mut number = number;
        yield_resource!(number);
        Ok(())
    }

    // To release the first one moves all others.
    for (is_last_first, count) in [(false, MANY / 10), (true, MANY)] {
        block_on(async {
            let mut stack = AsyncExitStack::<usize>::new();
            let mut keys = Vec::new();
            for index in 0..count {
                keys.push(stack.enter_keyed(number(index)).await.unwrap());
            }
            if is_last_first {
                keys.reverse();
            }
            for (index, key) in keys.iter().enumerate() {
                let number = if is_last_first {
                    count - 1 - index
                } else {
                    index
                };
                assert_eq!(stack[key], number);
            }
            for key in keys {
                assert_eq!(stack.release(key).await, Ok(true));
            }
            assert_eq!(stack.aclose().await, Ok(()));
        });
    }
}

#[test]
fn many_entries_are_exited_when_the_stack_is_dropped() {
    with_little_stack(|| {
        let stack = AsyncExitStack::new();
        block_on(fill(&stack, MANY));
        drop(stack);
        assert_eq!(LEFT.get(), 0);
    });
}

#[test]
fn many_entries_are_dropped() {
    struct Counted(usize);
    impl Drop for Counted {
        fn drop(&mut self) {
            exited(self.0);
        }
    }

    with_little_stack(|| {
        let stack = ScopedExitStack::<()>::new();
        for index in 0..MANY {
            stack.keep(Counted(index));
        }
        LEFT.set(MANY);
        drop(stack);
        assert_eq!(LEFT.get(), 0);
    });
}

#[test]
fn many_entries_fail() {
    with_little_stack(|| {
        let mut stack = AsyncExitStack::<usize>::new();
        for index in 0..MANY {
            stack.defer(async move || Err(index));
        }
        let handle = stack.handle();
        for index in MANY..2 * MANY {
            handle.defer(async move || Err(index)).unwrap();
        }
        let errors = block_on(stack.close(Outcome::Completed)).unwrap_err();
        assert!(errors.into_iter().eq((0..2 * MANY).rev()));
    });
}

#[test]
fn each_of_many_entries_gets_the_error_and_may_fail() {
    let mut stack = AsyncExitStack::<usize, _>::catching();
    block_on(async {
        stack.enter_catch(suppress(|_| true)).await.unwrap();
        for _ in 0..MANY {
            stack.enter_catch(suppress(|_| false)).await.unwrap();
        }
    });
    for index in 0..MANY {
        stack.defer(async move || Err(index));
    }
    // The entry that exits last swallows the first error. The other errors are reported.
    crate::reports::collect();
    assert_eq!(block_on(stack.close(Outcome::Failed(MANY))), Ok(()));
}

#[test]
fn many_entries_are_added_and_released() {
    let mut stack = AsyncExitStack::<()>::new();
    let keys: Vec<_> = (0..MANY).map(|_| stack.callback(|| ())).collect();
    for key in keys.into_iter().rev() {
        assert_eq!(block_on(stack.release(key)), Ok(true));
    }
    // A long-lived stack keeps no memory of the entries that were released.
    stack.callback(|| ());
    for _ in 0..MANY {
        let key = stack.callback(|| ());
        assert_eq!(block_on(stack.release(key)), Ok(true));
    }
}

#[test]
fn an_empty_stack_is_closed_in_one_poll() {
    let mut stack = AsyncExitStack::<String>::new();
    assert_eq!(
        poll_once(pin!(stack.close(Outcome::Completed))),
        Poll::Ready(Ok(()))
    );
    assert_eq!(stack.last_key(), None);
}

#[test]
fn a_stack_is_small() {
    assert!(size_of::<AsyncExitStack<String>>() <= 36 * size_of::<usize>());
    assert!(size_of::<ScopedExitStack<'_, String>>() <= 32 * size_of::<usize>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_use_of_a_stack_can_be_spawned() {
    #[async_context]
    async fn context(name: &'static str) -> Result<String, String> {
        let mut name = name.to_string();
        yield_once().await;
        yield_resource!(name);
        yield_once().await;
        Ok(())
    }

    async fn used(name: &'static str) -> Result<usize, String> {
        Ok(async_with!(stack = exit_stack::<String>()?, {
            let first = stack.enter(context(name)).await?;
            yield_once().await;
            let second = stack.enter(context(name)).await?;
            yield_once().await;
            first.push_str(second);
            first.len()
        }))
    }

    let spawned = [
        tokio::spawn(used("abc")),
        tokio::spawn(exit_stack::<String>().with(async |stack| {
            stack.enter(context("abc")).await?;
            stack.defer(async || {
                yield_once().await;
                Ok(())
            });
            yield_once().await;
            Ok::<_, String>(6)
        })),
        tokio::spawn(async {
            let mut stack = AsyncExitStack::<String>::new();
            stack.enter(context("abc")).await?;
            yield_once().await;
            let key = stack.last_key().unwrap();
            stack.release(key).await?;
            let mut moved = stack.pop_all();
            let closed = moved.close(Outcome::Completed).await;
            closed.map_err(|errors| errors.into_parts().0)?;
            Ok(6)
        }),
    ];
    for used in spawned {
        assert_eq!(used.await.unwrap(), Ok(6));
    }
}

#[test]
fn a_stack_with_all_its_entries_is_shared_between_threads() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}

    let mut stack = AsyncExitStack::<String>::new();
    is_send_and_sync(&stack);
    is_send_and_sync(&stack.handle());
    let sum = std::thread::scope(|scope| {
        let stack = &stack;
        let adopting = (1..=4).map(|n| scope.spawn(move || stack.adopt(n, async |_| Ok(()))));
        let adopted: Vec<_> = adopting.collect();
        adopted.into_iter().map(|n| *n.join().unwrap()).sum::<i32>()
    });
    assert_eq!(sum, 10);
    assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
}

#[test]
fn the_use_of_a_scoped_stack_is_send() {
    let value = std::rc::Rc::new(Cell::new(1));
    let used: Result<(), String> = block_on(scoped_exit_stack::<String>().with(async |stack| {
        let kept = stack.keep(value.clone());
        kept.set(2);
        Ok(())
    }));
    assert_eq!((used, value.get()), (Ok(()), 2));
    assert_eq!(std::rc::Rc::strong_count(&value), 1);
}
