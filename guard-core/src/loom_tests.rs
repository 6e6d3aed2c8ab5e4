//! Models of what threads share, run through every order of events: see `.ci/loom`.
//!
//! Each has witnesses that both orders of its race happened, so that it cannot pass by missing them.
//! Models of three threads are the exception to "every": see [`model_of_three`].

mod task_group;

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Wake;
use std::vec::Vec;

use loom::future::block_on;
use loom::thread;

use crate::cleanup::background::nest::{CURRENT, Doing, leave};
use crate::cleanup::background::nest_entry::{LastPoll, NestEntry};
use crate::cleanup::{
    Nest, Runtime, Unfinished, WaitLimit, drain, hand_off, pending_cleanups, poll_settle_part,
    set_spawner,
};
use crate::platform::panics::Panic;
use crate::platform::sync::{Installed, Mutex};
use crate::report::{Identity, ReportSource};

/// Something that must have happened in at least one order of events. Not loom's, because it is about
/// all of them.
struct Witness(&'static str, AtomicBool);

impl Witness {
    const fn new(what: &'static str) -> Self {
        Self(what, AtomicBool::new(false))
    }

    fn saw(&self, it: bool) {
        self.1.fetch_or(it, Ordering::Relaxed);
    }

    fn check(&self) {
        assert!(self.1.load(Ordering::Relaxed), "never happened: {}", self.0);
    }
}

/// Up to three switches between threads that nothing forces: all of them would take minutes, and what
/// is wrong in so few steps shows in fewer.
fn model_of_three(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(model);
}

fn who() -> Identity {
    ReportSource::<()>::of_type::<Fate>().identity()
}

/// A clean-up that goes on in the background and waits for `inside`.
fn entry(inside: Vec<Arc<NestEntry>>) -> Arc<NestEntry> {
    Arc::new(NestEntry::new(
        who(),
        Runtime::current().id(),
        false,
        inside,
        None,
    ))
}

/// Runs `action` as if `cleanup` were being polled.
fn in_code_of(cleanup: &Arc<NestEntry>, action: impl FnOnce()) {
    let doing = Doing::CleaningUp(cleanup.clone());
    CURRENT.with(|current| current.framed(&doing, action));
}

/// Waits for a nest. Returns whether there was nothing to wait for at the first look.
fn wait(nest: &mut Nest) -> bool {
    let mut polls = 0;
    block_on(core::future::poll_fn(|cx| {
        polls += 1;
        poll_settle_part(nest, cx, who(), |_| WaitLimit::General)
    }));
    polls == 1
}

#[test]
fn an_exit_that_waits_is_woken_when_what_it_waits_for_ends() {
    static FIRST: Witness = Witness::new("the clean-up ended before the exit looked");
    static LATER: Witness = Witness::new("the clean-up ended while the exit waited");
    loom::model(|| {
        let inner = entry(Vec::new());
        let mut nest = Nest::new();
        nest.during(|| leave(inner.clone()));
        let ending = thread::spawn(move || inner.end(Vec::new()));
        let at_once = wait(&mut nest);
        FIRST.saw(at_once);
        LATER.saw(!at_once);
        ending.join().unwrap();
    });
    FIRST.check();
    LATER.check();
}

/// Knows whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_newest_waker_is_woken() {
    static BETWEEN: Witness = Witness::new("the clean-up ended between the polls");
    static AFTER: Witness = Witness::new("the clean-up ended after both polls");
    loom::model(|| {
        let inner = entry(Vec::new());
        let mut nest = Nest::new();
        nest.during(|| leave(inner.clone()));
        let ending = thread::spawn(move || inner.end(Vec::new()));
        let woken = [Arc::new(Woken::default()), Arc::new(Woken::default())];
        let polled = woken.each_ref().map(|woken| {
            let waker = Waker::from(woken.clone());
            let cx = &mut Context::from_waker(&waker);
            poll_settle_part(&mut nest, cx, who(), |_| WaitLimit::General)
        });
        ending.join().unwrap();
        BETWEEN.saw(polled == [Poll::Pending, Poll::Ready(())]);
        if polled[1].is_pending() {
            AFTER.saw(true);
            assert!(woken[1].0.load(Ordering::Relaxed));
        }
    });
    BETWEEN.check();
    AFTER.check();
}

/// A last poll that is counted.
struct Counted(Arc<Fate>);

