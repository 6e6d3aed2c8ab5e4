//! Runs a program with guard, and records what happens.

use std::cell::RefCell;
use std::fmt;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, select};
use guard_core::exit_stack_parts::Catching;
use guard_core::{
    AsyncContext, AsyncExitStack, AsyncManager, BoxContext, Outcome, TimeoutError, TryWithError,
    async_context, async_with, exit_stack, from_fns, manage, manage_scoped, nullcontext, suppress,
    within, yield_resource,
};

use super::compare::Told;
use super::program::{Adapter, Answer, Around, Ctx, Entry, Form, Made, Node, Program};
use super::{DROP, Stop, fault};
use crate::simulation::{self, Background, Driver, Fault, Polling};

thread_local! {
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn happens(event: impl Into<String>) {
    EVENTS.with_borrow_mut(|events| events.push(event.into()));
}

type Done = Result<(), Fault>;

fn run(program: Program) -> BoxFuture<'static, Done> {
    Box::pin(async move {
        for node in &*program {
            match node {
                Node::Pause => simulation::pause().await,
                Node::Step(number) => happens(format!("step {number}")),
                Node::Fail(number) => return Err(fault(*number)),
                Node::Panic(number) => panic_any(fault(*number)),
                Node::Attempt(program) => {
                    let _ = run(program.clone()).await;
                }
                Node::Timeout(number, ticks, body) => {
                    timeout(*number, *ticks, run(body.clone())).await?;
                }
                Node::Use(around, body) => use_all(around.clone(), run(body.clone())).await?,
                Node::Null(body) => {
                    let body = run(body.clone());
                    nullcontext(()).run(async |()| body.await).await?;
                }
                Node::Suppress(body) => {
                    let body = run(body.clone());
                    let odd = suppress(|fault: &Fault| fault.level % 2 == 1);
                    odd.catch(async |()| body.await).await?;
                }
            }
        }
        Ok(())
    })
}

async fn timeout(number: usize, ticks: usize, body: BoxFuture<'static, Done>) -> Done {
    let time = Box::pin(async move {
        for _ in 0..ticks {
            simulation::pause().await;
        }
    });
    match select(time, body).await {
        Either::Left(((), body)) => {
            happens(format!("time out {number}"));
            drop(body);
            Ok(())
        }
        Either::Right((done, _)) => done,
    }
}

async fn use_all(around: Around, body: BoxFuture<'static, Done>) -> Done {
    match around {
        Around::One(Form::Catch, context) => {
            let caught = if context.scoped {
                scoped_catching(context).catch(async |()| body.await).await
            } else {
                catching(context).catch(async |()| body.await).await
            };
            caught.map(Option::unwrap_or_default)
        }
        // Also without a box around it.
        Around::One(form, context) if is_plain(&context) => {
            if context.scoped {
                use_one(form, scoped(context), body).await
            } else {
                use_one(form, guaranteed(context), body).await
            }
        }
        Around::One(form, context) => use_one(form, make(context), body).await,
        Around::Join(first, second) => {
            async_with!(join(_first = make(first)?, _second = make(second)?), {
                body.await?;
            });
            Ok(())
        }
        Around::Stack {
            catches: true,
            entries,
        } => {
            let catching = exit_stack::<Fault>().catching();
            let caught = catching.catch(async |stack| {
                fill_catching(stack, &entries).await?;
                body.await
            });
            caught.await.map(Option::unwrap_or_default)
        }
        Around::Stack { entries, .. } => {
            async_with!(stack = exit_stack::<Fault>()?, {
                fill(stack, &entries).await?;
                body.await?;
            });
            Ok(())
        }
    }
}

