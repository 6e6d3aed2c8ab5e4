//! A simulated environment for the contexts of one thread: its clock, its background and its log.
//!
//! Spawner, reporter and panic hook belong to the whole process. They are installed once and find the
//! simulation of the thread they are called on, so that tests can run beside one another.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use guard_core::{Cleanup, Outcome, Report, ReportKind};

/// Where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Enter,
    Body,
    Exit,
    /// What a block does besides a use of this level.
    Rest,
}

/// An error, or the payload of a panic, known by where it arose.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    pub level: usize,
    pub step: Step,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.step, self.level)
    }
}

// Managers report their errors in this form.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        let (name, level) = text.split_at(text.len().checked_sub(1)?);
        let step = match name {
            "Enter" => Step::Enter,
            "Body" => Step::Body,
            "Exit" => Step::Exit,
            "Rest" => Step::Rest,
            _ => return None,
        };
        let level = level.parse().ok()?;
        Some(Self { level, step })
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Ok,
    Error,
    Panic,
}

/// Whom a report names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Level(usize),
    /// A context made of all levels.
    Composed,
    /// The stack on which all levels are.
    Stack,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    Abandoned,
    Failed(Fault),
    /// Its use failed with an error of which only the type is known.
    FailedWith,
    SetUpFailed(Fault),
    Panicked(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Set-up begins.
    Enter(usize),
    /// Set-up ended.
    Entered(usize, End),
    BodyStarted,
    BodyStep,
    BodyEnded(End),
    /// What the body owned is dropped.
    BodyGone,
    /// Clean-up begins, and may be told how the use ended.
    Release(usize, Option<Outcome>),
    /// Clean-up ended.
    Released(usize, End),
    /// The block around the use of this level drops it half-way.
    Interrupted(usize),
    /// The rest of that block ended.
    RestEnded(usize, End),
    Reported(Who, Lost),
    /// The driver drops the future that uses the contexts.
    Dropped,
    /// The driver drops everything in the background, and takes nothing there any more.
    Cut,
    /// A set-up or a clean-up is polled, after the cut.
    Polled(usize, Step),
}

#[derive(Default)]
struct World {
    log: Vec<Event>,
    /// Reports that are not about a context of the matrix.
    strange: Vec<String>,
    pauses: Vec<Pause>,
    background: Vec<Cleanup>,
    /// Where the contexts of each level were made.
    places: Vec<(&'static Location<'static>, usize)>,
    /// Whether the background takes no tasks.
    closed: bool,
    hook_calls: usize,
}

struct Pause {
    key: usize,
    over: bool,
    waker: Waker,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn with<T>(look: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with(|world| look(&mut world.borrow_mut()))
}

pub fn log(event: Event) {
    with(|world| world.log.push(event));
}

/// A context of this level is made by the caller.
#[track_caller]
pub fn made_here(level: usize) {
    let place = Location::caller();
    with(|world| {
        if !world.places.contains(&(place, level)) {
            world.places.push((place, level));
        }
    });
}

/// The level whose contexts are made there.
fn level_made_at(place: &Location<'_>) -> Option<usize> {
    let find = |world: &RefCell<World>| {
        let world = world.borrow();
        let mut levels = world.places.iter().filter(|(known, _)| *known == place);
        let level = levels.next().map(|&(_, level)| level);
        assert!(levels.next().is_none(), "two levels are made at {place}");
        level
    };
    WORLD.try_with(find).ok().flatten()
}

pub fn reported(who: Who, lost: Lost) {
    log(Event::Reported(who, lost));
}

/// Every report of the process that carries this text, for tests whose clean-ups end on other threads.
pub fn reports_containing(text: &str) -> Vec<String> {
    let all = ALL_REPORTS.lock().unwrap();
    all.iter()
        .filter(|report| report.contains(text))
        .cloned()
        .collect()
}

static ALL_REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How often the panic hook was called with a fault, on all threads.
pub static HOOK_CALLS: AtomicUsize = AtomicUsize::new(0);

/// Directs spawner, reporter and panic hook to the worlds.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        guard_core::set_spawner(spawn);
        guard_core::set_reporter(report);
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().is::<Fault>() {
                HOOK_CALLS.fetch_add(1, Ordering::Relaxed);
                with(|world| world.hook_calls += 1);
            } else {
                default(info);
            }
        }));
    });
}

