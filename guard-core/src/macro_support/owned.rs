//! What a guaranteed context owns: its arguments, and with `owned` the copies of what references point to.

/// What may be part of a guaranteed context.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a guaranteed context",
    label = "not `Send + 'static`",
    note = "its clean-up may go on in the background, so a guaranteed context owns what it uses and can be sent to another thread",
    note = "write `#[async_context(scoped)]` for a context that is dropped where it stands when its user is cancelled, or pass something that is `Send + 'static`, such as an `Arc`"
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

/// What `#[async_context(owned)]` can make an owned value of: `ToOwned`, for references of any kind.
#[cfg(feature = "alloc")]
#[diagnostic::on_unimplemented(
    message = "`owned` cannot make an owned value of a `&{Self}`",
    label = "`{Self}` is neither `Clone` nor `ToOwned`",
    note = "derive `Clone` for it, or take it by value, such as in an `Arc`, or write `#[async_context(scoped)]` for a context that borrows"
)]
pub trait Keep {
    /// The owned form.
    type Owned;

    /// Makes the owned form.
    fn keep(&self) -> Self::Owned;

    /// Borrows the owned form as the type of the argument.
    fn lend(owned: &Self::Owned) -> &Self;
}

#[cfg(feature = "alloc")]
#[diagnostic::do_not_recommend]
impl<T: alloc::borrow::ToOwned + ?Sized> Keep for T {
    type Owned = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }

    fn lend(owned: &T::Owned) -> &T {
        core::borrow::Borrow::borrow(owned)
    }
}

/// What `#[async_context(owned)]` can make an owned value of as `&self`: `Clone`.
#[cfg(feature = "alloc")]
#[diagnostic::on_unimplemented(
    message = "`owned` cannot make an owned value of `&self`",
    label = "`{Self}` is not `Clone`",
    note = "derive `Clone` for it, or take `self: Arc<Self>`, or write `#[async_context(scoped)]` for a context that borrows"
)]
pub trait KeepSelf: Sized {
    /// An owned value of what was `&self`.
    #[must_use]
    fn keep_self(&self) -> Self;
}

#[cfg(feature = "alloc")]
#[diagnostic::do_not_recommend]
impl<T: Clone> KeepSelf for T {
    fn keep_self(&self) -> Self {
        self.clone()
    }
}

/// An owned value of what was a reference.
///
/// Its methods have no bounds, so that a type which cannot be owned causes one error.
#[cfg(feature = "alloc")]
pub struct Kept<T: ?Sized, O> {
    owned: O,
    lend: fn(&O) -> &T,
}

/// An owned value of an argument.
#[cfg(feature = "alloc")]
pub fn keep<T: Keep + ?Sized>(argument: &T) -> Kept<T, T::Owned> {
    Kept {
        owned: argument.keep(),
        lend: T::lend,
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized, O> Kept<T, O> {
    /// The reference that the body of the context sees.
    #[must_use]
    pub fn lent(&self) -> &T {
        (self.lend)(&self.owned)
    }

    /// The value that the context owns.
    #[must_use]
    pub fn owned(&self) -> &O {
        &self.owned
    }
}
