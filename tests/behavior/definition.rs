//! Every kind of function and of signature that can define a context.
#![allow(
    clippy::multiple_bound_locations,
    clippy::needless_arbitrary_self_type,
    clippy::non_minimal_cfg,
    clippy::too_many_arguments,
    clippy::useless_vec,
    reason = "the tests are about every way of writing them"
)]

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, yield_once};

mod returns {
    use super::*;

    #[async_context]
    async fn fallible(ok: bool) -> Result<String, io::Error> {
        if !ok {
            return Err(io::Error::other("closed"));
        }
        let mut text = String::from("fallible");
        yield_resource!(text);
        Ok(())
    }

    #[test]
    fn a_result_names_the_resource_and_the_error() {
        async fn text(ok: bool) -> Result<String, io::Error> {
            Ok(async_with!(text = fallible(ok)?, { text.clone() }))
        }
        assert_eq!(block_on(text(true)).unwrap(), "fallible");
        assert_eq!(block_on(text(false)).unwrap_err().to_string(), "closed");
    }

    #[async_context]
    async fn plain() -> String {
        let mut text = String::from("plain");
        yield_resource!(text);
    }

    #[test]
    fn any_other_return_type_is_the_resource_of_an_infallible_context() {
        fn cannot_fail(_: &impl AsyncContext<Resource = String, Error = Infallible>) {}
        cannot_fail(&plain());
        assert_eq!(block_on(plain().run(async |text| text.clone())), "plain");
    }

    #[async_context]
    async fn nothing(log: Log) {
        log.push("enter");
        yield_resource!();
        log.push("exit");
    }

    #[async_context]
    async fn unit(log: Log) -> () {
        log.push("enter");
        yield_resource!();
        log.push("exit");
    }

    #[test]
    fn a_context_without_a_return_type_lends_nothing() {
        let log = Log::new();
        block_on(async {
            async_with!(() = nothing(log.clone()), () = unit(log.clone()), {
                log.push("body")
            });
        });
        assert_eq!(log.line(), "enter enter body exit exit");
    }

    #[async_context]
    async fn io_alias() -> io::Result<u32> {
        let mut number = 1;
        yield_resource!(number);
        Ok(())
    }

    type AppResult<T = u32, E = io::Error> = Result<T, E>;

    #[async_context]
    async fn own_alias() -> AppResult<String> {
        let mut text = "own".parse().map_err(io::Error::other)?;
        yield_resource!(text);
        Ok(())
    }

    #[async_context]
    async fn alias_with_error() -> AppResult<String, fmt::Error> {
        let mut text = String::new();
        yield_resource!(text);
        Err(fmt::Error)
    }

    #[async_context]
    async fn alias_without_arguments() -> fmt::Result {
        yield_resource!();
        Ok(())
    }

    #[test]
    fn an_alias_of_result_is_a_result() {
        async fn all() -> Result<u32, io::Error> {
            let number = async_with!(number = io_alias()?, { *number });
            let text = async_with!(text = own_alias()?, { text.clone() });
            assert_eq!(text, "own");
            async_with!(() = alias_without_arguments().map_err(io::Error::other)?, {
            });
            Ok(number)
        }
        assert_eq!(block_on(all()).unwrap(), 1);
        let failed = block_on(alias_with_error().with(async |_| Ok::<_, fmt::Error>(())));
        assert_eq!(failed, Err(fmt::Error));
    }

    #[async_context]
    async fn text() -> str {
        let mut text = String::from("unsized");
        yield_resource!(*text);
    }

    #[async_context]
    async fn bytes() -> io::Result<[u8]> {
        let mut bytes = vec![1, 2, 3];
        yield_resource!(bytes[1..]);
        Ok(())
    }

    #[async_context]
    async fn object() -> Result<dyn fmt::Display + Send, fmt::Error> {
        let mut object = 7;
        yield_resource!(object);
        Ok(())
    }

    #[test]
    fn the_resource_may_be_unsized() {
        async fn all() -> Result<String, Box<dyn std::error::Error>> {
            let upper = async_with!(text = text(), {
                text.make_ascii_uppercase();
                text.to_owned()
            });
            let bytes = async_with!(bytes = bytes()?, { bytes.len() });
            let object = async_with!(object = object()?, { object.to_string() });
            Ok(format!("{upper} {bytes} {object}"))
        }
        assert_eq!(block_on(all()).unwrap(), "UNSIZED 2 7");
    }

    #[async_context]
    async fn hidden() -> impl Iterator<Item = u32> + use<> {
        let mut numbers = 0..3;
        yield_resource!(numbers);
    }

