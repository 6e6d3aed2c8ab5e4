//! Keys of entries. A struct that owns an exit stack keeps the keys, and reaches the resources by them.

use std::cell::Cell;
use std::pin::pin;

use guard_core::exit_stack_parts::Key;
use guard_core::{
    AsyncExitStack, BoxContext, EntryKey, Outcome, async_context, async_with, exit_stack,
    yield_resource,
};
use guard_tests::{Log, block_on, panic_message, poll_once, yield_once};

use crate::reports;

/// Lends what was requested, and tells the log what it was used for.
#[async_context]
async fn session(log: Log, name: &'static str) -> Result<Vec<&'static str>, String> {
    if name == "refused" {
        return Err("refused".to_string());
    }
    let mut requests = vec![name];
    let outcome = yield_resource!(requests);
    log.push(format_args!("exit({}, {outcome:?})", requests.join("+")));
    yield_once().await;
    match name {
        "failing" => Err("failing".to_string()),
        "bad" => Err("bad".to_string()),
        "panicking" => panic!("panicking"),
        _ => Ok(()),
    }
}

/// What a library offers: a struct that owns its sessions.
struct Client {
    stack: AsyncExitStack<String>,
    users: EntryKey<Vec<&'static str>>,
    orders: EntryKey<Vec<&'static str>>,
}

impl Client {
    async fn open(log: &Log, second: &'static str) -> Result<Self, String> {
        async_with!(stack = exit_stack::<String>()?, {
            let users = stack.enter_keyed(session(log.clone(), "users")).await?;
            let orders = stack.enter_keyed(session(log.clone(), second)).await?;
            return Ok(Self {
                stack: stack.pop_all(),
                users,
                orders,
            });
        })
    }

    fn order(&mut self) -> usize {
        self.stack[&self.orders].push("order");
        self.stack[&self.users].len() + self.stack[&self.orders].len()
    }

    async fn log_out(&mut self) -> Result<bool, String> {
        self.stack.release(self.users).await
    }

    async fn close(self) -> Result<(), String> {
        self.stack.aclose().await
    }
}

#[test]
fn a_struct_owns_a_stack_uses_its_sessions_and_closes_them_last_in_first_out() {
    let log = Log::new();
    block_on(async {
        let mut client = Client::open(&log, "orders").await.unwrap();
        assert_eq!(client.order(), 3);
        assert_eq!(client.order(), 4);
        client.close().await.unwrap();
    });
    assert_eq!(
        log.line(),
        "exit(orders+order+order, Completed) exit(users, Completed)"
    );
}

#[test]
fn an_entry_is_exited_when_a_later_context_fails_to_enter() {
    let log = Log::new();
    let opened = block_on(Client::open(&log, "refused"));
    assert_eq!(opened.err().as_deref(), Some("refused"));
    assert_eq!(log.line(), "exit(users, Failed(()))");
}

#[test]
fn one_entry_is_released_early_and_the_others_stay() {
    let log = Log::new();
    block_on(async {
        let mut client = Client::open(&log, "orders").await.unwrap();
        assert_eq!(client.log_out().await, Ok(true));
        assert_eq!(log.line(), "exit(users, Completed)");
        assert_eq!(client.log_out().await, Ok(false), "only once");
        assert_eq!(client.stack.get(&client.users), None);
        assert_eq!(client.stack.get_mut(&client.users), None);
        assert_eq!(client.stack[&client.orders], ["orders"]);
        let panic = panic_message(|| assert_eq!(client.order(), 0));
        assert!(panic.contains("the entry has been released"), "{panic}");
        client.close().await.unwrap();
    });
    assert_eq!(log.line(), "exit(orders+order, Completed)");
}

#[test]
fn the_key_of_another_stack_finds_no_entry() {
    let log = Log::new();
    block_on(async {
        let one = AsyncExitStack::<String>::new();
        let mut other = AsyncExitStack::<String>::new();
        let key = one.enter_keyed(session(log.clone(), "one")).await.unwrap();
        let same_place = other
            .enter_keyed(session(log.clone(), "other"))
            .await
            .unwrap();
        assert_ne!(key, same_place);
        assert_eq!(other.get(&key), None);
        for panic in [
            panic_message(|| assert!(other[&key].is_empty())),
            panic_message(|| other[&key].push("no")),
        ] {
            assert!(panic.contains("it is on another stack"), "{panic}");
        }
        assert_eq!(other.release(key).await, Ok(false));
        assert_eq!(one[&key], ["one"]);
        one.aclose().await.unwrap();
        other.aclose().await.unwrap();
    });
}

#[test]
fn pop_all_takes_the_keys_along() {
    let log = Log::new();
    block_on(async {
        let mut stack = AsyncExitStack::<String>::new();
        let key = stack
            .enter_keyed(session(log.clone(), "moved"))
            .await
            .unwrap();
        let mut moved = stack.pop_all();
        assert_eq!(stack.get(&key), None);
        moved[&key].push("used");
        assert_eq!(moved[&key], ["moved", "used"]);
        moved.aclose().await.unwrap();
        stack.aclose().await.unwrap();
    });
    assert_eq!(log.line(), "exit(moved+used, Completed)");
}

#[test]
fn a_keyed_resource_is_used_together_with_a_lent_one() {
    let log = Log::new();
    block_on(async {
        let stack = AsyncExitStack::<String>::new();
        let lent = stack.enter(session(log.clone(), "lent")).await.unwrap();
        let key = stack
            .enter_keyed(session(log.clone(), "keyed"))
            .await
            .unwrap();
        let keyed = &stack[&key];
        for _ in 0..100 {
            // The list of entries grows.
            stack.callback(|| ());
            let _ = stack
                .enter_keyed(session(Log::new(), "more"))
                .await
                .unwrap();
        }
        lent.extend(keyed);
        assert_eq!(*lent, ["lent", "keyed"]);
        assert_eq!(*keyed, ["keyed"]);
        stack.aclose().await.unwrap();
    });
    assert_eq!(
        log.line(),
        "exit(keyed, Completed) exit(lent+keyed, Completed)"
    );
}

#[test]
fn aclose_returns_the_first_error_and_reports_the_others() {
    reports::collect();
    let log = Log::new();
    let closed = block_on(async {
        let stack = AsyncExitStack::<String>::new();
        for name in ["bad", "good", "failing"] {
            let _ = stack.enter_keyed(session(log.clone(), name)).await.unwrap();
        }
        stack.aclose().await
    });
    assert_eq!(closed, Err("failing".to_string()));
    assert_eq!(
        log.line(),
        "exit(failing, Completed) exit(good, Failed(())) exit(bad, Failed(()))"
    );
    assert_eq!(reports::take(), ["Failed(\"bad\")"]);
    let names = reports::take_names();
    assert!(names[0].ends_with("::session"), "{names:?}");
}

#[test]
fn a_panic_of_an_entry_goes_on_when_all_have_been_exited() {
    reports::collect();
    let log = Log::new();
    let panic = panic_message(|| {
        block_on(async {
            let stack = AsyncExitStack::<String>::new();
            for name in ["good", "panicking", "failing"] {
                let _ = stack.enter_keyed(session(log.clone(), name)).await.unwrap();
            }
            drop(stack.aclose().await);
        });
    });
    assert_eq!(panic, "panicking");
    assert_eq!(
        log.line(),
        "exit(failing, Completed) exit(panicking, Failed(())) exit(good, Panicked)"
    );
    assert_eq!(reports::take(), ["Failed(\"failing\")"]);
}

#[test]
fn an_aclose_that_is_dropped_goes_on_in_the_background() {
    let log = Log::new();
    let stack = AsyncExitStack::<String>::new();
    for name in ["outer", "inner"] {
        let _ = block_on(stack.enter_keyed(session(log.clone(), name))).unwrap();
    }
    {
        let mut closing = pin!(stack.aclose());
        assert!(poll_once(closing.as_mut()).is_pending());
        assert_eq!(log.line(), "exit(inner, Completed)");
    }
    // There is no runtime: each gets one poll, the inner one first.
    assert_eq!(log.line(), "exit(outer, Cancelled)");
}

#[test]
fn an_entry_that_is_dropped_with_its_stack_is_told_that_it_was_cancelled() {
    let log = Log::new();
    let client = block_on(Client::open(&log, "orders")).ok().unwrap();
    drop(client);
    assert_eq!(log.line(), "exit(orders, Cancelled) exit(users, Cancelled)");
}

#[test]
fn an_enter_that_is_dropped_adds_nothing() {
    #[async_context]
    async fn waiting(log: Log) -> Result<(), String> {
        yield_once().await;
        let outcome = yield_resource!();
        log.push(format_args!("exit({outcome:?})"));
        Ok(())
    }

    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    assert!(poll_once(pin!(stack.enter_keyed(waiting(log.clone())))).is_pending());
    assert_eq!(log.line(), "exit(Cancelled)", "it was finished by itself");
    assert_eq!(stack.last_key(), None);
    block_on(stack.close(Outcome::Completed)).unwrap();
    assert_eq!(log.line(), "");
}

#[test]
fn the_key_of_an_entry_whose_release_was_dropped_finds_no_entry() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    let key = block_on(stack.enter_keyed(session(log.clone(), "half"))).unwrap();
    assert!(poll_once(pin!(stack.release(key))).is_pending());
    assert_eq!(stack.get(&key), None);
    let panic = panic_message(|| assert!(stack[&key].is_empty()));
    assert!(panic.contains("is being exited"), "{panic}");
    block_on(stack.aclose()).unwrap();
    assert_eq!(log.line(), "exit(half, Completed)");
}

