//! Random operations on an exit stack, against a model. Stacks among other uses are part of `cancellation::fuzz`.

use std::panic::{AssertUnwindSafe, panic_any};
use std::sync::Once;

use futures::FutureExt;
use guard_core::exit_stack_parts::{Key, StackHandle};
use guard_core::{AsyncExitStack, Outcome, async_context, yield_resource};
use guard_tests::{Log, block_on, poll_times, yield_once};
use proptest::prelude::*;

use crate::reports;

/// An error or a panic, by where it arose.
type Fault = u8;

/// How something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ok,
    Err,
    Panic,
}

/// What an entry does when it is exited.
#[derive(Clone, Copy, Debug)]
struct Entry {
    waits: usize,
    end: End,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![3 => Just(End::Ok), 2 => Just(End::Err), 1 => Just(End::Panic)]
}

fn entry() -> impl Strategy<Value = Entry> {
    (0..3_usize, end()).prop_map(|(waits, end)| Entry { waits, end })
}

/// Prints nothing for the panics that are part of a program.
fn silence_expected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Fault>() {
                default(info);
            }
        }));
    });
}

async fn doing(log: &Log, index: Fault, entry: Entry) -> Result<(), Fault> {
    for _ in 0..entry.waits {
        yield_once().await;
        log.push(format_args!("{index} waits"));
    }
    match entry.end {
        End::Ok => Ok(()),
        End::Err => Err(index),
        End::Panic => panic_any(index),
    }
}

#[async_context]
async fn context(log: Log, index: Fault, entry: Entry) -> Result<(), Fault> {
    let outcome = yield_resource!();
    log.push(format_args!("{index} is told {outcome:?}"));
    doing(&log, index, entry).await
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_stack_does_what_the_model_does(
        verbs in prop::collection::vec(verb(), 0..24),
    ) {
        let mut model = Model::default();
        let mut real = Real::new();
        for verb in verbs {
            let expected = model.step(verb);
            prop_assert_eq!(real.step(verb), expected, "{:?}", verb);
        }
    }
}

/// What a program does with a stack.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Add(How, Entry),
    /// Of the entries that ever were, this one.
    Release(prop::sample::Index),
    PopAll,
    Close(Outcome),
    /// Polls a close so often and drops it.
    CloseHalf(Outcome, usize),
    Drop,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Enter,
    Adopt,
    Defer,
    PushExit,
    Handle,
}

fn verb() -> impl Strategy<Value = Verb> {
    let how = prop_oneof![
        Just(How::Enter),
        Just(How::Adopt),
        Just(How::Defer),
        Just(How::PushExit),
        Just(How::Handle)
    ];
    let outcome = || {
        prop_oneof![
            Just(Outcome::Completed),
            Just(Outcome::Failed(())),
            Just(Outcome::Panicked),
            Just(Outcome::Cancelled)
        ]
    };
    prop_oneof![
        8 => (how, entry()).prop_map(|(how, entry)| Verb::Add(how, entry)),
        3 => any::<prop::sample::Index>().prop_map(Verb::Release),
        1 => Just(Verb::PopAll),
        1 => outcome().prop_map(Verb::Close),
        2 => (outcome(), 1..4_usize).prop_map(|(outcome, polls)| Verb::CloseHalf(outcome, polls)),
        1 => Just(Verb::Drop),
    ]
}

/// What a verb did: the events, its result, and what was reported.
type Did = (Vec<String>, String, Vec<String>);

/// The stack as one would explain it: no futures, no pins, a list and a position.
#[derive(Default)]
struct Model {
    added: Fault,
    entries: Vec<(Fault, How, Entry)>,
    unwinding: Option<Unwinding>,
    events: Vec<String>,
    reports: Vec<String>,
}

struct Unwinding {
    outcome: Outcome,
    /// What is being exited, and how often it has to wait still.
    current: Option<(Fault, Entry, usize)>,
    errors: Vec<Fault>,
    panic: Option<Fault>,
}

