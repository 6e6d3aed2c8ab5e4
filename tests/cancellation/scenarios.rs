//! What the matrix tries: contexts that fail as planned, nested in every way there is.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::panic::panic_any;
use std::pin::{Pin, pin};
use std::task::Poll;

use guard_core::{
    AsyncContext, AsyncManager, Outcome, TryWithError, async_context, async_with, manage,
    manage_scoped, yield_resource,
};

use crate::nesting::{Make, Plain, Used, async_with, async_with_list, inside, make, nested};
use crate::simulation::{End, Event, Fault, Step, Using, is_cut, log, pause};

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
    pub interrupt: Option<Interrupt>,
}

/// A use that is dropped half-way while the block around it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Interrupt {
    /// The outermost of the contexts whose use is dropped. It is not the first one.
    pub level: usize,
    /// After so many polls, unless the use is over by then.
    pub polls: usize,
    pub by: Manner,
    /// What else the block does.
    pub rest: Doing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The use is dropped first, as `timeout` and `select!` do.
    Timeout,
    /// The block keeps it, and drops it with its other variables when it ends: by `?`, by a panic, or
    /// because there is nothing more to do.
    EndOfBlock,
}

impl Plan {
    /// The outermost of the contexts whose use is to be interrupted.
    pub fn interrupted(&self) -> Option<usize> {
        self.interrupt.map(|interrupt| interrupt.level)
    }
}

/// A way of using contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    AsyncWith,
    /// One `async_with!` of several contexts.
    AsyncWithList,
    With,
    TryWith,
    /// For contexts that cannot fail: the plan has no errors but the body's.
    Run,
    /// By contexts that could swallow the body's error.
    Catch,
    Guards,
    /// The first context is used by a closure, and the others as guards in it.
    GuardsInside,
    Manage,
    /// By `#[within]`.
    Within,
    /// The outer two are entered and exited side by side.
    Join,
    /// The inner two of three.
    JoinInside,
    /// One context made of all levels, which are used in its body.
    Composed,
}

pub const WAYS: [Way; 13] = [
    Way::AsyncWith,
    Way::AsyncWithList,
    Way::With,
    Way::TryWith,
    Way::Run,
    Way::Catch,
    Way::Guards,
    Way::GuardsInside,
    Way::Manage,
    Way::Within,
    Way::Join,
    Way::JoinInside,
    Way::Composed,
];

impl Way {
    /// The contexts that are entered and exited side by side.
    pub fn sides(self) -> Option<[usize; 2]> {
        match self {
            Self::Join => Some([0, 1]),
            Self::JoinInside => Some([1, 2]),
            _ => None,
        }
    }
}

/// Which of the contexts are finished when their user is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What a context lends.
pub struct Token {
    pub level: usize,
    pub plan: Plan,
    is_touched: bool,
}

impl Token {
    pub fn new(level: usize, plan: Plan) -> Self {
        Self {
            level,
            plan,
            is_touched: false,
        }
    }
}

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
        Step::Rest => Event::RestEnded(level, end),
    }
}

fn end_of(done: Result<(), Fault>) -> End {
    done.map_or(End::Error, |()| End::Ok)
}

pub async fn set_up(level: usize, plan: Plan) -> Result<Token, Fault> {
    let setting_up = async {
        log(Event::Enter(level));
        let done = doing(level, Step::Enter, plan.enter[level]).await;
        log(Event::Entered(level, end_of(done)));
        done.map(|()| Token::new(level, plan))
    };
    watched(level, Step::Enter, setting_up).await
}

/// `told`: how the use ended, if the clean-up is told.
pub async fn clean_up(
    level: usize,
    plan: Plan,
    told: impl Into<Option<Outcome>>,
) -> Result<(), Fault> {
    let cleaning_up = async {
        log(Event::Release(level, told.into()));
        let done = doing(level, Step::Exit, plan.exit[level]).await;
        log(Event::Released(level, end_of(done)));
        done
    };
    watched(level, Step::Exit, cleaning_up).await
}

/// Tells of each poll when there is nowhere to go on.
async fn watched<T>(level: usize, step: Step, doing: impl Future<Output = T>) -> T {
    let mut doing = pin!(doing);
    let polled = poll_fn(|cx| {
        if is_cut() {
            log(Event::Polled(level, step));
        }
        doing.as_mut().poll(cx)
    });
    polled.await
}

