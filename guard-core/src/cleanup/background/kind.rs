//! The two kinds of clean-ups: those that any thread may run, and those that stay on one thread.
//!
//! Everything else in this folder is written once, for both. A kind is the type of the exit, `dyn Unfinished + Send` or
//! `dyn Unfinished`, so the compiler checks that a clean-up which is not `Send` stays on its thread.

use std::boxed::Box;
use std::collections::BTreeMap;

use super::nest_entry::{LastPoll, NestEntry};
use super::spawner;
use super::task::{CleanupTask, Work};
use crate::cleanup::{Runtime, RuntimeId, Unfinished};

/// A kind of clean-ups.
pub(crate) trait Kind: Unfinished + 'static {
    /// Whether it stays on its thread. If so, the last destructors of the thread are the last place where it can be
    /// polled, although the thread-locals of its runtime may be gone.
    const STAYS: bool;

    /// Says which others go on in the same place.
    fn id(runtime: &Runtime) -> RuntimeId;

    /// Whether there may be a place to go on. If not, the first poll of the clean-up is its last one.
    fn has_place(runtime: &Runtime) -> bool;

    /// Goes on with the clean-up in the background. Drops it if there is no place for it.
    fn spawn(task: CleanupTask<Self>, runtime: &Runtime);

    /// Keeps the clean-up until `inside`, which goes on in the same place, has ended, and then gives it its last
    /// poll. Gives it back if `inside` has ended already.
    fn wait_for_last_poll(work: Box<Work<Self>>, inside: &NestEntry) -> Option<Box<Work<Self>>>;
}

/// Any thread may run it.
impl Kind for dyn Unfinished + Send {
    const STAYS: bool = false;

    fn id(runtime: &Runtime) -> RuntimeId {
        runtime.id()
    }

    fn has_place(runtime: &Runtime) -> bool {
        runtime.is_some() || spawner::is_set()
    }

    fn spawn(task: CleanupTask<Self>, runtime: &Runtime) {
        if let Some(task) = runtime.spawn(task) {
            spawner::spawn(task);
        }
    }

    fn wait_for_last_poll(work: Box<Work<Self>>, inside: &NestEntry) -> Option<Box<Work<Self>>> {
        inside.after(work)
    }
}

/// It stays on its thread.
impl Kind for dyn Unfinished {
    const STAYS: bool = true;

    fn id(runtime: &Runtime) -> RuntimeId {
        runtime.id_on_this_thread()
    }

    fn has_place(runtime: &Runtime) -> bool {
        runtime.is_some() || spawner::is_set_here()
    }

    fn spawn(task: CleanupTask<Self>, runtime: &Runtime) {
        if let Some(task) = spawner::spawn_here(task) {
            drop(runtime.spawn_local(task));
        }
    }

    fn wait_for_last_poll(work: Box<Work<Self>>, inside: &NestEntry) -> Option<Box<Work<Self>>> {
        // `inside` ends on this thread too. But it can keep only what is `Send`, so it keeps a ticket.
        inside.after(Box::new(kept::keep(work)))?.take()
    }
}

/// The clean-ups of a thread that wait for their last poll.
mod kept {
    use super::{BTreeMap, Box, LastPoll, Unfinished, Work};
    use core::cell::RefCell;
    use core::mem::ManuallyDrop;

    struct Kept {
        last: u64,
        works: BTreeMap<u64, Box<Work<dyn Unfinished>>>,
    }

    std::thread_local! {
        // Without a destructor, so that it is there in the last destructors of the thread. It owns memory only while
        // it has entries, and each of them is taken out when the clean-up that it waits for ends.
        static KEPT: ManuallyDrop<RefCell<Kept>> = const {
            ManuallyDrop::new(RefCell::new(Kept { last: 0, works: BTreeMap::new() }))
        };
    }

    /// Stands for a clean-up that is kept on this thread.
    pub(super) struct Ticket(u64);

    pub(super) fn keep(work: Box<Work<dyn Unfinished>>) -> Ticket {
        KEPT.with(|kept| {
            let mut kept = kept.borrow_mut();
            kept.last += 1;
            let number = kept.last;
            kept.works.insert(number, work);
            Ticket(number)
        })
    }

    impl Ticket {
        pub(super) fn take(self) -> Option<Box<Work<dyn Unfinished>>> {
            KEPT.with(|kept| kept.borrow_mut().works.remove(&self.0))
        }
    }

    impl LastPoll for Ticket {
        fn last_poll(self: Box<Self>) {
            if let Some(work) = self.take() {
                work.last_poll();
            }
        }
    }
}