impl Unwinding {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            current: None,
            errors: Vec::new(),
            panic: None,
        }
    }
}

impl Model {
    fn step(&mut self, verb: Verb) -> Did {
        let result = match verb {
            Verb::Add(how, entry) => {
                self.entries.push((self.added, how, entry));
                self.added += 1;
                String::new()
            }
            Verb::Release(index) => self.release(index),
            Verb::PopAll => String::new(),
            Verb::Close(outcome) => self.close(outcome, usize::MAX),
            Verb::CloseHalf(outcome, polls) => self.close(outcome, polls),
            Verb::Drop => {
                let mut unwinding = self.begin(Outcome::Cancelled);
                unwinding.outcome = Outcome::Cancelled;
                while !self.poll(&mut unwinding) {}
                let errors = unwinding.errors.iter();
                self.reports
                    .extend(errors.map(|error| format!("Failed({error})")));
                self.reports
                    .extend(unwinding.panic.map(|_| "Panicked".to_string()));
                String::new()
            }
        };
        self.reports.sort();
        (
            std::mem::take(&mut self.events),
            result,
            std::mem::take(&mut self.reports),
        )
    }

    fn release(&mut self, index: prop::sample::Index) -> String {
        if self.added == 0 {
            return String::new();
        }
        let wanted = index.index(self.added.into());
        let is_it = |&(number, how, _): &(Fault, How, Entry)| {
            usize::from(number) == wanted && !matches!(how, How::Handle)
        };
        let Some(at) = self.entries.iter().position(is_it) else {
            return "Ok(false)".into();
        };
        let mut above = self.entries.split_off(at);
        let mut unwinding = Unwinding::new(Outcome::Completed);
        let below = std::mem::replace(&mut self.entries, vec![above.remove(0)]);
        while !self.poll(&mut unwinding) {}
        self.entries = below;
        self.entries.extend(above);
        match (unwinding.panic, unwinding.errors.first()) {
            (Some(fault), _) => format!("panic {fault}"),
            (None, Some(error)) => format!("Err({error})"),
            (None, None) => "Ok(true)".into(),
        }
    }

    fn begin(&mut self, outcome: Outcome) -> Unwinding {
        let begun = self.unwinding.take();
        begun.unwrap_or_else(|| Unwinding::new(outcome))
    }

    fn close(&mut self, outcome: Outcome, polls: usize) -> String {
        let mut unwinding = self.begin(outcome);
        for _ in 0..polls {
            if self.poll(&mut unwinding) {
                if let Some(fault) = unwinding.panic {
                    let errors = unwinding.errors.iter();
                    self.reports
                        .extend(errors.map(|error| format!("Failed({error})")));
                    return format!("panic {fault}");
                }
                return format!("{:?}", unwinding.errors);
            }
        }
        self.unwinding = Some(unwinding);
        "half".into()
    }

    /// Goes on until something waits; whether nothing is left.
    fn poll(&mut self, unwinding: &mut Unwinding) -> bool {
        loop {
            match &mut unwinding.current {
                None => {
                    let Some((index, how, entry)) = self.entries.pop() else {
                        return true;
                    };
                    let outcome = unwinding.outcome;
                    self.events.push(match how {
                        How::Enter | How::PushExit => format!("{index} is told {outcome:?}"),
                        How::Adopt | How::Defer | How::Handle => format!("{index} runs"),
                    });
                    unwinding.current = Some((index, entry, entry.waits));
                }
                Some((index, _, waits)) => {
                    self.events.push(format!("{index} waits"));
                    *waits -= 1;
                }
            }
            let Some((index, entry, waits)) = unwinding.current else {
                unreachable!("it was just set");
            };
            if waits > 0 {
                return false;
            }
            unwinding.current = None;
            match entry.end {
                End::Ok => {}
                End::Err => {
                    unwinding.errors.push(index);
                    if unwinding.outcome.is_completed() {
                        unwinding.outcome = Outcome::Failed(());
                    }
                }
                End::Panic => {
                    if unwinding.panic.is_some() {
                        self.reports.push("Panicked".into());
                    }
                    unwinding.panic.get_or_insert(index);
                    if !unwinding.outcome.is_cancelled() {
                        unwinding.outcome = Outcome::Panicked;
                    }
                }
            }
        }
    }
}

