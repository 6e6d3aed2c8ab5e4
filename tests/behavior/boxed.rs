//! `#[async_context(boxed)]`: the context's type can be named, and traits with such contexts are
//! dyn-compatible.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use guard_core::{
    AsyncContext, BoxContext, Guard, LocalBoxContext, Outcome, async_context, async_with,
    nullcontext, yield_resource,
};
use guard_tests::{Log, block_on};

trait Store: Send + Sync {
    #[async_context(owned, boxed)]
    async fn transaction(&self, name: &str) -> Result<String, io::Error>;

    /// A default implementation that does nothing.
    #[async_context(owned, boxed)]
    async fn savepoint(&self, name: &str) -> Result<String, io::Error>
    where
        Self: Clone + 'static,
    {
        let mut name = name.to_owned();
        yield_resource!(name);
        Ok(())
    }
}

#[derive(Clone)]
struct Real(Log);

impl Store for Real {
    #[async_context(owned, boxed)]
    async fn transaction(&self, name: &str) -> Result<String, io::Error> {
        let mut lent = format!("real {name}");
        let outcome = yield_resource!(lent);
        self.0.push(format_args!("{name}: {outcome:?}"));
        Ok(())
    }
}

/// Implements the trait by hand, with the signature that the attribute generates.
struct Fake;

impl Store for Fake {
    fn transaction(&self, name: &str) -> BoxContext<'static, String, io::Error> {
        nullcontext(format!("fake {name}")).with_error().boxed()
    }
}

#[test]
fn a_trait_with_boxed_contexts_is_used_as_an_object() {
    async fn use_it(store: Arc<dyn Store>) -> Result<String, io::Error> {
        let transaction = {
            let name = String::from("tx");
            store.transaction(&name)
        };
        drop(store);
        Ok(async_with!(lent = transaction?, { lent.clone() }))
    }
    let log = Log::new();
    let used = block_on(use_it(Arc::new(Real(log.clone()))));
    assert_eq!(used.unwrap(), "real tx");
    assert_eq!(log.line(), "tx: Completed");
    assert_eq!(block_on(use_it(Arc::new(Fake))).unwrap(), "fake tx");
    let savepoint = Real(log).savepoint("s");
    let lent = block_on(savepoint.with(async |lent| Ok::<_, io::Error>(lent.clone())));
    assert_eq!(lent.unwrap(), "s");
}

#[async_context(boxed)]
async fn number(number: u32) -> u32 {
    let mut number = number;
    yield_resource!(number);
}

#[test]
fn the_type_of_a_boxed_context_can_be_named() {
    struct Kept {
        number: Guard<BoxContext<'static, u32, Infallible>>,
    }
    let contexts: Vec<BoxContext<'static, u32, Infallible>> = vec![number(1), number(2)];
    let sum = block_on(async {
        let mut sum = 0;
        for context in contexts {
            sum += context.run(async |n| *n).await;
        }
        sum
    });
    assert_eq!(sum, 3);
    let Ok(guard) = block_on(number(4).enter());
    let kept = Kept { number: guard };
    assert_eq!(*kept.number, 4);
}

#[async_context(boxed, catch)]
async fn swallowing() -> Result<(), String> {
    match yield_resource!() {
        Outcome::Failed(error) if error == "other" => Err(error),
        _ => Ok(()),
    }
}

#[test]
fn a_boxed_context_may_catch() {
    let context: BoxContext<'static, (), String, String> = swallowing();
    let caught = block_on(context.catch(async |()| Err::<(), _>(String::from("this"))));
    assert_eq!(caught, Ok(None));
}

trait Borrowing {
    #[async_context(scoped, boxed)]
    async fn of_self(&mut self) -> u32;

    #[async_context(scoped, boxed)]
    async fn of_several(&self, text: &str) -> usize;

    #[async_context(scoped, boxed)]
    async fn of_a_named_one<'a>(&self, text: &'a str) -> &'a str;
}

struct Numbers(Vec<u32>);

impl Borrowing for Numbers {
    #[async_context(scoped, boxed)]
    async fn of_self(&mut self) -> u32 {
        yield_resource!(self.0[0]);
        self.0.push(9);
    }

    #[async_context(scoped, boxed)]
    async fn of_several(&self, text: &str) -> usize {
        let mut sum = self.0.len() + text.len();
        yield_resource!(sum);
    }

    #[async_context(scoped, boxed)]
    async fn of_a_named_one<'a>(&self, text: &'a str) -> &'a str {
        let mut part = &text[self.0.len()..];
        yield_resource!(part);
    }
}

#[test]
fn a_boxed_scoped_context_borrows_from_its_arguments() {
    let mut numbers = Numbers(vec![1]);
    let object: &mut dyn Borrowing = &mut numbers;
    block_on(async {
        async_with!(first = object.of_self(), { *first += 1 });
        let text = String::from("text");
        async_with!(sum = object.of_several(&text), { assert_eq!(*sum, 6) });
        async_with!(part = object.of_a_named_one(&text), {
            assert_eq!(*part, "xt")
        });
    });
    assert_eq!(numbers.0, [2, 9]);
}

#[async_context(scoped, boxed)]
async fn of_one_argument<T: Send + Sync>(list: &[T]) -> usize {
    let mut length = list.len();
    yield_resource!(length);
}

#[async_context(scoped, boxed)]
async fn of_a_named_argument<'a>(list: &'a [u8], n: usize) -> &'a [u8] {
    let mut list = &list[..n];
    yield_resource!(list);
}

#[async_context(scoped, boxed)]
async fn of_nothing(n: usize) -> usize {
    let mut n = n;
    yield_resource!(n);
}

#[test]
fn the_lifetime_of_a_boxed_context_is_that_of_its_only_borrow_or_static() {
    let list = vec![1, 2, 3];
    assert_eq!(block_on(of_one_argument(&list).run(async |n| *n)), 3);
    let sum =
        of_a_named_argument(&list, 2).run(async |l| l.iter().map(|n| u32::from(*n)).sum::<u32>());
    assert_eq!(block_on(sum), 3);
    let context: BoxContext<'static, usize, Infallible> = of_nothing(1);
    assert_eq!(block_on(context.run(async |n| *n)), 1);
}

/// Objects whose contexts stay on their thread.
trait Counter {
    #[async_context(local, boxed)]
    async fn counted(self: Rc<Self>, by: u32) -> Result<u32, io::Error>;
}

struct Counts(Cell<u32>);

impl Counter for Counts {
    #[async_context(local, boxed)]
    async fn counted(self: Rc<Self>, by: u32) -> Result<u32, io::Error> {
        let mut count = self.0.get() + by;
        yield_resource!(count);
        self.0.set(count);
        Ok(())
    }
}

/// Written by hand, with the signature that the attribute stands for.
struct CountsNothing;

impl Counter for CountsNothing {
    fn counted(self: Rc<Self>, by: u32) -> LocalBoxContext<'static, u32, io::Error> {
        nullcontext(by).with_error().boxed_local()
    }
}

#[test]
fn a_trait_with_local_boxed_contexts_is_used_as_an_object() {
    async fn use_it(counter: Rc<dyn Counter>) -> Result<u32, io::Error> {
        Ok(async_with!(count = counter.counted(2)?, {
            *count += 1;
            *count
        }))
    }
    let counts = Rc::new(Counts(Cell::new(10)));
    assert_eq!(block_on(use_it(counts.clone())).unwrap(), 13);
    assert_eq!(counts.0.get(), 13);
    assert_eq!(block_on(use_it(Rc::new(CountsNothing))).unwrap(), 3);
}
