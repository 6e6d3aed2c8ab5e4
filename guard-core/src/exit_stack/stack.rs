//! The part that both forms of the stack have in common.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, ready};

use super::entry::StackEntry;
use super::inbox::Inbox;
use super::unwind_state::{StackMode, UnwindState};
use crate::Outcome;
use crate::cleanup::{Nest, begin_parts, drop_context, drop_part, poll_settle_part};
use crate::platform::panics::{catch_panic, catch_panic_rarely};
use crate::raw::{AppendVec, Ask, Exclusive};
use crate::report::ReportSource;

/// Names an entry of an exit stack, to [release](crate::AsyncExitStack::release) it early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(usize);

impl Key {
    /// A key that no entry of any stack has, so that it cannot be mistaken for one of another stack.
    fn unique() -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The key of an entry that was added through a handle, until it is on the stack. Nobody is told the key.
    pub(super) const UNNAMED: Self = Self(0);
}

/// An entry, its key, and its nest.
pub(super) struct Numbered<T: ?Sized> {
    pub(super) key: Key,
    pub(super) progress: Progress,
    /// The clean-ups of uses that were dropped in the set-up of the entry, by the future beside it, or in its exit.
    pub(super) nest: Nest,
    pub(super) entry: T,
}

/// How far the exit of an entry is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It waits for the clean-ups of what was dropped in its set-up, and beside it.
    Before,
    Exiting,
    /// It waits for the clean-ups of what was dropped in its exit.
    After,
}

impl<T: ?Sized> Numbered<T> {
    /// Whether its exit has begun.
    fn has_begun(&self) -> bool {
        self.progress != Progress::Before
    }
}

impl<T> Numbered<T> {
    pub(super) const fn new(key: Key, nest: Nest, entry: T) -> Self {
        Self {
            key,
            progress: Progress::Before,
            nest,
            entry,
        }
    }
}

/// Where the entry with this key is.
pub(super) fn position<T: ?Sized>(entries: &[Box<Numbered<T>>], key: Key) -> Option<usize> {
    // The keys ascend, unless several threads have added entries at the same time.
    let position = entries.binary_search_by_key(&key.0, |entry| entry.key.0);
    position
        .ok()
        .or_else(|| entries.iter().rposition(|entry| entry.key == key))
}

/// The part that both forms of the stack have in common. `T` is the type of the entries, a trait object.
pub(super) struct Stack<T: ?Sized, E> {
    pub(super) entries: AppendVec<Numbered<T>>,
    /// The number of the key of the entry that was added last, or 0.
    last_key: AtomicUsize,
    inbox: Option<Inbox<Numbered<T>>>,
    unwinding: Exclusive<Unwinding<T, E>>,
    pub(super) source: ReportSource<E>,
}

/// The unwinding that has begun, and the entry that is being exited.
struct Unwinding<T: ?Sized, E> {
    state: Option<UnwindState<E>>,
    current: Option<Box<Numbered<T>>>,
    /// Whether there may be an entry in the list whose exit has begun: it was exited by itself, and that was not awaited to
    /// its end.
    has_half_run: bool,
    /// Whether it is the entries' turn: the stack has waited for what its block dropped.
    has_begun: bool,
    /// Nobody waits any more. The entries below the current one are told `Cancelled`.
    is_cancelled: bool,
}

// What is pinned lies in boxes.
impl<T: ?Sized, E> Unpin for Stack<T, E> {}

impl<T: ?Sized, E> Stack<T, E> {
    pub(super) const fn new(source: ReportSource<E>) -> Self {
        Self {
            entries: AppendVec::new(),
            last_key: AtomicUsize::new(0),
            inbox: None,
            unwinding: Exclusive::new(Unwinding {
                state: None,
                current: None,
                has_half_run: false,
                has_begun: false,
                is_cancelled: false,
            }),
            source,
        }
    }

    /// The key of an entry that is about to be added.
    pub(super) fn next_key(&self) -> Key {
        // Entries that a handle has added lie below the new one.
        if let Some(inbox) = &self.inbox {
            for mut entry in inbox.take() {
                entry.key = Key::unique();
                self.entries.push(entry);
            }
        }
        let key = Key::unique();
        self.last_key.store(key.0, Ordering::Relaxed);
        key
    }

