//! Telling threads apart.

use core::cell::Cell;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Which thread it is.
pub(crate) type Number = NonZeroUsize;

/// The number of this thread. Unlike `std::thread::current` it is there in the thread's last destructors too.
pub(crate) fn number() -> Number {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    std::thread_local! {
        static NUMBER: Cell<Option<NonZeroUsize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let new = NonZeroUsize::new(NEXT.fetch_add(1, Ordering::Relaxed));
            number.set(new);
            new.expect("a program has fewer threads than numbers")
        })
    })
}
