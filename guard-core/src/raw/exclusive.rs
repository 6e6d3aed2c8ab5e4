//! A value that can be reached through an exclusive reference only.

/// Can be shared between threads whatever it contains, because a shared reference to it gives access to nothing.
pub(crate) struct Exclusive<T>(T);

// SAFETY: `&Exclusive<T>` gives access to nothing.
unsafe impl<T> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    #[inline]
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    #[inline]
    pub(crate) fn into_inner(self) -> T {
        self.0
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