/// The stack itself, in a runtime that goes on with what is dropped.
struct Real {
    runtime: tokio::runtime::Runtime,
    stack: AsyncExitStack<Fault>,
    handle: StackHandle<Fault>,
    keys: Vec<Option<Key>>,
    log: Log,
}

impl Real {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut stack = runtime.block_on(async { AsyncExitStack::new() });
        silence_expected_panics();
        reports::collect();
        Self {
            handle: stack.handle(),
            runtime,
            stack,
            keys: Vec::new(),
            log: Log::new(),
        }
    }

    fn step(&mut self, verb: Verb) -> Did {
        let result = match verb {
            Verb::Add(how, entry) => {
                self.add(how, entry);
                String::new()
            }
            Verb::Release(index) => self.release(index),
            Verb::PopAll => {
                self.stack = self.stack.pop_all();
                String::new()
            }
            Verb::Close(outcome) => self.close(outcome, usize::MAX),
            Verb::CloseHalf(outcome, polls) => self.close(outcome, polls),
            Verb::Drop => {
                self.runtime.block_on(async {
                    self.stack = AsyncExitStack::new();
                    // More often than all entries together can wait.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                });
                self.handle = self.stack.handle();
                // A key names an entry of the stack that gave it out.
                self.keys.fill(None);
                String::new()
            }
        };
        let mut reports = reports::take();
        reports.sort();
        (self.log.take(), result, reports)
    }

    fn add(&mut self, how: How, entry: Entry) {
        let index = Fault::try_from(self.keys.len()).unwrap();
        let log = self.log.clone();
        let runs = {
            let log = log.clone();
            async move || {
                log.push(format_args!("{index} runs"));
                doing(&log, index, entry).await
            }
        };
        let stack = &self.stack;
        let key = match how {
            How::Enter => {
                block_on(stack.enter(context(log, index, entry))).unwrap();
                stack.last_key()
            }
            How::Adopt => {
                stack.adopt((), async move |()| runs().await);
                stack.last_key()
            }
            How::Defer => Some(stack.defer(runs)),
            How::PushExit => Some(stack.push_exit(async move |outcome: Outcome| {
                log.push(format_args!("{index} is told {outcome:?}"));
                doing(&log, index, entry).await
            })),
            How::Handle => {
                let added = self.handle.defer(runs);
                assert!(added.is_ok(), "the stack is there");
                None
            }
        };
        self.keys.push(key);
    }

    fn release(&mut self, index: prop::sample::Index) -> String {
        if self.keys.is_empty() {
            return String::new();
        }
        let Some(key) = self.keys[index.index(self.keys.len())] else {
            return "Ok(false)".into();
        };
        let released = AssertUnwindSafe(self.stack.release(key)).catch_unwind();
        match block_on(released) {
            Ok(released) => format!("{released:?}"),
            Err(panic) => format!("panic {}", panic.downcast_ref::<Fault>().unwrap()),
        }
    }

    fn close(&mut self, outcome: Outcome, polls: usize) -> String {
        let closing = AssertUnwindSafe(self.stack.close(outcome)).catch_unwind();
        let mut closing = std::pin::pin!(closing);
        match poll_times(closing.as_mut(), polls) {
            std::task::Poll::Pending => "half".into(),
            std::task::Poll::Ready(Ok(closed)) => {
                let errors: Vec<Fault> = closed.err().into_iter().flatten().collect();
                format!("{errors:?}")
            }
            std::task::Poll::Ready(Err(panic)) => {
                format!("panic {}", panic.downcast_ref::<Fault>().unwrap())
            }
        }
    }
}
