//! What both forms of the stack are made of.

use alloc::boxed::Box;
use core::task::{Context, Poll};

use super::course::{Course, StackMode};
use super::entry::Entry;
use super::late::Late;
use crate::Outcome;
use crate::panics::catch;
use crate::raw::Shelf;
use crate::report::Identity;
use crate::shared::Shared;

/// Names an entry of an exit stack, to [release](crate::AsyncExitStack::release) it early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// That of an entry which was added through a handle, and is not released early.
    pub(super) const LATE: Self = Self(0);
}

/// An entry and its key.
pub(super) struct Keyed<T: ?Sized> {
    pub(super) key: Key,
    pub(super) entry: T,
}

/// What both forms of the stack are made of. `T` is the entries' type, a trait object.
pub(super) struct Stack<T: ?Sized, E> {
    pub(super) shelf: Shelf<Keyed<T>>,
    next_key: Shared<u64>,
    late: Option<Late<Keyed<T>>>,
    /// In a lock only so that a stack can be shared between threads; it is never locked.
    unwinding: Shared<Unwinding<T, E>>,
    pub(super) identity: Identity<E>,
}

/// The unwinding that has begun, and the entry that is being exited.
struct Unwinding<T: ?Sized, E> {
    course: Option<Course<E>>,
    current: Option<Box<Keyed<T>>>,
}

// What is pinned lies in boxes.
impl<T: ?Sized, E> Unpin for Stack<T, E> {}

impl<T: ?Sized, E> Stack<T, E> {
    pub(super) const fn new(identity: Identity<E>) -> Self {
        Self {
            shelf: Shelf::new(),
            next_key: Shared::new(0),
            late: None,
            unwinding: Shared::new(Unwinding {
                course: None,
                current: None,
            }),
            identity,
        }
    }

    pub(super) fn next_key(&self) -> Key {
        Key(self.next_key.with(|next| {
            *next += 1;
            *next
        }))
    }

    pub(super) fn is_empty(&mut self) -> bool {
        let late = self.late.as_ref().is_none_or(Late::is_empty);
        late && self.unwinding.get_mut().current.is_none() && self.shelf.entries().is_empty()
    }

    /// Takes an entry out, for it to be exited by itself.
    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Keyed<T>>> {
        let entries = self.shelf.entries();
        // Usually one of the last.
        let index = entries.iter().rposition(|entry| entry.key == key)?;
        Some(entries.remove(index))
    }

    /// Where entries can be added from outside, while the stack unwinds.
    pub(super) fn late(&mut self) -> Late<Keyed<T>> {
        self.late.get_or_insert_with(Late::new).clone()
    }

    /// The key of the entry that was added last.
    pub(super) fn last_key(&self) -> Option<Key> {
        let last = self.next_key.with(|next| *next);
        (last > 0).then_some(Key(last))
    }

    /// Puts back an entry whose exit was not awaited to its end: the next to be exited.
    pub(super) fn put_back(&mut self, entry: Box<Keyed<T>>) {
        self.shelf.entries().push(entry);
    }

    pub(super) fn take(&mut self) -> Self {
        let mut taken = Self::new(self.identity);
        // Keys stay valid, and are not given out twice.
        *taken.next_key.get_mut() = *self.next_key.get_mut();
        core::mem::swap(taken.shelf.entries(), self.shelf.entries());
        taken.late = self.late.take();
        core::mem::swap(taken.unwinding.get_mut(), self.unwinding.get_mut());
        taken
    }

    /// Whether no unwinding has begun.
    pub(super) fn is_unbegun(&mut self) -> bool {
        self.unwinding.get_mut().course.is_none()
    }

    /// Begins an unwinding of which nobody will hear.
    pub(super) fn cancel(&mut self) {
        self.unwinding.get_mut().course = Some(Course::cancelled(self.identity));
    }

    /// Begins an unwinding, or goes on with the one that has begun.
    pub(super) fn begin<M: StackMode<E>>(&mut self, outcome: Outcome<M::Caught>) {
        if self.is_unbegun() {
            let mut course = Course::new(self.identity);
            M::begin(&mut course, outcome);
            self.unwinding.get_mut().course = Some(course);
        }
    }

    /// Exits the entries, last in first out, those included that are added meanwhile.
    pub(super) fn poll_course<M>(&mut self, cx: &mut Context<'_>) -> Poll<Course<E>>
    where
        T: Entry<E, M>,
        M: StackMode<E>,
    {
        let Unwinding {
            course: begun,
            current,
        } = self.unwinding.get_mut();
        let Some(course) = begun else {
            panic!("an exit stack was polled that is not being closed");
        };
        loop {
            if current.is_none() {
                let late = self.late.as_ref().and_then(Late::pop);
                *current = late.or_else(|| self.shelf.entries().pop());
            }
            let Some(entry) = current else {
                break;
            };
            match catch(|| entry.entry.poll_exit(cx, course)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(())) => {}
                Err(panic) => course.panicked(panic),
            }
            if let Err(panic) = catch(|| drop(current.take())) {
                course.panicked(panic);
            }
        }
        match begun.take() {
            Some(course) => Poll::Ready(course),
            None => Poll::Pending,
        }
    }
}

impl<T: ?Sized, E> Drop for Stack<T, E> {
    fn drop(&mut self) {
        // One by one, the last first, and without recursion.
        drop(self.unwinding.get_mut().current.take());
        if let Some(late) = &self.late {
            while let Some(entry) = late.pop() {
                drop(entry);
            }
            late.close();
        }
        while let Some(entry) = self.shelf.entries().pop() {
            drop(entry);
        }
        if let Some(course) = self.unwinding.get_mut().course.take() {
            course.finish_unheard();
        }
    }
}