async fn use_one<C>(form: Form, context: C, body: BoxFuture<'static, Done>) -> Done
where
    C: AsyncContext<Resource = (), Error = Fault>,
{
    match form {
        Form::AsyncWith => async_with!(_lent = context?, {
            body.await?;
        }),
        Form::With => context.with(async |()| body.await).await?,
        Form::TryWith => match context.try_with(async |()| body.await).await {
            Ok(()) => {}
            Err(TryWithError::BodyAndExit { body, exit }) => both(Err(body), Err(exit))?,
            Err(TryWithError::Body(fault) | TryWithError::Enter(fault)) => return Err(fault),
            Err(TryWithError::Exit { value: (), error }) => return Err(error),
            Err(TryWithError::Beside { error, exit }) => {
                both(Err(error), exit.map_or(Ok(()), Err))?
            }
        },
        Form::Within => decorated(context, body).await?,
        Form::Guard => {
            let guard = context.enter().await?;
            let used = body.await;
            let outcome = match used {
                Ok(()) => Outcome::Completed,
                Err(_) => Outcome::Failed(()),
            };
            both(used, guard.exit_with(outcome).await)?;
        }
        Form::Catch => unreachable!("a context that catches is of another type"),
    }
    Ok(())
}

#[within(_lent = context?)]
async fn decorated<C>(context: C, body: BoxFuture<'static, Done>) -> Done
where
    C: AsyncContext<Resource = (), Error = Fault>,
{
    body.await
}

/// The error of the use, and of the exit if the use was fine. What is kept besides is an event.
fn both(used: Done, exited: Done) -> Done {
    if let (Err(_), Err(kept)) = (used, exited) {
        happens(format!("and {kept}"));
    }
    used.and(exited)
}

macro_rules! fill {
    ($name:ident, $stack:ty, $enter_catch:ident, $answer:expr) => {
        async fn $name(stack: &mut $stack, entries: &[Entry]) -> Done {
            for entry in entries {
                match entry.clone() {
                    Entry::Enter(context) => {
                        stack.enter(make(context)).await?;
                    }
                    Entry::Catch(context) => $enter_catch(stack, context).await?,
                    Entry::Defer(program) => {
                        stack.defer(|| run(program));
                    }
                    Entry::Late(program) => {
                        let handle = stack.handle();
                        stack.callback(move || {
                            let added = handle.defer(|| run(program));
                            added.expect("the stack is being closed");
                        });
                    }
                    Entry::PushExit(context) => {
                        stack.push_exit(async move |outcome| {
                            clean_up(&context, outcome, $answer).await
                        });
                    }
                    Entry::Callback(number) => {
                        stack.callback(move || happens(format!("step {number}")));
                    }
                }
            }
            Ok(())
        }
    };
}

fill!(fill, AsyncExitStack<Fault>, enter_plain, not_asked);
fill!(fill_catching, AsyncExitStack<Fault, Catching>, enter_catching, answer);

async fn enter_plain(stack: &AsyncExitStack<Fault>, context: Arc<Ctx>) -> Done {
    stack.enter(make(context)).await?;
    Ok(())
}

async fn enter_catching(stack: &AsyncExitStack<Fault, Catching>, context: Arc<Ctx>) -> Done {
    if context.scoped {
        stack.enter_catch(scoped_catching(context)).await?;
    } else {
        stack.enter_catch(catching(context)).await?;
    }
    Ok(())
}

/// What a context does before its yield.
async fn set_up(context: &Ctx) -> Done {
    run(context.set_up.clone()).await?;
    happens(format!("entered {}", context.number));
    Ok(())
}

/// What it does after its yield. At last it decides about the error, if it was given one.
async fn clean_up<X: fmt::Debug>(
    context: &Ctx,
    outcome: Outcome<X>,
    answer: fn(&Ctx, X) -> Done,
) -> Done {
    happens(format!("exit {} {outcome:?}", context.number));
    run(context.clean_up.clone()).await?;
    match outcome {
        Outcome::Failed(error) => answer(context, error),
        _ => Ok(()),
    }
}

fn not_asked(_: &Ctx, (): ()) -> Done {
    Ok(())
}

fn answer(context: &Ctx, error: Fault) -> Done {
    match context.answer {
        Answer::Raise => Err(error),
        Answer::Replace => Err(fault(context.number)),
        Answer::Swallow => Ok(()),
    }
}

macro_rules! context {
    ($name:ident $args:tt, $answer:expr) => {
        #[async_context $args]
        async fn $name(context: Arc<Ctx>) -> Result<(), Fault> {
            happens(format!("enter {}", context.number));
            match context.around.clone() {
                None => {
                    set_up(&context).await?;
                    let outcome = yield_resource!();
                    clean_up(&context, outcome, $answer).await?;
                }
                Some(Around::One(_, around)) => async_with!(_lent = make(around)?, {
                    set_up(&context).await?;
                    let outcome = yield_resource!();
                    clean_up(&context, outcome, $answer).await?;
                }),
                Some(Around::Join(first, second)) => async_with!(
                    join(_first = make(first)?, _second = make(second)?), {
                    set_up(&context).await?;
                    let outcome = yield_resource!();
                    clean_up(&context, outcome, $answer).await?;
                }),
                Some(Around::Stack { entries, .. }) => async_with!(stack = exit_stack::<Fault>()?, {
                    fill(stack, &entries).await?;
                    set_up(&context).await?;
                    let outcome = yield_resource!();
                    clean_up(&context, outcome, $answer).await?;
                }),
            }
            happens(format!("exited {}", context.number));
            Ok(())
        }
    };
}

context!(guaranteed(), not_asked);
context!(scoped(scoped), not_asked);
context!(catching(catch), answer);
context!(scoped_catching(scoped, catch), answer);

/// The same as a value with two methods.
struct Manager {
    context: Arc<Ctx>,
    lent: (),
}

impl AsyncManager for Manager {
    type Resource = ();
    type Error = Fault;

    async fn enter(&mut self) -> Result<&mut (), Fault> {
        happens(format!("enter {}", self.context.number));
        set_up(&self.context).await?;
        Ok(&mut self.lent)
    }

    async fn exit(&mut self, outcome: Outcome) -> Done {
        clean_up(&self.context, outcome, not_asked).await?;
        happens(format!("exited {}", self.context.number));
        Ok(())
    }
}

/// The same as two functions.
fn of_functions(
    context: Arc<Ctx>,
) -> impl AsyncContext<Resource = (), Error = Fault> + Send + 'static {
    let acquired = context.clone();
    from_fns(
        async move || {
            happens(format!("enter {}", acquired.number));
            set_up(&acquired).await
        },
        async move |(), outcome| {
            clean_up(&context, outcome, not_asked).await?;
            happens(format!("exited {}", context.number));
            Ok(())
        },
    )
}

fn is_plain(context: &Ctx) -> bool {
    let by_attribute = matches!(context.made, Made::ByAttribute);
    context.adapters.is_empty() && (by_attribute || context.around.is_some())
}

/// The context as it is to be made, in all its adapters.
fn make(context: Arc<Ctx>) -> BoxContext<'static, (), Fault> {
    let adapters = context.adapters.clone();
    let manager = |context| Manager { context, lent: () };
    let made = match (context.made, &context.around) {
        (Made::OfFunctions, None) if !context.scoped => of_functions(context).boxed(),
        (Made::AsManager, None) if context.scoped => manage_scoped(manager(context)).boxed(),
        (Made::AsManager, None) => manage(manager(context)).boxed(),
        _ if context.scoped => scoped(context).boxed(),
        _ => guaranteed(context).boxed(),
    };
    adapters
        .into_iter()
        .fold(made, |context, adapter| match adapter {
            Adapter::MapErr => context.map_err(|fault| fault).boxed(),
            Adapter::Boxed => context.boxed(),
            Adapter::ExitUntil => context
                .exit_until(pending())
                .map_err(|error| match error {
                    TimeoutError::Context(fault) => fault,
                    TimeoutError::TimedOut => unreachable!("there is no limit"),
                })
                .boxed(),
        })
}