    #[async_context]
    async fn hidden_result() -> Result<impl fmt::Display + use<>, io::Error> {
        let mut number = 3;
        yield_resource!(number);
        Ok(())
    }

    #[test]
    fn the_resource_may_be_an_impl_trait() {
        async fn all() -> Result<(u32, String), io::Error> {
            let sum = async_with!(numbers = hidden(), { numbers.sum() });
            let text = async_with!(number = hidden_result()?, { number.to_string() });
            Ok((sum, text))
        }
        assert_eq!(block_on(all()).unwrap(), (3, "3".to_owned()));
    }

    #[async_context(scoped)]
    async fn borrowed<'a>(text: &'a str) -> Result<&'a str, Infallible> {
        let mut first = text.split(' ').next().unwrap_or_default();
        yield_resource!(first);
        Ok(())
    }

    #[test]
    fn a_resource_can_borrow_from_what_outlives_the_context() {
        let text = String::from("first second");
        let first = block_on(borrowed(&text).with(async |first| Ok::<_, Infallible>(*first)));
        assert_eq!(first, Ok("first"));
    }
}

mod receivers {
    use super::*;

    #[derive(Clone)]
    struct Pool {
        name: String,
    }

    impl Pool {
        fn new() -> Self {
            Self {
                name: "pool".into(),
            }
        }

        #[async_context]
        async fn by_value(self) -> String {
            let mut name = self.name;
            yield_resource!(name);
        }

        #[async_context]
        async fn by_mutable_value(mut self) -> String {
            self.name.push('!');
            yield_resource!(self.name);
        }

        #[async_context(scoped)]
        async fn by_reference(&self) -> usize {
            let mut length = self.name.len();
            yield_resource!(length);
        }

        #[async_context(scoped)]
        async fn by_mutable_reference(&mut self) -> Self {
            yield_resource!(*self);
            self.name.push_str(" returned");
        }

        #[async_context(scoped)]
        async fn by_lifetime<'a>(&'a self, other: &'a str) -> &'a str {
            let mut longer = if self.name.len() > other.len() {
                &self.name
            } else {
                other
            };
            yield_resource!(longer);
        }

        #[async_context]
        async fn by_arc(self: Arc<Self>) -> String {
            let mut name = self.name.clone();
            yield_resource!(name);
        }

        #[async_context(scoped)]
        async fn by_rc(self: Rc<Self>) -> String {
            let mut name = self.name.clone();
            yield_resource!(name);
        }

        #[async_context]
        async fn by_box(self: Box<Self>) -> Pool {
            let mut pool = self;
            yield_resource!(*pool);
        }

        #[async_context(scoped)]
        async fn by_pin(self: Pin<&mut Self>) -> String {
            yield_resource!(self.get_mut().name);
        }

        #[async_context(scoped)]
        async fn by_typed_reference(self: &Self) -> String {
            let mut name = self.name.clone();
            yield_resource!(name);
        }

        #[async_context]
        async fn associated(name: String) -> Self {
            let mut pool = Self { name };
            yield_resource!(pool);
        }
    }

    #[test]
    fn every_receiver_makes_a_context() {
        let mut pool = Pool::new();
        let names = block_on(async {
            let mut names = vec![
                pool.clone().by_value().run(async |name| name.clone()).await,
                pool.clone()
                    .by_mutable_value()
                    .run(async |name| name.clone())
                    .await,
                pool.by_reference()
                    .run(async |length| length.to_string())
                    .await,
                pool.by_lifetime("a longer name")
                    .run(async |name| name.to_string())
                    .await,
                Arc::new(pool.clone())
                    .by_arc()
                    .run(async |name| name.clone())
                    .await,
                Rc::new(pool.clone())
                    .by_rc()
                    .run(async |name| name.clone())
                    .await,
                Box::new(pool.clone())
                    .by_box()
                    .run(async |pool| pool.name.clone())
                    .await,
                Pin::new(&mut pool)
                    .by_pin()
                    .run(async |name| name.clone())
                    .await,
                pool.by_typed_reference()
                    .run(async |name| name.clone())
                    .await,
                Pool::associated("associated".into())
                    .run(async |pool| pool.name.clone())
                    .await,
            ];
            pool.by_mutable_reference()
                .run(async |pool| pool.name.push_str(" lent"))
                .await;
            names.push(pool.name.clone());
            names
        });
        assert_eq!(
            names,
            [
                "pool",
                "pool!",
                "4",
                "a longer name",
                "pool",
                "pool",
                "pool",
                "pool",
                "pool",
                "associated",
                "pool lent returned"
            ]
        );
    }
}

