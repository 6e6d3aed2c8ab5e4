//! The laws of the protocol, for contexts written by hand.

use core::any::type_name;
use core::cell::RefCell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker, ready};
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::rc::Rc;
use std::string::String;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use super::cancel::{Cut, Failure, FailureKind, Limits, Stalled, every_cut, reported, watched};
use super::reports::reports;
use super::watch::Watch;
use super::{Check, Checks, Verdict, caught, give_way};
use crate::raw::ASK;
use crate::{AsyncContext, Outcome};

/// Checks that a context keeps the laws of the protocol.
///
/// For [`AsyncContext`] and [`AsyncManager`](crate::AsyncManager) implemented by hand. `make` returns a new context for each
/// run. The runs use it with every outcome, drop it at every poll of its set-up, its use and its clean-up, and call it out of
/// order. A manager is checked as `check_context(|| manage(value))`. A context that catches is checked with
/// [`check_catching`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::testing::check_context;
/// use guard_core::{AsyncManager, Outcome, manage};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// struct Session {
///     open: Arc<AtomicUsize>,
/// }
///
/// impl AsyncManager for Session {
///     type Resource = Self;
///     type Error = std::io::Error;
///
///     async fn enter(&mut self) -> std::io::Result<&mut Self> {
///         tokio::task::yield_now().await;
///         self.open.fetch_add(1, Relaxed);
///         Ok(self)
///     }
///
///     async fn exit(&mut self, _: Outcome) -> std::io::Result<()> {
///         tokio::task::yield_now().await;
///         self.open.fetch_sub(1, Relaxed);
///         Ok(())
///     }
/// }
///
/// let open = Arc::new(AtomicUsize::new(0));
/// check_context(|| manage(Session { open: open.clone() }))
///     .clean(async || assert_eq!(open.load(Relaxed), 0, "a session is open"))
///     .await;
/// # }
/// ```
///
/// # Laws
///
/// | law | |
/// |---|---|
/// | `no-panic` | called in order, neither set-up nor clean-up panics, whatever the outcome is |
/// | `ends` | set-up and clean-up end |
/// | `wakes` | one that is pending has its waker woken |
/// | `last-waker` | that is the waker of the last poll |
/// | `spurious-polls` | polls that nothing woke change nothing |
/// | `resource-stays` | the resource is at the same place each time |
/// | `resource-after-enter` | before the set-up has ended, `resource` panics |
/// | `resource-before-exit` | when the clean-up has begun, `resource` panics |
/// | `enter-once` | after the set-up has ended, `poll_enter` panics |
/// | `exit-after-enter` | before the set-up has ended, `poll_exit` panics |
/// | `exit-once` | after the clean-up has ended, `poll_exit` panics |
/// | `failed-is-over` | after the set-up has failed, every call panics |
/// | `first-outcome-counts` | the first `poll_exit` tells the outcome, and what later polls tell is ignored |
/// | `drop-anywhere` | it can be dropped at every point without a panic |
/// | `clean-up-ends` | what goes on in the background after that ends |
/// | `nothing-lost` | a use that runs to its end reports nothing: its caller has the error |
/// | `clean` | the check that is given to [`clean`](CheckContext::clean) succeeds after each run |
///
/// # Panics
///
/// With the name of the first law that is broken, and how.
///
/// A call out of order panics, as it should, so the panic hook writes on stderr; libtest shows that only if the
/// test fails.
///
/// # Cancellation
///
/// Dropping it drops the context that is checked.
///
/// Python: none. CPython's own tests have `AbstractAsyncContextManager` and few others as mixins.
#[track_caller]
pub fn check_context<'a, C, M>(make: M) -> CheckContext<'a>
where
    C: AsyncContext + 'a,
    M: FnMut() -> C + 'a,
{
    CheckContext::new(make, || ())
}

/// [`check_context`] for a context that catches: `error` makes the errors of the body that it is told.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::suppress;
/// use guard_core::testing::check_catching;
///
/// check_catching(
///     || suppress(|error: &String| error == "busy"),
///     || "busy".to_owned(),
/// )
/// .await;
/// # }
/// ```
///
/// # Panics
///
/// As for [`check_context`].
#[track_caller]
pub fn check_catching<'a, C, X, M, N>(make: M, error: N) -> CheckContext<'a>
where
    C: AsyncContext<X> + 'a,
    X: 'a,
    M: FnMut() -> C + 'a,
    N: FnMut() -> X + 'a,
{
    CheckContext::new(make, error)
}

