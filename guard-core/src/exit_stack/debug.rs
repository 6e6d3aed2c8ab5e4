//! `Debug` for the stacks. What their entries are has no name, so it is not shown.

use core::fmt;

use super::context::{AllErrors, ExitStackContext, ReportingStack, ScopedExitStackContext};
use super::handle::StackHandle;
use super::owned::AsyncExitStack;
use super::scoped::ScopedExitStack;
use super::unwind_state::StackMode;

impl<E, M> fmt::Debug for AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncExitStack").finish_non_exhaustive()
    }
}

impl<E, M: StackMode<E>> fmt::Debug for ScopedExitStack<'_, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedExitStack").finish_non_exhaustive()
    }
}

impl<E, M> fmt::Debug for StackHandle<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackHandle").finish_non_exhaustive()
    }
}

impl<E, M> fmt::Debug for ExitStackContext<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitStackContext").finish_non_exhaustive()
    }
}

impl<E: 'static> fmt::Debug for AllErrors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllErrors").finish_non_exhaustive()
    }
}

impl<E: 'static> fmt::Debug for ReportingStack<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportingStack").finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for ScopedExitStackContext<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedExitStackContext")
            .finish_non_exhaustive()
    }
}
