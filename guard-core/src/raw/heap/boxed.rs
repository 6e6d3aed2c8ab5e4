//! A value is made where it is to stand, on the heap.

use alloc::boxed::Box;

/// A box of what `make` makes, for which there is a place already when it is called.
///
/// With [`Box::new`] the value comes first, and would have to be dropped if there were no memory. So it is made on
/// the stack and copied.
#[inline]
pub(crate) fn boxed<T>(make: impl FnOnce() -> T) -> Box<T> {
    let mut place = Box::<T>::new_uninit();
    place.write(make());
    // SAFETY: it was written to. If `make` panics, the place is freed, and nothing in it is dropped.
    unsafe { place.assume_init() }
}
