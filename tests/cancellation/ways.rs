//! What the matrix tries: contexts that fail as planned, nested in every way there is.

use std::convert::Infallible;
use std::panic::panic_any;

use guard_core::{
    AsyncContext, AsyncManager, Outcome, ScopeError, async_context, async_with, manage,
    manage_scoped, yield_resource,
};

use crate::world::{End, Event, Fault, Step, Using, log, pause};

/// How long a step takes, and how it ends.
#[derive(Clone, Copy, Debug)]
pub struct Doing {
    pub pauses: usize,
    pub end: End,
}

/// A nest of up to three contexts and one body.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub depth: usize,
    pub enter: [Doing; 3],
    pub body: Doing,
    pub exit: [Doing; 3],
}

/// A way of using contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    AsyncWith,
    /// One `async_with!` of several contexts.
    AsyncWithList,
    With,
    TryWith,
    /// For contexts that cannot fail: the plan has no errors but the body's.
    Run,
    Guards,
    Manage,
    /// One context made of all levels, which are used in its body.
    Composed,
}

pub const WAYS: [Way; 8] = [
    Way::AsyncWith,
    Way::AsyncWithList,
    Way::With,
    Way::TryWith,
    Way::Run,
    Way::Guards,
    Way::Manage,
    Way::Composed,
];

/// Which of the contexts are finished when their user is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Default,
    Scoped,
    /// A composed context that is finished, made of scoped ones, which are therefore finished too.
    DefaultOfScoped,
    /// A composed context that is not finished, made of contexts that are.
    ScopedOfDefault,
}

impl Kind {
    /// Whether the composed context is finished when the use is dropped.
    pub fn finishes_composed(self) -> bool {
        matches!(self, Self::Default | Self::DefaultOfScoped)
    }
}

/// What a context lends: it is touched by the body.
pub struct Token(usize);

async fn doing(level: usize, step: Step, doing: Doing) -> Result<(), Fault> {
    for _ in 0..doing.pauses {
        pause().await;
        if step == Step::Body {
            log(Event::BodyStep);
        }
    }
    let fault = Fault { level, step };
    match doing.end {
        End::Ok => Ok(()),
        End::Error => Err(fault),
        End::Panic => {
            log(ended(level, step, End::Panic));
            panic_any(fault)
        }
    }
}

fn ended(level: usize, step: Step, end: End) -> Event {
    match step {
        Step::Enter => Event::Entered(level, end),
        Step::Body => Event::BodyEnded(end),
        Step::Exit => Event::Released(level, end),
    }
}

fn end_of(done: Result<(), Fault>) -> End {
    done.map_or(End::Error, |()| End::Ok)
}

pub async fn set_up(level: usize, plan: Plan) -> Result<Token, Fault> {
    log(Event::Enter(level));
    let done = doing(level, Step::Enter, plan.enter[level]).await;
    log(Event::Entered(level, end_of(done)));
    done.map(|()| Token(level))
}

pub async fn clean_up(level: usize, plan: Plan, outcome: Outcome) -> Result<(), Fault> {
    log(Event::Release(level, outcome));
    let done = doing(level, Step::Exit, plan.exit[level]).await;
    log(Event::Released(level, end_of(done)));
    done
}

/// For contexts that cannot fail.
fn infallible<T>(done: Result<T, Fault>) -> T {
    done.unwrap_or_else(|fault| unreachable!("{fault} was not planned"))
}

pub async fn body(plan: Plan, token: &mut Token) -> Result<(), Fault> {
    struct Gone;
    impl Drop for Gone {
        fn drop(&mut self) {
            log(Event::BodyGone);
        }
    }

    assert_eq!(token.0, plan.depth - 1, "the innermost resource is lent");
    let _gone = Gone;
    log(Event::BodyStarted);
    let done = doing(0, Step::Body, plan.body).await;
    token.0 += 1;
    log(Event::BodyEnded(end_of(done)));
    done
}

/// Every fault of a nest of [`ScopeError`]s, in the order in which they happened.
fn all(error: ScopeError<(), Vec<Fault>, Fault>) -> Vec<Fault> {
    match error {
        ScopeError::Enter(fault) | ScopeError::Exit { error: fault, .. } => vec![fault],
        ScopeError::Body(faults) => faults,
        ScopeError::BodyAndExit { mut body, exit } => {
            body.push(exit);
            body
        }
    }
}

struct Managed {
    level: usize,
    plan: Plan,
    token: Option<Token>,
}

impl AsyncManager for Managed {
    type Resource = Token;
    type Error = Fault;

    async fn enter(&mut self) -> Result<&mut Token, Fault> {
        let token = set_up(self.level, self.plan).await?;
        Ok(self.token.insert(token))
    }

    async fn exit(&mut self, outcome: Outcome) -> Result<(), Fault> {
        clean_up(self.level, self.plan, outcome).await
    }
}