/// The use of `level` in the block around it, which may be planned to drop it half-way.
pub async fn interruptible<E: From<Fault>>(
    plan: Plan,
    level: usize,
    used: Pin<Box<impl Future<Output = Result<(), E>> + ?Sized>>,
) -> Result<(), E> {
    match plan.interrupt {
        Some(interrupt) if interrupt.level == level => interrupted(interrupt, used).await,
        _ => used.await,
    }
}

async fn interrupted<E: From<Fault>>(
    interrupt: Interrupt,
    mut used: Pin<Box<impl Future<Output = Result<(), E>> + ?Sized>>,
) -> Result<(), E> {
    /// Is dropped right before the use is.
    struct Drops(usize);
    impl Drop for Drops {
        fn drop(&mut self) {
            log(Event::Interrupted(self.0));
        }
    }

    let mut polls = 0;
    let over = poll_fn(|cx| {
        if polls == interrupt.polls {
            return Poll::Ready(None);
        }
        polls += 1;
        used.as_mut().poll(cx).map(Some)
    });
    if let Some(ended) = over.await {
        return ended;
    }
    let drops = Drops(interrupt.level);
    let rest = async {
        let done = doing(interrupt.level, Step::Rest, interrupt.rest).await;
        log(Event::RestEnded(interrupt.level, end_of(done)));
        done
    };
    match interrupt.by {
        Manner::Timeout => {
            drop((drops, used));
            rest.await?;
        }
        Manner::EndOfBlock => {
            rest.await?;
            drop((drops, used));
        }
    }
    Ok(())
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

    assert_eq!(
        token.level,
        plan.depth - 1,
        "the innermost resource is lent"
    );
    let _gone = Gone;
    log(Event::BodyStarted);
    let done = doing(0, Step::Body, plan.body).await;
    token.is_touched = true;
    log(Event::BodyEnded(end_of(done)));
    done
}

impl From<Fault> for Vec<Fault> {
    fn from(fault: Fault) -> Self {
        vec![fault]
    }
}

/// Every fault of a nest of [`TryWithError`]s, in the order in which they happened.
pub fn all(error: TryWithError<(), Vec<Fault>, Fault>) -> Vec<Fault> {
    match error {
        TryWithError::Enter(fault) | TryWithError::Exit { error: fault, .. } => vec![fault],
        TryWithError::Body(faults) => faults,
        TryWithError::BodyAndExit { mut body, exit } => {
            body.push(exit);
            body
        }
        TryWithError::Beside { error, exit } => std::iter::once(error).chain(exit).collect(),
    }
}

/// Every fault of a nest of contexts that catch, in the order in which they happened.
#[derive(Debug)]
pub struct Faults(Vec<Fault>);

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("+"))
    }
}

impl std::error::Error for Faults {}

/// A manager.
pub struct Planned {
    level: usize,
    plan: Plan,
    token: Option<Token>,
}

impl Planned {
    fn new(level: usize, plan: Plan) -> Self {
        Self {
            level,
            plan,
            token: None,
        }
    }
}