/// Runs a program, or drops it at a pause, and lets what is left of it come to its end.
pub(super) fn story(program: &Program, drop_at: Option<usize>) -> Told {
    EVENTS.take();
    simulation::take_other_reports();
    // Something around it all that is not `Send`.
    let local = nullcontext(()).with_error().boxed_local();
    let program = run(program.clone());
    let mut future = Box::pin(local.with(async move |()| program.await));
    let mut polling = Polling::new(Driver::WhenWoken);
    let mut background = Background::new(Driver::WhenWoken, None);
    let mut ticks = 0;
    let ending = loop {
        if drop_at == Some(ticks) {
            happens(DROP);
            break Err(Stop::Dropped);
        }
        // All that can go on does, before the clock ticks again.
        let Some(waker) = polling.due() else {
            if !background.poll_due() {
                ticks += 1;
                assert!(simulation::is_pausing(), "nothing goes on");
                simulation::tick();
            }
            continue;
        };
        let mut cx = Context::from_waker(&waker);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(done)) => break done.map_err(|fault| Stop::Error(fault.level)),
            Err(payload) => match payload.downcast::<Fault>() {
                Ok(fault) => break Err(Stop::Panic(fault.level)),
                Err(payload) => resume_unwind(payload),
            },
        }
    };
    drop(future);
    background.finish();
    assert!(
        background.violations.is_empty(),
        "{:?}",
        background.violations
    );
    let reports = simulation::take_other_reports().into_iter();
    let reports = reports.map(|report| {
        // Where it has a location, that comes before what is told.
        let told = report
            .split_once("): ")
            .or_else(|| report.split_once("`: "));
        let (_, told) = told.expect("it has a name");
        // How its error is told depends on the form.
        let bodys = told.split_once(", and its caller is gone");
        bodys.map_or(told, |(what, _)| what).to_owned()
    });
    Told {
        ending,
        events: EVENTS.take(),
        reports: reports.collect(),
    }
}
