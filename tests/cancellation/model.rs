//! Random trees of contexts, with random faults and dropped at a random point, against a small model that
//! knows nothing of polls, wakers and threads: it says what happens, in the order in which it happens.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Arc;

use futures::future::BoxFuture;
use guard_core::{AsyncContext, BoxContext, Outcome, async_context, async_with, yield_resource};
use guard_tests::poll_once;
use proptest::prelude::*;

use crate::world::{self, Fault, Step};

/// What a body, a set-up or a clean-up does, one after the other.
type Program = Arc<[Node]>;

#[derive(Clone, Debug)]
enum Node {
    Pause,
    Step(usize),
    Fail(usize),
    Panic(usize),
    /// Goes on after an error in it.
    Attempt(Program),
    Use(Form, Arc<Ctx>, Program),
}

#[derive(Clone, Copy, Debug)]
enum Form {
    AsyncWith,
    With,
}

/// A context.
#[derive(Clone, Debug)]
struct Ctx {
    number: usize,
    scoped: bool,
    /// The context in which it does everything else, its yield included.
    around: Option<Arc<Ctx>>,
    set_up: Program,
    clean_up: Program,
}

thread_local! {
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn happens(event: String) {
    EVENTS.with_borrow_mut(|events| events.push(event));
}

fn fault(number: usize) -> Fault {
    Fault {
        level: number,
        step: Step::Body,
    }
}

/// Does it for real.
fn run(program: Program) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        for node in &*program {
            match node {
                Node::Pause => world::pause().await,
                Node::Step(number) => happens(format!("step {number}")),
                Node::Fail(number) => return Err(fault(*number)),
                Node::Panic(number) => panic_any(fault(*number)),
                Node::Attempt(program) => {
                    let _ = run(program.clone()).await;
                }
                Node::Use(form, context, body) => {
                    let body = run(body.clone());
                    if context.scoped {
                        // Its own task may be `Send`; that it is used here is what is tried.
                        use_it(*form, scoped(context.clone()), body).await?;
                    } else {
                        use_it(*form, default(context.clone()), body).await?;
                    }
                }
            }
        }
        Ok(())
    })
}

async fn use_it<C>(
    form: Form,
    context: C,
    body: BoxFuture<'static, Result<(), Fault>>,
) -> Result<(), Fault>
where
    C: AsyncContext<Resource = (), Error = Fault>,
{
    match form {
        Form::AsyncWith => async_with!(_lent = context? => { body.await?; }),
        Form::With => context.with(async |()| body.await).await?,
    }
    Ok(())
}

macro_rules! context {
    ($name:ident $args:tt) => {
        #[async_context $args]
        async fn $name(context: Arc<Ctx>) -> Result<(), Fault> {
            let number = context.number;
            happens(format!("enter {number}"));
            match context.around.clone() {
                None => {
                    run(context.set_up.clone()).await?;
                    happens(format!("entered {number}"));
                    let outcome = yield_resource!();
                    happens(format!("exit {number} {outcome:?}"));
                    run(context.clean_up.clone()).await?;
                }
                Some(around) => async_with!(_lent = boxed(around)? => {
                    run(context.set_up.clone()).await?;
                    happens(format!("entered {number}"));
                    let outcome = yield_resource!();
                    happens(format!("exit {number} {outcome:?}"));
                    run(context.clean_up.clone()).await?;
                }),
            }
            happens(format!("exited {number}"));
            Ok(())
        }
    };
}

context!(default());
context!(scoped(scoped));

fn boxed(context: Arc<Ctx>) -> BoxContext<'static, (), Fault> {
    if context.scoped {
        Box::pin(scoped(context))
    } else {
        Box::pin(default(context))
    }
}

/// Why a program stops early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Error(usize),
    Panic(usize),
    /// Its user was dropped, and nobody finishes it.
    Dropped,
}

/// What happens when a program is run and dropped at its `drop_at`th pause.
#[derive(Default)]
struct Model {
    drop_at: Option<usize>,
    pauses: usize,
    dropped: bool,
    /// How many contexts that will be finished are around what happens now, in their own code.
    shields: usize,
    events: Vec<String>,
    reports: Vec<String>,
}

/// What is done where a context stands at its yield. It says how that ended, or that the context is
/// dropped there.
type Lending<'a> = &'a mut dyn FnMut(&mut Model) -> Result<Outcome, Stop>;

/// A body that may have a yield in it: then it also says what that was told.
type Body<'a> = &'a mut dyn FnMut(&mut Model, &mut Option<Outcome>) -> Result<(), Stop>;