/// What [`check_context`] returns: `.await` it.
#[must_use = "nothing is checked unless this is awaited: `check_context(…).await`"]
pub struct CheckContext<'a> {
    /// Until it is polled.
    laws: Option<Laws<'a>>,
    running: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
}

struct Laws<'a> {
    make: Box<dyn FnMut() -> Box<dyn Subject + 'a> + 'a>,
    clean: Option<Box<dyn Check<()> + 'a>>,
    limits: Limits,
    name: &'static str,
    location: &'static Location<'static>,
}

impl fmt::Debug for CheckContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.laws.as_ref().map(|laws| laws.name);
        f.debug_struct("CheckContext")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

impl<'a> CheckContext<'a> {
    #[track_caller]
    fn new<C, X, M, N>(mut make: M, error: N) -> Self
    where
        C: AsyncContext<X> + 'a,
        X: 'a,
        M: FnMut() -> C + 'a,
        N: FnMut() -> X + 'a,
    {
        let error = Rc::new(RefCell::new(error));
        let laws = Laws {
            make: Box::new(move || {
                Box::new(Checked {
                    context: Box::pin(make()),
                    error: error.clone(),
                })
            }),
            clean: None,
            limits: Limits::default(),
            name: type_name::<C>(),
            location: Location::caller(),
        };
        Self {
            laws: Some(laws),
            running: None,
        }
    }

    fn set(mut self, set: impl FnOnce(&mut Laws<'a>)) -> Self {
        self.laws.as_mut().map(set);
        self
    }

    /// Calls `check` after each run that used the context as it should be: nothing may be left then.
    ///
    /// For guaranteed contexts: a scoped one that is dropped half-way does not clean up.
    pub fn clean<K, R>(self, check: K) -> Self
    where
        K: AsyncFnMut() -> R + 'a,
        R: Verdict + 'a,
    {
        let mut check = check;
        let clean = Checks::new(async move |()| check().await);
        self.set(|laws| laws.clean = Some(Box::new(clean)))
    }

    /// How many polls a run may take, 10,000 unless this says otherwise.
    pub fn max_polls(self, polls: usize) -> Self {
        self.set(|laws| laws.limits.max_polls = polls)
    }

    /// How long nothing may happen: 30 seconds of real time unless this says otherwise.
    pub fn patience(self, limit: Duration) -> Self {
        self.set(|laws| laws.limits.patience = limit)
    }
}

impl Future for CheckContext<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(laws) = this.laws.take() {
            this.running = Some(Box::pin(laws.run()));
        }
        let running = this.running.as_mut();
        let running = running.expect("a future was polled after its end");
        ready!(running.as_mut().poll(cx));
        this.running = None;
        Poll::Ready(())
    }
}

/// How a use ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Completed,
    Failed,
    Panicked,
    Cancelled,
}

const ENDS: [End; 4] = [End::Completed, End::Failed, End::Panicked, End::Cancelled];

