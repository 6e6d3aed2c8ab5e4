//! Without `std`, a function pointer is kept in an atomic.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicPtr, Ordering};

/// A function pointer that can be set at any time, from anywhere.
pub(crate) struct FnCell<F> {
    pointer: AtomicPtr<()>,
    _function: PhantomData<F>,
}

/// The function pointer types that are kept in a cell.
pub(crate) trait FnPointer: Copy {
    fn into_raw(self) -> *mut ();

    /// # Safety
    ///
    /// `raw` comes from `into_raw` of the same type.
    unsafe fn from_raw(raw: *mut ()) -> Self;
}

macro_rules! fn_pointers {
    ($($(#[$cfg:meta])* $type:ty),+ $(,)?) => {$(
        $(#[$cfg])*
        impl FnPointer for $type {
            fn into_raw(self) -> *mut () {
                self as *mut ()
            }

            unsafe fn from_raw(raw: *mut ()) -> Self {
                // SAFETY: the caller has it from `into_raw` of this type, and a function pointer
                // and a data pointer have the same size on every target with atomic pointers.
                unsafe { core::mem::transmute::<*mut (), $type>(raw) }
            }
        }
    )+};
}
fn_pointers!(
    fn(&crate::Report<'_>),
    #[cfg(feature = "alloc")]
    fn(crate::cleanup::Cleanup)
);

impl<F: FnPointer> FnCell<F> {
    pub(crate) const fn new() -> Self {
        Self {
            pointer: AtomicPtr::new(core::ptr::null_mut()),
            _function: PhantomData,
        }
    }

    pub(crate) fn set(&self, function: F) {
        self.pointer.store(function.into_raw(), Ordering::Release);
    }

    pub(crate) fn get(&self) -> Option<F> {
        let raw = self.pointer.load(Ordering::Acquire);
        // SAFETY: only `set` stores anything but null, and it stores an `F`.
        (!raw.is_null()).then(|| unsafe { F::from_raw(raw) })
    }
}
