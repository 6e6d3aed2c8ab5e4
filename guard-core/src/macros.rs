//! The macros that guard-macros implements, with the documentation that belongs to them.

/// Makes a context of an `async fn` with one [`yield_resource!`](crate::yield_resource).
///
/// What stands before the yield is the set-up, what stands after it the clean-up, and what the function
/// says it returns is what it lends. Python: `@asynccontextmanager`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{async_context, async_with, yield_resource};
/// use std::io;
/// use std::path::PathBuf;
///
/// /// A directory of its own, gone in the end.
/// #[async_context]
/// async fn scratch(name: &'static str) -> io::Result<PathBuf> {
///     let mut path = std::env::temp_dir().join(name);
///     tokio::fs::create_dir(&path).await?; // set-up
///     yield_resource!(path); // the use
///     tokio::fs::remove_dir_all(&path).await // clean-up, however the use ended
/// }
///
/// # let _ = std::fs::remove_dir_all(std::env::temp_dir().join("guard-core-doc"));
/// async_with!(dir = scratch("guard-core-doc")?, {
///     tokio::fs::write(dir.join("note"), "hello").await?;
/// });
/// assert!(!std::env::temp_dir().join("guard-core-doc").exists());
/// # Ok(()) }
/// ```
///
/// # The function
///
/// - `-> Result<R, E>`, or a generic alias whose name ends in `Result`, makes a context that lends an `R` and may
///   fail with `E`; its body ends in `Ok(())`. Any other return type `R`, or none for `()`, makes a context
///   that cannot fail, whose body ends in `()`.
/// - Exactly one yield is reached on every path that does not end in an error; the compiler proves it. A
///   yield in the arguments of a macro other than [`async_with!`](crate::async_with), such as `select!`, is checked when it
///   runs.
/// - It can be a free function, a method with any receiver, a function of a trait, also without a body; it can
///   be generic and take patterns and `impl Trait`. Arguments and locals are dropped in the order of an `async fn`.
/// - Calling it does nothing yet: it returns a context, an
///   [`impl AsyncContext<Resource = R, Error = E>`](crate::AsyncContext).
///
/// # Arguments
///
/// | argument | meaning |
/// |---|---|
/// | (none) | *Guaranteed*: the clean-up also runs when the user of the context is cancelled. Everything in it is owned, `Send + 'static`; it costs one heap allocation. |
/// | `scoped` | It may borrow and need not be `Send`; no allocation. When its user is cancelled it is dropped where it stands, and that is [reported](crate::set_reporter). |
/// | `catch` | It is given the block's error, [`Outcome::Failed(error)`](crate::Outcome): to return `Ok(())` swallows it, `Err` raises it or another. To be used with `catch(…)` in [`async_with!`](crate::async_with), or with [`catch`](crate::AsyncContext::catch). |
/// | `local` | Guaranteed, and it need not be `Send`: its clean-up goes on on the thread where it was entered. See [below](#contexts-that-stay-on-one-thread). |
/// | `owned` | Guaranteed, and it may be called with references: they are turned into owned values, and the body sees references to those. See [below](#references-among-the-arguments). |
/// | `boxed` | It is returned as a [`BoxContext`](crate::BoxContext), with `local` as a [`LocalBoxContext`](crate::LocalBoxContext), so its type can be named, and a trait with such a function can be used as `dyn`. See [below](#traits-that-are-used-as-dyn). |
/// | `crate = path` | Where guard-core is, if it was renamed or re-exported. |
///
/// All of them combine, but not `scoped` with `owned` or with `local`.
///
/// # Contexts that stay on one thread
///
/// A context with `local` may hold an `Rc`, and its use is not `Send`. It is guaranteed as a default one is: if its user
/// is cancelled, its clean-up goes on in the background, on the same thread. That needs a place:
///
/// - the spawner of the thread, if [`set_local_spawner`](crate::set_local_spawner) has set one;
/// - else the tokio `LocalSet`, or the tokio local runtime, in which the use is dropped. Usually the use runs in it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::{AsyncContext, async_context, drain, yield_resource};
/// use std::cell::RefCell;
/// use std::future::pending;
/// use std::rc::Rc;
/// use std::time::Duration;
/// use tokio::task::LocalSet;
/// use tokio::time::{sleep, timeout};
///
/// #[async_context(local)]
/// async fn opened(log: Rc<RefCell<Vec<&'static str>>>) {
///     log.borrow_mut().push("opened");
///     yield_resource!();
///     sleep(Duration::from_millis(5)).await;
///     log.borrow_mut().push("closed");
/// }
///
/// let log = Rc::new(RefCell::new(Vec::new()));
/// LocalSet::new()
///     .run_until(async {
///         let using = opened(log.clone()).run(async |()| pending::<()>().await);
///         assert!(timeout(Duration::from_secs(1), using).await.is_err());
///         drain().await;
///     })
///     .await;
/// assert_eq!(*log.borrow(), ["opened", "closed"]);
/// # }
/// ```
///
/// The promises for default contexts hold for `local` ones, on one thread. The exit of a `local` context waits for
/// the clean-ups that were handed off in its block, `local` ones and others. The exit of a default context does not wait
/// for a `local` clean-up, since nobody may be driving the `LocalSet`. A `local` use that is dropped outside its
/// `LocalSet` has nowhere to go on, unless the thread has a spawner: see
/// [limits](crate::guide::limits#contexts-that-stay-on-one-thread).
///
/// Python: every context stays in the event loop of its thread.
///
/// # References among the arguments
///
/// A guaranteed context owns what it uses, since its clean-up may go on after its user is gone. With `owned` a
/// call like `pool.acquire(&name)` makes one all the same. `&self` is cloned ([`Clone`]), every other reference
/// is turned into its owned form ([`ToOwned`](std::borrow::ToOwned): a `&str` into a `String`, a `&[T]` into a `Vec<T>`), and the body sees
/// references to the copies.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{async_context, async_with, yield_resource};
/// use std::collections::HashSet;
/// use std::io;
/// use std::sync::{Arc, Mutex};
///
/// #[derive(Clone, Default)]
/// struct Locks {
///     held: Arc<Mutex<HashSet<String>>>,
/// }
///
/// impl Locks {
///     #[async_context(owned)]
///     async fn lock(&self, key: &str) -> io::Result<String> {
///         if !self.held.lock().unwrap().insert(key.to_owned()) {
///             return Err(io::ErrorKind::WouldBlock.into());
///         }
///         let mut held = key.to_owned();
///         yield_resource!(held);
///         self.held.lock().unwrap().remove(key);
///         Ok(())
///     }
/// }
///
/// let locks = Locks::default();
/// async_with!(key = locks.lock("orders")?, {
///     assert_eq!(key, "orders");
///     assert_eq!(locks.held.lock().unwrap().len(), 1);
/// });
/// assert!(locks.held.lock().unwrap().is_empty());
/// # Ok(()) }
/// ```
///
/// - The copies are made by the call, before anything is entered; so a panic of `clone` is the caller's.
/// - `&'static` references stay what they are. `&mut`, and references inside other types (`Option<&str>`), are
///   errors.
/// - The context is `'static` and can be stored, boxed and sent to another thread. As with every `impl Trait`
///   of edition 2024 its type names what the call borrowed, so to *return* it from the function in
///   which that lives, write `.boxed()`, or `boxed` beside `owned`.
///
/// Python: every argument is a reference that keeps its object alive.
///
/// # Traits that are used as `dyn`
///
/// A function of a trait can have `#[async_context]` with or without a body; but a trait of which `dyn` objects
/// are made cannot have functions that return `impl Trait`. With `boxed` it returns
/// `BoxContext<'static, R, E>`, with `catch` `BoxContext<'static, R, E, E>`, and with `scoped` one with the lifetime of what it
/// borrows, which then must be `Send`. An implementation may have the attribute too, or be a plain function of
/// that type.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{AsyncContext, BoxContext, async_context, async_with, nullcontext, yield_resource};
/// use std::io;
///
/// trait Storage {
///     #[async_context(owned, boxed)]
///     async fn transaction(&self, name: &str) -> io::Result<Vec<String>>;
/// }
///
/// #[derive(Clone)]
/// struct Real;
///
/// impl Storage for Real {
///     #[async_context(owned, boxed)]
///     async fn transaction(&self, name: &str) -> io::Result<Vec<String>> {
///         let mut statements = vec![format!("begin {name}")];
///         yield_resource!(statements);
///         Ok(())
///     }
/// }
///
/// struct Fake;
///
/// impl Storage for Fake {
///     fn transaction(&self, _name: &str) -> BoxContext<'static, Vec<String>, io::Error> {
///         nullcontext(Vec::new()).with_error().boxed()
///     }
/// }
///
/// let storages: Vec<Box<dyn Storage>> = vec![Box::new(Real), Box::new(Fake)];
/// for storage in storages {
///     async_with!(statements = storage.transaction("t")?, {
///         statements.push("insert".into());
///     });
/// }
/// # Ok(()) }
/// ```
///
/// # Cancellation
///
/// A guaranteed context that is dropped before its end goes on in the background: it finishes its set-up and cleans
/// up, and is told [`Outcome::Cancelled`](crate::Outcome). The clean-up begins with one poll in the destructor, which
/// finishes many exits. The [guide](crate::guide::cancellation) has the table of all cases.
///
/// # Expansion
///
/// ```text
/// fn scratch(name: &'static str)
/// -> impl AsyncContext<Resource = PathBuf, Error = …> + Send + 'static {
///     guaranteed(move |yielder| async move {
///         let name = name;
///         let the_one_yield = yielder.token();
///         let a_yield_or_err_on_every_path;
///         let out: io::Result<()> = {
///             let mut path = std::env::temp_dir().join(name);
///             tokio::fs::create_dir(&path).await?;
///             a_yield_or_err_on_every_path = Yielded;
///             the_one_yield.lend(&yielder, &mut path).await; // moves it, so there is only one
///             tokio::fs::remove_dir_all(&path).await
///         };
///         finish(out, a_yield_or_err_on_every_path) // and there is one
///     })
/// }
/// ```
///
/// # Panics
///
/// A panic of the set-up or the clean-up goes on in whoever polls. Entering a context whose yield in
/// another macro was not reached panics and says so.
pub use guard_macros::async_context;