/// A context that is checked, its types hidden.
trait Subject {
    /// Whether it is entered, when that is known.
    fn enter(&mut self, cx: &mut Context<'_>) -> Poll<bool>;

    /// Where the resource is.
    fn resource(&mut self) -> *const ();

    /// Whether it succeeded, when that is known.
    fn exit(&mut self, cx: &mut Context<'_>, end: End) -> Poll<bool>;
}

struct Checked<C, N> {
    context: Pin<Box<C>>,
    error: Rc<RefCell<N>>,
}

impl<C, N, X> Subject for Checked<C, N>
where
    C: AsyncContext<X>,
    N: FnMut() -> X,
{
    fn enter(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.context
            .as_mut()
            .poll_enter(cx)
            .map(|entered| entered.is_ok())
    }

    fn resource(&mut self) -> *const () {
        // What goes on beside the block is not driven here: it is not a part of the protocol.
        let _ = self.context.as_mut().beside(ASK);
        ptr::from_ref(self.context.as_mut().resource()).cast()
    }

    fn exit(&mut self, cx: &mut Context<'_>, end: End) -> Poll<bool> {
        let outcome = match end {
            End::Completed => Outcome::Completed,
            End::Failed => Outcome::Failed((self.error.borrow_mut())()),
            End::Panicked => Outcome::Panicked,
            End::Cancelled => Outcome::Cancelled,
        };
        self.context
            .as_mut()
            .poll_exit(cx, outcome)
            .map(|exited| exited.is_ok())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Law {
    NoPanic,
    Ends,
    Wakes,
    LastWaker,
    SpuriousPolls,
    ResourceStays,
    ResourceAfterEnter,
    ResourceBeforeExit,
    EnterOnce,
    ExitAfterEnter,
    ExitOnce,
    FailedIsOver,
    FirstOutcomeCounts,
    DropAnywhere,
    CleanUpEnds,
    NothingLost,
    Clean,
}

impl Law {
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::NoPanic => ("no-panic", "called in order, nothing panics"),
            Self::Ends => ("ends", "set-up and clean-up end"),
            Self::Wakes => ("wakes", "one that is pending has its waker woken"),
            Self::LastWaker => ("last-waker", "the waker of the last poll is woken"),
            Self::SpuriousPolls => ("spurious-polls", "polls that nothing woke change nothing"),
            Self::ResourceStays => (
                "resource-stays",
                "the resource is at the same place each time",
            ),
            Self::ResourceAfterEnter => (
                "resource-after-enter",
                "before the set-up has ended, `resource` panics",
            ),
            Self::ResourceBeforeExit => (
                "resource-before-exit",
                "when the clean-up has begun, `resource` panics",
            ),
            Self::EnterOnce => (
                "enter-once",
                "after the set-up has ended, `poll_enter` panics",
            ),
            Self::ExitAfterEnter => (
                "exit-after-enter",
                "before the set-up has ended, `poll_exit` panics",
            ),
            Self::ExitOnce => (
                "exit-once",
                "after the clean-up has ended, `poll_exit` panics",
            ),
            Self::FailedIsOver => (
                "failed-is-over",
                "after the set-up has failed, every call panics",
            ),
            Self::FirstOutcomeCounts => (
                "first-outcome-counts",
                "what later polls of the clean-up tell is ignored",
            ),
            Self::DropAnywhere => ("drop-anywhere", "to drop it does not panic"),
            Self::CleanUpEnds => (
                "clean-up-ends",
                "what goes on in the background after a drop ends",
            ),
            Self::NothingLost => ("nothing-lost", "a use that runs to its end reports nothing"),
            Self::Clean => ("clean", "nothing is left after a run"),
        }
    }
}

/// A law that is broken, and how.
struct Broken {
    law: Law,
    how: String,
}

fn broken<T>(law: Law, how: impl Into<String>) -> Result<T, Broken> {
    Err(Broken {
        law,
        how: how.into(),
    })
}

/// How a use in order went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Went {
    NotEntered,
    Exited(bool),
    /// The resource was somewhere else.
    Moved,
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEntered => "the set-up failed",
            Self::Exited(true) => "the clean-up succeeded",
            Self::Exited(false) => "the clean-up failed",
            Self::Moved => "the resource moved",
        })
    }
}

/// Uses it in order, with a block that waits once.
async fn uses(mut subject: Box<dyn Subject + '_>, end: End) -> Went {
    if !poll_fn(|cx| subject.enter(cx)).await {
        return Went::NotEntered;
    }
    let place = subject.resource();
    give_way().await;
    if subject.resource() != place {
        return Went::Moved;
    }
    Went::Exited(poll_fn(|cx| subject.exit(cx, end)).await)
}

/// Looks at what is left after a run, and at what was reported in it.
struct After<'c, 'a> {
    clean: &'c mut Option<Box<dyn Check<()> + 'a>>,
    has_lost: bool,
}

impl Check<Cut> for After<'_, '_> {
    fn check<'s>(&'s mut self, cut: Cut) -> Pin<Box<dyn Future<Output = Option<String>> + 's>>
    where
        Cut: 's,
    {
        Box::pin(async move {
            if cut.is_end() && !cut.reports().is_empty() {
                self.has_lost = true;
                return Some("there are reports".into());
            }
            match self.clean {
                Some(clean) => clean.check(()).await,
                None => None,
            }
        })
    }
}

impl<'a> Laws<'a> {
    async fn run(mut self) {
        // The reports of what this drops on purpose are ignored.
        let reports = reports();
        let checked = self.check().await;
        drop(reports);
        if let Err(Broken { law, how }) = checked {
            let (name, text) = law.described();
            panic!(
                "check_context, called at {}: law `{name}`: {text}; but of `{}`: {how}",
                self.location, self.name,
            );
        }
    }

    async fn check(&mut self) -> Result<(), Broken> {
        for end in ENDS {
            let went = self.drop_at_every_poll(end).await?;
            self.with_spurious_polls(end, went).await?;
            if let Went::Exited(_) = went {
                self.with_other_outcomes(end, went).await?;
            }
        }
        self.out_of_order().await
    }

