//! What the macros write. After a change: `UPDATE_EXPECT=1 cargo test -p guard-macros`, then read the
//! difference.
#![allow(
    clippy::needless_pass_by_value,
    clippy::needless_raw_string_hashes,
    clippy::too_many_lines,
    reason = "tokens are written in place, and the expectations by a tool"
)]

use expect_test::{Expect, expect};
use proc_macro2::TokenStream;
use quote::quote;

fn check(output: &TokenStream, expected: &Expect) {
    let file: syn::File = syn::parse2(output.clone()).expect("the macro writes Rust");
    expected.assert_eq(&prettyplease::unparse(&file));
}

fn context(args: TokenStream, item: TokenStream, expected: &Expect) {
    check(&crate::context::async_context(args, item), expected);
}

fn with(input: TokenStream, expected: &Expect) {
    let block = crate::with::async_with(quote!(guard_core; #input));
    check(&quote!(async fn user() #block), expected);
}

#[test]
fn a_guaranteed_context() {
    context(
        quote!(),
        quote! {
            /// Documentation.
            pub async fn open(path: PathBuf, (a, mut b): (u32, u32)) -> io::Result<File> {
                let mut file = File::open(path).await?;
                match yield_resource!(file) {
                    Outcome::Completed => file.sync_all().await,
                    _ => Ok(()),
                }
            }
        },
        &expect![[r#"
            /// Documentation.
            #[track_caller]
            pub fn open(
                path: PathBuf,
                __guard_argument_1: (u32, u32),
            ) -> impl ::guard_core::AsyncContext<
                Resource = File,
                Error = <io::Result<()> as ::guard_core::__private::Fallible>::Error,
            > + ::guard_core::__private::core::marker::Send + 'static {
                ::guard_core::__private::Owned::owned(&path);
                ::guard_core::__private::Owned::owned(&__guard_argument_1);
                return ::guard_core::__private::guaranteed::<
                    _,
                    <io::Result<()> as ::guard_core::__private::Fallible>::Error,
                    (),
                    _,
                    _,
                >(
                    move |
                        __guard_yielder: ::guard_core::__private::Yielder<
                            File,
                            (),
                            <io::Result<()> as ::guard_core::__private::Fallible>::Error,
                        >|
                    async move {
                        #[allow(clippy::no_effect_underscore_binding)]
                        let path = path;
                        let __guard_argument_1 = __guard_argument_1;
                        let (a, mut b) = __guard_argument_1;
                        #[allow(unused_variables)]
                        let the_one_yield = __guard_yielder.token();
                        #[allow(unused_mut, unused_assignments, unused_variables)]
                        let mut a_yield_or_err_on_every_path;
                        if false {
                            return ::guard_core::__private::Returns::<io::Result<()>>::new().never();
                        }
                        let out: io::Result<()> = {
                            let mut file = File::open(path).await?;
                            match {
                                #[allow(unused_assignments)]
                                {
                                    a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                                }
                                yield_resource!(@ imported);
                                ::guard_core::__private::yield_resource!(
                                    @ lend the_one_yield __guard_yielder; match & mut file { resource
                                    => { if false { ::guard_core::__private::is_lent:: < _, File > (&
                                    resource).__guard_lent(); } let resource : & mut File = resource;
                                    resource } }
                                )
                            } {
                                Outcome::Completed => file.sync_all().await,
                                _ => Ok(()),
                            }
                        };
                        #[allow(unreachable_code)]
                        return ::guard_core::__private::finish(out, a_yield_or_err_on_every_path);
                    },
                    {
                        #[allow(unused_imports)]
                        use ::guard_core::__private::{
                            DescribeDebug as _, DescribeDisplay as _, DescribeError as _,
                        };
                        (&&&::guard_core::__private::Describe::<
                            <io::Result<()> as ::guard_core::__private::Fallible>::Error,
                        >::new())
                            .__guard_printer()
                    },
                );
            }
        "#]],
    );
}

#[test]
fn a_scoped_context_that_cannot_fail() {
    context(
        quote!(scoped, crate = crate::reexport),
        quote! {
            async fn lock(&self, key: &str) {
                self.acquire(key).await;
                yield_resource!();
                if key.is_empty() {
                    return;
                }
                self.release(key).await;
            }
        },
        &expect![[r#"
            #[track_caller]
            fn lock(
                &self,
                key: &str,
            ) -> impl crate::reexport::AsyncContext<
                Resource = (),
                Error = crate::reexport::__private::core::convert::Infallible,
            > {
                return crate::reexport::__private::scoped::<
                    _,
                    crate::reexport::__private::core::convert::Infallible,
                    (),
                    _,
                    _,
                >(
                    move |
                        __guard_yielder: crate::reexport::__private::Yielder<
                            (),
                            (),
                            crate::reexport::__private::core::convert::Infallible,
                        >|
                    async move {
                        let _ = &self;
                        #[allow(clippy::no_effect_underscore_binding)]
                        let key = key;
                        #[allow(unused_variables)]
                        let the_one_yield = __guard_yielder.token();
                        #[allow(unused_mut, unused_assignments, unused_variables)]
                        let mut a_yield_or_err_on_every_path;
                        if false {
                            return crate::reexport::__private::Returns::<()>::new().never();
                        }
                        let out: () = {
                            self.acquire(key).await;
                            {
                                #[allow(unused_assignments)]
                                {
                                    a_yield_or_err_on_every_path = crate::reexport::__private::Yielded;
                                }
                                yield_resource!(@ imported);
                                crate::reexport::__private::yield_resource!(
                                    @ lend the_one_yield __guard_yielder; & mut ()
                                )
                            };
                            if key.is_empty() {
                                return crate::reexport::__private::finish(
                                    (),
                                    a_yield_or_err_on_every_path,
                                );
                            }
                            self.release(key).await;
                        };
                        #[allow(unreachable_code)]
                        return crate::reexport::__private::finish(out, a_yield_or_err_on_every_path);
                    },
                    {
                        #[allow(unused_imports)]
                        use crate::reexport::__private::{
                            DescribeDebug as _, DescribeDisplay as _, DescribeError as _,
                        };
                        (&&&crate::reexport::__private::Describe::<
                            crate::reexport::__private::core::convert::Infallible,
                        >::new())
                            .__guard_printer()
                    },
                );
            }
        "#]],
    );
}

#[test]
fn a_boxed_context_that_stays_on_its_thread() {
    context(
        quote!(local, boxed),
        quote! {
            async fn count<T: 'static>(values: Rc<T>, by: usize) {
                yield_resource!();
            }
        },
        &expect![[r#"
            #[track_caller]
            fn count<T: 'static>(
                values: Rc<T>,
                by: usize,
            ) -> ::guard_core::LocalBoxContext<
                'static,
                (),
                ::guard_core::__private::core::convert::Infallible,
            > {
                ::guard_core::__private::owned_locally(&values);
                ::guard_core::__private::owned_locally(&by);
                return ::guard_core::AsyncContext::<
                    (),
                >::boxed_local(
                    ::guard_core::__private::local::<
                        _,
                        ::guard_core::__private::core::convert::Infallible,
                        (),
                        _,
                        _,
                    >(
                        move |
                            __guard_yielder: ::guard_core::__private::Yielder<
                                (),
                                (),
                                ::guard_core::__private::core::convert::Infallible,
                            >|
                        async move {
                            #[allow(clippy::no_effect_underscore_binding)]
                            let values = values;
                            #[allow(clippy::no_effect_underscore_binding)]
                            let by = by;
                            #[allow(unused_variables)]
                            let the_one_yield = __guard_yielder.token();
                            #[allow(unused_mut, unused_assignments, unused_variables)]
                            let mut a_yield_or_err_on_every_path;
                            if false {
                                return ::guard_core::__private::Returns::<()>::new().never();
                            }
                            let out: () = {
                                {
                                    #[allow(unused_assignments)]
                                    {
                                        a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                                    }
                                    yield_resource!(@ imported);
                                    ::guard_core::__private::yield_resource!(
                                        @ lend the_one_yield __guard_yielder; & mut ()
                                    )
                                };
                            };
                            #[allow(unreachable_code)]
                            return ::guard_core::__private::finish(
                                out,
                                a_yield_or_err_on_every_path,
                            );
                        },
                        {
                            #[allow(unused_imports)]
                            use ::guard_core::__private::{
                                DescribeDebug as _, DescribeDisplay as _, DescribeError as _,
                            };
                            (&&&::guard_core::__private::Describe::<
                                ::guard_core::__private::core::convert::Infallible,
                            >::new())
                                .__guard_printer()
                        },
                    ),
                );
            }
        "#]],
    );
}

#[test]
fn a_context_that_catches() {
    context(
        quote!(catch),
        quote! {
            async fn ignore() -> Result<(), Error> {
                match yield_resource!() {
                    Outcome::Failed(error) if error.is_serious() => Err(error),
                    _ => Ok(()),
                }
            }
        },
        &expect![[r#"
            #[track_caller]
            fn ignore() -> impl ::guard_core::AsyncContext<
                Error,
                Resource = (),
                Error = Error,
            > + ::guard_core::__private::core::marker::Send + 'static {
                return ::guard_core::__private::guaranteed::<
                    _,
                    Error,
                    Error,
                    _,
                    _,
                >(
                    move |__guard_yielder: ::guard_core::__private::Yielder<(), Error, Error>| async move {
                        #[allow(unused_variables)]
                        let the_one_yield = __guard_yielder.token();
                        #[allow(unused_mut, unused_assignments, unused_variables)]
                        let mut a_yield_or_err_on_every_path;
                        if false {
                            return ::guard_core::__private::Returns::<Result<(), Error>>::new()
                                .never();
                        }
                        let out: Result<(), Error> = {
                            match {
                                #[allow(unused_assignments)]
                                {
                                    a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                                }
                                yield_resource!(@ imported);
                                ::guard_core::__private::yield_resource!(
                                    @ lend the_one_yield __guard_yielder catch; & mut ()
                                )
                            } {
                                Outcome::Failed(error) if error.is_serious() => {
                                    #[allow(unused_assignments)]
                                    {
                                        a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                                    }
                                    Err(error)
                                }
                                _ => Ok(()),
                            }
                        };
                        #[allow(unreachable_code)]
                        return ::guard_core::__private::finish(out, a_yield_or_err_on_every_path);
                    },
                    {
                        #[allow(unused_imports)]
                        use ::guard_core::__private::{
                            DescribeDebug as _, DescribeDisplay as _, DescribeError as _,
                        };
                        (&&&::guard_core::__private::Describe::<Error>::new()).__guard_printer()
                    },
                );
            }
        "#]],
    );
}

#[test]
fn a_required_function_of_a_trait() {
    let function = crate::context::async_context(
        quote!(scoped),
        quote!(
            async fn session(&self) -> Result<Session, Error>;
        ),
    );
    check(
        &quote!(trait Store { #function }),
        &expect![[r#"
        trait Store {
            #[track_caller]
            fn session(
                &self,
            ) -> impl ::guard_core::AsyncContext<Resource = Session, Error = Error>;
        }
    "#]],
    );
}

#[test]
fn yields_in_a_use_and_in_another_macro() {
    context(
        quote!(),
        quote! {
            async fn nested(which: bool) -> u32 {
                if which {
                    async_with!(inner = inner(), { yield_resource!(*inner); });
                } else {
                    assert!(yield_resource!(1).is_completed());
                }
            }
        },
        &expect![[r#"
            #[track_caller]
            fn nested(
                which: bool,
            ) -> impl ::guard_core::AsyncContext<
                Resource = u32,
                Error = ::guard_core::__private::core::convert::Infallible,
            > + ::guard_core::__private::core::marker::Send + 'static {
                ::guard_core::__private::Owned::owned(&which);
                return ::guard_core::__private::guaranteed::<
                    _,
                    ::guard_core::__private::core::convert::Infallible,
                    (),
                    _,
                    _,
                >(
                    move |
                        __guard_yielder: ::guard_core::__private::Yielder<
                            u32,
                            (),
                            ::guard_core::__private::core::convert::Infallible,
                        >|
                    async move {
                        #[allow(clippy::no_effect_underscore_binding)]
                        let which = which;
                        #[allow(unused_variables)]
                        let the_one_yield = __guard_yielder.token();
                        #[allow(unused_mut, unused_assignments, unused_variables)]
                        let mut a_yield_or_err_on_every_path;
                        if false {
                            return ::guard_core::__private::Returns::<()>::new().never();
                        }
                        let out: () = 'yield_in_the_context_itself: {
                            if which {
                                {
                                    #[allow(unused_assignments)]
                                    {
                                        a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                                    }
                                    async_with!(
                                        inner = inner(), { #[allow(unused_mut, unused_assignments,
                                        unused_variables)] let mut a_yield_or_err_on_every_path;
                                        match { { #[allow(unused_assignments)] {
                                        a_yield_or_err_on_every_path =
                                        ::guard_core::__private::Yielded; } yield_resource!(@
                                        imported); ::guard_core::__private::yield_resource!(@
                                        ['yield_in_the_context_itself] lend the_one_yield
                                        __guard_yielder; match & mut * inner { resource => { if false
                                        { ::guard_core::__private::is_lent:: < _, u32 > (& resource)
                                        .__guard_lent(); } let resource : & mut u32 = resource;
                                        resource } }) }; } { #[allow(unreachable_code)] out =>
                                        ::guard_core::__private::finish(out,
                                        a_yield_or_err_on_every_path), } }
                                    )
                                };
                            } else {
                                {
                                    #[allow(unused_assignments)]
                                    {
                                        a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                                    }
                                    assert!(
                                        ({ #[allow(unreachable_code,
                                        clippy::diverging_sub_expression, clippy::empty_loop)] if
                                        false { break 'yield_in_the_context_itself loop {} } {
                                        yield_resource!(@ imported);
                                        ::guard_core::__private::yield_resource!(@ lend the_one_yield
                                        __guard_yielder; & mut 1) } }).is_completed()
                                    )
                                };
                            }
                        };
                        #[allow(unreachable_code)]
                        return ::guard_core::__private::finish(out, a_yield_or_err_on_every_path);
                    },
                    {
                        #[allow(unused_imports)]
                        use ::guard_core::__private::{
                            DescribeDebug as _, DescribeDisplay as _, DescribeError as _,
                        };
                        (&&&::guard_core::__private::Describe::<
                            ::guard_core::__private::core::convert::Infallible,
                        >::new())
                            .__guard_printer()
                    },
                );
            }
        "#]],
    );
}

#[test]
fn a_wrong_definition_stays_with_its_errors() {
    context(
        quote!(scope, scoped, scoped),
        quote! {
            fn wrong(text: &str) -> u32 {
                let lend = || yield_resource!(text);
            }
        },
        &expect![[r##"
            #[allow(unused_variables, unused_mut)]
            #[track_caller]
            fn wrong(
                text: &str,
            ) -> impl ::guard_core::AsyncContext<
                Resource = u32,
                Error = ::guard_core::__private::core::convert::Infallible,
            > {
                return ::guard_core::__private::scoped::<
                    _,
                    ::guard_core::__private::core::convert::Infallible,
                    (),
                    _,
                    _,
                >(
                    move |
                        __guard_yielder: ::guard_core::__private::Yielder<
                            u32,
                            (),
                            ::guard_core::__private::core::convert::Infallible,
                        >|
                    async move {
                        #[allow(clippy::no_effect_underscore_binding)]
                        let text = text;
                        #[allow(unused_variables)]
                        let the_one_yield = __guard_yielder.token();
                        #[allow(unused_mut, unused_assignments, unused_variables)]
                        let mut a_yield_or_err_on_every_path = ::guard_core::__private::Yielded;
                        if false {
                            return ::guard_core::__private::Returns::<()>::new().never();
                        }
                        let out: () = {
                            let lend = || yield_resource!(@ misplaced(); text);
                        };
                        #[allow(unreachable_code)]
                        return ::guard_core::__private::finish(out, a_yield_or_err_on_every_path);
                    },
                    {
                        #[allow(unused_imports)]
                        use ::guard_core::__private::{
                            DescribeDebug as _, DescribeDisplay as _, DescribeError as _,
                        };
                        (&&&::guard_core::__private::Describe::<
                            ::guard_core::__private::core::convert::Infallible,
                        >::new())
                            .__guard_printer()
                    },
                );
            }
            ::core::compile_error! {
                "unknown argument `scope`: expected `scoped`, `catch`, `local`, `owned`, `boxed` or `crate = path`"
            }
            ::core::compile_error! {
                "`scoped` is given twice"
            }
            ::core::compile_error! {
                "a context is an `async fn`: write `async` before `fn`"
            }
            ::core::compile_error! {
                "`yield_resource!` inside a closure, which is a function of its own: yield in the body of the context itself"
            }
        "##]],
    );
}

#[test]
fn a_use() {
    with(
        quote!(file = open(path)?, { file.write(b"x").await }),
        &expect![[r#"
            async fn user() {
                #[allow(unused_imports)]
                use guard_core::__private::{
                    ProbeAnything as _, ProbeAwaited as _, ProbeCatches as _, ProbeFallible as _,
                    ProbeFuture as _, ProbeResult as _, ProbeSafe as _, MayHaveFailed as _,
                };
                #[allow(unused_mut)]
                let mut value = guard_core::__private::core::option::Option::None;
                let next = match match (open(path),) {
                    probed => {
                        guard_core::__private::probe(&probed.0).__guard_asked().context(probed.0)
                    }
                } {
                    used => {
                        let used = guard_core::__private::core::pin::pin!(
                            guard_core::__private::DroppedByUse::new(used)
                        );
                        let file = guard_core::__private::Tie::new();
                        let (used, link) = guard_core::__private::tied(used, &file);
                        let block = guard_core::__private::core::pin::pin!(
                            guard_core::__private::DroppedByUse::new(async {
                            #[allow(clippy::needless_return)] if false { return
                            guard_core::__private::Returns:: <
                            guard_core::__private::core::convert::Infallible > ::new().never(); } {
                            match link.resource() { file => match { file.write(b"x"). await } {
                            #[allow(unreachable_code)] out => value =
                            guard_core::__private::core::option::Option::Some(link.leaves_with(out)),
                            } } } #[allow(unreachable_code)] match link.finish(). await {} })
                        );
                        let next = guard_core::__private::in_function(used, block, &link).await;
                        next
                    }
                };
                match next {
                    guard_core::__private::Next::Finished => {}
                    guard_core::__private::Next::Returned(returned) => match returned {}
                    guard_core::__private::Next::Failed(error) => {
                        let around = guard_core::__private::Returns::new();
                        if false {
                            return around.never();
                        }
                        #[allow(unreachable_code, clippy::diverging_sub_expression)]
                        return guard_core::__private::how_failed(&error)
                            .__guard_failed()
                            .failed(error, around);
                    }
                }
                {
                    #[allow(unreachable_code, clippy::diverging_sub_expression)]
                    let out = guard_core::__private::carried(value);
                    out
                }
            }
        "#]],
    );
}

#[test]
fn a_use_that_is_left_in_every_way() {
    with(
        quote! {
            number = number(), {
                if a {
                    return Ok(1);
                }
                if b {
                    return Err(error);
                }
                if c {
                    break 'outer *number;
                }
                loop {
                    continue;
                }
            }
        },
        &expect![[r#"
            async fn user() {
                #[allow(unused_imports)]
                use guard_core::__private::{
                    ProbeAnything as _, ProbeAwaited as _, ProbeCatches as _, ProbeFallible as _,
                    ProbeFuture as _, ProbeResult as _, ProbeSafe as _, MayHaveFailed as _,
                };
                #[allow(unused_mut)]
                let mut value = guard_core::__private::core::option::Option::None;
                let mut jump = 0;
                let mut carried_1 = guard_core::__private::core::option::Option::None;
                let returns = guard_core::__private::Returns::new();
                #[allow(clippy::needless_return)]
                if false {
                    return returns.never();
                }
                let next = match match (number(),) {
                    probed => {
                        guard_core::__private::probe(&probed.0).__guard_unasked().context(probed.0)
                    }
                } {
                    used => {
                        let used = guard_core::__private::core::pin::pin!(
                            guard_core::__private::DroppedByUse::new(used)
                        );
                        let number = guard_core::__private::Tie::new();
                        let (used, link) = guard_core::__private::tied(used, &number);
                        let block = guard_core::__private::core::pin::pin!(
                            guard_core::__private::DroppedByUse::new(async {
                            #[allow(clippy::needless_return)] if false { return returns.never(); }
                            'the_block_itself : { match link.resource() { number => match { if a {
                            return Ok(1); } if b { return Err(error); } if c { { carried_1 =
                            guard_core::__private::core::option::Option::Some(link.leaves_with(*
                            number)); jump = 1; break 'the_block_itself }; } loop { continue; } } {
                            #[allow(unreachable_code)] out => value =
                            guard_core::__private::core::option::Option::Some(link.leaves_with(out)),
                            } } } #[allow(unreachable_code)] match link.finish(). await {} })
                        );
                        let next = guard_core::__private::in_function(used, block, &link).await;
                        next
                    }
                };
                match next {
                    guard_core::__private::Next::Finished => {}
                    guard_core::__private::Next::Returned(returned) => return returned,
                    guard_core::__private::Next::Failed(error) => {
                        #[allow(unreachable_code)]
                        match guard_core::__private::how_failed(&error).unasked(error) {}
                    }
                }
                match jump {
                    1 => break 'outer guard_core::__private::carried(carried_1),
                    _ => {}
                }
                {
                    #[allow(unreachable_code, clippy::diverging_sub_expression)]
                    let out = guard_core::__private::carried(value);
                    out
                }
            }
        "#]],
    );
}

/// The text before `s.`, where an editor's cursor is.
fn before_the_cursor(input: &str) -> String {
    let input: TokenStream = input.parse().expect("tokens");
    let output = crate::with::async_with(quote!(guard_core; #input)).to_string();
    let (before, _) = output.rsplit_once("s .").expect("the cursor");
    before.to_owned()
}

#[test]
fn what_stands_before_the_cursor_does_not_depend_on_whether_the_code_parses() {
    let code = r#"
        let rows: Vec<Vec<u8>> = s.query("x").await?;
        let both = a && b || !c..=d | e;
        for row in &rows { if row == &&1 { continue; } call(|| 1, |x| x)? }
        if both { return Ok(()); }
    "#;
    for (broken, whole) in [
        ("s.", "s.m"),
        ("s.;", "s.m;"),
        ("s.; next()", "s.m; next()"),
    ] {
        let of = |end: &str| before_the_cursor(&format!("s = session(1)?, {{ {code} {end} }}"));
        assert_eq!(of(broken), of(whole), "{broken}");
    }
}