/// Puts contexts around the body of an `async fn`.
///
/// `#[within(name = context?, …)]` has the syntax of [`async_with!`](crate::async_with). The contexts are made anew for every
/// call, from its arguments, and entered when the call is first polled; the resources are there by name.
/// What the body returns decides the outcome: an `Err` is `Failed`.
///
/// With `catch(name = context?)` a function whose error was swallowed results in `()`, `None`, or `Ok` of these. With
/// `attempt(name = context?)` it results in all errors, as the `Err` of its `Result`. Only a `?` reaches a context in `catch`:
/// an `Err` that the function returns leaves it as it is.
///
/// Python: a context manager used as a decorator, but the resource can be used.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{async_context, within, yield_resource};
/// use std::num::ParseIntError;
///
/// #[async_context]
/// async fn offset(of: i32) -> Result<i32, ParseIntError> {
///     let mut offset = of;
///     yield_resource!(offset);
///     Ok(())
/// }
///
/// #[within(offset = offset(of)?)]
/// async fn parse(text: &str, of: i32) -> Result<i32, ParseIntError> {
///     let number: i32 = text.parse()?;
///     Ok(number + *offset)
/// }
///
/// assert_eq!(parse("40", 2).await, Ok(42));
/// assert!(parse("forty", 2).await.is_err());
/// # }
/// ```
///
/// Several `#[within]` on one function are entered from the top to the bottom and exited in reverse, as with
/// Python's decorators; later ones may use what earlier ones lend.
///
/// Together with `#[tokio::test]`, above or below it, it makes fixtures whose teardown is asynchronous and
/// also runs when the test fails or panics. It works on the methods of an `impl` with `#[async_trait]`, and above
/// or below `#[async_recursion]`, `#[sqlx::test]`, and `#[rstest]` with fixtures only. If `#[rstest]` has cases or values,
/// `#[within]` belongs above it. A plain function that returns a future is an error.
///
/// `crate = path` among the arguments says where guard-core is, if it was renamed or re-exported.
///
/// # Expansion
///
/// ```text
/// async fn parse(text: &str, of: i32) -> Result<i32, ParseIntError> {
///     let out = async_with!(offset = offset(of)?, {
///         return { /* the body */ };
///     });
///     out
/// }
/// ```
pub use guard_macros::within;

