//! `#[async_context(owned)]`: the context owns a copy of what its arguments refer to.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use guard_core::{
    AsyncContext, BoxContext, Outcome, async_context, async_with, drain, yield_resource,
};
use guard_tests::{Dropped, Log, block_on, poll_once, yield_once};

#[derive(Clone)]
struct Pool {
    log: Log,
    size: usize,
}

struct Lease(String);

impl Pool {
    fn new() -> Self {
        Self {
            log: Log::new(),
            size: 3,
        }
    }

    #[async_context(owned)]
    async fn acquire(&self, name: &str) -> Result<Lease, io::Error> {
        let mut lease = Lease(format!("{name} of {}", self.size));
        self.log.push(format_args!("acquire({name})"));
        let outcome = yield_resource!(lease);
        yield_once().await;
        self.log.push(format_args!("release({name}, {outcome:?})"));
        Ok(())
    }
}

fn is_guaranteed(_: &(impl AsyncContext + Send + 'static)) {}

#[test]
fn an_owned_context_outlives_its_arguments() {
    let log;
    let lease = {
        let pool = Pool::new();
        log = pool.log.clone();
        let name = String::from("first");
        pool.acquire(&name)
    };
    is_guaranteed(&lease);
    let text = block_on(lease.with(async |lease| Ok::<_, io::Error>(lease.0.clone())));
    assert_eq!(text.unwrap(), "first of 3");
    assert_eq!(log.line(), "acquire(first) release(first, Completed)");
}

#[test]
fn an_owned_context_is_cleaned_up_when_its_use_is_cancelled() {
    let log = Log::new();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            let pool = Pool {
                log: log.clone(),
                size: 1,
            };
            {
                let name = String::from("cancelled");
                let used = pool
                    .acquire(&name)
                    .with(async |_| std::future::pending::<Result<(), io::Error>>().await);
                assert!(poll_once(pin!(used)).is_pending());
            }
            drop(pool);
            drain().await;
        });
    assert_eq!(
        log.line(),
        "acquire(cancelled) release(cancelled, Cancelled)"
    );
}

#[test]
fn a_guard_of_an_owned_context_can_move_to_another_thread() {
    let name = String::from("thread");
    let pool = Pool::new();
    let guard = block_on(pool.acquire(&name).enter()).ok().unwrap();
    drop((pool, name));
    let exited = std::thread::spawn(move || block_on(guard.exit())).join();
    assert!(exited.unwrap().is_ok());
}

#[test]
fn an_owned_context_can_be_boxed_and_returned() {
    fn made() -> BoxContext<'static, Lease, io::Error> {
        let name = String::from("local");
        Pool::new().acquire(&name).boxed()
    }
    let used = block_on(made().with(async |lease| Ok::<_, io::Error>(lease.0.clone())));
    assert_eq!(used.unwrap(), "local of 3");
}

#[allow(clippy::too_many_arguments, reason = "one of each kind")]
#[async_context(owned)]
async fn every_kind(
    log: &Log,
    text: &str,
    slice: &[u32],
    path: &Path,
    number: &u32,
    mut pattern: &str,
    (left, right): &(u32, String),
    forever: &'static str,
    by_value: String,
    shared: &Arc<u32>,
) -> String {
    pattern = &pattern[1..];
    let mut all = format!(
        "{text} {slice:?} {} {number} {pattern} {left} {right} {forever} {by_value} {shared}",
        path.display()
    );
    yield_resource!(all);
    log.push(text);
}

#[test]
fn every_kind_of_reference_is_owned_and_used_as_a_reference() {
    let log = Log::new();
    let context = {
        let pair = (4, String::from("right"));
        every_kind(
            &log,
            &String::from("text"),
            &[1, 2],
            Path::new("/tmp"),
            &3,
            &String::from("pattern"),
            &pair,
            "forever",
            String::from("value"),
            &Arc::new(5),
        )
    };
    is_guaranteed(&context);
    assert_eq!(
        block_on(context.run(async |all| all.clone())),
        "text [1, 2] /tmp 3 attern 4 right forever value 5"
    );
    assert_eq!(log.line(), "text");
}

#[allow(clippy::ptr_arg, reason = "what a reference to a `Cow` becomes")]
#[async_context(owned)]
async fn generic<T, U>(value: &T, text: &U, cow: &Cow<'static, str>) -> (T, String)
where
    T: Clone + Send + 'static,
    U: AsRef<str> + ToOwned<Owned: Send> + ?Sized + 'static,
{
    let mut lent = (value.clone(), format!("{}{cow}", text.as_ref()));
    yield_resource!(lent);
}

#[test]
fn generic_references_are_owned() {
    let context = generic(&vec![1], "text", &Cow::Borrowed("!"));
    let lent = block_on(context.run(async |lent| lent.clone()));
    assert_eq!(lent, (vec![1], String::from("text!")));
}

#[derive(Clone, Debug)]
struct Named {
    name: &'static str,
}

impl Named {
    fn name(&self) -> &str {
        self.name
    }

    /// `self` in every place where it can be written.
    #[async_context(owned)]
    async fn everywhere(&self) -> String {
        struct Inner(u32);
        impl Inner {
            fn get(&self) -> u32 {
                self.0
            }
        }
        macro_rules! mine {
            () => {
                self.name()
            };
        }
        let Self { name } = self;
        let closure = || self.name.len();
        let mut text = format!(
            "{} {self:?} {{self}} {name} {} {} {}",
            self.name(),
            closure(),
            Inner(7).get(),
            mine!(),
        );
        async_with!(inner = guard_core::nullcontext(self.clone()), {
            assert_eq!(inner.name(), self.name());
            yield_resource!(text);
        });
        let again = Self::name(self);
        assert_eq!(again, self.name);
    }

    #[async_context(owned)]
    async fn shared(self: &Arc<Self>) -> usize {
        let mut count = Arc::strong_count(self);
        yield_resource!(count);
    }

    #[expect(clippy::needless_arbitrary_self_type)]
    #[async_context(owned)]
    async fn typed(self: &Self) -> &'static str {
        let mut name = self.name;
        yield_resource!(name);
    }
}

