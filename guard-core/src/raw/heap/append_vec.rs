//! A list of handles grows while the resources of some of them are in use.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;

use super::{KeptContext, LentContext};
use crate::AsyncContext;
use crate::platform::locked::Locked;

/// A list that can be added to while it is shared. Entries leave it only when it is not shared: so what an entry
/// lends stays borrowed as long as the list is.
pub(crate) struct AppendVec<T: ?Sized> {
    entries: Locked<Vec<Box<T>>>,
}

impl<T: ?Sized> AppendVec<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Locked::new(Vec::new()),
        }
    }

    pub(crate) fn push(&self, entry: Box<T>) {
        self.entries.with(|entries| entries.push(entry));
    }

    /// The entries themselves, which nobody borrows from any more.
    pub(crate) fn get_mut(&mut self) -> &mut Vec<Box<T>> {
        self.entries.get_mut()
    }

    /// Puts an entered context on the list and lends its resource for as long as the list is
    /// shared.
    #[allow(
        clippy::mut_from_ref,
        reason = "what is lent lies behind a pointer of its own"
    )]
    #[inline]
    pub(crate) fn lend<C, X>(
        &self,
        lent: LentContext<C, X>,
        into_entry: impl FnOnce(KeptContext<C, X>) -> Box<T>,
    ) -> &mut C::Resource
    where
        C: AsyncContext<X>,
    {
        let (mut resource, kept) = lent.into_parts();
        self.push(into_entry(kept));
        // SAFETY: `lent` borrows the resource from a context in a box of its own. `into_entry` is given a
        // `KeptContext`, by which the resource cannot be had, also not by what `look` finds; all that can be done
        // with it is to end the borrow, for which it is taken, or borrowed exclusively. Entries can be taken, changed,
        // moved or dropped only through `&mut AppendVec` or its destructor, hence after the borrow of `self` that the
        // reference carries. The resource is lent once, here.
        unsafe { resource.as_mut() }
    }

    /// What `look` finds in the entry at the position that `find` says, for as long as the list is shared.
    pub(crate) fn look<U>(
        &self,
        find: impl FnOnce(&Vec<Box<T>>) -> Option<usize>,
        look: impl FnOnce(&T) -> Option<&U>,
    ) -> Option<&U>
    where
        U: Sync + ?Sized,
    {
        let found = self.entries.with(|entries| {
            let entry = entries.get(find(entries)?)?;
            look(entry).map(NonNull::from)
        });
        // SAFETY: it was borrowed from an entry, which lies in a box of its own, so that it stays where it
        // is when the list grows. The entry can be taken, changed or dropped only through `&mut AppendVec` or
        // its destructor, hence after the borrow of `self` that the reference carries; until then all that
        // is had of it are shared references. The entries themselves are used under the lock, by one thread
        // at a time; what is found leaves the lock, and is `Sync`.
        found.map(|found| unsafe { found.as_ref() })
    }
}