impl Model {
    fn run(&mut self, program: &Program) -> Result<(), Stop> {
        for node in &**program {
            match node {
                Node::Pause => {
                    self.pauses += 1;
                    if self.drop_at == Some(self.pauses) {
                        self.dropped = true;
                        if self.shields == 0 {
                            return Err(Stop::Dropped);
                        }
                    }
                }
                Node::Step(number) => self.events.push(format!("step {number}")),
                Node::Fail(number) => return Err(Stop::Error(*number)),
                Node::Panic(number) => return Err(Stop::Panic(*number)),
                Node::Attempt(program) => match self.run(program) {
                    Ok(()) | Err(Stop::Error(_)) => {}
                    stop => return stop,
                },
                Node::Use(_, context, body) => {
                    self.use_it(context, &mut |model, _| model.run(body))?;
                }
            }
        }
        Ok(())
    }

    /// The code of a context, from its beginning to its end.
    fn code(&mut self, context: &Ctx, lending: Lending<'_>) -> Result<(), Stop> {
        let number = context.number;
        self.events.push(format!("enter {number}"));
        let mut inside = |model: &mut Self, told: &mut Option<Outcome>| {
            model.run(&context.set_up)?;
            model.events.push(format!("entered {number}"));
            let outcome = lending(model)?;
            *told = Some(outcome);
            model.events.push(format!("exit {number} {outcome:?}"));
            model.run(&context.clean_up)
        };
        match &context.around {
            None => inside(self, &mut None)?,
            Some(around) => self.use_it(around, &mut inside)?,
        }
        self.events.push(format!("exited {number}"));
        Ok(())
    }

    fn use_it(&mut self, context: &Ctx, body: Body<'_>) -> Result<(), Stop> {
        let outside = self.shields;
        let inside = outside + usize::from(!context.scoped);
        // Whether it was the drop of this use that came, and not one further out, which it will not
        // notice.
        let is_dropped = |model: &Self| outside == 0 && model.dropped;

        let mut used = None;
        self.shields = inside;
        let ended = self.code(context, &mut |model| {
            if is_dropped(model) {
                return Ok(Outcome::Cancelled);
            }
            let mut told = None;
            model.shields = outside;
            let result = body(model, &mut told);
            model.shields = inside;
            used = Some(result);
            match result {
                Ok(()) => Ok(told.unwrap_or(Outcome::Completed)),
                Err(Stop::Error(_)) => Ok(Outcome::Failed(())),
                Err(Stop::Panic(_)) => Ok(Outcome::Panicked),
                Err(Stop::Dropped) if context.scoped => Err(Stop::Dropped),
                Err(Stop::Dropped) => Ok(Outcome::Cancelled),
            }
        });
        self.shields = outside;
        let was_lent = used.is_some() || self.was_entered(context);

        if is_dropped(self) {
            match ended {
                Ok(()) => {}
                Err(Stop::Error(number)) if was_lent => self.failed(number),
                Err(Stop::Error(number)) => {
                    let error = fault(number);
                    self.reports.push(format!("set-up failed: {error}"));
                }
                Err(Stop::Panic(_)) => self.panicked(),
                Err(Stop::Dropped) if was_lent => {
                    let what = "clean-up abandoned, the context was dropped";
                    self.reports.push(what.into());
                }
                Err(Stop::Dropped) => {}
            }
            return Err(Stop::Dropped);
        }
        match (used, ended) {
            // It was not entered.
            (None, ended) => ended,
            (Some(Ok(())), ended) => ended,
            (Some(Err(Stop::Panic(first))), Err(Stop::Panic(_))) => {
                self.panicked();
                Err(Stop::Panic(first))
            }
            (Some(Err(_)), Err(Stop::Panic(number))) => Err(Stop::Panic(number)),
            (Some(first), Err(Stop::Error(number))) => {
                self.failed(number);
                first
            }
            (Some(first), _) => first,
        }
    }

    /// Whether it came to its yield.
    fn was_entered(&self, context: &Ctx) -> bool {
        let entered = format!("entered {}", context.number);
        self.events.contains(&entered)
    }

    fn failed(&mut self, number: usize) {
        let error = fault(number);
        self.reports.push(format!("clean-up failed: {error}"));
    }

    fn panicked(&mut self) {
        let what = "clean-up panicked: (a payload that is not a string)";
        self.reports.push(what.into());
    }
}

/// How a run ended, what happened, and what was reported, the latter in no order.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    ending: Result<(), Stop>,
    events: Vec<String>,
    reports: Vec<String>,
}

