//! Checks that a guaranteed context owns its arguments.

/// What may be part of a guaranteed context.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a guaranteed context",
    label = "not `Send + 'static`",
    note = "its clean-up may go on in the background, so a guaranteed context owns what it uses and can be sent to another thread",
    note = "pass something that is `Send + 'static`, such as an `Arc`, or write `#[async_context(local)]` for a context that stays on its thread, or `#[async_context(scoped)]` for one that is dropped where it stands when its user is cancelled"
)]
pub trait Owned {
    /// Requires it. The expansion calls it for each argument, so that the error is at the argument.
    fn owned(&self) {}
}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Owned for T {}

/// [`Owned::owned`] for a generic argument, about which rustc itself knows which bound is missing.
pub fn owned_generic<T: Send + 'static>(_: &T) {}

/// [`Owned::owned`] for a context that need not be `Send`. rustc itself knows which lifetime is too short.
pub fn owned_locally<T: 'static>(_: &T) {}