#[test]
fn boxed_contexts_and_resources_without_a_size_have_keys_too() {
    #[async_context]
    async fn text() -> Result<str, String> {
        let mut text = String::from("text");
        yield_resource!(*text);
        Ok(())
    }

    let log = Log::new();
    block_on(async {
        let mut stack = AsyncExitStack::<String>::new();
        let boxed: BoxContext<'static, Vec<&'static str>, String> = {
            use guard_core::AsyncContext;
            session(log.clone(), "boxed").boxed()
        };
        let boxed = stack.enter_keyed(boxed).await.unwrap();
        let text: EntryKey<str> = stack.enter_keyed(text()).await.unwrap();
        stack[&text].make_ascii_uppercase();
        assert_eq!(&stack[&text], "TEXT");
        assert_eq!(stack[&boxed], ["boxed"]);
        stack.aclose().await.unwrap();
    });
}

#[test]
fn a_keyed_resource_that_is_not_sync_is_used_exclusively() {
    #[async_context]
    async fn counter() -> Result<Cell<u32>, String> {
        let mut count = Cell::new(1);
        yield_resource!(count);
        Ok(())
    }

    let mut stack = AsyncExitStack::<String>::new();
    let key = block_on(stack.enter_keyed(counter())).unwrap();
    let count = stack.get_mut(&key).unwrap();
    count.set(count.get() + 1);
    assert_eq!(stack.get_mut(&key).map(|count| count.get()), Some(2));
    block_on(stack.aclose()).unwrap();
}

#[test]
fn a_client_and_its_keys_can_be_shared_and_sent() {
    fn is<T: Send + Sync + 'static>(_: &T) {}
    fn is_send<T: Send>(future: T) -> T {
        future
    }

    let log = Log::new();
    let client = block_on(is_send(Client::open(&log, "orders")))
        .ok()
        .unwrap();
    is(&client);
    let lengths: Vec<_> = std::thread::scope(|scope| {
        let threads = [client.users, client.orders].map(|key| {
            let stack = &client.stack;
            scope.spawn(move || stack[&key].len())
        });
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(lengths, [1, 1]);
    block_on(is_send(client.close())).unwrap();
}

#[test]
fn a_key_is_the_same_as_its_copies_and_as_the_key_of_the_entry() {
    let stack = AsyncExitStack::<String>::new();
    let key = block_on(stack.enter_keyed(session(Log::new(), "a"))).unwrap();
    let copy = key;
    assert_eq!(key, copy);
    assert_eq!(Some(Key::from(key)), stack.last_key());
    assert_eq!(Key::from(&copy), Key::from(key));
    assert!(format!("{key:?}").starts_with("EntryKey("));
    block_on(stack.aclose()).unwrap();
}
