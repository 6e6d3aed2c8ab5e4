//! The same contexts on a stack and as nested uses. Nesting is Python's reference for how errors combine.

use std::pin::Pin;

use guard_core::{AsyncContext, Outcome, async_context, exit_stack, yield_resource};
use guard_tests::{Log, block_on, yield_once};

use crate::raised::{Raised, raised};
use crate::reports;

/// What a context does in its exit.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// It does nothing.
    Pass,
    /// It fails, for every outcome.
    Fail(&'static str),
    /// It catches, and swallows the error.
    Swallow,
    /// It catches, and returns another error whose source is the one it got.
    Replace(&'static str),
}
use Step::{Fail, Pass, Replace, Swallow};

#[async_context]
async fn plain(log: Log, step: Step) -> Result<(), Raised> {
    let outcome = yield_resource!();
    yield_once().await;
    log.push(format_args!("{step:?} is told {outcome:?};"));
    match step {
        Fail(name) => Err(raised(name)),
        _ => Ok(()),
    }
}

#[async_context(catch)]
async fn catching(log: Log, step: Step) -> Result<(), Raised> {
    let outcome = yield_resource!();
    yield_once().await;
    log.push(format_args!("{step:?} is told {outcome:?};"));
    match (outcome, step) {
        (Outcome::Failed(error), Replace(name)) => Err(raised(name).from(error)),
        _ => Ok(()),
    }
}

/// What a use did: its error, the log, and the reports.
#[derive(Debug, PartialEq)]
pub struct Observed {
    pub error: Option<String>,
    pub events: Vec<String>,
    pub reports: Vec<String>,
}

fn observe<T>(use_them: impl AsyncFnOnce(&Log) -> Result<T, Raised>) -> Observed {
    reports::collect();
    let log = Log::new();
    let used = block_on(use_them(&log));
    let error = used.err().map(|error| format!("{error:?}"));
    Observed {
        error,
        events: log.take(),
        reports: reports::take(),
    }
}

type Nested<'a> = Pin<Box<dyn Future<Output = Result<(), Raised>> + 'a>>;

fn nest<'a>(log: &'a Log, steps: &'a [Step], body: Result<(), Raised>) -> Nested<'a> {
    Box::pin(async move {
        let Some((&step, inner)) = steps.split_first() else {
            return body;
        };
        match step {
            Pass | Fail(_) => {
                plain(log.clone(), step)
                    .with(async |()| nest(log, inner, body).await)
                    .await
            }
            Swallow | Replace(_) => {
                let used =
                    catching(log.clone(), step).catch(async |()| nest(log, inner, body).await);
                used.await.map(|_| ())
            }
        }
    })
}

/// The contexts as nested uses. The first one is the outermost.
pub fn nested(steps: &[Step], body: Result<(), Raised>) -> Observed {
    observe(async |log| nest(log, steps, body).await)
}

/// The contexts on a stack. The first one is at the bottom.
pub fn stacked(steps: &[Step], body: Result<(), Raised>) -> Observed {
    observe(async |log| {
        let stack = exit_stack::<Raised>().catching();
        stack
            .catch(async |stack| {
                for &step in steps {
                    match step {
                        Pass | Fail(_) => stack.enter(plain(log.clone(), step)).await?,
                        Swallow | Replace(_) => {
                            stack.enter_catch(catching(log.clone(), step)).await?
                        }
                    };
                }
                body
            })
            .await
    })
}

/// Every list of up to `length` steps. All errors of a list are different.
pub fn programs(length: usize) -> Vec<Vec<Step>> {
    const NAMES: [&str; 4] = ["A", "B", "C", "D"];
    let mut programs = vec![Vec::new()];
    let mut begin = 0;
    for name in &NAMES[..length] {
        let end = programs.len();
        for index in begin..end {
            for step in [Pass, Fail(name), Swallow, Replace(name)] {
                let mut program = programs[index].clone();
                program.push(step);
                programs.push(program);
            }
        }
        begin = end;
    }
    programs
}

/// The contexts of Python's own reference, from the outside in.
pub const REFERENCE: [Step; 5] = [
    Fail("Index"),
    Fail("Key"),
    Fail("Attribute"),
    Swallow,
    Replace("Value"),
];
