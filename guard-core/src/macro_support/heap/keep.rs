//! Makes owned copies of the arguments of a context with `owned`.

#![allow(
    clippy::unused_self,
    reason = "generated code calls these methods, and only their place matters"
)]

use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::marker::PhantomData;
use core::ops::Deref;

/// No type implements it: its message is the error of an argument of which no owned value can be made.
#[diagnostic::on_unimplemented(
    message = "`owned` cannot make an owned value of a `&{T}`",
    label = "`{T}` is neither `Clone` nor `ToOwned`",
    note = "take an `Arc<{T}>`, or derive `Clone` for the type, or write `#[async_context(scoped)]` for a context that is dropped where it stands when its user is cancelled"
)]
pub trait Keep<T: ?Sized> {}

/// What `#[async_context(owned)]` can make an owned value of as `&self`: `Clone`.
#[diagnostic::on_unimplemented(
    message = "`owned` cannot make an owned value of `&self`",
    label = "`{Self}` is not `Clone`",
    note = "derive `Clone` for it, or take `self: Arc<Self>`, or write `#[async_context(scoped)]` for a context that is dropped where it stands when its user is cancelled"
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

/// An argument that is a reference.
///
/// Generated code calls its method `keep`. If the bound of that is not met, rustc finds the one of [`NotKept`], which has the
/// message. So there is one error, also if the type has no size.
pub struct Argument<'a, T: ?Sized>(&'a T, NotKept<T>);

/// An argument of which no owned value can be made.
pub struct NotKept<T: ?Sized>(PhantomData<fn(*const T)>);

/// An owned value of what was a reference.
pub struct OwnedArgument<T: ?Sized, O> {
    owned: O,
    lend: fn(&O) -> &T,
}

/// An argument of a context with `owned`.
pub const fn argument<T: ?Sized>(argument: &T) -> Argument<'_, T> {
    Argument(argument, NotKept(PhantomData))
}

impl<T: ToOwned + ?Sized> Argument<'_, T> {
    /// An owned value of it.
    #[must_use]
    pub fn keep(self) -> OwnedArgument<T, T::Owned> {
        OwnedArgument {
            owned: self.0.to_owned(),
            lend: T::Owned::borrow,
        }
    }
}

impl<T: ?Sized> Deref for Argument<'_, T> {
    type Target = NotKept<T>;

    fn deref(&self) -> &NotKept<T> {
        &self.1
    }
}

impl<T: ?Sized> NotKept<T> {
    /// Does not compile.
    #[must_use]
    pub fn keep(&self) -> Self
    where
        (): Keep<T>,
    {
        unreachable!("the program does not compile")
    }

    /// As that of [`OwnedArgument`].
    #[must_use]
    pub fn lent(&self) -> &T {
        unreachable!("the program does not compile")
    }

    /// As that of [`OwnedArgument`].
    #[must_use]
    pub fn owned(&self) -> &() {
        &()
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
