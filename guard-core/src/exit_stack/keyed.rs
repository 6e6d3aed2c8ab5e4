//! Entries whose resource is borrowed by a key, as often as it is needed.

use core::any::Any;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::task::{Context, Poll};

use super::entry::{ContextEntry, StackEntry};
use super::stack::Key;
use super::unwind_state::UnwindState;
use crate::AsyncContext;
use crate::cleanup::{Nest, WaitLimit};
use crate::context::FailsInto;
use crate::raw::{Ask, LentContext};
use crate::report::ReportSource;

/// Names an entry of an exit stack, and the type of its resource: `stack[&key]` is the resource, and
/// [`release`](crate::AsyncExitStack::release) exits the entry early.
///
/// It comes from [`enter_keyed`](crate::AsyncExitStack::enter_keyed). It can be copied, and sent to other threads. It keeps
/// nothing alive: when the entry has been exited, the key is of no entry any more.
#[must_use = "the key leads to the resource: `stack[&key]`"]
pub struct EntryKey<R: ?Sized> {
    pub(super) key: Key,
    // They know the type of the context.
    pub(super) look: fn(&(dyn Any + Send)) -> Option<&R>,
    pub(super) look_mut: fn(&mut (dyn Any + Send)) -> Option<&mut R>,
}

impl<R: ?Sized> EntryKey<R> {
    pub(super) fn of<C, E>(key: Key) -> Self
    where
        C: AsyncContext<Resource = R> + Send + 'static,
        R: Send + 'static,
        E: 'static,
    {
        Self {
            key,
            look: |entry| entry.downcast_ref::<KeyedEntry<C, E>>()?.resource(),
            look_mut: |entry| entry.downcast_mut::<KeyedEntry<C, E>>()?.resource_mut(),
        }
    }
}

impl<R: ?Sized> Clone for EntryKey<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ?Sized> Copy for EntryKey<R> {}

impl<R: ?Sized> fmt::Debug for EntryKey<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntryKey").field(&self.key).finish()
    }
}

impl<R: ?Sized> PartialEq for EntryKey<R> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<R: ?Sized> Eq for EntryKey<R> {}

impl<R: ?Sized> Hash for EntryKey<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl<R: ?Sized> From<EntryKey<R>> for Key {
    fn from(key: EntryKey<R>) -> Self {
        key.key
    }
}

impl<R: ?Sized> From<&EntryKey<R>> for Key {
    fn from(key: &EntryKey<R>) -> Self {
        key.key
    }
}

/// An entered context whose resource is lent again each time that its key is used.
pub(super) struct KeyedEntry<C, E>(State<C, E>)
where
    C: AsyncContext;

enum State<C, E>
where
    C: AsyncContext,
{
    Held(LentContext<C, ()>, ReportSource<E>),
    Exiting(ContextEntry<C, (), E>),
    /// Between the two.
    Gone,
}

impl<C, E> KeyedEntry<C, E>
where
    C: AsyncContext,
{
    pub(super) fn new(held: LentContext<C, ()>, source: ReportSource<E>) -> Self {
        Self(State::Held(held, source))
    }

    fn resource(&self) -> Option<&C::Resource> {
        match &self.0 {
            State::Held(held, _) => Some(held.resource()),
            _ => None,
        }
    }

    fn resource_mut(&mut self) -> Option<&mut C::Resource> {
        match &mut self.0 {
            State::Held(held, _) => Some(held.resource_mut()),
            _ => None,
        }
    }
}

impl<C, E> KeyedEntry<C, E>
where
    C: AsyncContext,
{
    /// The entry, whose resource is not lent any more: it is about to exit.
    fn reclaimed(&mut self) -> &mut ContextEntry<C, (), E> {
        if let State::Held(..) = self.0 {
            if let State::Held(held, source) = core::mem::replace(&mut self.0, State::Gone) {
                self.0 = State::Exiting(ContextEntry::new(held.reclaim(), source));
            }
        }
        match &mut self.0 {
            State::Exiting(entry) => entry,
            _ => panic!("an entry of an exit stack was exited twice"),
        }
    }
}

impl<C, E, M> StackEntry<E, M> for KeyedEntry<C, E>
where
    C: FailsInto<E> + Send + 'static,
    C::Resource: Send,
    E: 'static,
{
    fn poll_release(&mut self, cx: &mut Context<'_>, nest: &mut Nest) -> Poll<()> {
        StackEntry::<E, M>::poll_release(self.reclaimed(), cx, nest)
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>, state: &mut UnwindState<E>) -> Poll<()> {
        StackEntry::<E, M>::poll_exit(self.reclaimed(), cx, state)
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> WaitLimit {
        StackEntry::<E, M>::poll_wait(self.reclaimed(), cx)
    }

    fn failure(&mut self, ask: Ask) -> Option<E> {
        match &mut self.0 {
            State::Held(held, _) => held.failure(ask).map(C::into_error),
            _ => None,
        }
    }

    fn report_source(&self) -> ReportSource<E> {
        match &self.0 {
            State::Held(_, source) => *source,
            State::Exiting(entry) => StackEntry::<E, M>::report_source(entry),
            State::Gone => unreachable!("it is gone only while it is being replaced"),
        }
    }

    fn lent(&self) -> Option<&(dyn Any + Send)> {
        Some(self)
    }

    fn lent_mut(&mut self) -> Option<&mut (dyn Any + Send)> {
        Some(self)
    }
}
