//! What the driver of a block and the block say of it to each other.

use core::sync::atomic::{AtomicU16, Ordering};

/// Flags about a block, set by the block and by its driver.
///
/// One thread at a time uses them. They are atomic because the block has a reference to them, and may be sent to another
/// thread together with them.
pub(crate) struct Marks(AtomicU16);

impl Marks {
    pub(super) const fn none() -> Self {
        Self(AtomicU16::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set(&self, marks: u16) {
        self.0.store(marks, Ordering::Relaxed);
    }

    /// Adds these.
    #[inline]
    pub(crate) fn add(&self, marks: u16) {
        self.set(self.get() | marks);
    }
}

/// Mark of a use: the future beside its block has ended the block.
pub(crate) const ENDED: u16 = 0x100;
/// Mark of a use: the future beside its block has failed, but only after the block of the outer use had ended. Or it has
/// panicked. An error of it is only reported.
pub(crate) const ENDED_AFTER_BLOCK: u16 = 0x200;
/// Mark of a use: the yield in its block has lent. The code after a yield always runs, so the block is not dropped. Set only on
/// a use whose context has a future beside the block.
pub(crate) const YIELDS: u16 = 0x400;