/// Puts the task in the background of this thread, or drops it if that is closed.
pub fn spawn(task: Cleanup) {
    let refused = WORLD.try_with(|world| {
        let mut world = world.borrow_mut();
        if world.closed {
            Some(task)
        } else {
            world.background.push(task);
            None
        }
    });
    drop(refused);
}

thread_local! {
    /// Whether the stack that reports is the one on which all levels are.
    pub static STACK_IS_KNOWN: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn report(report: &Report<'_>) {
    // The context is known by the place where it was made, and has a name of this crate; or it is a function of this
    // name, or something inside it.
    let is_ours = report.name().contains("cancellation::");
    let level = report
        .location()
        .filter(|_| is_ours)
        .and_then(level_made_at);
    let by_name = || {
        report.name().rsplit("::").find_map(|name| match name {
            "level0" => Some(Who::Level(0)),
            "level1" => Some(Who::Level(1)),
            "level2" => Some(Who::Level(2)),
            name if name.starts_with("composed") => Some(Who::Composed),
            name if name.contains("ExitStack<") && STACK_IS_KNOWN.get() => Some(Who::Stack),
            _ => None,
        })
    };
    let who = level.map(Who::Level).or_else(by_name);
    // A context that catches has the body's error in its own.
    let faults = || -> Option<Vec<Fault>> {
        let error = report.error()?.to_string();
        error.split('+').map(Fault::parse).collect()
    };
    let lost: Option<Vec<Lost>> = match report.kind() {
        ReportKind::Abandoned => Some(vec![Lost::Abandoned]),
        ReportKind::Failed(error) if error.to_string().starts_with("an error of type ") => {
            Some(vec![Lost::FailedWith])
        }
        ReportKind::Failed(_) => {
            faults().map(|faults| faults.into_iter().map(Lost::Failed).collect())
        }
        ReportKind::SetUpFailed(_) => {
            faults().map(|faults| faults.into_iter().map(Lost::SetUpFailed).collect())
        }
        ReportKind::Panicked(payload) => payload
            .downcast_ref::<Fault>()
            .map(|&fault| vec![Lost::Panicked(fault)]),
        _ => None,
    };
    let text = report.to_string();
    let _ = WORLD.try_with(|world| {
        let mut world = world.borrow_mut();
        match (who, lost) {
            (Some(who), Some(lost)) if report.location().is_some() => {
                let lost = lost.into_iter().map(|lost| Event::Reported(who, lost));
                world.log.extend(lost);
            }
            _ => world.strange.push(text.clone()),
        }
    });
    ALL_REPORTS.lock().unwrap().push(text);
}

/// Whether there is nowhere to go on any more.
pub fn is_cut() -> bool {
    with(|world| world.closed)
}

/// Is pending until the clock ticks, and wakes then whoever polled it last.
pub async fn pause() {
    struct Pausing {
        key: Option<usize>,
    }

    impl Future for Pausing {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            with(|world| match self.key {
                None => {
                    let key = world.pauses.last().map_or(0, |pause| pause.key + 1);
                    self.key = Some(key);
                    world.pauses.push(Pause {
                        key,
                        over: false,
                        waker: cx.waker().clone(),
                    });
                    Poll::Pending
                }
                Some(key) => {
                    let pause = world.pauses.iter_mut().find(|pause| pause.key == key);
                    let pause = pause.expect("a pause is listed until it is dropped");
                    pause.waker.clone_from(cx.waker());
                    if pause.over {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }
            })
        }
    }

    impl Drop for Pausing {
        fn drop(&mut self) {
            if let Some(key) = self.key {
                let gone = with(|world| {
                    let at = world.pauses.iter().position(|pause| pause.key == key);
                    at.map(|at| world.pauses.remove(at))
                });
                drop(gone);
            }
        }
    }

    Pausing { key: None }.await;
}

/// Whether something waits for the clock.
pub fn is_pausing() -> bool {
    with(|world| world.pauses.iter().any(|pause| !pause.over))
}

/// Ends every pause.
pub fn tick() {
    let wakers: Vec<Waker> = with(|world| {
        world
            .pauses
            .iter_mut()
            .filter_map(|pause| {
                let over = std::mem::replace(&mut pause.over, true);
                (!over).then(|| pause.waker.clone())
            })
            .collect()
    });
    wakers.iter().for_each(Waker::wake_by_ref);
}

/// How futures are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Only when woken: a wake-up that is lost hangs.
    WhenWoken,
    /// Also when not woken.
    Spurious,
    /// With another waker every time, of which only the last one counts.
    NewWaker,
}