    /// A use with this end, cut at every poll, and then to its end.
    async fn drop_at_every_poll(&mut self, end: End) -> Result<Went, Broken> {
        let Self {
            make,
            clean,
            limits,
            ..
        } = self;
        let mut after = After {
            clean,
            has_lost: false,
        };
        let ran = {
            let mut make =
                || -> Pin<Box<dyn Future<Output = Went> + '_>> { Box::pin(uses(make(), end)) };
            every_cut(&mut make, &mut after, *limits).await
        };
        let Failure { cut, kind } = match ran {
            Ok(Went::Moved) => return broken(Law::ResourceStays, "it moved"),
            Ok(went) => return Ok(went),
            Err(failure) => failure,
        };
        let law = match &kind {
            FailureKind::Check(_) if after.has_lost => Law::NothingLost,
            FailureKind::Check(_) | FailureKind::Stalled(Stalled::Check, _) => Law::Clean,
            FailureKind::Polling(_) => Law::NoPanic,
            FailureKind::Dropping(_) => Law::DropAnywhere,
            FailureKind::NoEnd(_) => Law::Ends,
            FailureKind::Stalled(Stalled::Future, _) => Law::Wakes,
            FailureKind::Stalled(Stalled::CleanUp, _) => Law::CleanUpEnds,
        };
        let reported = reported(cut.reports());
        broken(law, format!("told {end:?}, cut {cut}: {kind}{reported}"))
    }

    /// Polls twice for each wake-up, each time with another waker.
    async fn with_spurious_polls(&mut self, end: End, expected: Went) -> Result<(), Broken> {
        let watch = Watch::new(self.limits.patience);
        let mut using = Box::pin(uses((self.make)(), end));
        let mut last = LastWaker::new();
        let went = poll_fn(|cx| {
            if last.take_woken(cx.waker()) {
                watch.progress();
                for _ in 0..2 {
                    let waker = last.renew(cx.waker());
                    match caught(|| using.as_mut().poll(&mut Context::from_waker(&waker))) {
                        Ok(Poll::Pending) => {}
                        Ok(Poll::Ready(went)) => return Poll::Ready(Ok(went)),
                        Err(panic) => {
                            let how = format!("told {end:?}, it panicked: {panic}");
                            return Poll::Ready(broken(Law::SpuriousPolls, how));
                        }
                    }
                }
            }
            if watch.is_stalled(cx) {
                let how =
                    format!("told {end:?}, only the waker of a former poll is woken, or none");
                return Poll::Ready(broken(Law::LastWaker, how));
            }
            Poll::Pending
        })
        .await?;
        drop(using);
        self.drain().await?;
        if went == expected {
            Ok(())
        } else {
            let how = format!("told {end:?}, {expected}, and with more polls {went}");
            broken(Law::SpuriousPolls, how)
        }
    }

    /// Tells another outcome with each later poll of the clean-up.
    async fn with_other_outcomes(&mut self, end: End, expected: Went) -> Result<(), Broken> {
        let mut subject = self.at(Stage::Entered).await?;
        if let Some(subject) = &mut subject {
            let mut others = ENDS.iter().cycle().skip_while(|other| **other != end);
            let exiting = poll_fn(|cx| {
                let other = *others.next().unwrap_or(&end);
                match caught(|| subject.exit(cx, other)) {
                    Ok(exited) => exited.map(|exited| Ok(Went::Exited(exited))),
                    Err(panic) => Poll::Ready(Err(panic)),
                }
            });
            let exited = watched(exiting, &Watch::new(self.limits.patience)).await;
            let went = match exited {
                Some(Ok(went)) if went != expected => format!("{went}"),
                Some(Err(panic)) => format!("it panicked: {panic}"),
                None => "it did not end".into(),
                Some(Ok(_)) => String::new(),
            };
            if !went.is_empty() {
                let how = format!("told {end:?}, {expected}; when others follow, {went}");
                return broken(Law::FirstOutcomeCounts, how);
            }
        }
        drop(subject);
        self.drain().await
    }