impl LastPoll for Counted {
    fn last_poll(self: Box<Self>) {
        self.0.finished.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_last_poll_is_given_once_whoever_comes_first() {
    static LEFT: Witness = Witness::new("it was left for when the inner one ends");
    static BACK: Witness = Witness::new("the inner one had ended");
    loom::model(|| {
        let inner = entry(Vec::new());
        let ending = thread::spawn({
            let inner = inner.clone();
            move || inner.end(Vec::new())
        });
        let fate = Arc::new(Fate::default());
        let back = inner.after(Box::new(Counted(fate.clone())));
        LEFT.saw(back.is_none());
        BACK.saw(back.is_some());
        if let Some(back) = back {
            back.last_poll();
        }
        ending.join().unwrap();
        assert_eq!(fate.finished(), 1);
    });
    LEFT.check();
    BACK.check();
}

#[test]
fn two_clean_ups_that_drop_each_others_outer_use_make_no_ring() {
    static FIRST: Witness = Witness::new("the first one waits");
    static SECOND: Witness = Witness::new("the second one waits");
    loom::model(|| {
        let both = [entry(Vec::new()), entry(Vec::new())];
        let outer = [
            entry(Vec::from([both[1].clone()])),
            entry(Vec::from([both[0].clone()])),
        ];
        // Each drops, in its code, the use in whose nest the other one is.
        let dropping = thread::spawn({
            let (cleanup, outer) = (both[0].clone(), outer[0].clone());
            move || in_code_of(&cleanup, || Nest::new().during(|| leave(outer)))
        });
        in_code_of(&both[1], || {
            Nest::new().during(|| leave(outer[1].clone()));
        });
        dropping.join().unwrap();
        let waits = [0, 1].map(|one| {
            let outer = &outer[one];
            both[one].reaches(|other| Arc::ptr_eq(other, outer))
        });
        FIRST.saw(waits[0]);
        SECOND.saw(waits[1]);
        assert_ne!(waits, [true, true], "a ring");
        assert_ne!(waits, [false, false], "one of them can wait");
        // Nothing is left that refers to itself.
        both.iter()
            .chain(&outer)
            .for_each(|entry| entry.end(Vec::new()));
    });
    FIRST.check();
    SECOND.check();
}

/// What became of a clean-up.
#[derive(Default)]
struct Fate {
    finished: AtomicUsize,
    abandoned: AtomicUsize,
}

impl Fate {
    fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }

    fn abandoned(&self) -> usize {
        self.abandoned.load(Ordering::Relaxed)
    }
}

/// An exit that is finished by its second poll.
struct Slow {
    fate: Arc<Fate>,
    polls: usize,
}

impl Unfinished for Slow {
    fn poll_exit(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls += 1;
        if self.polls < 2 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.fate.finished.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(())
    }

