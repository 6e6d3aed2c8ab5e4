//! The dependencies of one request.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Extensions;
use guard_core::{Guard, Outcome, async_context, async_with, exit_stack, yield_resource};

use crate::depends::Held;
use crate::{ContextOf, Dependency, DependencyError};

/// What a request has entered. Clones share it; the request carries one in its extensions.
#[derive(Clone, Default)]
pub(crate) struct Scope(Arc<Mutex<Entered>>);

#[derive(Default)]
struct Entered {
    /// The request has been answered.
    ended: bool,
    /// Each value is a `Held<D>`, and its key is the type `D`.
    found: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// In the order of entering.
    exits: Vec<Exit>,
}

type Exit = Box<dyn FnOnce(Outcome) -> Exiting + Send>;
type Exiting = Pin<Box<dyn Future<Output = Result<(), DependencyError>> + Send>>;

impl Scope {
    /// The scope of the request.
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.entered().ended
    }

    pub(crate) fn find<D: Dependency>(&self) -> Option<Arc<Held<D>>> {
        let found = self.entered().found.get(&TypeId::of::<D>()).cloned();
        found?.downcast().ok()
    }

    /// Keeps what was entered, until the end of the request. If that is over, the guard is dropped, which cancels it.
    pub(crate) fn add<D: Dependency>(
        &self,
        guard: Guard<ContextOf<D>>,
    ) -> Result<Arc<Held<D>>, DependencyError> {
        let held = Arc::new(Held::<D>::new(guard));
        let exit = held.clone();
        let mut entered = self.entered();
        if entered.ended {
            // Nobody's code runs under the lock.
            drop(entered);
            return Err(DependencyError::ended::<D>());
        }
        entered.found.insert(TypeId::of::<D>(), held.clone());
        entered
            .exits
            .push(Box::new(move |outcome| Box::pin(exit.exit(outcome))));
        Ok(held)
    }

    fn end(&self) -> Vec<Exit> {
        let mut entered = self.entered();
        entered.ended = true;
        let found = std::mem::take(&mut entered.found);
        let exits = std::mem::take(&mut entered.exits);
        drop(entered);
        drop(found);
        exits
    }

    fn entered(&self) -> MutexGuard<'_, Entered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exits what the request has entered, last in first out.
///
/// It is one context, so the dependencies exit in order also when the client has gone away, and their exits wait for
/// what was cancelled in the handler, such as a savepoint that has timed out.
#[async_context]
pub(crate) async fn request_scope(scope: Scope) -> Result<(), DependencyError> {
    async_with!(stack = exit_stack::<DependencyError>()?, {
        yield_resource!();
        // The stack is told what the yield tells.
        for exit in scope.end() {
            stack.push_exit(exit);
        }
    });
    Ok(())
}
