//! Taking a clean-up over from a destructor.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use std::boxed::Box;
use std::sync::Arc;

use super::dropping::{Said, said};
use super::entry::{Entry, Failures, contained};
use super::exit::Exit;
use super::nest::{CURRENT, Doing, Nest, leave, leave_guard};
use super::registry::register;
use super::runtime::Runtime;
use super::spawner;
use super::task::Task;
use crate::platform::panics::catch;
use crate::report::{Identity, Who};

/// Takes over a clean-up from a destructor: finishes it here if one poll is enough, else in the background.
pub(crate) fn hand_off(exit: Pin<Box<dyn Exit + Send>>, who: Who, runtime: &Runtime) {
    // Nothing panics in a destructor, whatever a runtime, a spawner or a reporter does there.
    contained(move || {
        let Said {
            inside,
            limit,
            guard,
            expired,
        } = said();
        if expired {
            // It says itself that it has run out of time.
            return drop(exit);
        }
        let entry = Arc::new(Entry::new(
            who,
            runtime.id(),
            exit.is_in_set_up(),
            inside.clone(),
            listener(),
        ));
        let bound = limit.map(|limit| limit.share());
        let mut task = Task::new(
            entry.clone(),
            Nest::of(inside),
            exit,
            runtime.clone(),
            bound,
        );
        if !runtime.is_some() && !spawner::is_set() {
            // There is nowhere to go on: this is its last poll.
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
        if let Some(task) = runtime.spawn(task) {
            if let Err(panic) = catch(|| spawner::spawn(task)) {
                panic.report_to(Identity::<()>::of(who));
            }
        }
        match guard {
            Some(opened) => leave_guard(entry, opened),
            None => leave(entry),
        }
    });
}

/// Who wants to know what this clean-up reports.
fn listener() -> Option<Arc<Failures>> {
    let mut listener = None;
    CURRENT.with(|current| {
        current.outward(|doing, _| match doing {
            Doing::Listening(failures) => {
                listener = Some(failures.clone());
                false
            }
            Doing::CleaningUp(entry) => {
                listener.clone_from(&entry.listener);
                false
            }
            Doing::Detached => false,
            _ => true,
        });
    });
    listener
}