fn predicted(program: &Program, drop_at: Option<usize>) -> (Story, usize) {
    let mut model = Model {
        drop_at,
        ..Model::default()
    };
    let ending = match drop_at {
        Some(0) => Err(Stop::Dropped),
        _ => model.run(program),
    };
    model.reports.sort_unstable();
    let story = Story {
        ending,
        events: model.events,
        reports: model.reports,
    };
    (story, model.pauses)
}

fn observed(program: &Program, drop_at: Option<usize>) -> Story {
    EVENTS.take();
    world::take_other_reports();
    let mut future = run(program.clone());
    let mut polls = 0;
    let ending = loop {
        if drop_at == Some(polls) {
            break Err(Stop::Dropped);
        }
        polls += 1;
        match catch_unwind(AssertUnwindSafe(|| poll_once(future.as_mut()))) {
            Ok(std::task::Poll::Pending) => world::tick(),
            Ok(std::task::Poll::Ready(done)) => {
                break done.map_err(|fault| Stop::Error(fault.level));
            }
            Err(payload) => match payload.downcast::<Fault>() {
                Ok(fault) => break Err(Stop::Panic(fault.level)),
                Err(payload) => resume_unwind(payload),
            },
        }
    };
    drop(future);
    world::finish_background();
    let reports = world::take_other_reports().into_iter();
    let mut reports: Vec<String> = reports
        .map(|report| {
            let (_, what) = report.split_once("): ").expect("it has a location");
            what.to_owned()
        })
        .collect();
    reports.sort_unstable();
    Story {
        ending,
        events: EVENTS.take(),
        reports,
    }
}

fn programs() -> impl Strategy<Value = Program> {
    let leaf = prop_oneof![
        6 => Just(Node::Pause),
        3 => Just(Node::Step(0)),
        1 => Just(Node::Fail(0)),
        1 => Just(Node::Panic(0)),
    ];
    let node = leaf.prop_recursive(5, 48, 4, |node| {
        let program = || prop::collection::vec(node.clone(), 0..4).prop_map(Program::from);
        let context = || {
            (any::<bool>(), program(), program()).prop_map(|(scoped, set_up, clean_up)| Ctx {
                number: 0,
                scoped,
                around: None,
                set_up,
                clean_up,
            })
        };
        let nested = (context(), prop::option::of(context())).prop_map(|(context, around)| Ctx {
            around: around.map(Arc::new),
            ..context
        });
        let form = prop_oneof![Just(Form::AsyncWith), Just(Form::With)];
        prop_oneof![
            5 => (form, nested, program())
                .prop_map(|(form, context, body)| Node::Use(form, Arc::new(context), body)),
            1 => program().prop_map(Node::Attempt),
        ]
    });
    prop::collection::vec(node, 1..4).prop_map(|nodes| numbered(&nodes, &mut 0))
}

/// Gives everything a number of its own.
fn numbered(nodes: &[Node], next: &mut usize) -> Program {
    fn number(next: &mut usize) -> usize {
        *next += 1;
        *next
    }

    fn context(ctx: &Ctx, next: &mut usize) -> Arc<Ctx> {
        Arc::new(Ctx {
            number: number(next),
            scoped: ctx.scoped,
            around: ctx.around.as_ref().map(|around| context(around, next)),
            set_up: numbered(&ctx.set_up, next),
            clean_up: numbered(&ctx.clean_up, next),
        })
    }

    nodes
        .iter()
        .map(|node| match node {
            Node::Pause => Node::Pause,
            Node::Step(_) => Node::Step(number(next)),
            Node::Fail(_) => Node::Fail(number(next)),
            Node::Panic(_) => Node::Panic(number(next)),
            Node::Attempt(program) => Node::Attempt(numbered(program, next)),
            Node::Use(form, ctx, body) => {
                Node::Use(*form, context(ctx, next), numbered(body, next))
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_tree_of_contexts_does_what_the_model_says(program in programs(), at in any::<prop::sample::Index>()) {
        world::install();
        let (whole, pauses) = predicted(&program, None);
        prop_assert_eq!(observed(&program, None), whole);
        // One of every three runs is dropped at a random pause, the others where it hurts most often.
        let drop_at = at.index(pauses + 1);
        for drop_at in [drop_at, 0, pauses] {
            let (story, _) = predicted(&program, Some(drop_at));
            prop_assert_eq!(observed(&program, Some(drop_at)), story, "dropped at {}", drop_at);
        }
    }
}
