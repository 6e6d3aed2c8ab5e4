//! Every way of nesting contexts, whatever they are.
//!
//! Each function here is compiled anew for each kind of contexts, and that takes most of the time in which this suite is
//! compiled. So there is one type of context for all levels, and the block of a context has what is inside it in a box.
//! The uses themselves are compiled for the types of their contexts, without a box around them.

use std::marker::PhantomData;
use std::pin::Pin;

use guard_core::{AsyncContext, LocalBoxContext, Outcome, async_with, within};

use crate::scenarios::{Plan, Token, Way, all, body, interruptible, one};
use crate::simulation::{Fault, Using, made_here};

/// The use of a context, and of what is inside it.
pub type Used<E = Fault> = Pin<Box<dyn Future<Output = Result<(), E>>>>;

/// How contexts are made. They are of one type for all levels.
pub trait Make<X = ()>: 'static {
    type Error;

    /// Is called by [`make`], for which it has to pass on the place of its caller.
    #[track_caller]
    fn make(
        level: usize,
        plan: Plan,
    ) -> impl AsyncContext<X, Resource = Token, Error = Self::Error> + 'static;
}

/// The context of this level. Each level has a place of its own where it is made: by that reports tell them apart.
pub fn make<M: Make<X>, X>(
    level: usize,
    plan: Plan,
) -> impl AsyncContext<X, Resource = Token, Error = M::Error> + 'static {
    #[track_caller]
    fn noted<M: Make<X>, X>(
        level: usize,
        plan: Plan,
    ) -> impl AsyncContext<X, Resource = Token, Error = M::Error> + 'static {
        made_here(level);
        M::make(level, plan)
    }

    match level {
        0 => noted::<M, X>(0, plan),
        1 => noted::<M, X>(1, plan),
        _ => noted::<M, X>(2, plan),
    }
}

/// The contexts of all levels.
pub trait Levels: Copy + 'static {
    fn at(
        self,
        level: usize,
        plan: Plan,
    ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static;
}

/// Contexts as they are made.
pub struct Plain<M>(PhantomData<M>);

impl<M> Plain<M> {
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M> Clone for Plain<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Plain<M> {}

impl<M: Make<Error = Fault>> Levels for Plain<M> {
    fn at(
        self,
        level: usize,
        plan: Plan,
    ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static {
        make::<M, ()>(level, plan)
    }
}

/// Contexts in boxes, so that their type is the same however they are made.
#[derive(Clone, Copy)]
pub struct Boxed(fn(usize, Plan) -> LocalBoxContext<'static, Token, Fault>);

impl Boxed {
    pub fn new<M: Make<Error = Fault>>() -> Self {
        Self(|level, plan| make::<M, ()>(level, plan).boxed_local())
    }
}

impl Levels for Boxed {
    fn at(
        self,
        level: usize,
        plan: Plan,
    ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static {
        (self.0)(level, plan)
    }
}

/// Runs the content of a level's block: on the last level the body, on the others `inner`, the use of the next level.
pub async fn inside<E: From<Fault> + 'static>(
    plan: Plan,
    level: usize,
    token: &mut Token,
    inner: Used<E>,
) -> Result<(), E> {
    if level + 1 == plan.depth {
        Ok(body(plan, token).await?)
    } else {
        interruptible(plan, level + 1, inner).await
    }
}

/// Uses the contexts from this level on.
type Use<L, E = Fault> = fn(L, Plan, usize) -> Used<E>;

/// `inner` is what is used in this level.
fn async_with_around<L: Levels>(levels: L, plan: Plan, level: usize, inner: Use<L>) -> Used {
    Box::pin(async move {
        async_with!(token = levels.at(level, plan)?, {
            inside(plan, level, token, inner(levels, plan, level + 1)).await?;
        });
        Ok(())
    })
}

pub fn async_with<L: Levels>(levels: L, plan: Plan, level: usize) -> Used {
    async_with_around(levels, plan, level, async_with)
}

/// The body leaves by `return`.
pub async fn async_with_list<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
    match plan.depth {
        1 => async_with!(token = levels.at(0, plan)?, {
            return body(plan, token).await;
        }),
        3 if plan.interrupt.is_none() => async_with!(
            _outer = levels.at(0, plan)?,
            _middle = levels.at(1, plan)?,
            token = levels.at(2, plan)?,
            {
                return body(plan, token).await;
            }
        ),
        _ => async_with!(_outer = levels.at(0, plan)?, token = levels.at(1, plan)?, {
            return inside(plan, 1, token, async_with(levels, plan, 2)).await;
        }),
    }
}

async fn within<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
    #[within(token = levels.at(0, plan)?)]
    async fn one<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
        body(plan, token).await
    }

