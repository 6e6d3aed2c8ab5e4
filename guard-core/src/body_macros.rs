//! The macros that stand in the body of an `#[async_context]` function.

/// Lends the resource, and waits until its use has ended: the one `yield` of an
/// [`#[async_context]`](crate::async_context) function.
///
/// `yield_resource!(place)` lends `&mut place`, whose type is the context's resource type;
/// `yield_resource!()` lends `()`. The value is the [`Outcome`](crate::Outcome): what follows is the
/// clean-up, and it runs however the use ended.
///
/// `yield_resource!((a, b))` lends a new tuple of the two: what is `Copy` is copied into it, and the block changes the copy.
/// `let mut both = (a, b); yield_resource!(both)` shows that to the reader.
///
/// In a context made of contexts, where `connection` is what [`async_with!`](crate::async_with) lends,
/// `yield_resource!(connection)` lends the same on.
///
/// Python: the `yield` of an `@asynccontextmanager` function.
///
/// # Beside the block
///
/// `yield_resource!(place, future)` also drives `future` while the resource is lent, and `yield_resource!((), future)` does
/// so with nothing to lend: a lease that is renewed, a heartbeat, a watchdog. The future may borrow the locals of the
/// context. It results in a `Result<(), E>` with the context's error; in a context that cannot fail, in `()`.
///
/// - `Ok(())`: the block goes on by itself.
/// - `Err(error)` ends the block, which is dropped where it waits. The yield then evaluates to
///   [`Cancelled`](crate::Outcome::Cancelled), and when the exit is over, the use fails with `error`. An error of the exit is
///   [reported](crate::set_reporter); [`try_with`](crate::AsyncContext::try_with) returns both.
/// - A panic ends the block too. The yield evaluates to [`Panicked`](crate::Outcome::Panicked), and the panic goes on after
///   the exit.
///
/// The block is polled first: if it has ended, its result stands. The future goes on while the use waits for what was
/// dropped in its block, where an error is only reported. It is dropped when the exit begins.
///
/// A context that catches (`#[async_context(catch)]`) is told the error as
/// [`Failed`](crate::Outcome::Failed), and may swallow it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use guard_core::{Outcome, async_context, async_with, yield_resource};
/// use std::{io, time::Duration};
/// use tokio::time::sleep;
///
/// struct Lease {
///     renewals: u32,
/// }
///
/// impl Lease {
///     async fn renew(&mut self) -> io::Result<()> {
///         self.renewals += 1;
///         if self.renewals == 3 {
///             return Err(io::Error::other("the lease was lost"));
///         }
///         Ok(())
///     }
/// }
///
/// #[async_context]
/// async fn lease() -> io::Result<u32> {
///     let mut lease = Lease { renewals: 0 };
///     let mut token = 7;
///     let outcome = yield_resource!(token, async {
///         loop {
///             sleep(Duration::from_secs(10)).await;
///             lease.renew().await?;
///         }
///     });
///     assert_eq!(outcome, Outcome::Cancelled);
///     Ok(())
/// }
///
/// async fn work() -> io::Result<()> {
///     async_with!(token = lease()?, {
///         assert_eq!(*token, 7);
///         sleep(Duration::from_secs(3600)).await;
///     });
///     Ok(())
/// }
///
/// assert_eq!(work().await.unwrap_err().to_string(), "the lease was lost");
/// # }
/// ```
///
/// It is driven in every form of a use: `async_with!`, `#[within]`, `.with` and the methods like it, and by a
/// [`Guard`](crate::Guard) in [`drive`](crate::Guard::drive). In a context made of contexts whoever uses the outermost one
/// drives it. On an [exit stack](crate::exit_stack) and in [`optional`](crate::optional), [`lazy`](crate::lazy) and
/// [`swap`](crate::swap) it is driven by their use, from when the context is entered. A stack that is owned has nobody who
/// could drive it, and panics when such a context is entered. So do hand-written contexts around another one when its
/// resource is lent.
///
/// # Cancellation
///
/// The block is dropped first, then what is beside it, then the context goes on as without a
/// future beside the block.
#[macro_export]
macro_rules! yield_resource {
    ($($place:tt)*) => {
        $crate::__private::yield_resource! { $($place)* }
    };
}

/// Marks a wait in a context's set-up that a cancelled enter may give up.
///
/// `cancellable!(future)` awaits the future and has its value. If the user of the context is cancelled
/// meanwhile, the context is dropped on the spot, where otherwise its set-up would be finished in the
/// background. For waits that take nothing until they are over, such as those for a lock.
///
/// It marks a wait of the context in whose body it stands. If that context is entered in the set-up of another one, the set-up
/// of the other one is finished in the background all the same. There, `cancellable!(inner().enter())` waits for a
/// [`Guard`](crate::Guard) of the inner context that may be given up too.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{async_context, async_with, cancellable, yield_resource};
/// use std::sync::Arc;
/// use tokio::sync::Semaphore;
///
/// #[async_context]
/// async fn permit(semaphore: Arc<Semaphore>) {
///     let permit = cancellable!(semaphore.acquire());
///     yield_resource!();
///     drop(permit);
/// }
///
/// async_with!(_held = permit(Arc::new(Semaphore::new(1))), {});
/// # }
/// ```
#[macro_export]
macro_rules! cancellable {
    ($($future:tt)*) => {
        $crate::__private::cancellable! { $($future)* }
    };
}

// What the macros do stands in others, so that their documentation shows only what their users write.

#[doc(hidden)]
#[macro_export]
macro_rules! __yield_resource {
    // Only uses the import of the macro, so that no lint calls it unused.
    (@imported) => {};
    // Tokens, and no expression, for editors: it need not parse while it is typed.
    // The token is moved by a method without arguments: beside the error of a second yield rustc shows the line of its `self`.
    (@$lend:ident $token:ident $yielder:ident; $($resource:tt)*) => {
        $token.once().$lend(&$yielder, $($resource)*).await
    };
    (@$lend:ident $token:ident $yielder:ident catch; $($resource:tt)*) => {
        $crate::__private::caught($token.once().$lend(&$yielder, $($resource)*).await)
    };
    // In another macro than the `async_with!` that it was taken for.
    (@[$($label:lifetime)+] $($lent:tt)*) => {{
        #[allow(unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop)]
        if false {
            $(break $label loop {};)+
        }
        $crate::__private::yield_resource!(@$($lent)*)
    }};
    (@misplaced $caught:ty; $($resource:expr),* $(,)?) => {{
        $(let _ = &mut $resource;)*
        $crate::__private::misplaced_yield::<$caught>()
    }};
    ($($place:expr),* $(,)?) => {
        $crate::__private::core::compile_error!(
            "`yield_resource!` belongs directly in the body of an `async fn` with `#[async_context]`, and keeps its name: no `as` in its `use`, but `use guard_core::yield_resource;`, and then `yield_resource!(resource)`"
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __cancellable {
    (@imported) => {};
    (@window $token:ident $yielder:ident; $future:expr) => {
        $token.window(&$yielder, $crate::__private::core::future::IntoFuture::into_future($future)).await
    };
    ($($future:tt)*) => {
        $crate::__private::core::compile_error!(
            "`cancellable!` belongs directly in the body of an `async fn` with `#[async_context]`, before its yield"
        )
    };
}