    /// A context at this stage, if it comes there.
    async fn at(&mut self, stage: Stage) -> Result<Option<Box<dyn Subject + 'a>>, Broken> {
        let patience = self.limits.patience;
        let mut subject = (self.make)();
        let watch = Watch::new(patience);
        match watched(reach(&mut *subject, stage), &watch).await {
            Some(true) => Ok(Some(subject)),
            Some(false) => Ok(None),
            None => broken(Law::Wakes, format!("it was not woken for {patience:?}")),
        }
    }

    /// Every call where it must not be.
    async fn out_of_order(&mut self) -> Result<(), Broken> {
        for (stage, call, law) in OUT_OF_ORDER {
            let Some(mut subject) = self.at(stage).await? else {
                self.drain().await?;
                continue;
            };
            let mut cx = Context::from_waker(Waker::noop());
            let panicked = caught(|| match call {
                Call::Enter => drop(subject.enter(&mut cx)),
                Call::Resource => _ = subject.resource(),
                Call::Exit => drop(subject.exit(&mut cx, End::Completed)),
            });
            if panicked.is_ok() {
                return broken(law, format!("{call} {stage}, did not panic"));
            }
            if let Err(panic) = caught(|| drop(subject)) {
                let how = format!("dropped after {call} {stage}, it panicked: {panic}");
                return broken(Law::DropAnywhere, how);
            }
            self.drain().await?;
        }
        Ok(())
    }

    async fn drain(&self) -> Result<(), Broken> {
        let patience = self.limits.patience;
        match watched(crate::drain(), &Watch::new(patience)).await {
            Some(()) => Ok(()),
            None => {
                let kind = FailureKind::Stalled(Stalled::CleanUp, patience);
                broken(Law::CleanUpEnds, format!("{kind}"))
            }
        }
    }
}

/// How far a context is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    Entering,
    NotEntered,
    Entered,
    Exiting,
    Ended,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "before the set-up",
            Self::Entering => "while it was set up",
            Self::NotEntered => "after the set-up had failed",
            Self::Entered => "after the set-up",
            Self::Exiting => "while it was cleaned up",
            Self::Ended => "after the clean-up",
        })
    }
}

#[derive(Clone, Copy)]
enum Call {
    Enter,
    Resource,
    Exit,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enter => "`poll_enter`, called",
            Self::Resource => "`resource`, called",
            Self::Exit => "`poll_exit`, called",
        })
    }
}

const OUT_OF_ORDER: [(Stage, Call, Law); 13] = [
    (Stage::Fresh, Call::Resource, Law::ResourceAfterEnter),
    (Stage::Fresh, Call::Exit, Law::ExitAfterEnter),
    (Stage::Entering, Call::Resource, Law::ResourceAfterEnter),
    (Stage::Entering, Call::Exit, Law::ExitAfterEnter),
    (Stage::NotEntered, Call::Enter, Law::FailedIsOver),
    (Stage::NotEntered, Call::Resource, Law::FailedIsOver),
    (Stage::NotEntered, Call::Exit, Law::FailedIsOver),
    (Stage::Entered, Call::Enter, Law::EnterOnce),
    (Stage::Exiting, Call::Enter, Law::EnterOnce),
    (Stage::Exiting, Call::Resource, Law::ResourceBeforeExit),
    (Stage::Ended, Call::Enter, Law::EnterOnce),
    (Stage::Ended, Call::Resource, Law::ResourceBeforeExit),
    (Stage::Ended, Call::Exit, Law::ExitOnce),
];

/// Goes on until it is at this stage, and says whether it came there.
async fn reach(subject: &mut dyn Subject, stage: Stage) -> bool {
    async fn waits(mut poll: impl FnMut(&mut Context<'_>) -> Poll<bool>) -> bool {
        poll_fn(|cx| Poll::Ready(poll(cx).is_pending())).await
    }

    match stage {
        Stage::Fresh => return true,
        Stage::Entering => return waits(|cx| subject.enter(cx)).await,
        _ => {}
    }
    let is_entered = poll_fn(|cx| subject.enter(cx)).await;
    match stage {
        Stage::NotEntered => !is_entered,
        _ if !is_entered => false,
        Stage::Exiting => waits(|cx| subject.exit(cx, End::Completed)).await,
        Stage::Ended => {
            poll_fn(|cx| subject.exit(cx, End::Completed)).await;
            true
        }
        _ => true,
    }
}

/// The waker of the last poll, which alone counts.
struct LastWaker(Arc<Flag>);

struct Flag {
    is_woken: AtomicBool,
    outer: std::sync::Mutex<Waker>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        let outer = self.outer.lock();
        let outer = outer
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        outer.wake();
    }
}

impl LastWaker {
    fn new() -> Self {
        Self(Arc::new(Flag {
            is_woken: AtomicBool::new(true),
            outer: std::sync::Mutex::new(Waker::noop().clone()),
        }))
    }

    fn take_woken(&self, outer: &Waker) -> bool {
        let mut slot = self
            .0
            .outer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        slot.clone_from(outer);
        drop(slot);
        self.0.is_woken.swap(false, Ordering::SeqCst)
    }

    fn renew(&mut self, outer: &Waker) -> Waker {
        self.0 = Arc::new(Flag {
            is_woken: AtomicBool::new(false),
            outer: std::sync::Mutex::new(outer.clone()),
        });
        Waker::from(self.0.clone())
    }
}
