//! Gives access to a value that a call further down the stack of the thread has borrowed.

use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr;

/// What a thread works on now: a value that is exclusively borrowed by a call further down the stack, and the
/// frames of the calls that said what they are doing.
///
/// To be a thread-local. It needs no destructor, so that it is there in a thread's last destructors too.
pub(crate) struct Current<N, F> {
    value: Cell<*mut N>,
    frame: Cell<*const Frame<N, F>>,
}

/// One call that said what it is doing.
struct Frame<N, F> {
    doing: *const F,
    /// The value that was current when it began.
    under: *mut N,
    outer: *const Frame<N, F>,
}

/// Puts a pointer back, also when the call unwinds.
struct Restore<'a, P: Copy> {
    cell: &'a Cell<P>,
    before: P,
    // Not to be sent: the cell is a thread's own.
    _thread: PhantomData<*const ()>,
}

impl<'a, P: Copy> Restore<'a, P> {
    #[inline]
    fn after_setting(cell: &'a Cell<P>, now: P) -> Self {
        Self {
            cell,
            before: cell.replace(now),
            _thread: PhantomData,
        }
    }
}

impl<P: Copy> Drop for Restore<'_, P> {
    #[inline]
    fn drop(&mut self) {
        self.cell.set(self.before);
    }
}

impl<N, F> Current<N, F> {
    pub(crate) const fn nothing() -> Self {
        Self {
            value: Cell::new(ptr::null_mut()),
            frame: Cell::new(ptr::null()),
        }
    }

    /// Makes `value` the current one while `action` runs.
    #[inline]
    pub(crate) fn during<T>(&self, value: &mut N, action: impl FnOnce() -> T) -> T {
        let _restore = Restore::after_setting(&self.value, ptr::from_mut(value));
        action()
    }

    /// Begins a frame, which lasts while `action` runs.
    pub(crate) fn framed<T>(&self, doing: &F, action: impl FnOnce() -> T) -> T {
        let frame = Frame {
            doing: ptr::from_ref(doing),
            under: self.value.get(),
            outer: self.frame.get(),
        };
        let _restore = Restore::after_setting(&self.frame, ptr::from_ref(&frame));
        action()
    }

    /// Begins a frame in which no value is current.
    pub(crate) fn apart<T>(&self, doing: &F, action: impl FnOnce() -> T) -> T {
        let _restore = Restore::after_setting(&self.value, ptr::null_mut());
        self.framed(doing, action)
    }

    fn hide(&self) -> impl Sized {
        (
            Restore::after_setting(&self.value, ptr::null_mut()),
            Restore::after_setting(&self.frame, ptr::null()),
        )
    }

    /// The current value, if there is one. `action` finds none, and no frames.
    pub(crate) fn with<T>(&self, action: impl FnOnce(Option<&mut N>) -> T) -> T {
        let value = self.value.get();
        let _hidden = self.hide();
        // SAFETY: `value` is null, or was made from the `&mut N` of a call of `during` that is still running,
        // since it is set back when that ends. That call does not use its reference meanwhile. Nobody else
        // makes a reference from the pointer while this one lives: it is hidden, here and in `outward`, and so
        // are the frames, which know it too.
        action(unsafe { value.as_mut() })
    }

    /// Visits the frames that were begun since the current value became it, from the innermost outwards, until
    /// `visit` returns `false`.
    pub(crate) fn in_force(&self, mut visit: impl FnMut(&F) -> bool) {
        let value = self.value.get();
        let mut next = self.frame.get();
        // SAFETY: `next` is null, or points to the frame of a call of `framed` that is still running, since it
        // is set back when that ends; an outer frame lives longer. They are only read. The same holds for
        // `doing`, a reference that the call was given.
        while let Some(frame) = unsafe { next.as_ref() } {
            // SAFETY: as above.
            if !ptr::eq(frame.under, value) || !visit(unsafe { &*frame.doing }) {
                break;
            }
            next = frame.outer;
        }
    }

    /// Visits all frames from the innermost outwards, each with the value that was current when it began, until
    /// `visit` returns `false`. `visit` finds no current value, and no frames.
    pub(crate) fn outward(&self, mut visit: impl FnMut(&F, Option<&mut N>) -> bool) {
        let mut next = self.frame.get();
        let _hidden = self.hide();
        // SAFETY: as in `in_force`.
        while let Some(frame) = unsafe { next.as_ref() } {
            // SAFETY: `under` was current when the frame began, so it is null, or from a call of `during` that
            // began before the frame and is still running, as in `with`. One reference is made at a time, and
            // `visit` cannot come by another, for the current value and the frames are hidden.
            let under = unsafe { frame.under.as_mut() };
            // SAFETY: as in `in_force`.
            if !visit(unsafe { &*frame.doing }, under) {
                break;
            }
            next = frame.outer;
        }
    }
}