    /// Whether there is nothing to do, and, since handles are refused from now on, never will be.
    #[inline]
    pub(super) fn close_if_empty(&mut self) -> bool {
        self.unwinding.get_mut().current.is_none()
            && self.entries.get_mut().is_empty()
            && self.inbox.as_ref().is_none_or(Inbox::close_if_empty)
    }

    /// Takes an entry out, for it to be exited by itself.
    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Numbered<T>>> {
        let entries = self.entries.get_mut();
        let index = position(entries, key)?;
        Some(entries.remove(index))
    }

    /// The entry with this key, which nobody borrows from.
    pub(super) fn find(&mut self, key: Key) -> Option<&mut Numbered<T>> {
        let entries = self.entries.get_mut();
        let index = position(entries, key)?;
        Some(&mut *entries[index])
    }

    /// Where entries can be added from outside, while the stack unwinds.
    pub(super) fn inbox(&mut self) -> Inbox<Numbered<T>> {
        self.inbox.get_or_insert_with(Inbox::new).clone()
    }

    /// The key of the entry that was added last, but not by a handle. It may have been released.
    pub(super) fn last_key(&self) -> Option<Key> {
        let last = self.last_key.load(Ordering::Relaxed);
        (last != 0).then_some(Key(last))
    }

    /// Puts back an entry whose exit was not awaited to its end: the next to be exited.
    pub(super) fn put_back(&mut self, entry: Box<Numbered<T>>) {
        self.unwinding.get_mut().has_half_run |= entry.has_begun();
        self.entries.get_mut().push(entry);
    }

    pub(super) fn take(&mut self) -> Self {
        let mut taken = Self::new(self.source);
        *taken.last_key.get_mut() = core::mem::take(self.last_key.get_mut());
        core::mem::swap(taken.entries.get_mut(), self.entries.get_mut());
        taken.inbox = self.inbox.take();
        core::mem::swap(taken.unwinding.get_mut(), self.unwinding.get_mut());
        taken
    }

    /// Cancels the unwinding, or begins a cancelled one. If the stack was told its outcome and still waits for its block,
    /// it keeps that outcome. So does the current entry, if it still waits before its exit.
    pub(super) fn cancel(&mut self) {
        let source = self.source;
        let Unwinding {
            state,
            current,
            has_begun,
            is_cancelled,
            ..
        } = self.unwinding.get_mut();
        let waits = |entry: &Numbered<T>| matches!(entry.progress, Progress::Before);
        match state {
            Some(_) if !*has_begun => {}
            Some(_) if current.as_deref().is_some_and(waits) => *is_cancelled = true,
            Some(state) => state.cancel(),
            None => state.insert(UnwindState::new(source)).cancel(),
        }
    }

    /// Whether the exit of an entry has begun.
    pub(super) fn is_exiting(&mut self) -> bool {
        let Unwinding {
            current,
            has_half_run,
            ..
        } = self.unwinding.get_mut();
        let is_current = current.as_ref().is_some_and(|entry| entry.has_begun());
        let mut entries = self.entries.get_mut().iter();
        is_current || *has_half_run && entries.any(|entry| entry.has_begun())
    }

    /// Begins an unwinding, or goes on with the one that has begun.
    pub(super) fn begin<M: StackMode<E>>(&mut self, outcome: Outcome<M::Caught>) {
        let source = self.source;
        match &mut self.unwinding.get_mut().state {
            Some(state) => M::go_on(state, outcome),
            begun => M::begin(begun.insert(UnwindState::new(source)), outcome),
        }
    }

    /// Notes how the use of the stack ended. That counts also if the body of the use had begun to close the stack.
    pub(super) fn end_of_use<M: StackMode<E>>(&mut self, outcome: Outcome<M::Caught>) {
        let told = outcome.without_error();
        self.begin::<M>(outcome);
        if let Some(state) = &mut self.unwinding.get_mut().state {
            state.worsen(told);
        }
    }

    /// The error with which something beside an entry has failed, and whose it is.
    pub(super) fn failure<M>(&mut self, ask: Ask) -> Option<(E, ReportSource<E>)>
    where
        T: StackEntry<E, M>,
    {
        self.entries.get_mut().iter_mut().find_map(|keyed| {
            let error = keyed.entry.failure(ask)?;
            Some((error, keyed.entry.report_source()))
        })
    }