impl AsyncManager for Planned {
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

/// Contexts that are written with `#[async_context]` and these arguments, as they are used in every way.
macro_rules! kinds {
    ($(#[$name:ident: $args:tt, $catch:tt, $manage:ident])+) => {$(
        pub mod $name {
            use super::*;

            #[async_context $args]
            async fn plain(level: usize, plan: Plan) -> Result<Token, Fault> {
                let mut token = set_up(level, plan).await?;
                let outcome = yield_resource!(token);
                clean_up(level, plan, outcome).await
            }

            #[async_context $args]
            async fn sure(level: usize, plan: Plan) -> Result<Token, Infallible> {
                let mut token = infallible(set_up(level, plan).await);
                let outcome = yield_resource!(token);
                infallible(clean_up(level, plan, outcome).await);
                Ok(())
            }

            #[async_context $catch]
            async fn caught(level: usize, plan: Plan) -> Result<Token, Faults> {
                let mut token = set_up(level, plan).await?;
                let outcome = yield_resource!(token);
                let cleaned = clean_up(level, plan, outcome.without_error()).await;
                let raised = match outcome {
                    Outcome::Failed(faults) => faults.0,
                    _ => Vec::new(),
                };
                let faults: Vec<Fault> = raised.into_iter().chain(cleaned.err()).collect();
                if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
            }

            pub struct Context;

            impl Make for Context {
                type Error = Fault;

                #[track_caller]
                fn make(
                    level: usize,
                    plan: Plan,
                ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static {
                    plain(level, plan)
                }
            }

            /// The same, but it cannot fail.
            pub struct Sure;

            impl Make for Sure {
                type Error = Infallible;

                #[track_caller]
                fn make(
                    level: usize,
                    plan: Plan,
                ) -> impl AsyncContext<Resource = Token, Error = Infallible> + 'static {
                    sure(level, plan)
                }
            }

            /// The same, but it is given the body's error, and raises it again.
            struct Caught;

            impl Make<Faults> for Caught {
                type Error = Faults;

                #[track_caller]
                fn make(
                    level: usize,
                    plan: Plan,
                ) -> impl AsyncContext<Faults, Resource = Token, Error = Faults> + 'static {
                    caught(level, plan)
                }
            }

            /// The same as a manager.
            struct OfManager;

            impl Make for OfManager {
                type Error = Fault;

                #[track_caller]
                fn make(
                    level: usize,
                    plan: Plan,
                ) -> impl AsyncContext<Resource = Token, Error = Fault> + 'static {
                    $manage(Planned::new(level, plan))
                }
            }

            pub(super) fn using(way: Way, plan: Plan) -> Using {
                match way {
                    Way::Run => one(run::<Sure>(plan, 0)),
                    Way::Catch => {
                        let used = catch::<Caught>(plan, 0);
                        Box::pin(async { used.await.map_err(|faults| faults.0) })
                    }
                    // Not by `nested`, or every way would be compiled for it.
                    Way::Manage => {
                        let levels = Plain::<OfManager>::new();
                        match plan.interrupt {
                            Some(_) => one(async_with(levels, plan, 0)),
                            None => one(async_with_list(levels, plan)),
                        }
                    }
                    Way::Composed => one(composed(plan)),
                    _ => nested(Plain::<Context>::new(), way, plan),
                }
            }

            composed!($args Context);
        }
    )+};
}

/// A context that is written with `#[async_context]` and these arguments, made of those that `$make` makes.
macro_rules! composed {
    ($args:tt $make:ty) => {
        #[async_context $args]
        async fn composed1(plan: Plan) -> Result<Token, Fault> {
            async_with!(token = make::<$make, ()>(0, plan)?, { yield_resource!(*token); });
            Ok(())
        }

        #[async_context $args]
        async fn composed2(plan: Plan) -> Result<Token, Fault> {
            async_with!(_outer = make::<$make, ()>(0, plan)?, {
                async_with!(token = make::<$make, ()>(1, plan)?, { yield_resource!(*token); });
            });
            Ok(())
        }

        #[async_context $args]
        async fn composed3(plan: Plan) -> Result<Token, Fault> {
            async_with!(
                _outer = make::<$make, ()>(0, plan)?,
                _middle = make::<$make, ()>(1, plan)?,
                token = make::<$make, ()>(2, plan)?, { yield_resource!(*token); }
            );
            Ok(())
        }

        pub(super) async fn composed(plan: Plan) -> Result<(), Fault> {
            match plan.depth {
                1 => composed1(plan).with(async |token| body(plan, token).await).await,
                2 => Ok(async_with!(token = composed2(plan)?, { body(plan, token).await? })),
                _ => async_with!(token = composed3(plan)?, { return body(plan, token).await; }),
            }
        }
    };
}

kinds! {
    #[default: (), (catch), manage]
    #[borrowing: (scoped), (scoped, catch), manage_scoped]
}

mod default_of_scoped {
    use super::*;
    composed!(() borrowing::Context);
}

mod scoped_of_default {
    use super::*;
    composed!((scoped) default::Context);
}

fn run<M: Make<Error = Infallible>>(plan: Plan, level: usize) -> Used {
    Box::pin(async move {
        let used = make::<M, ()>(level, plan)
            .run(async |token| inside(plan, level, token, run::<M>(plan, level + 1)).await);
        used.await
    })
}

fn catch<M: Make<Faults, Error = Faults>>(plan: Plan, level: usize) -> Used<Faults> {
    Box::pin(async move {
        let caught = make::<M, Faults>(level, plan)
            .catch(async |token| inside(plan, level, token, catch::<M>(plan, level + 1)).await);
        let caught = caught.await?;
        caught.expect("no error is swallowed");
        Ok(())
    })
}

/// A use that ends with the first error.
pub fn one(using: impl Future<Output = Result<(), Fault>> + 'static) -> Using {
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
