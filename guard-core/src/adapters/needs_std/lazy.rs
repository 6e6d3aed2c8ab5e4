//! A context that is entered when it is first asked for.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::ops::Deref;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::sync::{Arc, OnceLock};
use std::task::Wake;

use super::entered::{DrivenContext, Entered, Exiting};
use crate::call_order::Order;
use crate::cleanup::{Runtime, RuntimeId, WaitLimit};
use crate::context::Checked;
use crate::platform::panics::{catch_panic, contained};
use crate::platform::sync::{Mutex, lock};
use crate::platform::wakers::Wakers;
use crate::raw::{Ask, BesidePtr};
use crate::report::{ReportKind, ReportSource};
use crate::using::beside_list::{DriverSide, HandleSide};
use crate::using::entering::Entering;
use crate::{AsyncContext, Outcome};

/// Lends a [handle](LazyResource) that enters its context when it is first asked for the resource.
///
/// For what not every use needs: a connection, a cache, a temporary directory. `make` is called when
/// somebody asks, and the context that it returns is entered. Those who ask meanwhile wait for that; those who ask later
/// get the same resource. The context is exited at the end of the use, with its outcome, and only if it was entered.
///
/// What goes on [beside](crate::yield_resource#beside-the-block) the context is driven from when it is entered. If it fails, it
/// ends the block of this use.
///
/// A set-up that fails may be tried again: the error goes to the one who drove the set-up, and the next who asks, or who
/// waits already, calls `make` again.
///
/// cats-effect: `Resource.memoize`. Python: an `AsyncExitStack` whose `enter_async_context` is called once, under
/// a lock.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{async_context, async_with, lazy, yield_resource};
/// use std::io;
///
/// #[async_context]
/// async fn connection(address: String) -> io::Result<Vec<String>> {
///     let mut sent = vec![format!("hello {address}")];
///     yield_resource!(sent);
///     Ok(())
/// }
///
/// async fn serve(requests: &[&str]) -> io::Result<usize> {
///     Ok(async_with!(upstream = lazy(|| connection("localhost".into()))?, {
///         for request in requests {
///             if !request.starts_with("cached") {
///                 upstream.get_mut().await?.push(request.to_string());
///             }
///         }
///         upstream.entered().map_or(0, Vec::len)
///     }))
/// }
///
/// assert_eq!(serve(&["cached 1", "cached 2"]).await?, 0);
/// assert_eq!(serve(&["cached 1", "new 1", "new 2"]).await?, 3);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Entering cannot fail. Exiting fails with the error of the context that was entered.
///
/// # Panics
///
/// A panic of `make` or of the set-up goes on in the one who asks, and the set-up may be tried again.
///
/// Who asks gets a panic too if something goes on beside the context and nobody drives it: the lazy context was entered on an
/// exit stack that is owned, or is inside a hand-written context.
///
/// # Cancellation
///
/// One who asks and is dropped leaves the set-up to the others who wait. When the last one is dropped, so is
/// the set-up: a guaranteed context is then finished in the background and told [`Cancelled`](Outcome::Cancelled), and the
/// next who asks starts a new set-up. Otherwise the guarantees of the context hold.
pub fn lazy<C, M, R>(make: M) -> Checked<Lazy<C, M>, R>
where
    C: AsyncContext<Resource = R>,
    R: ?Sized,
    M: FnMut() -> C,
{
    Lazy {
        lent: LazyResource {
            entered: OnceLock::new(),
            set_up: Mutex::new(Some(SetUp {
                make,
                entering: None,
            })),
            askers: Arc::default(),
            beside_list: HandleSide::nowhere(),
        },
        beside_list: DriverSide::new(),
        order: Order::Start,
        exiting: Exiting::none(),
    }
}

/// The context of [`lazy`](crate::lazy).
#[must_use = "a context does nothing until it is used: `async_with!(handle = lazy(…)?, { … })`"]
pub struct Lazy<C, M>
where
    C: AsyncContext,
{
    lent: LazyResource<C, M>,
    beside_list: DriverSide<DrivenContext<C>>,
    order: Order,
    exiting: Exiting<C>,
}

/// What [`lazy`](crate::lazy) lends: asked for the resource, it enters its context.
pub struct LazyResource<C, M>
where
    C: AsyncContext,
{
    entered: OnceLock<Entered<C>>,
    /// `None` while somebody polls it.
    set_up: Mutex<Option<SetUp<C, M>>>,
    askers: Arc<Askers>,
    /// What goes on beside the context.
    beside_list: HandleSide<DrivenContext<C>>,
}

struct SetUp<C, M>
where
    C: AsyncContext,
{
    make: M,
    entering: Option<Entering<C, ()>>,
}

/// Those who wait for the set-up.
#[derive(Default)]
struct Askers(Mutex<AskersState>);