#[test]
fn self_can_be_used_everywhere_in_the_body() {
    let named = Named { name: "x" };
    assert_eq!(
        block_on(named.everywhere().run(async |text| text.clone())),
        r#"x Named { name: "x" } {self} x 1 7 x"#
    );
    assert_eq!(block_on(named.typed().run(async |name| *name)), "x");
    let named = Arc::new(named);
    // The context owns a clone of an `Arc` whose reference it got.
    assert_eq!(block_on(named.shared().run(async |count| *count)), 2);
}

trait Locks {
    #[async_context(owned)]
    async fn lock(&self, key: &str) -> Result<String, io::Error>;

    #[async_context(owned)]
    async fn provided(&self) -> usize
    where
        Self: Clone + Send + 'static,
    {
        let mut size = std::mem::size_of_val(self);
        yield_resource!(size);
    }
}

impl Locks for Pool {
    #[async_context(owned)]
    async fn lock(&self, key: &str) -> Result<String, io::Error> {
        let mut held = key.to_owned();
        yield_resource!(held);
        self.log.push(format_args!("unlock({key})"));
        Ok(())
    }
}

#[test]
fn a_trait_can_have_an_owned_context() {
    async fn lock(locks: impl Locks) -> Result<String, io::Error> {
        let held = {
            let key = String::from("key");
            locks.lock(&key)
        };
        drop(locks);
        held.with(async |held| Ok(held.clone())).await
    }
    let pool = Pool::new();
    assert_eq!(block_on(lock(pool.clone())).unwrap(), "key");
    assert_eq!(pool.log.line(), "unlock(key)");
    let size = block_on(pool.provided().run(async |size| *size));
    assert_eq!(size, std::mem::size_of::<Pool>());
}

struct Counted(Log);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.push("clone");
        Self(self.0.clone())
    }
}

#[async_context(owned)]
async fn cloned_by_the_call(counted: &Counted) {
    counted.0.push("enter");
    yield_resource!();
}

#[test]
fn the_call_clones_the_arguments() {
    let log = Log::new();
    let context = cloned_by_the_call(&Counted(log.clone()));
    assert_eq!(log.line(), "clone");
    block_on(context.run(async |()| ()));
    assert_eq!(log.line(), "enter");
}

struct Part(Dropped);

impl Clone for Part {
    fn clone(&self) -> Self {
        Self(Dropped(self.0.0.clone(), "copy"))
    }
}

#[async_context(owned)]
async fn in_order(first: &Part, second: Dropped) {
    let _local = Dropped(second.0.clone(), "local");
    yield_resource!();
    let _ = first;
}

#[test]
fn the_clones_are_dropped_in_the_order_of_the_arguments() {
    let log = Log::new();
    let first = Part(Dropped(log.clone(), "first"));
    let used = in_order(&first, Dropped(log.clone(), "second"));
    block_on(used.run(async |()| ()));
    assert_eq!(log.line(), "drop(local) drop(second) drop(copy)");
    drop(in_order(&first, Dropped(log.clone(), "second")));
    let mut dropped = log.take();
    dropped.sort();
    assert_eq!(dropped, ["drop(copy)", "drop(second)"]);
}

#[derive(Clone)]
struct Retries(u32);

impl Retries {
    #[async_context(owned, catch)]
    async fn swallow(&self, what: &str) -> Result<u32, String> {
        let mut allowed = self.0;
        match yield_resource!(allowed) {
            Outcome::Failed(error) if error != what => Err(error),
            _ => Ok(()),
        }
    }
}

#[test]
fn an_owned_context_can_catch() {
    let swallow = { Retries(1).swallow(&String::from("that")) };
    let caught = block_on(swallow.catch(async |_| Err::<(), _>(String::from("that"))));
    assert_eq!(caught, Ok(None));
    let returned = block_on(
        Retries(1)
            .swallow("that")
            .catch(async |_| Err::<(), _>(String::from("no"))),
    );
    assert_eq!(returned, Err(String::from("no")));
}

#[test]
fn an_owned_context_can_be_infallible() {
    fn cannot_fail(_: &impl AsyncContext<Error = Infallible>) {}
    cannot_fail(&Named { name: "x" }.typed());
}
