//! Without the feature `tokio` there is no tokio runtime.

use core::future::{Future, Pending};
use core::task::{Context, Poll};
use core::time::Duration;

pub(crate) type Id = core::convert::Infallible;

/// There is no budget.
pub(crate) fn unconstrained<T>(
    cx: &mut Context<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    poll(cx)
}

/// There is no tokio runtime.
#[derive(Clone)]
pub(crate) enum Handle {}

impl Handle {
    #[inline]
    pub(crate) fn current() -> Option<Self> {
        None
    }

    pub(crate) fn is_reachable() -> bool {
        true
    }

    pub(crate) fn id(&self) -> Id {
        match *self {}
    }

    pub(crate) fn inside<T>(&self, _: impl FnMut() -> T) -> T {
        match *self {}
    }

    pub(crate) fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {
        match *self {}
    }

    pub(crate) fn spawn_local<F>(&self, _: F) -> Option<F>
    where
        F: Future<Output = ()> + 'static,
    {
        match *self {}
    }
}

/// There is no clock.
pub(crate) type Sleep = Pending<()>;

pub(crate) fn remaining(_: &Sleep) -> Duration {
    Duration::MAX
}

pub(crate) fn sleep(_: Duration) -> Option<Sleep> {
    None
}