#[derive(Default)]
struct AskersState {
    next: u64,
    /// How many wait. `wakers` has those that were not woken since their last poll.
    count: usize,
    wakers: Wakers<u64>,
    /// Whether the set-up is to be polled.
    is_woken: bool,
}

impl Askers {
    /// Has `waker` woken when there is something to do or to be had.
    fn wait(&self, number: &mut Option<u64>, waker: &Waker) {
        let waker = waker.clone();
        let mut state = lock(&self.0);
        let number = *number.get_or_insert_with(|| {
            state.count += 1;
            state.next += 1;
            state.next
        });
        let replaced = state.wakers.set(number, waker);
        drop(state);
        drop(replaced);
    }

    /// Waits no more. Whether nobody else does.
    fn leave(&self, number: u64) -> bool {
        let mut state = lock(&self.0);
        let removed = state.wakers.remove(number);
        state.count -= 1;
        let is_last = state.count == 0;
        drop(state);
        drop(removed);
        is_last
    }

    /// Returns whether the set-up was woken, and resets that.
    fn take_woken(&self) -> bool {
        mem::take(&mut lock(&self.0).is_woken)
    }

    fn note_woken(&self) {
        lock(&self.0).is_woken = true;
    }

    fn wake_all(&self) {
        let wakers = lock(&self.0).wakers.take();
        wakers.wake();
    }
}

/// The set-up is woken: whichever of those who wait comes first goes on with it.
impl Wake for Askers {
    fn wake(self: Arc<Self>) {
        self.note_woken();
        self.wake_all();
    }
}

impl<C, M> LazyResource<C, M>
where
    C: AsyncContext,
    M: FnMut() -> C,
{
    /// The resource. Who asks first enters the context.
    ///
    /// Through a shared reference, so that several may ask at once.
    ///
    /// # Errors
    ///
    /// The context could not be entered. The next who asks tries again.
    ///
    /// # Panics
    ///
    /// A panic of the set-up goes on. The next who asks tries again.
    ///
    /// # Cancellation
    ///
    /// The set-up is left to those who wait too; without one it is dropped: see [`lazy`](crate::lazy).
    pub async fn get(&self) -> Result<&C::Resource, C::Error> {
        WaitUntilEntered::new(self).await?;
        Ok(self.entered().expect("it has just been entered"))
    }

    /// [`get`](Self::get) for a resource that is to be changed.
    ///
    /// # Errors
    ///
    /// The context could not be entered. The next who asks tries again.
    ///
    /// # Panics
    ///
    /// As for [`get`](Self::get).
    ///
    /// # Cancellation
    ///
    /// The set-up is dropped. As this has the handle alone, nobody else waits for the set-up.
    pub async fn get_mut(&mut self) -> Result<&mut C::Resource, C::Error> {
        // Not `get`: while that waits it holds a shared reference, which goes to another thread only if the resource
        // can be shared.
        WaitUntilEntered::new(&mut *self).await?;
        let entered = self.entered.get_mut().expect("it has just been entered");
        Ok(entered.resource_mut())
    }

    /// Goes on with the set-up, if nobody else does.
    fn poll_entered(
        &self,
        number: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), C::Error>> {
        if self.entered.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        self.askers.wait(number, cx.waker());
        // If another asker polls the set-up now, it enters the context, or it sees in `put_back` that the set-up was woken,
        // and wakes all askers.
        let set_up = lock(&self.set_up).take();
        let Some(mut set_up) = set_up else {
            return Poll::Pending;
        };
        if self.entered.get().is_some() {
            self.put_back(set_up);
            return Poll::Ready(Ok(()));
        }
        let polled = catch_panic(|| self.poll_set_up(&mut set_up));
        match polled {
            Ok(Poll::Pending) => {
                self.put_back(set_up);
                Poll::Pending
            }
            Ok(Poll::Ready(entered)) => {
                let entering = set_up.entering.take();
                let entered = entered.map(|entered| {
                    // Nobody else polls the set-up.
                    let _ = self.entered.set(entered);
                });
                self.put_back(set_up);
                self.askers.wake_all();
                drop(entering);
                Poll::Ready(entered)
            }
            Err(panic) => {
                let entering = set_up.entering.take();
                self.put_back(set_up);
                self.askers.wake_all();
                contained(|| drop(entering));
                panic.resume()
            }
        }
    }

    fn poll_set_up(&self, set_up: &mut SetUp<C, M>) -> Poll<Result<Entered<C>, C::Error>> {
        let entering = match &mut set_up.entering {
            Some(entering) => entering,
            none => {
                self.askers.note_woken();
                none.insert(Entering::new((set_up.make)()))
            }
        };
        if !self.askers.take_woken() {
            return Poll::Pending;
        }
        let waker = Waker::from(self.askers.clone());
        let entered = Pin::new(entering).poll(&mut Context::from_waker(&waker));
        entered.map_ok(|(context, nest)| Entered::by_handle(self, &self.beside_list, context, nest))
    }
}

