//! A driver goes on with what is beside a context whose handle is somebody else's.
//!
//! An exit stack, and other contexts that lend a handle, have contexts in them whose resources are had by the handle.
//! The block has the handle exclusively, so the driver must not go through it; and safe code can move the handle away, to
//! another use or another thread, or drop it. So the driver and the handle share each context beside which something goes
//! on: see [`Driven`].

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker, ready};

use super::held::Held;
use crate::AsyncContext;
use crate::cleanup::{Nest, drop_context};
use crate::context::report_failures;
use crate::platform::locked::Locked;
use crate::platform::panics::{Panic, catch_panic, contained};
use crate::raw::beside::drive::{DriveNode, Driveable};
use crate::raw::beside::{ASK, Ask, EndedBeside, LaterPanics};

/// An entered context beside which something goes on, while its resource is lent.
///
/// To use the context, the driver or the handle takes it out of here and puts it back, so one of them uses it at a time, and
/// no lock is held while the context's code runs. If the handle is to exit a context that the driver has taken out, the
/// handle waits. If the handle is dropped then, the driver drops the context instead of putting it back.
pub(crate) struct Driven<C, X>(Locked<DrivenState<C, X>>)
where
    C: AsyncContext<X>;

enum DrivenState<C, X>
where
    C: AsyncContext<X>,
{
    Here(Held<C, X>),
    TakenOut {
        /// The waker of a handle that waits to exit the context.
        waiting: Option<Waker>,
        /// The handle has been dropped, so the driver drops the context.
        is_orphaned: bool,
    },
    /// It is exited, or dropped.
    Gone,
}

/// A context that is taken out, and put back when this is dropped.
struct PutBack<'a, C, X>
where
    C: AsyncContext<X>,
{
    driven: &'a Driven<C, X>,
    held: Option<Held<C, X>>,
}

impl<C, X> Driven<C, X>
where
    C: AsyncContext<X>,
{
    /// Calls `action` with the context, if that is here.
    fn with<U>(&self, action: impl FnOnce(&mut Held<C, X>) -> U) -> Option<U> {
        let held = self.0.with(|slot| match slot {
            DrivenState::Here(_) => {
                let taken_out = DrivenState::TakenOut {
                    waiting: None,
                    is_orphaned: false,
                };
                match mem::replace(slot, taken_out) {
                    DrivenState::Here(held) => Some(held),
                    _ => None,
                }
            }
            _ => None,
        })?;
        let mut put_back = PutBack {
            driven: self,
            held: Some(held),
        };
        put_back.held.as_mut().map(action)
    }

    /// Takes the context for good. Ready when nobody uses it.
    fn poll_take(&self, waker: &Waker) -> Poll<Option<Held<C, X>>> {
        // Cloned and dropped outside of the lock.
        let mut replaced = Some(waker.clone());
        let taken = self.0.with(|slot| {
            if let DrivenState::TakenOut { waiting, .. } = slot {
                mem::swap(waiting, &mut replaced);
                return Poll::Pending;
            }
            match mem::replace(slot, DrivenState::Gone) {
                DrivenState::Here(held) => Poll::Ready(Some(held)),
                _ => Poll::Ready(None),
            }
        });
        drop(replaced);
        taken
    }

    /// The handle is dropped, and with it the context.
    fn orphan(&self) {
        let held = self.0.with(|slot| match slot {
            DrivenState::TakenOut { is_orphaned, .. } => {
                *is_orphaned = true;
                None
            }
            _ => match mem::replace(slot, DrivenState::Gone) {
                DrivenState::Here(held) => Some(held),
                _ => None,
            },
        });
        if let Some(mut held) = held {
            let mut nest = Nest::new();
            lose(&mut held, &mut nest);
            drop_held(held, &mut nest);
        }
    }
}

impl<C, X> Drop for PutBack<'_, C, X>
where
    C: AsyncContext<X>,
{
    fn drop(&mut self) {
        let held = &mut self.held;
        let waiting = self.driven.0.with(|slot| {
            let DrivenState::TakenOut {
                waiting,
                is_orphaned,
            } = slot
            else {
                return None;
            };
            let waiting = waiting.take();
            *slot = match held.take_if(|_| !*is_orphaned) {
                Some(held) => DrivenState::Here(held),
                None => DrivenState::Gone,
            };
            waiting
        });
        if let Some(mut orphan) = held.take() {
            let mut nest = Nest::new();
            lose(&mut orphan, &mut nest);
            let source = orphan.context.get().report_source();
            if let Err(panic) = catch_panic(|| drop_held(orphan, &mut nest)) {
                panic.report_to(source);
            }
        }
        if let Some(waiting) = waiting {
            contained(|| waiting.wake());
        }
    }
}

/// Drops what goes on, and leaves in `nest` what that drops. An error that nobody has taken out has no caller.
fn lose<C, X>(held: &mut Held<C, X>, nest: &mut Nest)
where
    C: AsyncContext<X>,
{
    report_failures(held.context.as_mut(), ASK);
    held.end_beside(nest);
}

