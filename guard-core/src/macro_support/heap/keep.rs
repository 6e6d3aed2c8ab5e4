//! Makes owned copies of the arguments of a context with `owned`.

/// What `#[async_context(owned)]` can make an owned value of: `ToOwned`, for references of any kind.
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

#[diagnostic::do_not_recommend]
impl<T: Clone> KeepSelf for T {
    fn keep_self(&self) -> Self {
        self.clone()
    }
}

/// An owned value of what was a reference.
///
/// Its methods have no bounds, so that a type which cannot be owned causes one error.
pub struct OwnedArgument<T: ?Sized, O> {
    owned: O,
    lend: fn(&O) -> &T,
}

/// An owned value of an argument.
pub fn keep<T: Keep + ?Sized>(argument: &T) -> OwnedArgument<T, T::Owned> {
    OwnedArgument {
        owned: argument.keep(),
        lend: T::lend,
    }
}

impl<T: ?Sized, O> OwnedArgument<T, O> {
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
