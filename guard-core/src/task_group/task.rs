//! The future that is spawned for a task.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::state::Group;
use crate::cleanup::Nest;
use crate::platform::panics::{Panic, catch_panic};

pin_project_lite::pin_project! {
    /// A task of a group. It has a nest of its own, and leaves what is in that to the group.
    pub(super) struct GroupTask<F, E> {
        // `None` when it has ended.
        #[pin]
        future: Option<F>,
        nest: Nest,
        number: u64,
        group: Arc<Group<E>>,
    }

    impl<F, E> PinnedDrop for GroupTask<F, E> {
        fn drop(this: Pin<&mut Self>) {
            if this.future.is_some() {
                this.end(None, None);
            }
        }
    }
}

impl<F, E> GroupTask<F, E> {
    pub(super) fn new(future: F, number: u64, group: Arc<Group<E>>) -> Self {
        Self {
            future: Some(future),
            nest: Nest::new(),
            number,
            group,
        }
    }

    /// Drops the future, and tells the group. Returns whether the task has panicked, here or before.
    fn end(self: Pin<&mut Self>, error: Option<E>, panic: Option<Panic>) -> bool {
        let mut this = self.project();
        let listener = this.group.listener.clone();
        let dropped =
            listener.during(|| this.nest.during(|| catch_panic(|| this.future.set(None))));
        let panic = match (panic, dropped) {
            (panic, Ok(())) => panic,
            (Some(first), Err(second)) => {
                listener.observed(|| this.group.report(None, Some(second)));
                Some(first)
            }
            (None, Err(panic)) => Some(panic),
        };
        let has_panicked = panic.is_some();
        let left = this.nest.take_leftover();
        this.group.task_ended(*this.number, error, panic, left);
        has_panicked
    }
}

impl<F, T, E> Future for GroupTask<F, E>
where
    F: Future<Output = Result<T, E>>,
{
    /// `None` if it has failed or panicked, which the group knows.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.as_mut().project();
        let future = this.future.as_pin_mut();
        let future = future.expect("a future was polled after its end");
        let listener = &this.group.listener;
        let polled = listener.during(|| this.nest.during(|| catch_panic(|| future.poll(cx))));
        let (value, error, panic) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => (Some(value), None, None),
            Ok(Poll::Ready(Err(error))) => (None, Some(error), None),
            Err(panic) => (None, None, Some(panic)),
        };
        let has_panicked = self.end(error, panic);
        Poll::Ready(value.filter(|_| !has_panicked))
    }
}