/// Exits a guard with what became of the use inside it, and keeps both faults.
macro_rules! exit_guard {
    ($guard:ident, $inner:expr) => {{
        let mut inner: Result<(), Vec<Fault>> = $inner;
        let outcome = match inner {
            Ok(()) => Outcome::Completed,
            Err(_) => Outcome::Failed(()),
        };
        if let Err(fault) = $guard.exit_with(outcome).await {
            let mut faults = inner.err().unwrap_or_default();
            faults.push(fault);
            inner = Err(faults);
        }
        inner
    }};
}

/// The ways of nesting the contexts `level0`, `level1` and `level2` of a module.
macro_rules! nests {
    ($(#[$name:ident: $args:tt, $manage:ident])+) => {$(
        mod $name {
            use super::*;

            nests!(@levels $args; level0 0, level1 1, level2 2);

            /// The same as managers, whose type is one for all levels, so that it cannot name the level.
            mod managed {
                use super::*;
                nests!(@managed $manage; level0 0, level1 1, level2 2);
            }

            /// The same, but they cannot fail.
            mod sure {
                use super::*;
                nests!(@sure $args; level0 0, level1 1, level2 2);
            }

            async fn async_with(plan: Plan) -> Result<(), Fault> {
                match plan.depth {
                    1 => async_with!(token = level0(plan)? => { body(plan, token).await?; }),
                    2 => async_with!(_token = level0(plan)? => {
                        async_with!(token = level1(plan)? => { body(plan, token).await?; });
                    }),
                    _ => async_with!(_token = level0(plan)? => {
                        async_with!(_token = level1(plan)? => {
                            async_with!(token = level2(plan)? => { body(plan, token).await?; });
                        });
                    }),
                }
                Ok(())
            }

            /// The body leaves by `return`.
            async fn async_with_list(plan: Plan) -> Result<(), Fault> {
                match plan.depth {
                    1 => async_with!(token = level0(plan)? => { return body(plan, token).await; }),
                    2 => async_with!(_outer = level0(plan)?, token = level1(plan)? => {
                        return body(plan, token).await;
                    }),
                    _ => async_with!(
                        _outer = level0(plan)?,
                        _middle = level1(plan)?,
                        token = level2(plan)? => { return body(plan, token).await; }
                    ),
                }
            }

            async fn with(plan: Plan) -> Result<(), Fault> {
                match plan.depth {
                    1 => level0(plan).with(async |token| body(plan, token).await).await,
                    2 => level0(plan).with(async |_| {
                        level1(plan).with(async |token| body(plan, token).await).await
                    }).await,
                    _ => level0(plan).with(async |_| {
                        level1(plan).with(async |_| {
                            level2(plan).with(async |token| body(plan, token).await).await
                        }).await
                    }).await,
                }
            }

            async fn try_with(plan: Plan) -> Result<(), Vec<Fault>> {
                let body = async |token: &mut Token| {
                    body(plan, token).await.map_err(|fault| vec![fault])
                };
                match plan.depth {
                    1 => level0(plan).try_with(async |token| body(token).await).await.map_err(all),
                    2 => level0(plan).try_with(async |_| {
                        level1(plan).try_with(async |token| body(token).await).await.map_err(all)
                    }).await.map_err(all),
                    _ => level0(plan).try_with(async |_| {
                        level1(plan).try_with(async |_| {
                            level2(plan).try_with(async |token| body(token).await).await.map_err(all)
                        }).await.map_err(all)
                    }).await.map_err(all),
                }
            }

            async fn run(plan: Plan) -> Result<(), Fault> {
                use sure::{level0, level1, level2};
                match plan.depth {
                    1 => level0(plan).run(async |token| body(plan, token).await).await,
                    2 => level0(plan).run(async |_| {
                        level1(plan).run(async |token| body(plan, token).await).await
                    }).await,
                    _ => level0(plan).run(async |_| {
                        level1(plan).run(async |_| {
                            level2(plan).run(async |token| body(plan, token).await).await
                        }).await
                    }).await,
                }
            }

            async fn guards(plan: Plan) -> Result<(), Vec<Fault>> {
                let body = async |token: &mut Token| {
                    body(plan, token).await.map_err(|fault| vec![fault])
                };
                let error = |fault| vec![fault];
                let mut guard0 = level0(plan).enter().await.map_err(error)?;
                if plan.depth == 1 {
                    let done = body(&mut guard0).await;
                    return exit_guard!(guard0, done);
                }
                let inner = async {
                    let mut guard1 = level1(plan).enter().await.map_err(error)?;
                    if plan.depth == 2 {
                        let done = body(&mut guard1).await;
                        return exit_guard!(guard1, done);
                    }
                    let inner = async {
                        let mut guard2 = level2(plan).enter().await.map_err(error)?;
                        let done = body(&mut guard2).await;
                        exit_guard!(guard2, done)
                    };
                    let done = inner.await;
                    exit_guard!(guard1, done)
                };
                let done = inner.await;
                exit_guard!(guard0, done)
            }

            async fn managers(plan: Plan) -> Result<(), Fault> {
                use managed::{level0, level1, level2};
                match plan.depth {
                    1 => async_with!(token = level0(plan)? => { body(plan, token).await?; }),
                    2 => async_with!(_outer = level0(plan)?, token = level1(plan)? => {
                        body(plan, token).await?;
                    }),
                    _ => async_with!(
                        _outer = level0(plan)?,
                        _middle = level1(plan)?,
                        token = level2(plan)? => { body(plan, token).await?; }
                    ),
                }
                Ok(())
            }

            pub(super) fn using(way: Way, plan: Plan) -> Using {
                match way {
                    Way::AsyncWith => one(async_with(plan)),
                    Way::AsyncWithList => one(async_with_list(plan)),
                    Way::With => one(with(plan)),
                    Way::TryWith => Box::pin(try_with(plan)),
                    Way::Run => one(run(plan)),
                    Way::Guards => Box::pin(guards(plan)),
                    Way::Manage => one(managers(plan)),
                    Way::Composed => one(composed(plan)),
                }
            }

            nests!(@composed $args; self);
        }
    )+};
    (@levels $args:tt; $($level:ident $number:literal),+) => {$(
        #[async_context $args]
        pub(super) async fn $level(plan: Plan) -> Result<Token, Fault> {
            let mut token = set_up($number, plan).await?;
            let outcome = yield_resource!(token);
            clean_up($number, plan, outcome).await
        }
    )+};
    (@sure $args:tt; $($level:ident $number:literal),+) => {$(
        #[async_context $args]
        pub(super) async fn $level(plan: Plan) -> Result<Token, Infallible> {
            let mut token = infallible(set_up($number, plan).await);
            let outcome = yield_resource!(token);
            infallible(clean_up($number, plan, outcome).await);
            Ok(())
        }
    )+};
    (@managed $manage:ident; $($level:ident $number:literal),+) => {$(
        /// Names the level in its type.
        #[allow(non_camel_case_types)]
        struct $level {
            managed: Managed,
        }

        impl AsyncManager for $level {
            type Resource = Token;
            type Error = Fault;

            async fn enter(&mut self) -> Result<&mut Token, Fault> {
                self.managed.enter().await
            }

            async fn exit(&mut self, outcome: Outcome) -> Result<(), Fault> {
                self.managed.exit(outcome).await
            }
        }

        #[track_caller]
        pub(super) fn $level(plan: Plan) -> impl AsyncContext<Resource = Token, Error = Fault> {
            $manage($level { managed: Managed { level: $number, plan, token: None } })
        }
    )+};
    (@composed $args:tt; $levels:ident) => {
        #[async_context $args]
        async fn composed1(plan: Plan) -> Result<Token, Fault> {
            async_with!(token = $levels::level0(plan)? => { yield_resource!(*token); });
            Ok(())
        }

        #[async_context $args]
        async fn composed2(plan: Plan) -> Result<Token, Fault> {
            async_with!(_outer = $levels::level0(plan)? => {
                async_with!(token = $levels::level1(plan)? => { yield_resource!(*token); });
            });
            Ok(())
        }

        #[async_context $args]
        async fn composed3(plan: Plan) -> Result<Token, Fault> {
            async_with!(
                _outer = $levels::level0(plan)?,
                _middle = $levels::level1(plan)?,
                token = $levels::level2(plan)? => { yield_resource!(*token); }
            );
            Ok(())
        }

        pub(super) async fn composed(plan: Plan) -> Result<(), Fault> {
            match plan.depth {
                1 => composed1(plan).with(async |token| body(plan, token).await).await,
                2 => Ok(async_with!(token = composed2(plan)? => { body(plan, token).await? })),
                _ => async_with!(token = composed3(plan)? => { return body(plan, token).await; }),
            }
        }
    };
}

nests! {
    #[default: (), manage]
    #[borrowing: (scoped), manage_scoped]
}

mod default_of_scoped {
    use super::*;
    nests!(@composed (); borrowing);
}

mod scoped_of_default {
    use super::*;
    nests!(@composed (scoped); default);
}

fn one(using: impl Future<Output = Result<(), Fault>> + 'static) -> Using {
    Box::pin(async { using.await.map_err(|fault| vec![fault]) })
}

/// The use that a plan asks for.
pub fn using(way: Way, kind: Kind, plan: Plan) -> Using {
    match kind {
        Kind::Default => default::using(way, plan),
        Kind::Scoped => borrowing::using(way, plan),
        Kind::DefaultOfScoped => one(default_of_scoped::composed(plan)),
        Kind::ScopedOfDefault => one(scoped_of_default::composed(plan)),
    }
}
