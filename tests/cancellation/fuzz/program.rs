//! What is tried: programs that use contexts, as data.

use std::sync::Arc;

/// What a body, a set-up or a clean-up does, one after the other.
pub(super) type Program = Arc<[Node]>;

/// Everything that may be told of has a number of its own.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Pause,
    Step(usize),
    Fail(usize),
    Panic(usize),
    /// Goes on after an error in it.
    Attempt(Program),
    /// Drops it when the clock has ticked so many times, if it is not over by then, and goes on.
    Timeout(usize, usize, Program),
    /// Does it with these contexts around it.
    Use(Around, Program),
    /// Does it in a context that does nothing.
    Null(Program),
    /// Does it in a context that swallows errors with an odd number.
    Suppress(Program),
}

/// The contexts around something.
#[derive(Clone, Debug)]
pub(super) enum Around {
    One(Form, Arc<Ctx>),
    /// Two in `join`.
    Join(Arc<Ctx>, Arc<Ctx>),
    /// Any number on an exit stack.
    Stack {
        catches: bool,
        entries: Arc<[Entry]>,
    },
}

/// How one context is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    AsyncWith,
    With,
    /// The error of the exit is returned too: that it is kept is an event.
    TryWith,
    /// Around a function.
    Within,
    /// Entered and exited by hand; here too the error of the exit is kept.
    Guard,
    /// As a context that catches.
    Catch,
}

/// A context.
#[derive(Clone, Debug)]
pub(super) struct Ctx {
    pub(super) number: usize,
    pub(super) scoped: bool,
    /// The contexts in which it does everything else, its yield included. They are used in `async_with!`,
    /// and do not catch.
    pub(super) around: Option<Around>,
    pub(super) set_up: Program,
    pub(super) clean_up: Program,
    /// What it does in the end with an error that it is given to decide about.
    pub(super) answer: Answer,
    /// Of which the model knows nothing.
    pub(super) made: Made,
    /// Of these neither.
    pub(super) adapters: Vec<Adapter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Raise,
    /// With the number of the context.
    Replace,
    Swallow,
}

/// How a context is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made {
    /// With `#[async_context]`. What catches, or has contexts around it, always is.
    ByAttribute,
    /// With `from_fns`, unless it is scoped.
    OfFunctions,
    /// As an `AsyncManager`.
    AsManager,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Adapter {
    MapErr,
    Boxed,
    /// A limit that never comes.
    ExitUntil,
}

/// What is put on an exit stack.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Enter(Arc<Ctx>),
    /// As a context that catches, if the stack does.
    Catch(Arc<Ctx>),
    Defer(Program),
    /// The same, put there only when the stack is being closed.
    Late(Program),
    /// Of a context, only what comes after its yield.
    PushExit(Arc<Ctx>),
    /// Is a step.
    Callback(usize),
}