impl<C, M> LazyResource<C, M>
where
    C: AsyncContext,
{
    /// The resource, if somebody has asked for it.
    #[must_use]
    pub fn entered(&self) -> Option<&C::Resource> {
        self.entered.get().map(Entered::resource)
    }

    /// The resource, to be changed, if somebody has asked for it.
    #[must_use]
    pub fn entered_mut(&mut self) -> Option<&mut C::Resource> {
        self.entered.get_mut().map(Entered::resource_mut)
    }

    fn put_back(&self, set_up: SetUp<C, M>) {
        *lock(&self.set_up) = Some(set_up);
        // An asker that came meanwhile could not poll the set-up.
        if lock(&self.askers.0).is_woken {
            self.askers.wake_all();
        }
    }

    /// An asker is dropped.
    fn leave(&self, number: Option<u64>) {
        let Some(number) = number else {
            return;
        };
        // If the set-up was woken, all who wait were woken, and any of them goes on with it. So none of them waits for this
        // asker.
        if !self.askers.leave(number) || self.entered.get().is_some() {
            return;
        }
        let set_up = lock(&self.set_up).take();
        if let Some(mut set_up) = set_up {
            let entering = set_up.entering.take();
            self.put_back(set_up);
            self.askers.wake_all();
            drop(entering);
        }
    }
}

/// Waits until the context is entered. `L` is a reference to the handle, shared or exclusive.
struct WaitUntilEntered<L, C, M>
where
    C: AsyncContext,
    L: Deref<Target = LazyResource<C, M>>,
{
    lazy: L,
    /// The number of this asker, from its first poll.
    number: Option<u64>,
    _context: PhantomData<fn() -> (C, M)>,
}

impl<L, C, M> WaitUntilEntered<L, C, M>
where
    C: AsyncContext,
    L: Deref<Target = LazyResource<C, M>>,
{
    fn new(lazy: L) -> Self {
        Self {
            lazy,
            number: None,
            _context: PhantomData,
        }
    }
}

impl<L, C, M> Future for WaitUntilEntered<L, C, M>
where
    C: AsyncContext,
    M: FnMut() -> C,
    L: Deref<Target = LazyResource<C, M>> + Unpin,
{
    type Output = Result<(), C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.lazy.poll_entered(&mut this.number, cx)
    }
}

impl<L, C, M> Drop for WaitUntilEntered<L, C, M>
where
    C: AsyncContext,
    L: Deref<Target = LazyResource<C, M>>,
{
    fn drop(&mut self) {
        self.lazy.leave(self.number);
    }
}

impl<C, M> Lazy<C, M>
where
    C: AsyncContext,
{
    /// Ends the lending.
    fn take_back(&mut self) -> &mut Exiting<C> {
        if let Some(entered) = self.lent.entered.take() {
            self.exiting = entered.exiting();
        }
        &mut self.exiting
    }
}

impl<C, M> fmt::Debug for LazyResource<C, M>
where
    C: AsyncContext<Resource: fmt::Debug>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entered().fmt(f)
    }
}

impl<C, M> fmt::Debug for Lazy<C, M>
where
    C: AsyncContext,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").finish_non_exhaustive()
    }
}

// The context lies in a box of its own.
impl<C, M> Unpin for Lazy<C, M> where C: AsyncContext {}

#[diagnostic::do_not_recommend]
impl<C, M> AsyncContext for Lazy<C, M>
where
    C: AsyncContext,
    M: FnMut() -> C,
{
    type Resource = LazyResource<C, M>;
    type Error = C::Error;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.enter();
        this.order.entered();
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut LazyResource<C, M> {
        let this = self.get_mut();
        this.order.lend();
        &mut this.lent
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.exit();
        let exited = ready!(this.take_back().poll(cx, outcome));
        this.order.end();
        Poll::Ready(exited)
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        self.get_mut().take_back().tell(outcome)
    }

    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        let Self {
            lent, beside_list, ..
        } = self.get_mut();
        Some(beside_list.beside(lent, |lent| &mut lent.beside_list))
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<C::Error> {
        let this = self.get_mut();
        match this.lent.entered.get_mut() {
            Some(entered) => entered.failure(ask),
            None => this.exiting.failure(ask),
        }
    }

    fn runtime(&self) -> RuntimeId {
        let runtime = self.exiting.look(AsyncContext::runtime);
        runtime.unwrap_or_else(|| Runtime::current().id_on_this_thread())
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        self.get_mut().take_back().poll_wait(cx)
    }

    fn report_source(&self) -> ReportSource<C::Error> {
        let source = self.exiting.look(AsyncContext::report_source);
        let lent = || self.lent.entered.get().map(Entered::report_source);
        source
            .or_else(lent)
            .unwrap_or_else(ReportSource::of_type::<C>)
    }

    fn report(&self, kind: ReportKind<'_, C::Error>) {
        let reported = self.exiting.look(|context| context.report(kind));
        if reported.is_none() {
            self.report_source().report(kind);
        }
    }
}