    /// Exits the entries, last in first out, those included that are added meanwhile.
    pub(super) fn poll_unwinding<M>(&mut self, cx: &mut Context<'_>) -> Poll<UnwindState<E>>
    where
        T: StackEntry<E, M>,
        M: StackMode<E>,
    {
        loop {
            ready!(self.poll_current::<M>(cx));
            let added = self.inbox.as_ref().and_then(Inbox::pop);
            let Some(next) = added.or_else(|| self.entries.get_mut().pop()) else {
                break;
            };
            self.unwinding.get_mut().current = Some(next);
        }
        let unwinding = self.unwinding.get_mut();
        unwinding.has_begun = false;
        match unwinding.state.take() {
            Some(state) => Poll::Ready(state),
            None => Poll::Pending,
        }
    }

    /// Exits the current entry, if there is one.
    pub(super) fn poll_current<M>(&mut self, cx: &mut Context<'_>) -> Poll<()>
    where
        T: StackEntry<E, M>,
        M: StackMode<E>,
    {
        let Unwinding {
            state,
            current,
            has_begun,
            is_cancelled,
            ..
        } = self.unwinding.get_mut();
        let Some(state) = state else {
            panic!("an exit stack was polled that is not being closed");
        };
        *has_begun = true;
        let Some(entry) = current else {
            return Poll::Ready(());
        };
        ready!(exit_entry::<T, E, M>(entry, cx, state));
        if let Some(exited) = current.take() {
            drop_exited::<T, E, M>(exited, state);
        }
        if core::mem::take(is_cancelled) {
            state.cancel();
        }
        Poll::Ready(())
    }

    /// Goes on with the exits that have begun, while the others wait for what the block of the use has dropped. The stack has
    /// been told how its use ended. Ready when no exit is half-way.
    #[cold]
    pub(super) fn poll_begun<M>(&mut self, cx: &mut Context<'_>) -> Poll<()>
    where
        T: StackEntry<E, M>,
        M: StackMode<E>,
    {
        let mut polled = Poll::Ready(());
        let current = self.unwinding.get_mut().current.as_ref();
        if current.is_some_and(|entry| entry.has_begun()) {
            polled = self.poll_current::<M>(cx);
        }
        let unwinding = self.unwinding.get_mut();
        if !unwinding.has_half_run || unwinding.state.is_none() {
            return polled;
        }
        unwinding.has_half_run = false;
        for index in (0..self.entries.get_mut().len()).rev() {
            if !self.entries.get_mut()[index].has_begun() {
                continue;
            }
            let entry = self.entries.get_mut().remove(index);
            if let Some(pending) = self.poll_half_run::<M>(entry, cx) {
                self.entries.get_mut().insert(index, pending);
                self.unwinding.get_mut().has_half_run = true;
                polled = Poll::Pending;
            }
        }
        polled
    }

    /// Goes on with the exit of an entry that is not its turn. Gives it back if that has not ended.
    fn poll_half_run<M>(
        &mut self,
        entry: Box<Numbered<T>>,
        cx: &mut Context<'_>,
    ) -> Option<Box<Numbered<T>>>
    where
        T: StackEntry<E, M>,
        M: StackMode<E>,
    {
        let unwinding = self.unwinding.get_mut();
        let current = unwinding.current.replace(entry);
        let (has_begun, is_cancelled) = (unwinding.has_begun, unwinding.is_cancelled);
        unwinding.is_cancelled = false;
        // The current entry may have been offered the error. It has not answered yet.
        let state = unwinding.state.as_mut();
        let offered = state.is_some_and(UnwindState::take_offer);
        let _ = self.poll_current::<M>(cx);
        let unwinding = self.unwinding.get_mut();
        (unwinding.has_begun, unwinding.is_cancelled) = (has_begun, is_cancelled);
        if let Some(state) = &mut unwinding.state {
            state.put_offer(offered);
        }
        core::mem::replace(&mut unwinding.current, current)
    }
}

impl<T: ?Sized, E> Stack<T, E> {
    /// Polls every entry once, last in first out, since none can go on. One that needs more is dropped, and
    /// reports that.
    pub(super) fn poll_last<M>(&mut self, cx: &mut Context<'_>)
    where
        T: StackEntry<E, M>,
        M: StackMode<E>,
    {
        loop {
            if let Poll::Ready(state) = self.poll_unwinding::<M>(cx) {
                state.finish_unheard();
                if self.close_if_empty() {
                    return;
                }
                self.cancel();
                continue;
            }
            let pending = self.unwinding.get_mut().current.take();
            if let Err(panic) = catch_panic(|| pending.map(drop_entry)) {
                panic.report_to(self.source);
            }
            self.cancel();
        }
    }
}

/// Drops an entry that is not exited.
fn drop_entry<T: ?Sized>(mut entry: Box<Numbered<T>>) {
    let mut nest = core::mem::take(&mut entry.nest);
    let mut entry = Some(entry);
    drop_context(&mut nest, &mut || entry = None);
}

/// Drops an entry that has been exited. What is left in its nest goes to the nest of the stack.
#[inline]
pub(super) fn drop_exited<T, E, M>(mut exited: Box<Numbered<T>>, state: &mut UnwindState<E>)
where
    T: StackEntry<E, M> + ?Sized,
{
    let _left = core::mem::take(&mut exited.nest);
    let source = exited.entry.report_source();
    if let Err(panic) = catch_panic(|| drop(exited)) {
        state.panicked(panic, source);
    }
}

/// Goes on with the exit of one entry; its panic is noted in the state.
pub(super) fn exit_entry<T, E, M>(
    keyed: &mut Numbered<T>,
    cx: &mut Context<'_>,
    state: &mut UnwindState<E>,
) -> Poll<()>
where
    T: StackEntry<E, M> + ?Sized,
    M: StackMode<E>,
{
    let Numbered {
        progress,
        nest,
        entry,
        ..
    } = keyed;
    if let Progress::Before = progress {
        match catch_panic(|| entry.poll_release(cx, nest)) {
            Ok(released) => {
                ready!(released);
                ready!(settle_entry(entry, nest, cx));
                *progress = Progress::Exiting;
            }
            Err(panic) => {
                state.panicked(panic, entry.report_source());
                *progress = Progress::After;
            }
        }
    }
    if let Progress::Exiting = progress {
        match nest.during(|| catch_panic(|| entry.poll_exit(cx, state))) {
            Ok(exited) => ready!(exited),
            Err(panic) => state.panicked(panic, entry.report_source()),
        }
        *progress = Progress::After;
    }
    settle_entry(entry, nest, cx)
}

/// Waits for what an entry has left, as long as its exit may wait.
fn settle_entry<T, E, M>(entry: &mut T, nest: &mut Nest, cx: &mut Context<'_>) -> Poll<()>
where
    T: StackEntry<E, M> + ?Sized,
{
    if nest.is_empty() {
        return Poll::Ready(());
    }
    let identity = entry.report_source().identity();
    poll_settle_part(nest, cx, identity, |cx| entry.poll_wait(cx))
}

impl<T: ?Sized, E> Drop for Stack<T, E> {
    fn drop(&mut self) {
        if self.close_if_empty() {
            // If the stack was told an error, no caller receives it any more, so it is reported.
            if let Some(state) = self.unwinding.get_mut().state.take() {
                state.finish_unheard();
            }
            return;
        }
        // The entries are dropped one by one, the last first, and without recursion, also if one of them panics. What an
        // entry hands off waits for what those above it have handed off. That of the last entry waits for what the block of
        // the use has left.
        let mut above = begin_parts();
        let source = self.source;
        let mut drop_one = |entry| {
            let mut entry = Some(entry);
            drop_part(&mut above, &mut || {
                let dropped =
                    catch_panic_rarely(&mut || entry.take().into_iter().for_each(drop_entry));
                if let Err(panic) = dropped {
                    panic.report_to(source);
                }
            });
        };
        if let Some(current) = self.unwinding.get_mut().current.take() {
            drop_one(current);
        }
        if let Some(inbox) = &self.inbox {
            inbox.close().into_iter().rev().for_each(&mut drop_one);
        }
        while let Some(entry) = self.entries.get_mut().pop() {
            drop_one(entry);
        }
        if let Some(state) = self.unwinding.get_mut().state.take() {
            state.finish_unheard();
        }
    }
}