/// Drops a context. Its clean-up waits for the entries of `nest`.
fn drop_held<C, X>(held: Held<C, X>, nest: &mut Nest)
where
    C: AsyncContext<X>,
{
    let mut held = Some(held);
    drop_context(nest, &mut || held = None);
}

/// Uses the context, whose resource is not lent any more, and then asks it anew what goes on, also if `action` panics.
fn use_context<C, X, U>(held: &mut Held<C, X>, action: impl FnOnce(Pin<&mut C>) -> U) -> U
where
    C: AsyncContext<X>,
{
    struct AskAnew<'a, C, X>(&'a mut Held<C, X>)
    where
        C: AsyncContext<X>;

    impl<C, X> Drop for AskAnew<'_, C, X>
    where
        C: AsyncContext<X>,
    {
        fn drop(&mut self) {
            self.0.beside = self.0.context.as_mut().beside(ASK);
        }
    }

    let used = AskAnew(held);
    action(used.0.context.as_mut())
}

impl<C, X> Driveable for Driven<C, X>
where
    C: AsyncContext<X>,
{
    fn poll(&self, cx: &mut Context<'_>, after_block: bool) -> Poll<EndedBeside> {
        let polled = self.with(|held| match held.beside {
            // SAFETY: the context is used by who takes it out, and that is `held`. So it has not been used since it was
            // asked. Its resource may be in use meanwhile, which what goes on does not overlap with.
            Some(beside) => unsafe { beside.poll(cx, after_block) },
            None => Poll::Pending,
        });
        polled.unwrap_or(Poll::Pending)
    }

    fn end(&self, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        let ended = self.with(|held| match held.beside.take() {
            // SAFETY: as in `poll`. Not through the context, whose resource may be in use. It is not polled any more.
            Some(beside) => unsafe { beside.end(later) },
            None => Ok(()),
        });
        ended.unwrap_or(Ok(()))
    }

    fn refuse(&self) -> bool {
        let refused = self.with(|held| match held.beside {
            // SAFETY: as in `poll`.
            Some(beside) => unsafe { beside.refuse() },
            None => true,
        });
        refused.unwrap_or(false)
    }
}

/// The context of a [`LentContext`], without its resource. It can be used when the resource is not lent any more.
pub(crate) struct KeptContext<C, X>
where
    C: AsyncContext<X>,
{
    state: State<C, X>,
    /// It can be looked at through a shared reference.
    _context: PhantomData<C>,
}

enum State<C, X>
where
    C: AsyncContext<X>,
{
    /// Nothing goes on beside it.
    Alone(Held<C, X>),
    Shared(Arc<DriveNode<Driven<C, X>>>),
    /// The borrow of its resource has ended, and nothing goes on beside it.
    Released(Pin<Box<C>>),
    /// It is just being released.
    Gone,
}

impl<C, X> KeptContext<C, X>
where
    C: AsyncContext<X>,
{
    fn new(state: State<C, X>) -> Self {
        Self {
            state,
            _context: PhantomData,
        }
    }

    /// Ends the borrow of the resource, and gives the context, which stays here. What goes on is dropped, and the exit is to
    /// wait for what that leaves in `nest`. Ready when no driver is using it.
    #[inline]
    pub(crate) fn poll_release(&mut self, cx: &Context<'_>, nest: &mut Nest) -> Poll<Pin<&mut C>> {
        if let State::Shared(driven) = &self.state {
            let held = ready!(driven.poll_take(cx.waker()));
            let mut held = held.expect("only its handle takes it");
            lose(&mut held, nest);
            self.state = State::Alone(held);
        }
        if let State::Alone(_) = &self.state {
            if let State::Alone(held) = mem::replace(&mut self.state, State::Gone) {
                self.state = State::Released(held.release(nest));
            }
        }
        match &mut self.state {
            State::Released(context) => Poll::Ready(context.as_mut()),
            _ => panic!("a context was exited whose release has panicked"),
        }
    }

    /// The context, which has been [released](Self::poll_release).
    pub(crate) fn released_mut(&mut self) -> Pin<&mut C> {
        match &mut self.state {
            State::Released(context) => context.as_mut(),
            _ => panic!("a context was exited that has not been released"),
        }
    }

    /// The context, if it has been [released](Self::poll_release).
    pub(crate) fn released(&self) -> Option<&C> {
        match &self.state {
            State::Released(context) => Some(context),
            _ => None,
        }
    }

    /// Takes the error out with which what goes on has failed. The resource is not lent any more.
    pub(crate) fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        match &self.state {
            State::Shared(_) => self.with(|context| context.failure(ask))?,
            _ => None,
        }
    }

    /// Uses the context, whose resource is not lent any more. `None` while a driver is using it.
    pub(crate) fn with<U>(&mut self, action: impl FnOnce(Pin<&mut C>) -> U) -> Option<U> {
        match &mut self.state {
            State::Alone(held) => Some(use_context(held, action)),
            State::Shared(driven) => driven.with(|held| use_context(held, action)),
            State::Released(context) => Some(action(context.as_mut())),
            State::Gone => None,
        }
    }

    /// Looks at the context, whose resource is not lent any more. `None` while a driver is using it.
    pub(crate) fn look<U>(&self, look: impl FnOnce(&C) -> U) -> Option<U> {
        match &self.state {
            State::Alone(held) => Some(look(held.context.get())),
            State::Shared(driven) => driven.with(|held| look(held.context.get())),
            State::Released(context) => Some(look(context)),
            State::Gone => None,
        }
    }
}

