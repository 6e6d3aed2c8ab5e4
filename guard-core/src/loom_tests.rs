//! Models of what threads share, run through every order of events: see `.ci/loom`.
//!
//! Each has witnesses that both orders of its race happened, so that it cannot pass by missing them.
//! Models of three threads are the exception to "every": see [`model_of_three`].

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Wake;

use loom::future::block_on;
use loom::thread;

use crate::background::{Chain, Unfinished, dispatch, set_spawner};
use crate::pending::{Tally, Waiter, drain, pending_cleanups};
use crate::runtime::Runtime;
use crate::sync::Installed;

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

/// Up to five switches between threads that nothing forces: all of them would take minutes, and what
/// is wrong in so few steps shows in fewer.
fn model_of_three(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(5);
    builder.check(model);
}

/// Waits until the tally is zero. Returns whether it was at the first look.
fn wait(tally: &Tally) -> bool {
    let (mut waiter, mut polls) = (Waiter::default(), 0);
    block_on(core::future::poll_fn(|cx| {
        polls += 1;
        tally.poll_zero(&mut waiter, cx)
    }));
    tally.forget(&waiter);
    polls == 1
}

#[test]
fn drain_is_woken_by_the_last_clean_up() {
    static FIRST: Witness = Witness::new("the clean-up ended before drain looked");
    static LATER: Witness = Witness::new("the clean-up ended while drain waited");
    loom::model(|| {
        let tally = Arc::new(Tally::new());
        tally.add();
        let ending = thread::spawn({
            let tally = tally.clone();
            move || tally.remove()
        });
        let at_once = wait(&tally);
        FIRST.saw(at_once);
        LATER.saw(!at_once);
        ending.join().unwrap();
        assert_eq!(tally.waiting(), 0);
    });
    FIRST.check();
    LATER.check();
}

#[test]
fn drain_waits_for_a_clean_up_that_starts_before_the_last_one_ends() {
    static FIRST: Witness = Witness::new("all ended before drain looked");
    static LATER: Witness = Witness::new("drain waited");
    loom::model(|| {
        let tally = Arc::new(Tally::new());
        tally.add();
        let ended = Arc::new(AtomicUsize::new(0));
        let ending = thread::spawn({
            let (tally, ended) = (tally.clone(), ended.clone());
            move || {
                // A clean-up that starts another is still counted itself.
                tally.add();
                ended.fetch_add(1, Ordering::Relaxed);
                tally.remove();
                ended.fetch_add(1, Ordering::Relaxed);
                tally.remove();
            }
        });
        let at_once = wait(&tally);
        assert_eq!(ended.load(Ordering::Relaxed), 2);
        FIRST.saw(at_once);
        LATER.saw(!at_once);
        ending.join().unwrap();
    });
    FIRST.check();
    LATER.check();
}

#[test]
fn drain_is_not_lost_when_an_unrelated_clean_up_starts_and_ends() {
    static FIRST: Witness = Witness::new("both ended before drain looked");
    static LATER: Witness = Witness::new("drain waited");
    model_of_three(|| {
        let tally = Arc::new(Tally::new());
        tally.add();
        let threads = [false, true].map(|starts| {
            let tally = tally.clone();
            thread::spawn(move || {
                if starts {
                    tally.add();
                }
                tally.remove();
            })
        });
        let at_once = wait(&tally);
        FIRST.saw(at_once);
        LATER.saw(!at_once);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(tally.count(), 0);
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
        let tally = Arc::new(Tally::new());
        tally.add();
        let ending = thread::spawn({
            let tally = tally.clone();
            move || tally.remove()
        });
        let mut waiter = Waiter::default();
        let woken = [Arc::new(Woken::default()), Arc::new(Woken::default())];
        let polled = woken.each_ref().map(|woken| {
            let waker = Waker::from(woken.clone());
            tally.poll_zero(&mut waiter, &mut Context::from_waker(&waker))
        });
        ending.join().unwrap();
        BETWEEN.saw(polled == [Poll::Pending, Poll::Ready(())]);
        if polled[1].is_pending() {
            AFTER.saw(true);
            assert!(woken[1].0.load(Ordering::Relaxed));
        }
        tally.forget(&waiter);
        assert_eq!(tally.waiting(), 0);
    });
    BETWEEN.check();
    AFTER.check();
}