    fn panicked(&self, panic: Panic) {
        panic.resume();
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        if self.polls < 2 {
            self.fate.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands a clean-up off that needs a second poll.
fn drop_slow(fate: &Arc<Fate>) {
    let exit: Pin<Box<dyn Unfinished + Send>> = Box::pin(Slow {
        fate: fate.clone(),
        polls: 0,
    });
    hand_off(exit, who(), &Runtime::current());
}

#[test]
fn a_clean_up_meets_a_spawner_or_is_abandoned() {
    static FINISHED: Witness = Witness::new("the spawner was there first");
    static ABANDONED: Witness = Witness::new("the clean-up was there first");
    loom::model(|| {
        let fate = Arc::new(Fate::default());
        let setting = thread::spawn(|| set_spawner(block_on));
        drop_slow(&fate);
        setting.join().unwrap();
        assert_eq!(fate.finished() + fate.abandoned(), 1);
        assert!(pending_cleanups().is_empty());
        FINISHED.saw(fate.finished() == 1);
        ABANDONED.saw(fate.abandoned() == 1);
    });
    FINISHED.check();
    ABANDONED.check();
}

#[test]
fn of_two_spawners_one_is_asked() {
    static OLD: Witness = Witness::new("the old one was asked");
    static NEW: Witness = Witness::new("the new one was asked");
    loom::model(|| {
        let asked: Arc<[AtomicUsize; 2]> = Arc::default();
        let spawner = |number: usize| {
            let asked = asked.clone();
            move |task| {
                asked[number].fetch_add(1, Ordering::Relaxed);
                block_on(task);
            }
        };
        set_spawner(spawner(0));
        let (fate, new) = (Arc::new(Fate::default()), spawner(1));
        let setting = thread::spawn(|| set_spawner(new));
        drop_slow(&fate);
        setting.join().unwrap();
        assert_eq!(fate.finished(), 1);
        let [old, new] = [0, 1].map(|number| asked[number].load(Ordering::Relaxed));
        assert_eq!(old + new, 1);
        OLD.saw(old == 1);
        NEW.saw(new == 1);
    });
    OLD.check();
    NEW.check();
}

/// Threads that each run one clean-up.
type Workers = Arc<loom::sync::Mutex<Vec<thread::JoinHandle<()>>>>;

/// Has clean-ups run, each by another thread.
fn spawn_on_threads() -> Workers {
    let workers = Workers::default();
    set_spawner({
        let workers = workers.clone();
        move |task| {
            let worker = thread::spawn(|| block_on(task));
            workers.lock().unwrap().push(worker);
        }
    });
    workers
}

fn join(workers: &Workers) {
    let workers = core::mem::take(&mut *workers.lock().unwrap());
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn drain_finds_what_it_waited_for_finished() {
    static BEFORE: Witness = Witness::new("the clean-up was over when drain looked");
    static DURING: Witness = Witness::new("drain waited for the clean-up");
    loom::model(|| {
        let workers = spawn_on_threads();
        let fate = Arc::new(Fate::default());
        drop_slow(&fate);
        let running = pending_cleanups().len() == 1;
        block_on(drain());
        assert_eq!(fate.finished(), 1);
        BEFORE.saw(!running);
        DURING.saw(running);
        join(&workers);
    });
    BEFORE.check();
    DURING.check();
}

#[test]
fn a_use_finds_what_was_dropped_in_it_finished() {
    static BEFORE: Witness = Witness::new("the clean-up was over when the exit looked");
    static DURING: Witness = Witness::new("the exit waited for the clean-up");
    loom::model(|| {
        let workers = spawn_on_threads();
        let fate = Arc::new(Fate::default());
        let mut nest = Nest::new();
        nest.during(|| drop_slow(&fate));
        let at_once = wait(&mut nest);
        assert_eq!(fate.finished(), 1);
        BEFORE.saw(at_once);
        DURING.saw(!at_once);
        join(&workers);
    });
    BEFORE.check();
    DURING.check();
}

#[test]
fn a_drain_that_is_dropped_takes_no_wake_up_from_another() {
    static WAITED: Witness = Witness::new("it waited when it was dropped");
    static OVER: Witness = Witness::new("there was nothing to wait for");
    model_of_three(|| {
        let workers = spawn_on_threads();
        let fate = Arc::new(Fate::default());
        drop_slow(&fate);
        let dropping = thread::spawn(|| {
            let mut draining = Box::pin(drain());
            let mut cx = Context::from_waker(Waker::noop());
            let polled = draining.as_mut().poll(&mut cx);
            drop(draining);
            polled.is_pending()
        });
        block_on(drain());
        assert_eq!(fate.finished(), 1);
        let waited = dropping.join().unwrap();
        WAITED.saw(waited);
        OVER.saw(!waited);
        join(&workers);
    });
    WAITED.check();
    OVER.check();
}

#[test]
fn what_is_replaced_is_dropped_where_it_can_look_again() {
    static BY_GETTER: Witness = Witness::new("it was dropped by who had asked for it");
    static BY_SETTER: Witness = Witness::new("it was dropped by who replaced it");

    /// Looks, when it is dropped, and notes whether the thread that does it is the one named here.
    struct Looks(Arc<Installed<Self>>, thread::ThreadId);
    impl Drop for Looks {
        fn drop(&mut self) {
            // Would be a deadlock if the lock were still held.
            if self.0.get().is_some() {
                let by_setter = thread::current().id() == self.1;
                BY_SETTER.saw(by_setter);
                BY_GETTER.saw(!by_setter);
            }
        }
    }

    loom::model(|| {
        let setter = thread::current().id();
        let installed = Arc::new(Installed(Mutex::new(None)));
        drop(installed.replace(Arc::new(Looks(installed.clone(), setter))));
        let last = Arc::new(Looks(Arc::new(Installed(Mutex::new(None))), setter));
        let getting = thread::spawn({
            let installed = installed.clone();
            move || {
                let got = installed.get();
                // While it has this one, it may be replaced: another look is when.
                drop(installed.get());
                drop(got);
            }
        });
        drop(installed.replace(last));
        getting.join().unwrap();
    });
    BY_GETTER.check();
    BY_SETTER.check();
}
