//! The list of what goes on beside a block. The block adds to it while it runs.
//!
//! An exit stack lends a handle, and what is entered by that may go on beside the block. The driver asks once, before the
//! block begins, and must not go through the handle, which the block has exclusively and can move away. So the driver
//! and the handle share a list.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};

use crate::platform::locked::Locked;
use crate::platform::panics::Panic;
use crate::raw::{
    BesidePtr, DriveNode, Driveable, EndedBeside, LaterPanics, end_each, is_not_driven,
};

/// What goes on beside the block of a use, in the order in which it was added.
pub(crate) struct BesideList<T: ?Sized> {
    list: Locked<Vec<Weak<T>>>,
    /// The length of the list: usually there is nothing.
    count: AtomicUsize,
    /// The address of the handle while the use lends it, or `NOWHERE` before the driver asks. A handle at another address
    /// was moved to another use.
    home: AtomicUsize,
    /// No driver polls the list, or none does any more.
    is_refused: AtomicBool,
}

impl<T: ?Sized> BesideList<T> {
    /// Changes the list.
    fn change<U>(&self, change: impl FnOnce(&mut Vec<Weak<T>>) -> U) -> U {
        self.list.with(|list| {
            let changed = change(list);
            self.count.store(list.len(), Ordering::Relaxed);
            changed
        })
    }

    /// Adds a future to the list.
    fn add(&self, one: Weak<T>) {
        self.change(|list| list.push(one));
    }

    /// Empties the list: the use no longer drives what was in it.
    fn clear(&self) {
        drop(self.change(core::mem::take));
    }

    /// The one at this place of the list, from which those that are gone are removed.
    fn get(&self, index: usize) -> Option<Arc<T>> {
        loop {
            let (found, gone) = self.change(|list| {
                let found = list.get(index)?.upgrade();
                let gone = found.is_none().then(|| list.remove(index));
                Some((found, gone))
            })?;
            drop(gone);
            if found.is_some() {
                return found;
            }
        }
    }
}

impl<T> Driveable for BesideList<T>
where
    T: Driveable + ?Sized,
{
    fn poll(&self, cx: &mut Context<'_>, after_block: bool) -> Poll<EndedBeside> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Poll::Pending;
        }
        let mut index = 0;
        while let Some(one) = self.get(index) {
            if let Poll::Ready(ended) = one.poll(cx, after_block) {
                return Poll::Ready(ended);
            }
            index += 1;
        }
        Poll::Pending
    }

    fn end(&self, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        self.is_refused.store(true, Ordering::Relaxed);
        let list = self.change(core::mem::take);
        // The last first, as they are exited.
        let last_first = list.iter().rev().filter_map(Weak::upgrade);
        end_each(last_first, later, |one, later| one.end(later))
    }

    fn refuse(&self) -> bool {
        let mut index = 0;
        // An item may be the list of a stack on the stack, which may be empty too.
        while let Some(one) = self.get(index) {
            if !one.refuse() {
                return false;
            }
            index += 1;
        }
        self.is_refused.store(true, Ordering::Relaxed);
        true
    }
}

/// No address of a handle.
const NOWHERE: usize = 0;

/// The [`BesideList`] of a use, for its driver.
pub(crate) struct DriverSide<T>(Option<Arc<DriveNode<BesideList<T>>>>)
where
    T: Driveable + ?Sized;

/// The [`BesideList`] of a use, for the handle that it lends.
pub(crate) struct HandleSide<T: ?Sized>(Option<Arc<DriveNode<BesideList<T>>>>);

impl<T> DriverSide<T>
where
    T: Driveable + ?Sized,
{
    /// Until the driver asks.
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// For the driver. When it asks for the first time, `handle` is where the use lends its handle from then on.
    pub(crate) fn beside<H>(
        &mut self,
        handle: &mut H,
        handle_side: impl FnOnce(&mut H) -> &mut HandleSide<T>,
    ) -> BesidePtr {
        let here = ptr::from_mut(handle).addr();
        let list = self.open(handle_side(handle));
        list.home.store(here, Ordering::Relaxed);
        DriveNode::beside(list)
    }

    /// Adds the first, before the driver asks.
    pub(crate) fn add(&mut self, handle_side: &mut HandleSide<T>, one: Weak<T>) {
        self.open(handle_side).add(one);
    }

    /// Checks that a driver has asked, now that the resource is lent.
    ///
    /// # Panics
    ///
    /// If something goes on beside it, and the driver has not asked.
    pub(crate) fn lend(&self) {
        let Some(list) = &self.0 else {
            return;
        };
        if list.home.load(Ordering::Relaxed) == NOWHERE && !list.refuse() {
            is_not_driven();
        }
    }

    fn open(&mut self, handle_side: &mut HandleSide<T>) -> &Arc<DriveNode<BesideList<T>>> {
        self.0.get_or_insert_with(|| {
            let list = DriveNode::new(BesideList {
                list: Locked::new(Vec::new()),
                count: AtomicUsize::new(0),
                home: AtomicUsize::new(NOWHERE),
                is_refused: AtomicBool::new(false),
            });
            handle_side.0 = Some(list.clone());
            list
        })
    }
}

impl<T> Drop for DriverSide<T>
where
    T: Driveable + ?Sized,
{
    fn drop(&mut self) {
        // The handle may be elsewhere.
        if let Some(list) = &self.0 {
            list.is_refused.store(true, Ordering::Relaxed);
        }
    }
}

impl<T: ?Sized> HandleSide<T> {
    /// Nobody drives what is added.
    pub(crate) const fn nowhere() -> Self {
        Self(None)
    }

    /// Returns a function that adds to the list of the use that lends `handle`, if a driver polls that list.
    pub(crate) fn driver<H>(&self, handle: &H) -> Option<impl FnOnce(Weak<T>)> {
        let here = ptr::from_ref(handle).addr();
        let list = self.0.as_ref()?;
        let is_driven =
            list.home.load(Ordering::Relaxed) == here && !list.is_refused.load(Ordering::Relaxed);
        is_driven.then_some(move |one| list.add(one))
    }

    /// The use does not drive any longer what was added.
    pub(crate) fn clear(&self) {
        if let Some(list) = &self.0 {
            list.clear();
        }
    }
}
