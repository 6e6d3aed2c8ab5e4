//! The errors and the panics of these tests, which stand for Python's exceptions.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Once;

use guard_core::Outcome;
use guard_tests::block_on;

/// An error that stands for a Python exception, with its cause.
#[derive(Clone, PartialEq, Eq)]
pub struct Raised {
    pub name: &'static str,
    pub from: Option<Box<Raised>>,
}

/// An error with this name.
pub fn raised(name: &'static str) -> Raised {
    Raised { name, from: None }
}

impl Raised {
    /// In Python: `raise self from cause`.
    pub fn from(self, cause: Self) -> Self {
        Self {
            from: Some(Box::new(cause)),
            ..self
        }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match &self.from {
            None => Ok(()),
            Some(cause) => write!(f, " from {cause:?}"),
        }
    }
}

impl std::error::Error for Raised {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.from.as_deref().map(|cause| cause as _)
    }
}

/// In Python: an exit that returns `None`. It returns the error of the body.
pub fn pass_on(outcome: Outcome<Raised>) -> Result<(), Raised> {
    match outcome {
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// The payload of the tests' panics, which no other panic has.
#[derive(Debug, PartialEq, Eq)]
pub struct Payload(pub u32);

thread_local! {
    static LINES: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Panics with a [`Payload`]. The panic hook prints nothing for it.
#[track_caller]
pub fn panic_with(number: u32) -> ! {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().is::<Payload>() {
                LINES.with_borrow_mut(|lines| lines.extend(info.location().map(|l| l.line())));
            } else {
                others(info);
            }
        }));
    });
    panic_any(Payload(number))
}

/// The payload of the panic of this future.
pub fn payload_of<T>(future: impl Future<Output = T>) -> Payload {
    LINES.take();
    match catch_unwind(AssertUnwindSafe(|| block_on(future))) {
        Ok(_) => panic!("the future should panic"),
        Err(payload) => *payload
            .downcast()
            .expect("the panic should have a `Payload`"),
    }
}

/// The lines of the panics during the last [`payload_of`]: one for each call of the panic hook.
pub fn lines_of_panics() -> Vec<u32> {
    LINES.take()
}
