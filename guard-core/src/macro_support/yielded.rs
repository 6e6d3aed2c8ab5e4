//! Checks of a yield: it lends the declared type, and a name in the second place is a future.

#![allow(
    clippy::unused_self,
    reason = "generated code calls these methods, and only their place matters"
)]
#![allow(
    clippy::mismatching_type_param_order,
    reason = "`IsLent` compares its parameters"
)]

use core::future::Future;
use core::marker::PhantomData;
use core::ops::Deref;

/// The resource of a context that declares no return type.
#[diagnostic::on_unimplemented(
    message = "this context lends a `{Self}`, and declares nothing: write `-> {Self}`, or `-> Result<{Self}, E>` if it can fail",
    label = "a `{Self}`: the return type of a context is the type of what it lends"
)]
pub trait Undeclared<R> {
    /// The resource itself.
    fn undeclared(&mut self) -> &mut R;
}

#[diagnostic::do_not_recommend]
impl<R> Undeclared<R> for R {
    #[inline]
    fn undeclared(&mut self) -> &mut R {
        self
    }
}

/// The resource of a context that declares a reference.
#[diagnostic::on_unimplemented(
    message = "this context declares to lend a `{R}`, and here it lends a `{Self}`: declare it without the `&`",
    label = "a `{Self}`, of which `yield_resource!` makes a `&mut {Self}` by itself"
)]
pub trait DeclaredAs<R> {
    /// The resource itself.
    fn declared_as(&mut self) -> &mut R;
}

#[diagnostic::do_not_recommend]
impl<R> DeclaredAs<R> for R {
    #[inline]
    fn declared_as(&mut self) -> &mut R {
        self
    }
}

/// The resource of a context that is lent as a `&place`.
#[diagnostic::on_unimplemented(
    message = "`yield_resource!` makes the `&mut` of what it lends by itself: write the place without the `&`",
    label = "a `{Self}`, where the context declares to lend a `{R}`"
)]
pub trait LentByItself<R> {
    /// The resource itself.
    fn lent_by_itself(&mut self) -> &mut R;
}

#[diagnostic::do_not_recommend]
impl<R> LentByItself<R> for R {
    #[inline]
    fn lent_by_itself(&mut self) -> &mut R {
        self
    }
}

/// No type implements it: its message is the error of a name that is a shared reference.
#[diagnostic::on_unimplemented(
    message = "`yield_resource!` lends the `&mut` of what the context owns, and this is a `{Self}`",
    label = "a reference, behind which nothing can be changed",
    note = "lend a value: `let mut lent = reference.clone();`, and `yield_resource!(lent)`",
    note = "a `scoped` context may lend the reference, and then declares that: `-> {Self}`"
)]
pub trait LentByReference {}

/// Asks whether a name of the type `T` is a shared reference to what is declared, an `R`.
///
/// rustc looks for the method by value first. So of a type that is not known yet it concludes that it is the declared one.
#[inline]
pub const fn is_lent<T: ?Sized, R: ?Sized>(_: &&mut T) -> IsLent<T, R> {
    IsLent(PhantomData, MayBeLent)
}

/// See [`is_lent`].
pub struct IsLent<T: ?Sized, R: ?Sized>(PhantomData<fn(*const T, *const R)>, MayBeLent);

impl<R: ?Sized> IsLent<R, R> {
    /// The name has the declared type.
    #[inline]
    pub fn __guard_lent(self) {}
}

impl<'a, R: ?Sized> IsLent<&'a R, R> {
    /// The name is a shared reference to the declared type: does not compile.
    #[inline]
    pub fn __guard_lent(&self)
    where
        &'a R: LentByReference,
    {
    }
}

impl<T: ?Sized, R: ?Sized> Deref for IsLent<T, R> {
    type Target = MayBeLent;

    #[inline]
    fn deref(&self) -> &MayBeLent {
        &self.1
    }
}

/// The answer for everything else: rustc itself knows how to lend it, or why not.
pub struct MayBeLent;

impl MayBeLent {
    /// Anything else.
    #[inline]
    pub fn __guard_lent(&self) {}
}

/// What may go on beside a block: a future. No type implements it: its message is the error of all that is none.
#[diagnostic::on_unimplemented(
    message = "`yield_resource!` lends one place, and this is a second one",
    label = "a `{Self}`, which is no future that could go on beside the block",
    note = "to lend several, lend a tuple: `let mut both = (first, second); yield_resource!(both);`"
)]
pub trait GoesOnBeside {
    /// No type.
    type Lent;
}

/// The answer for a future.
pub struct MayGoOn;

impl MayGoOn {
    /// Gives both back, as they are.
    #[inline]
    pub fn lend<F, R: ?Sized>(self, beside: F, lent: &mut R) -> (F, &mut R) {
        (beside, lent)
    }
}

/// The answer for everything else.
pub struct CannotGoOn;

impl CannotGoOn {
    /// Does not compile.
    #[inline]
    pub fn lend<F: GoesOnBeside, R: ?Sized>(self, _: F, _: &mut R) -> F::Lent {
        unreachable!("the program does not compile")
    }
}

/// Asks of a name in the place of a future whether it is one.
#[inline]
pub const fn goes_on<F>(_: &F) -> GoesOn<F> {
    GoesOn(PhantomData)
}

/// See [`goes_on`].
pub struct GoesOn<F>(PhantomData<fn() -> F>);

impl<F: Future> GoesOn<F> {
    /// A future.
    #[inline]
    pub fn __guard_beside(self) -> MayGoOn {
        MayGoOn
    }
}

/// Found by reference, and so after the method for futures.
pub trait GoesOnAnything {
    /// Anything else.
    #[inline]
    fn __guard_beside(&self) -> CannotGoOn {
        CannotGoOn
    }
}

impl<F> GoesOnAnything for GoesOn<F> {}