impl<C, X> Drop for KeptContext<C, X>
where
    C: AsyncContext<X>,
{
    fn drop(&mut self) {
        if let State::Shared(driven) = &self.state {
            driven.orphan();
        }
    }
}

/// A context, as [`KeptContext`], and the reference to its resource.
pub(crate) struct LentContext<C, X>
where
    C: AsyncContext<X>,
{
    resource: NonNull<C::Resource>,
    kept: KeptContext<C, X>,
}

// SAFETY: as for `Held`: it is the context and a `&mut` to its resource. What a driver shares is sent with the driver, and is
// used by one of them at a time.
unsafe impl<C, X> Send for LentContext<C, X>
where
    C: AsyncContext<X> + Send,
    C::Resource: Send,
{
}
// SAFETY: through a shared reference the `&C::Resource` can be had, as for `Held`, and what goes on beside it can be dropped.
// That is a part of the context, so the context has to be `Send`; it is taken out for that, so one thread at a time uses it.
unsafe impl<C, X> Sync for LentContext<C, X>
where
    C: AsyncContext<X> + Send,
    C::Resource: Sync,
{
}

impl<C, X> LentContext<C, X>
where
    C: AsyncContext<X>,
{
    /// Borrows the resource of a context that has been entered. If something goes on beside it, `driver` is given that.
    ///
    /// # Panics
    ///
    /// If something goes on beside it, and there is no driver. `place` says where, and what to do.
    #[inline]
    pub(crate) fn new(
        context: Pin<Box<C>>,
        driver: Option<impl FnOnce(&Arc<DriveNode<Driven<C, X>>>)>,
        place: &str,
    ) -> Self {
        let held = Held::new(context);
        let resource = held.resource;
        let Some(beside) = held.beside else {
            return Self {
                resource,
                kept: KeptContext::new(State::Alone(held)),
            };
        };
        let Some(driver) = driver else {
            // SAFETY: the context has not been used since it was asked.
            let refused = unsafe { beside.refuse() };
            assert!(
                refused,
                "`{}` goes on beside its block, which {place}",
                held.context.get().report_source().path(),
            );
            return Self {
                resource,
                kept: KeptContext::new(State::Alone(held)),
            };
        };
        let driven = DriveNode::new(Driven(Locked::new(DrivenState::Here(held))));
        driver(&driven);
        Self {
            resource,
            kept: KeptContext::new(State::Shared(driven)),
        }
    }

    /// Keeps a context beside which nothing goes on.
    pub(crate) fn alone(context: Pin<Box<C>>) -> Self {
        Self::new(
            context,
            None::<fn(&Arc<DriveNode<Driven<C, X>>>)>,
            "nobody drives",
        )
    }

    pub(crate) fn resource(&self) -> &C::Resource {
        // SAFETY: the resource is borrowed from the context, exclusively and for as long as the context is not used
        // otherwise: that is, until `kept` is used, or dropped, which takes this by value or borrows it exclusively. A
        // driver that has the context uses only what goes on beside it, and does not drop it before `kept` is dropped.
        unsafe { self.resource.as_ref() }
    }

    pub(crate) fn resource_mut(&mut self) -> &mut C::Resource {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { self.resource.as_mut() }
    }

    /// Takes the error out with which what goes on has failed.
    pub(crate) fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        let State::Shared(driven) = &self.kept.state else {
            return None;
        };
        let resource = &mut self.resource;
        let failure = driven.with(|held| {
            let failure = catch_panic(|| held.failure_for(ask));
            // The context was used, and has lent its resource anew.
            *resource = held.resource;
            failure
        })?;
        failure.unwrap_or_else(|panic| panic.resume())
    }

    /// Drops what goes on, and does not go on with it any more. If several panic, `later` is given all panics but the first.
    pub(crate) fn end_beside(&self, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        match &self.kept.state {
            State::Shared(driven) => driven.end(later),
            _ => Ok(()),
        }
    }

    /// Ends the lending.
    pub(crate) fn reclaim(self) -> KeptContext<C, X> {
        self.kept
    }

    pub(super) fn into_parts(self) -> (NonNull<C::Resource>, KeptContext<C, X>) {
        (self.resource, self.kept)
    }
}
