//! The macros, with the documentation that belongs to them.

/// Lends the resource, and waits until its use has ended: the one `yield` of an
/// [`#[async_context]`](crate::async_context) function.
///
/// `yield_resource!(place)` lends `&mut place`, whose type is the context's resource type;
/// `yield_resource!()` lends `()`. The value is the [`Outcome`](crate::Outcome): what follows is the
/// clean-up, and it runs however the use ended.
///
/// Python: the `yield` of an `@asynccontextmanager` function.
#[macro_export]
macro_rules! yield_resource {
    (@$lend:ident $handle:ident $($catch:ident)?; $resource:expr) => {
        $handle.$lend($resource).await
    };
    (@misplaced $caught:ty; $($resource:expr),*) => {{
        $(let _ = &mut $resource;)*
        $crate::__private::misplaced_yield::<$caught>()
    }};
    ($($place:expr)?) => {
        $crate::__private::core::compile_error!(
            "`yield_resource!` belongs directly in the body of an `async fn` with `#[async_context]`"
        )
    };
}

/// Marks a wait in a context's set-up that a cancelled enter may give up.
///
/// `cancellable!(future)` awaits the future and has its value. If the user of the context is cancelled
/// meanwhile, the context is dropped on the spot, where otherwise its set-up would be finished in the
/// background. For waits that take nothing until they are over, such as those for a lock.
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
/// async_with!(_held = permit(Arc::new(Semaphore::new(1))) => {});
/// # }
/// ```
#[macro_export]
macro_rules! cancellable {
    (@window $handle:ident; $future:expr) => {
        $handle.window($crate::__private::core::future::IntoFuture::into_future($future)).await
    };
    ($($future:tt)*) => {
        $crate::__private::core::compile_error!(
            "`cancellable!` belongs directly in the body of an `async fn` with `#[async_context]`, before its yield"
        )
    };
}

#[cfg(feature = "macros")]
pub use guard_macros::{async_context, within};

/// Uses one or several contexts for the time of a block.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! async_with {
    ($($tokens:tt)*) => {
        $crate::__private::async_with! { $crate; $($tokens)* }
    };
}