mod traits {
    use super::*;

    trait Store {
        fn name(&self) -> String;

        #[async_context(scoped)]
        async fn required(&self, suffix: &str) -> Result<String, fmt::Error>;

        #[async_context(scoped)]
        async fn provided(&self) -> String {
            let mut name = self.name();
            yield_resource!(name);
        }

        #[async_context]
        async fn owned(self: Arc<Self>) -> Result<String, fmt::Error>
        where
            Self: Send + Sync + 'static,
        {
            let mut name = self.name();
            yield_resource!(name);
            Ok(())
        }

        #[async_context]
        async fn associated() -> u32;
    }

    struct Disk;

    impl Store for Disk {
        fn name(&self) -> String {
            "disk".into()
        }

        #[async_context(scoped)]
        async fn required(&self, suffix: &str) -> Result<String, fmt::Error> {
            let mut name = self.name() + suffix;
            yield_resource!(name);
            Ok(())
        }

        #[async_context]
        async fn associated() -> u32 {
            let mut number = 5;
            yield_resource!(number);
        }
    }

    async fn all<S: Store + Send + Sync + 'static>(store: S) -> Result<String, fmt::Error> {
        let required = async_with!(name = store.required(".txt")?, { name.clone() });
        let provided = async_with!(name = store.provided(), { name.clone() });
        let owned = async_with!(name = Arc::new(store).owned()?, { name.clone() });
        let associated = async_with!(number = S::associated(), { *number });
        Ok(format!("{required} {provided} {owned} {associated}"))
    }

    #[test]
    fn required_and_provided_methods_of_traits_can_be_contexts() {
        assert_eq!(block_on(all(Disk)).unwrap(), "disk.txt disk disk 5");
    }
}

mod signatures {
    use super::*;

    #[async_context]
    async fn generic<T, const N: usize>(values: [T; N]) -> [T; N]
    where
        T: Send + 'static,
    {
        let mut values = values;
        yield_resource!(values);
    }

