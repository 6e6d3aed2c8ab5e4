//! Taking a clean-up over from a destructor.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use std::boxed::Box;
use std::sync::Arc;

use super::dropping::{Notes, notes};
use super::guard_nest::leave_guard;
use super::kind::Kind;
use super::nest::{Nest, leave, listener};
use super::nest_entry::NestEntry;
use super::registry::register;
use super::task::CleanupTask;
use crate::cleanup::Runtime;
use crate::platform::panics::{catch_panic, contained};
use crate::report::{Identity, ReportSource};

/// Takes over a clean-up from a destructor: finishes it here if one poll is enough, else in the background.
#[cold]
#[inline(never)]
pub(crate) fn hand_off<E: ?Sized + Kind>(exit: Pin<Box<E>>, identity: Identity, runtime: &Runtime) {
    // A destructor must not panic, whatever a runtime, a spawner or a reporter does.
    contained(move || {
        let Notes {
            inside,
            remaining,
            limit,
            guards,
            guard,
            expired,
        } = notes();
        if expired {
            // Its destructor reports that it has run out of time.
            return drop(exit);
        }
        let entry = Arc::new(NestEntry::new(
            identity,
            E::id(runtime),
            exit.is_in_set_up(),
            inside.clone(),
            listener(),
        ));
        let limit = limit.map(|limit| limit.for_cleanup());
        let mut task = CleanupTask::new(
            entry.clone(),
            Nest::of(inside, guards, remaining),
            exit,
            runtime.clone(),
            limit,
        );
        if !E::has_place(runtime) {
            // The drop gives it its last poll.
            return drop(task);
        }
        if runtime.is_reachable() {
            let mut cx = Context::from_waker(Waker::noop());
            if runtime
                .inside(|| Pin::new(&mut task).poll(&mut cx))
                .is_ready()
            {
                return;
            }
        }
        task.register(register(&entry));
        if let Err(panic) = catch_panic(|| E::spawn(task, runtime)) {
            panic.report_to(ReportSource::<()>::of(identity));
        }
        match guard {
            Some(opened) => leave_guard(entry, &opened),
            None => leave(entry),
        }
    });
}