/// Uses one or several contexts for the time of a block.
///
/// ```text
/// async_with!(name = context?, { … })
/// ```
///
/// Python: `async with context as name: …`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), std::num::ParseIntError> {
/// use guard_core::{async_context, async_with, yield_resource};
/// use std::num::ParseIntError;
///
/// #[async_context]
/// async fn list(start: u32) -> Result<Vec<u32>, ParseIntError> {
///     let mut list = vec![start];
///     yield_resource!(list);
///     Ok(())
/// }
///
/// let sum: u32 = async_with!(
///     first = list(1)?,
///     // Later ones may use earlier ones.
///     second = list(first[0] + 1)?,
///     {
///         second.push("39".parse()?);
///         first.iter().chain(second.iter()).sum()
///     }
/// );
/// assert_eq!(sum, 42);
/// # Ok(()) }
/// ```
///
/// - The value is the value of the block.
/// - `?`, `return`, `break` and `continue` in the block mean what they mean around it, after the exits have
///   run. (For the borrow checker the block is an `async` block, all the same: it cannot initialise a variable
///   that was declared before it, for which there is its value, `let n = async_with!(…)`; and what it moves is moved on
///   every path.)
/// - A use has failed if it is left by `?`, or if what it is left with is a `Result` that is `Err`: the value of the
///   block, of a `return`, of a `break`. Then the contexts exit with `Failed`, else with `Completed`. The type of the
///   value decides, never how it is spelt, also where it is generic. `None`, `ControlFlow::Break` or a response with an error
///   status are successes. To carry a `Result` out as data, wrap it: `(result,)`.
/// - In the arguments of another macro, too, `break` and `continue` mean what they mean without `async_with!`:
///   the loop that the macro brings, or the one around the block. (If the macro declares variables and such a
///   jump stands in its arguments, they are not there after it. A `break` that only the definition of the macro
///   has does not compile.)
/// - It waits in place, so it needs no `.await`, and is no future. Where a future is wanted, as in `timeout`, `select!`,
///   `join!` or `spawn`, write `async { async_with!(…) }`, or use [`with`](crate::AsyncContext::with). The guide has a list of
///   [what rustc says](crate::guide::using#what-rustc-says) of such mistakes.
/// - rustfmt formats a call like that of a function, contexts and block. A comma after the block is accepted.
/// - The `?` after a context is where its own errors leave, of entering and of exiting. A context that cannot
///   fail needs none, and may have one in any function.
/// - Several contexts are entered in order and exited in reverse. Those inside
///   `join(a = first()?, b = second()?)` are entered concurrently and exited concurrently; if one cannot be
///   entered, the others are exited with `Failed`. It needs the feature `alloc`; which error leaves is
///   said at [`Join`](crate::context::Join).
/// - When a [`yield_resource!`](crate::yield_resource) stands in the block, that is in a context made of contexts,
///   and the block ends without an error, the contexts exit with the outcome that the yield told. So an inner
///   transaction is not committed when the use of the outer context has failed.
/// - A context may end its block by what goes on [beside](crate::yield_resource#beside-the-block) it. Then the contexts
///   behind it in the call exit in place, with `Cancelled`.
///
/// # Errors handled where they stand
///
/// In the place of the first context of a call:
///
/// - `catch(name = context?)` is for a context that catches (`#[async_context(catch)]`). It is handed the error of a `?`
///   in the block and of the later contexts, converted by `From`. The value of the whole is an `Option`, `None` if it
///   swallowed the error. Only a `?` reaches it. An `Err` that leaves otherwise, by `return` or as the value, tells it
///   `Cancelled`; rustc warns where the block ends in `Err(…)`. To carry a `Result` out as data, wrap it: `(result,)`.
///   Python: `async with suppress(…):`.
/// - `attempt(name = context?)` is for all other contexts. The value of the whole is a `Result`: `Err` with the error of a
///   `?`, or of the context itself. Where nothing else tells the type of the error, write
///   `attempt::<Error>(name = context?)`.
///
/// `return`, `break` and `continue` leave the function or the loop, as in every other use.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{async_context, async_with, yield_resource};
/// use std::io;
///
/// #[async_context]
/// async fn log() -> io::Result<Vec<String>> {
///     let mut lines = Vec::new();
///     yield_resource!(lines);
///     Ok(())
/// }
///
/// async fn first(names: &[&str]) -> Option<String> {
///     for name in names {
///         let read: io::Result<String> = async_with!(attempt(log = log()?), {
///             log.push(format!("reading {name}"));
///             tokio::fs::read_to_string(name).await?
///         });
///         match read {
///             Ok(text) => return Some(text),
///             Err(error) => eprintln!("{name}: {error}"),
///         }
///     }
///     None
/// }
///
/// assert_eq!(first(&["/no/such/file"]).await, None);
/// # }
/// ```
///
/// # Cancellation
///
/// Dropping the enclosing future drops the block first, then the contexts in reverse; each is finished as
/// [`async_context`] says, and waits for the one before. What is dropped unfinished in the block while that goes on is
/// waited for by the exit: see the [guide](crate::guide::cancellation#who-waits-for-whom).
///
/// # Expansion
///
/// ```text
/// let next = match open(path) { // its temporaries live until the exit
///     used => {
///         let file = Tie::new(); // what is lent must not outlive it
///         let used = pin!(DroppedByUse::new(used));
///         let (used, link) = tied(used, &file);
///         let block = pin!(DroppedByUse::new(async {
///             let file = link.resource();
///             value = Some(link.leaves_with({ /* the block */ }));
///             match link.finish().await {}
///         }));
///         in_function(used, block, &link).await // enters, polls the block in place, exits
///     }
/// };
/// match next {
///     Next::Finished => {}
///     Next::Returned(returned) => return returned, // by a `return` or a `?` in the block
///     Next::Failed(error) => Err(error)?, // the context's own
/// }
/// value.unwrap()
/// ```
#[macro_export]
macro_rules! async_with {
    ($($tokens:tt)*) => {
        $crate::__private::async_with! { $crate; $($tokens)* }
    };
}
