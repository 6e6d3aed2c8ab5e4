//! Contexts whose acquire and release block threads: every fault, every point at which the user can be
//! dropped, every point at which the background can be cut.
//!
//! A thread that has something to log asks for it, and waits until the driver has written it down. So the
//! driver knows every point between two events, and nothing depends on how fast threads are.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::task::{Wake, Waker};

use guard_core::{AsyncContext, blocking, drain};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::invariants::Case;
use crate::matrix::{Verdict, plans};
use crate::nesting::{Boxed, Make, nested};
use crate::own_process::in_own_process;
use crate::scenarios::{Kind, Plan, Token, Way};
use crate::simulation::{
    self, End, Ending, Event, Fault, HOOK_CALLS, Run, Step, is_pausing, log, tick,
};

enum Message {
    /// From a thread that waits until the sender is dropped.
    Happens(Event, mpsc::Sender<()>),
    /// From the waker of the use.
    Wake,
}

/// How a thread reaches the driver.
#[derive(Clone)]
struct Port {
    driver: UnboundedSender<Message>,
    /// For the driver to know when all threads are over.
    _at_work: Arc<()>,
}

impl Port {
    /// Waits until it is in the log, if there still is one.
    fn happens(&self, event: Event) {
        let (sender, go_on) = mpsc::channel();
        let _ = self.driver.send(Message::Happens(event, sender));
        let _ = go_on.recv();
    }

    fn ends(&self, level: usize, step: Step, end: End) -> Result<(), Fault> {
        let fault = Fault { level, step };
        self.happens(match step {
            Step::Enter => Event::Entered(level, end),
            _ => Event::Released(level, end),
        });
        match end {
            End::Ok => Ok(()),
            End::Error => Err(fault),
            End::Panic => panic_any(fault),
        }
    }
}

impl Wake for Port {
    fn wake(self: Arc<Self>) {
        let _ = self.driver.send(Message::Wake);
    }
}

thread_local! {
    /// That of the driver of this thread.
    static PORT: RefCell<Option<Port>> = const { RefCell::new(None) };
}

struct Blocking;

impl Make for Blocking {
    type Error = Fault;

