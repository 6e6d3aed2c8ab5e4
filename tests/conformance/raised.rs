//! What the tests raise.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Once;

use guard_tests::block_on;

/// Stands in for Python's exceptions, with the one it was raised from.
#[derive(Clone, PartialEq, Eq)]
pub struct Raised {
    pub name: &'static str,
    pub from: Option<Box<Raised>>,
}

/// An error of that name.
pub fn raised(name: &'static str) -> Raised {
    Raised { name, from: None }
}

impl Raised {
    /// Python: `raise self from cause`.
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

/// What the tests panic with, so that it can be told from any other panic.
#[derive(Debug, PartialEq, Eq)]
pub struct Payload(pub u32);

thread_local! {
    static LINES: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Panics with a [`Payload`], which the hook keeps silent about.
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

/// The payload with which the future panics.
pub fn payload_of<T>(future: impl Future<Output = T>) -> Payload {
    LINES.take();
    match catch_unwind(AssertUnwindSafe(|| block_on(future))) {
        Ok(_) => panic!("there was no panic"),
        Err(payload) => *payload.downcast().expect("it panicked with something else"),
    }
}

/// The lines at which the last [`payload_of`] has seen panics begin: one for each time that the panic
/// hook was called.
pub fn lines_of_panics() -> Vec<u32> {
    LINES.take()
}
