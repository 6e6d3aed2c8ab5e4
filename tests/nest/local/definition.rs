//! Local contexts that are boxed, that catch, and that own their arguments.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use guard_core::{AsyncContext, LocalBoxContext, Outcome, async_context, drain, yield_resource};
use guard_tests::yield_once;

use super::Place;
use crate::support::{Failed, forever, poll_and_drop};

#[test]
fn a_boxed_local_context_catches() {
    #[async_context(local, catch, boxed)]
    async fn swallows(seen: Rc<Cell<u32>>) -> Result<Rc<()>, Failed> {
        let mut lent = Rc::new(());
        if let Outcome::Failed(Failed) = yield_resource!(lent) {
            seen.set(seen.get() + 1);
        }
        Ok(())
    }

    let seen = Rc::new(Cell::new(0));
    let context: LocalBoxContext<'static, Rc<()>, Failed, Failed> = swallows(seen.clone());
    let result = guard_tests::block_on(context.catch(async |_| Err::<(), _>(Failed)));
    assert_eq!(result, Ok(None));
    assert_eq!(seen.get(), 1);
}

#[test]
fn a_local_context_owns_its_arguments() {
    struct Names(RefCell<Vec<String>>);

    #[derive(Clone)]
    struct Shared(Rc<Names>);

    impl Shared {
        #[async_context(local, owned)]
        async fn named(&self, name: &str) -> usize {
            self.0.0.borrow_mut().push(name.to_owned());
            let mut count = self.0.0.borrow().len();
            yield_resource!(count);
            yield_once().await;
            self.0.0.borrow_mut().retain(|other| other != name);
        }
    }

    let shared = Shared(Rc::new(Names(RefCell::default())));
    let inside = shared.clone();
    Place::Set.run(async move {
        poll_and_drop(inside.named("it").run(async |_| forever().await));
        assert_eq!(*inside.0.0.borrow(), ["it"]);
        drain().await;
        assert!(inside.0.0.borrow().is_empty());
    });
    assert_eq!(Rc::strong_count(&shared.0), 1);
}
