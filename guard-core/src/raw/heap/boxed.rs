//! Makes a value directly in its place on the heap.

use alloc::boxed::Box;

/// Boxes the result of `make`. Allocates before it calls `make`.
///
/// [`Box::new`] is called with the value. If the allocation fails, it has to drop the value, so the compiler makes the
/// value on the stack and copies it.
#[inline]
pub(crate) fn boxed<T>(make: impl FnOnce() -> T) -> Box<T> {
    let mut place = Box::<T>::new_uninit();
    place.write(make());
    // SAFETY: it was written to. If `make` panics, the place is freed, and nothing in it is dropped.
    unsafe { place.assume_init() }
}