pub const DRIVERS: [Driver; 3] = [Driver::WhenWoken, Driver::Spurious, Driver::NewWaker];

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// When a future is to be polled, and with which waker.
pub struct Polling {
    driver: Driver,
    flag: Arc<Flag>,
    waker: Waker,
    spurious: bool,
}

impl Polling {
    pub fn new(driver: Driver) -> Self {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Self {
            driver,
            waker: Waker::from(flag.clone()),
            flag,
            spurious: false,
        }
    }

    /// The waker, if the future is to be polled now.
    pub fn due(&mut self) -> Option<Waker> {
        let woken = self.flag.0.swap(false, Ordering::Relaxed);
        if self.driver == Driver::Spurious {
            // Once between two wake-ups.
            self.spurious = !woken && !self.spurious;
        }
        if woken && self.driver == Driver::NewWaker {
            self.flag = Arc::default();
            self.waker = Waker::from(self.flag.clone());
        }
        (woken || self.spurious).then(|| self.waker.clone())
    }
}

/// How the use ended, if it did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Returned(Result<(), Vec<Fault>>),
    Panicked(Fault),
    Dropped,
}

/// A use that was driven, and everything that happened.
#[derive(Debug)]
pub struct Run {
    pub log: Vec<Event>,
    pub ending: Ending,
    pub polls: usize,
    pub background_polls: usize,
    pub hook_calls: usize,
    /// What no run may have, whatever it was about.
    pub violations: Vec<String>,
}

impl Run {
    /// All that the invariants look at.
    pub fn hash_what_is_judged(&self, hasher: &mut impl Hasher) {
        let Self {
            log,
            ending,
            polls: _,
            background_polls: _,
            hook_calls,
            violations,
        } = self;
        (log, ending, hook_calls, violations).hash(hasher);
    }
}

/// A use of contexts, not yet polled.
pub type Using = Pin<Box<dyn Future<Output = Result<(), Vec<Fault>>>>>;

/// More polls than any use or background needs that comes to an end.
const MANY: usize = 1000;

/// Drives a use: drops it after `drop_at` polls if it is not over by then, and drops what is in the
/// background after `cut_at` polls there.
pub fn drive(using: Using, driver: Driver, drop_at: Option<usize>, cut_at: Option<usize>) -> Run {
    begin();
    drive_in_this_world(using, drop_at, Background::new(driver, cut_at))
}

/// Drives a use where there is no background.
pub fn drive_alone(using: Using, driver: Driver, drop_at: Option<usize>) -> Run {
    begin();
    close();
    drive_in_this_world(using, drop_at, Background::new(driver, None))
}

fn drive_in_this_world(
    mut using: Using,
    drop_at: Option<usize>,
    mut background: Background,
) -> Run {
    let mut violations = Vec::new();
    let mut polling = Polling::new(background.driver);
    let mut polls = 0;
    let mut ticked = false;
    let ending = loop {
        if drop_at == Some(polls) {
            log(Event::Dropped);
            break Ending::Dropped;
        }
        // Either may be faster.
        if background.driver == Driver::NewWaker && background.poll_due() {
            ticked = false;
        } else if let Some(waker) = polling.due() {
            ticked = false;
            polls += 1;
            if let Some(ending) = poll(&mut using, &waker) {
                break ending;
            }
        } else if background.poll_due() {
            ticked = false;
        } else if ticked || polls > MANY {
            violations.push("a wake-up was lost".into());
            break Ending::Dropped;
        } else {
            ticked = true;
            tick();
        }
    };
    if catch_unwind(AssertUnwindSafe(|| drop(using))).is_err() {
        violations.push("dropping the use panicked".into());
    }
    background.finish();
    violations.append(&mut background.violations);
    end(ending, [polls, background.polls], violations)
}