    #[track_caller]
    fn make(
        level: usize,
        plan: Plan,
    ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static {
        let port = PORT.with_borrow(|port| port.clone().expect("there is a driver"));
        let releasing = port.clone();
        blocking(
            move || {
                port.happens(Event::Enter(level));
                port.ends(level, Step::Enter, plan.enter[level].end)?;
                Ok(Token::new(level, plan))
            },
            move |_token, outcome| {
                releasing.happens(Event::Release(level, Some(outcome)));
                releasing.ends(level, Step::Exit, plan.exit[level].end)
            },
        )
    }
}

fn is_begin(event: Event) -> bool {
    matches!(event, Event::Enter(_) | Event::Release(..))
}

fn panics(log: &[Event]) -> usize {
    let is_panic = |event: &&Event| {
        matches!(
            event,
            Event::Entered(_, End::Panic)
                | Event::BodyEnded(End::Panic)
                | Event::Released(_, End::Panic)
        )
    };
    log.iter().filter(is_panic).count()
}

/// Drives a use. The steps of `drop_at` are threads that begin and wake-ups, those of `cut_at` are threads
/// that begin in the background.
fn drive(way: Way, plan: Plan, drop_at: Option<usize>, cut_at: Option<usize>) -> Run {
    simulation::begin();
    let hook_calls = HOOK_CALLS.load(Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (sender, mut messages) = unbounded_channel();
    let threads = Arc::new(());
    let port = Port {
        driver: sender,
        _at_work: threads.clone(),
    };
    PORT.set(Some(port.clone()));
    let waker = Waker::from(Arc::new(port));
    let mut violations = Vec::new();
    let mut using = nested(Boxed::new::<Blocking>(), way, plan);
    let (mut steps, mut woken) = (0, true);
    let ending = loop {
        if drop_at == Some(steps) {
            log(Event::Dropped);
            break Ending::Dropped;
        }
        steps += 1;
        if std::mem::take(&mut woken) {
            let _entered = runtime.enter();
            if let Some(ending) = simulation::poll(&mut using, &waker) {
                break ending;
            }
        }
        if is_pausing() {
            tick();
        }
        // A poll that starts a thread is over when that says so, and a thread when its user is woken:
        // what is under way between two threads is on neither side of a drop.
        while !woken {
            match messages.blocking_recv() {
                Some(Message::Happens(event, waiting)) => {
                    log(event);
                    drop(waiting);
                    if is_begin(event) {
                        break;
                    }
                }
                Some(Message::Wake) => woken = true,
                None => unreachable!("the waker has a sender"),
            }
        }
    };
    if catch_unwind(AssertUnwindSafe(|| drop(using))).is_err() {
        violations.push("dropping the use panicked".into());
    }
    let (mut background_steps, mut at_work) = (0, true);
    loop {
        if at_work && cut_at == Some(background_steps) {
            log(Event::Cut);
            runtime.shutdown_background();
            break;
        }
        let next = async {
            tokio::select! {
                biased;
                message = messages.recv() => message,
                () = drain() => None,
            }
        };
        match runtime.block_on(next) {
            Some(Message::Happens(event, waiting)) => {
                background_steps += usize::from(is_begin(event));
                log(event);
                drop(waiting);
                at_work = is_begin(event);
            }
            Some(Message::Wake) => {}
            None => break,
        }
    }
    PORT.take();
    drop(waker);
    while Arc::strong_count(&threads) > 1 {
        // What threads have to say after the cut is not written down.
        while let Ok(message) = messages.try_recv() {
            drop(message);
        }
        std::thread::yield_now();
    }
    let hook_calls = HOOK_CALLS.load(Ordering::Relaxed) - hook_calls;
    let run = simulation::end(ending, [steps, background_steps], violations);
    Run {
        // After the cut nobody writes down which threads panic.
        hook_calls: if cut_at.is_some() {
            panics(&run.log)
        } else {
            hook_calls
        },
        ..run
    }
}

/// Every plan of one level, and of two those that wait once in the body. Threads do not pause. Guards that
/// are dropped together have their threads at work together, so that no order is to be told.
fn is_tried(way: Way, plan: &Plan) -> bool {
    let waits_at_once = plan.enter[0].pauses == 0 && plan.exit[0].pauses == 0;
    waits_at_once && (plan.depth == 1 || plan.body.pauses == 1 && way != Way::Guards)
}

fn judge(way: Way) {
    let mut verdict = Verdict::default();
    let plans = [plans(1), plans(2)].concat();
    for plan in plans.into_iter().filter(|plan| is_tried(way, plan)) {
        let case = Case {
            is_on_threads: true,
            ..Case::new(way, Kind::Default)
        };
        let whole = drive(way, plan, None, None);
        verdict.judge(case, &whole, || format!("{way:?} {plan:?}"));
        for drop_at in 0..=whole.polls {
            let run = drive(way, plan, Some(drop_at), None);
            verdict.judge(case, &run, || {
                format!("{way:?} {plan:?}, dropped after {drop_at} steps")
            });
            for cut_at in 0..run.background_polls {
                let run = drive(way, plan, Some(drop_at), Some(cut_at));
                verdict.judge(case, &run, || {
                    format!("{way:?} {plan:?}, dropped after {drop_at} steps, cut after {cut_at}")
                });
            }
        }
    }
    verdict.assert_no_violation();
    println!("{} runs", verdict.runs);
}

#[test]
fn blocking_contexts_in_async_with_keep_the_invariants() {
    in_own_process(|| judge(Way::AsyncWithList));
}

#[test]
fn blocking_contexts_in_try_with_keep_the_invariants() {
    in_own_process(|| judge(Way::TryWith));
}

#[test]
fn guards_of_blocking_contexts_keep_the_invariants() {
    in_own_process(|| judge(Way::Guards));
}

#[test]
fn blocking_contexts_around_a_function_keep_the_invariants() {
    in_own_process(|| judge(Way::Within));
}