    #[async_context(scoped)]
    async fn lifetimes<'a, 'b: 'a, T: ?Sized + AsRef<str>>(
        first: &'a T,
        second: &'b str,
        third: &str,
    ) -> (&'a str, usize)
    where
        T: 'a,
    {
        let mut pair = (
            if third.is_empty() {
                first.as_ref()
            } else {
                second
            },
            third.len(),
        );
        yield_resource!(pair);
    }

    #[async_context]
    async fn impl_trait(text: impl Into<String> + Send + 'static) -> Result<String, fmt::Error> {
        let mut text = text.into();
        yield_resource!(text);
        Ok(())
    }

    struct Point {
        x: u32,
        y: u32,
    }

    #[async_context(scoped)]
    async fn patterns(
        (a, mut b): (u32, u32),
        Point { x, y: _ }: Point,
        _: u32,
        mut c: u32,
        &d: &u32,
        ref e: u32,
        [first, ..]: [u32; 3],
        whole @ Point { y, .. }: Point,
    ) -> Vec<u32> {
        b += 1;
        c += 1;
        let mut all = vec![a, b, x, c, d, *e, first, y, whole.x];
        yield_resource!(all);
    }

    #[async_context]
    async fn function_pointer(
        make: fn(&str) -> String,
        call: Box<dyn Fn(&str) -> usize + Send>,
    ) -> String {
        let mut text = make("x");
        text.push_str(&call("four").to_string());
        yield_resource!(text);
    }

    #[async_context]
    async fn static_borrow(text: &'static str) -> &'static str {
        let mut text = text;
        yield_resource!(text);
    }

    #[test]
    fn generics_lifetimes_and_where_clauses_are_kept() {
        block_on(async {
            let sum = generic([1, 2, 3])
                .run(async |values| values.iter().sum::<u32>())
                .await;
            assert_eq!(sum, 6);
            let pair = lifetimes("first", "second", "")
                .run(async |pair| *pair)
                .await;
            assert_eq!(pair, ("first", 0));
            let text = impl_trait("text")
                .with(async |text| Ok::<_, fmt::Error>(text.len()))
                .await;
            assert_eq!(text, Ok(4));
            let text = static_borrow("static").run(async |text| *text).await;
            assert_eq!(text, "static");
        });
    }

    #[test]
    fn arguments_may_be_patterns() {
        let all = patterns(
            (1, 2),
            Point { x: 4, y: 0 },
            0,
            4,
            &6,
            7,
            [8, 0, 0],
            Point { x: 10, y: 9 },
        );
        let all = block_on(all.run(async |all| all.clone()));
        assert_eq!(all, [1, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn the_context_does_not_borrow_the_parameters_of_a_function_pointer() {
        let context = function_pointer(str::to_uppercase, Box::new(str::len));
        assert_eq!(block_on(context.run(async |text| text.clone())), "X4");
    }

    /// This documentation is kept on the function.
    #[async_context]
    #[must_use = "and so are attributes"]
    #[inline]
    pub(crate) async fn attributes() -> u32 {
        let mut number = 1;
        yield_resource!(number);
    }

    #[async_context]
    #[cfg(any())]
    async fn configured() -> Missing {
        yield_resource!();
    }

    #[cfg(all())]
    #[async_context]
    async fn configured() -> u32 {
        let mut number = 2;
        yield_resource!(number);
    }

    #[async_context]
    async fn configured_arguments(
        #[cfg(any())] missing: Missing,
        #[cfg(all())] present: u32,
        #[allow(unused_variables)] unused: u32,
    ) -> u32 {
        let mut number = present;
        #[cfg(any())]
        yield_resource!(missing);
        yield_resource!(number);
    }

    #[async_context]
    async unsafe fn unsafe_function(pointer: SendPointer) -> u32 {
        let mut number = unsafe { *pointer.0 };
        yield_resource!(number);
    }

    struct SendPointer(*const u32);
    // SAFETY: the pointer is valid in every thread, because it points to a constant.
    unsafe impl Send for SendPointer {}

    #[async_context]
    async extern "C" fn foreign_abi(number: u32) -> u32 {
        let mut number = number;
        yield_resource!(number);
    }

    #[test]
    fn attributes_qualifiers_and_cfgs_are_kept() {
        static THREE: u32 = 3;
        block_on(async {
            assert_eq!(attributes().run(async |number| *number).await, 1);
            assert_eq!(configured().run(async |number| *number).await, 2);
            // SAFETY: the pointer is valid, because it points to a static.
            let context = unsafe { unsafe_function(SendPointer(&raw const THREE)) };
            assert_eq!(context.run(async |number| *number).await, 3);
            assert_eq!(
                configured_arguments(4, 0).run(async |number| *number).await,
                4
            );
            assert_eq!(foreign_abi(5).run(async |number| *number).await, 5);
        });
    }

    macro_rules! context {
        ($(#[$attr:meta])* $vis:vis $name:ident($arg:ident: $ty:ty) -> $resource:ty { $start:expr, $end:expr }) => {
            $(#[$attr])*
            #[async_context]
            $vis async fn $name($arg: $ty) -> $resource {
                let mut resource = $start;
                yield_resource!(resource);
                $end
            }
        };
    }
    context! {
        /// A context that a macro defines.
        pub generated(number: u32) -> io::Result<u32> { number * 2, Ok(()) }
    }

    macro_rules! whole {
        ($item:item) => {
            $item
        };
    }
    whole! {
        #[async_context]
        async fn passed_through(number: u32) -> u32 {
            let mut number = number;
            yield_resource!(number);
        }
    }

    #[test]
    fn a_macro_can_define_a_context() {
        block_on(async {
            let number = generated(4)
                .with(async |number| io::Result::Ok(*number))
                .await;
            assert_eq!(number.unwrap(), 8);
            assert_eq!(passed_through(9).run(async |number| *number).await, 9);
        });
    }

    #[test]
    fn a_context_may_be_defined_in_a_function() {
        #[async_context]
        async fn local() -> u32 {
            let mut number = 1;
            yield_resource!(number);
        }
        assert_eq!(block_on(local().run(async |number| *number)), 1);
    }
}

#[async_context]
async fn logged(log: Log) -> Result<u32, fmt::Error> {
    log.push("enter");
    yield_once().await;
    let mut number = 0;
    let outcome = yield_resource!(number);
    yield_once().await;
    log.push(format_args!("exit({number}, {outcome:?})"));
    Ok(())
}

#[test]
fn calling_the_function_runs_nothing() {
    let log = Log::new();
    drop(logged(log.clone()));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn the_context_sees_the_changes_of_the_body_after_its_yield() {
    let log = Log::new();
    let result = block_on(logged(log.clone()).with(async |number| {
        *number = 3;
        Ok::<_, fmt::Error>(())
    }));
    assert_eq!(result, Ok(()));
    assert_eq!(log.line(), "enter exit(3, Completed)");
}

#[test]
fn an_outcome_without_an_error_is_copy() {
    let outcome = Outcome::Failed(());
    let copy = outcome;
    assert_eq!(outcome, copy);
}