/// Polls the use; `Some` if that was its end.
pub fn poll(using: &mut Using, waker: &Waker) -> Option<Ending> {
    let mut cx = Context::from_waker(waker);
    match catch_unwind(AssertUnwindSafe(|| using.as_mut().poll(&mut cx))) {
        Ok(Poll::Pending) => None,
        Ok(Poll::Ready(returned)) => Some(Ending::Returned(returned)),
        Err(payload) => match payload.downcast::<Fault>() {
            Ok(fault) => Some(Ending::Panicked(*fault)),
            Err(payload) => std::panic::resume_unwind(payload),
        },
    }
}

/// A new world for this thread.
pub fn begin() {
    install();
    with(|world| *world = World::default());
}

/// What happened in the world of this thread. `polls` are those of the use and those in the background.
pub fn end(ending: Ending, polls: [usize; 2], mut violations: Vec<String>) -> Run {
    let [polls, background_polls] = polls;
    with(|world| {
        violations.append(&mut world.strange);
        if !world.pauses.is_empty() {
            violations.push("something is left that waits".into());
        }
        Run {
            log: std::mem::take(&mut world.log),
            ending,
            polls,
            background_polls,
            hook_calls: world.hook_calls,
            violations,
        }
    })
}

/// The reports of this thread that are not about a context of the matrix, since the last call.
pub fn take_other_reports() -> Vec<String> {
    with(|world| std::mem::take(&mut world.strange))
}

/// How many tasks are in the background of this thread and have not been polled there.
pub fn background_tasks() -> usize {
    with(|world| world.background.len())
}

/// Drops what is in the background of this thread.
pub fn drop_background() {
    let tasks = with(|world| std::mem::take(&mut world.background));
    drop(tasks);
}

/// Runs what is in the background of this thread to its end.
pub fn finish_background() {
    let mut background = Background::new(Driver::WhenWoken, None);
    background.finish();
    assert!(
        background.violations.is_empty(),
        "{:?}",
        background.violations
    );
}

/// From now on the background takes nothing.
fn close() {
    log(Event::Cut);
    with(|world| world.closed = true);
}

/// Polls what is in the background of this thread.
pub struct Background {
    driver: Driver,
    tasks: Vec<(Cleanup, Polling)>,
    polls: usize,
    cut_at: Option<usize>,
    pub violations: Vec<String>,
}

impl Background {
    pub fn new(driver: Driver, cut_at: Option<usize>) -> Self {
        Self {
            driver,
            tasks: Vec::new(),
            polls: 0,
            cut_at,
            violations: Vec::new(),
        }
    }

    /// Polls the first that is due, if there is one, or drops all if it is time to.
    pub fn poll_due(&mut self) -> bool {
        let new = with(|world| std::mem::take(&mut world.background));
        let new = new.into_iter();
        self.tasks
            .extend(new.map(|task| (task, Polling::new(self.driver))));
        if self.tasks.is_empty() {
            return false;
        }
        if self.cut_at == Some(self.polls) {
            self.cut();
            return true;
        }
        let mut tasks = self.tasks.iter_mut().enumerate();
        let due = tasks.find_map(|(at, (_, polling))| polling.due().map(|waker| (at, waker)));
        let Some((at, waker)) = due else {
            return false;
        };
        self.polls += 1;
        let mut cx = Context::from_waker(&waker);
        let task = &mut self.tasks[at].0;
        match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => drop(self.tasks.remove(at)),
            Err(_) => {
                self.violations
                    .push("a task in the background panicked".into());
                drop(self.tasks.remove(at));
            }
        }
        true
    }

    /// As a runtime that shuts down: in any order.
    fn cut(&mut self) {
        close();
        let mut tasks = std::mem::take(&mut self.tasks);
        if self.polls % 2 == 1 {
            tasks.reverse();
        }
        if catch_unwind(AssertUnwindSafe(|| drop(tasks))).is_err() {
            self.violations
                .push("dropping the background panicked".into());
        }
    }

    /// Goes on until nothing is left.
    pub fn finish(&mut self) {
        let mut ticked = false;
        loop {
            if self.poll_due() {
                ticked = false;
            } else if self.tasks.is_empty() {
                return;
            } else if ticked || self.polls > MANY {
                self.violations
                    .push("a wake-up was lost in the background".into());
                return;
            } else {
                ticked = true;
                tick();
            }
        }
    }
}