    #[within(_outer = levels.at(0, plan)?, token = levels.at(1, plan)?)]
    async fn two<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
        inside(plan, 1, token, async_with(levels, plan, 2)).await
    }

    #[within(_outer = levels.at(0, plan)?, _middle = levels.at(1, plan)?, token = levels.at(2, plan)?)]
    async fn three<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
        body(plan, token).await
    }

    match plan.depth {
        1 => one(levels, plan).await,
        3 if plan.interrupt.is_none() => three(levels, plan).await,
        _ => two(levels, plan).await,
    }
}

/// This level and the next one side by side. What there is inside them is used in them.
fn joined<L: Levels>(levels: L, plan: Plan, left: usize) -> Used {
    let right = left + 1;
    Box::pin(async move {
        async_with!(
            join(
                _left = levels.at(left, plan)?,
                token = levels.at(right, plan)?
            ),
            {
                return inside(plan, right, token, async_with(levels, plan, right + 1)).await;
            }
        )
    })
}

async fn join<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
    if plan.depth == 2 || plan.interrupt.is_some() {
        return joined(levels, plan, 0).await;
    }
    async_with!(
        join(_left = levels.at(0, plan)?, _right = levels.at(1, plan)?),
        token = levels.at(2, plan)?,
        {
            body(plan, token).await?;
        }
    );
    Ok(())
}

async fn join_inside<L: Levels>(levels: L, plan: Plan) -> Result<(), Fault> {
    if plan.interrupt.is_some() {
        return async_with_around(levels, plan, 0, joined).await;
    }
    async_with!(
        _outer = levels.at(0, plan)?,
        join(_left = levels.at(1, plan)?, right = levels.at(2, plan)?),
        {
            body(plan, right).await?;
        }
    );
    Ok(())
}

fn with<L: Levels>(levels: L, plan: Plan, level: usize) -> Used {
    Box::pin(async move {
        let used = levels
            .at(level, plan)
            .with(async |token| inside(plan, level, token, with(levels, plan, level + 1)).await);
        used.await
    })
}

fn try_with_around<L: Levels>(
    levels: L,
    plan: Plan,
    level: usize,
    inner: Use<L, Vec<Fault>>,
) -> Used<Vec<Fault>> {
    Box::pin(async move {
        let used = levels.at(level, plan).try_with(async |token| {
            inside(plan, level, token, inner(levels, plan, level + 1)).await
        });
        used.await.map_err(all)
    })
}

fn try_with<L: Levels>(levels: L, plan: Plan, level: usize) -> Used<Vec<Fault>> {
    try_with_around(levels, plan, level, try_with)
}

fn guards<L: Levels>(levels: L, plan: Plan, level: usize) -> Used<Vec<Fault>> {
    Box::pin(async move {
        let mut guard = levels.at(level, plan).enter().await?;
        let mut used = inside(plan, level, &mut guard, guards(levels, plan, level + 1)).await;
        let outcome = match used {
            Ok(()) => Outcome::Completed,
            Err(_) => Outcome::Failed(()),
        };
        if let Err(fault) = guard.exit_with(outcome).await {
            let mut faults = used.err().unwrap_or_default();
            faults.push(fault);
            used = Err(faults);
        }
        used
    })
}

/// The use of all levels in this way.
pub fn nested<L: Levels>(levels: L, way: Way, plan: Plan) -> Using {
    match way {
        Way::AsyncWith => one(async_with(levels, plan, 0)),
        Way::AsyncWithList => one(async_with_list(levels, plan)),
        Way::Within => one(within(levels, plan)),
        Way::Join => one(join(levels, plan)),
        Way::JoinInside => one(join_inside(levels, plan)),
        Way::With => one(with(levels, plan, 0)),
        Way::TryWith => try_with(levels, plan, 0),
        Way::Guards => guards(levels, plan, 0),
        Way::GuardsInside => try_with_around(levels, plan, 0, guards),
        _ => unreachable!("{way:?} needs contexts of its own"),
    }
}
