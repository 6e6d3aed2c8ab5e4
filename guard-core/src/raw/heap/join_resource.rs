//! Two resources are lent by one reference.

use core::fmt;
use core::ptr::NonNull;

/// The resources of two joined contexts, which the block of `join(…)` has by their names.
//
// It is unsized, so safe code cannot swap it with another pair through its `&mut`.
pub struct JoinResource<A: ?Sized, B: ?Sized, End: ?Sized = [()]> {
    resources: Option<(NonNull<A>, NonNull<B>)>,
    _end: End,
}

impl<A: ?Sized, B: ?Sized, End: ?Sized> fmt::Debug for JoinResource<A, B, End> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinResource").finish_non_exhaustive()
    }
}

// SAFETY: it stands for a `&mut A` and a `&mut B`.
unsafe impl<A: ?Sized + Send, B: ?Sized + Send, End: ?Sized + Send> Send
    for JoinResource<A, B, End>
{
}
// SAFETY: `&JoinResource` gives access to nothing.
unsafe impl<A: ?Sized + Sync, B: ?Sized + Sync, End: ?Sized + Sync> Sync
    for JoinResource<A, B, End>
{
}

impl<A: ?Sized, B: ?Sized> JoinResource<A, B> {
    /// The two resources.
    #[doc(hidden)]
    #[inline]
    pub fn lend(&mut self) -> (&mut A, &mut B) {
        match &mut self.resources {
            // SAFETY: `JoinResourcePlace::lend` put them there, and made the reference that `self` is, or was borrowed from:
            // there is no other way to a `&mut JoinResource<A, B>`, and a pair cannot be moved to where another reference is.
            // The two were borrowed for the lifetime of that reference, and nobody but `self` has them.
            Some((first, second)) => unsafe { (first.as_mut(), second.as_mut()) },
            None => unreachable!("a pair is lent with its resources"),
        }
    }
}

/// Where a [`JoinResource`] stands.
pub(crate) struct JoinResourcePlace<A: ?Sized, B: ?Sized>(JoinResource<A, B, [(); 0]>);

impl<A: ?Sized, B: ?Sized> JoinResourcePlace<A, B> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(JoinResource {
            resources: None,
            _end: [],
        })
    }

    /// Both at once, for as long as both are borrowed.
    #[inline]
    pub(crate) fn lend<'a>(
        &'a mut self,
        first: &'a mut A,
        second: &'a mut B,
    ) -> &'a mut JoinResource<A, B> {
        self.0.resources = Some((NonNull::from(first), NonNull::from(second)));
        &mut self.0
    }
}