#[test]
fn a_drain_that_is_dropped_takes_no_wake_up_from_another() {
    static FIRST: Witness = Witness::new("the clean-up ended before it looked");
    static FORGOTTEN: Witness = Witness::new("it waited when it was dropped");
    static WOKEN: Witness = Witness::new("the other one waited too");
    model_of_three(|| {
        let tally = Arc::new(Tally::new());
        tally.add();
        let dropping = thread::spawn({
            let tally = tally.clone();
            move || {
                let mut waiter = Waiter::default();
                let mut cx = Context::from_waker(Waker::noop());
                let polled = tally.poll_zero(&mut waiter, &mut cx);
                tally.forget(&waiter);
                polled.is_pending()
            }
        });
        let ending = thread::spawn({
            let tally = tally.clone();
            move || tally.remove()
        });
        let at_once = wait(&tally);
        let waited = dropping.join().unwrap();
        FIRST.saw(!waited);
        FORGOTTEN.saw(waited);
        WOKEN.saw(waited && !at_once);
        ending.join().unwrap();
        assert_eq!(tally.waiting(), 0);
    });
    FIRST.check();
    FORGOTTEN.check();
    WOKEN.check();
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

/// Is finished by its first poll.
struct Quick {
    fate: Arc<Fate>,
    over: bool,
}

impl Unfinished for Quick {
    fn poll_cleanup(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.over = true;
        self.fate.finished.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(())
    }
}

impl Drop for Quick {
    fn drop(&mut self) {
        if !self.over {
            self.fate.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands a clean-up to the background.
fn hand_on(fate: &Arc<Fate>) {
    let cleanup = Box::pin(Quick {
        fate: fate.clone(),
        over: false,
    });
    dispatch(Chain::single(cleanup, Runtime::none()));
}

#[test]
fn a_clean_up_meets_a_spawner_or_is_abandoned() {
    static FINISHED: Witness = Witness::new("the spawner was there first");
    static ABANDONED: Witness = Witness::new("the clean-up was there first");
    loom::model(|| {
        let fate = Arc::new(Fate::default());
        let setting = thread::spawn(|| set_spawner(block_on));
        hand_on(&fate);
        setting.join().unwrap();
        assert_eq!(fate.finished() + fate.abandoned(), 1);
        assert_eq!(pending_cleanups(), 0);
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
        hand_on(&fate);
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

#[test]
fn drain_finds_what_it_waited_for_finished() {
    static BEFORE: Witness = Witness::new("drain looked before the clean-up was handed on");
    static DURING: Witness = Witness::new("drain waited for the clean-up");
    loom::model(|| {
        // Both are handed on by this thread, and run by another one.
        let worker: Arc<loom::sync::Mutex<Option<thread::JoinHandle<()>>>> = Arc::default();
        set_spawner({
            let worker = worker.clone();
            move |task| *worker.lock().unwrap() = Some(thread::spawn(|| block_on(task)))
        });
        let fate = Arc::new(Fate::default());
        hand_on(&fate);
        let running = pending_cleanups() == 1;
        block_on(drain());
        assert_eq!(fate.finished(), 1);
        BEFORE.saw(!running);
        DURING.saw(running);
        let worker = worker.lock().unwrap().take();
        worker.unwrap().join().unwrap();
    });
    BEFORE.check();
    DURING.check();
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
        let installed = Arc::new(Installed::nothing());
        installed.set(Arc::new(Looks(installed.clone(), setter)));
        let last = Arc::new(Looks(Arc::new(Installed::nothing()), setter));
        let getting = thread::spawn({
            let installed = installed.clone();
            move || {
                let got = installed.get();
                // While it has this one, it may be replaced: another look is when.
                drop(installed.get());
                drop(got);
            }
        });
        installed.set(last);
        getting.join().unwrap();
    });
    BY_GETTER.check();
    BY_SETTER.check();
}
