//! A list of handles grows while the resources of some of them are in use.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Held;
use crate::AsyncContext;
use crate::platform::shared::Shared;

/// A list that can be added to while it is shared, and whose entries can be got at only when it is
/// not: so what an entry lends stays borrowed as long as the shelf is.
pub(crate) struct Shelf<T: ?Sized> {
    entries: Shared<Vec<Box<T>>>,
}

impl<T: ?Sized> Shelf<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Shared::new(Vec::new()),
        }
    }

    pub(crate) fn push(&self, entry: Box<T>) {
        self.entries.with(|entries| entries.push(entry));
    }

    /// The entries themselves, which nobody borrows from any more.
    pub(crate) fn entries(&mut self) -> &mut Vec<Box<T>> {
        self.entries.get_mut()
    }

    /// Puts an entered context on the shelf and lends its resource for as long as the shelf is
    /// shared.
    #[allow(
        clippy::mut_from_ref,
        reason = "what is lent lies behind a pointer of its own"
    )]
    pub(crate) fn lend<C, X>(
        &self,
        held: Held<C, X>,
        into_entry: impl FnOnce(Held<C, X>) -> Box<T>,
    ) -> &mut C::Resource
    where
        C: AsyncContext<X>,
    {
        let mut resource = held.resource;
        self.push(into_entry(held));
        // SAFETY: `held` borrows the resource from a context in a box of its own, and `into_entry`
        // only wraps it: an entry uses it when it exits or is dropped. Entries leave the shelf, and
        // can be reached at all, only through `&mut Shelf` or its destructor, hence after the
        // borrow of `self` that the reference carries. The resource is lent once, here.
        unsafe { resource.as_mut() }
    }
}
