//! Writing the use of a context down.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Lifetime, Macro, Path};

use super::parse::{AsyncWith, Single, Use};
use crate::walk::{Jump, Place, Rewrite, is_err, walk_block};

/// The block of a use, with everything that leaves it rewritten.
struct Body {
    krate: Path,
    names: Names,
    /// Whether the enclosing function's return type matters.
    may_return: bool,
    /// Whether it may return a success, which an exit on the way may turn into a failure.
    may_succeed: bool,
    jumps: Vec<Jump>,
}

/// The locals of the expansion, which the block cannot name.
struct Names {
    value: Ident,
    returns: Ident,
    signal: Ident,
    jump: Ident,
    leave: Lifetime,
}

impl Names {
    fn new() -> Self {
        let site = Span::mixed_site();
        Self {
            value: Ident::new("value", site),
            returns: Ident::new("returns", site),
            signal: Ident::new("signal", site),
            jump: Ident::new("jump", site),
            leave: Lifetime::new("'leave", site),
        }
    }
}

impl Rewrite for Body {
    fn yields(&mut self, call: &Macro, _: Place) -> Option<TokenStream> {
        let signal = &self.names.signal;
        // What `#[async_context]` made of the call says whether it catches.
        let catches = call
            .tokens
            .clone()
            .into_iter()
            .take_while(|token| token.to_string() != ";")
            .any(|token| token.to_string() == "catch");
        let told = Ident::new(
            if catches { "told_to_catch" } else { "told" },
            Span::mixed_site(),
        );
        Some(quote!(#signal.#told(#call)))
    }

    fn returns(&mut self, keyword: Span, value: TokenStream, _: Place) -> Option<TokenStream> {
        self.may_return = true;
        // An error is what a body fails with unless it says otherwise.
        if is_err(&value) {
            return None;
        }
        let krate = &self.krate;
        let Names {
            returns, signal, ..
        } = &self.names;
        let returned = Ident::new("returned", Span::mixed_site());
        let keyword = Ident::new("return", keyword);
        if value.is_empty() {
            return Some(quote!({ #signal.returned(); #keyword }));
        }
        self.may_succeed = true;
        Some(quote! {
            #keyword {
                let #returned = #returns.typed(#value);
                {
                    #[allow(unused_imports)]
                    use #krate::__private::Success as _;
                    if !#krate::__private::Returned(&#returned).is_failure() {
                        #signal.returned();
                    }
                }
                #returned
            }
        })
    }

    fn may_return(&mut self) {
        self.may_return = true;
    }

    fn jumps(&mut self, jump: Jump) -> Option<TokenStream> {
        let Names {
            jump: slot, leave, ..
        } = &self.names;
        let index = self.jumps.len() + 1;
        let number = Literal::usize_unsuffixed(index);
        let keep = jump.value.as_ref().map(|value| {
            let carried = carried(index);
            let krate = &self.krate;
            quote!(#carried = #krate::__private::core::option::Option::Some(#value);)
        });
        let keyword = Ident::new("break", jump.keyword.span());
        self.jumps.push(jump);
        Some(quote!({ #slot = #number; #keep #keyword #leave }))
    }
}

/// The value that a `break` carries out of the block.
fn carried(index: usize) -> Ident {
    format_ident!("carried_{index}", span = Span::mixed_site())
}

/// Input:
///
/// ```text
/// async_with!(file = open(path)? => { file.write(b"x").await?; })
/// ```
///
/// Output:
///
/// ```text
/// {
///     let mut value = None;
///     let returns = Returns::new();
///     if false { return returns.never(); }
///     let left = {
///         let order = Order::new();
///         let mut context = pin!(context(open(path)));
///         match enter(context.as_mut()).await {
///             Err(error) => Left::Failed(error),
///             Ok(()) => {
///                 let signal = Signal::new();
///                 let resource = resource(context.as_mut());
///                 let ended = drive(&order, &signal, async {
///                     if false { return returns.never(); }
///                     { let file = resource; let out = { file.write(b"x").await?; }; value = Some(out); }
///                     match signal.finish().await {}
///                 }).await;
///                 leave(context.as_mut(), ended).await
///             }
///         }
///     };
///     match left {
///         Left::Finished => {}
///         Left::Returned(returned) => return returned,
///         Left::Failed(error) => { let failed = Err::<Infallible, _>(error); match failed? {} }
///     }
///     value.expect("…")
/// }
/// ```
pub(crate) fn expand(krate: &Path, with: AsyncWith) -> TokenStream {
    let (first, rest) = with.split_first();
    let mut block = match rest {
        // Several contexts are nested uses of one.
        Ok(rest) => syn::parse_quote!({ #krate::async_with! { #rest } }),
        Err(block) => block,
    };
    let mut body = Body {
        krate: krate.clone(),
        names: Names::new(),
        may_return: false,
        may_succeed: false,
        jumps: Vec::new(),
    };
    walk_block(&mut block, &mut body);
    expand_use(&first, &quote!(#block), &body)
}

fn expand_use(first: &Use, block: &TokenStream, body: &Body) -> TokenStream {
    let Body {
        krate,
        names,
        may_return,
        may_succeed,
        jumps,
    } = body;
    let Names {
        value,
        returns,
        signal,
        jump,
        leave,
    } = names;
    let site = Span::mixed_site();
    let name = |name| Ident::new(name, site);
    let [order, context, resource, error, ended, left, returned] = [
        "order", "context", "resource", "error", "ended", "left", "returned",
    ]
    .map(name);
    let private = quote!(#krate::__private);
    let core = quote!(#private::core);

    let context_of = context_of(&private, first.parts());
    let fail = fail(&private, first.parts(), &error);
    let bind = bind(first.parts(), &resource);

    let (declare_returns, outer_hint, inner_hint) = if *may_return {
        let hint = quote! {
            #[allow(clippy::needless_return)]
            if false { return #returns.never(); }
        };
        (
            quote!(let #returns = #private::Returns::new();),
            hint.clone(),
            hint,
        )
    } else {
        let hint = quote! {
            if false {
                return #private::Returns::<#core::convert::Infallible>::new().never();
            }
        };
        (TokenStream::new(), TokenStream::new(), hint)
    };
    let returned_arm = if *may_return {
        quote!(#private::Left::Returned(#returned) => return #returned,)
    } else {
        quote!(#private::Left::Returned(#returned) => match #returned {},)
    };

    let look_again = may_succeed.then(|| {
        quote! {
            let #ended = #ended.unless(|#returned| {
                #[allow(unused_imports)]
                use #private::Success as _;
                #private::Returned(#returned).is_failure()
            });
        }
    });

    let out = name("out");
    let run = quote! {{
        #bind
        let #out = #block;
        #[allow(unreachable_code)]
        {
            #value = #core::option::Option::Some(#out);
        }
    }};
    let (declare_jump, run, jump_arms) = if jumps.is_empty() {
        (TokenStream::new(), run, TokenStream::new())
    } else {
        let mut declare = quote!(let mut #jump = 0;);
        let mut arms = TokenStream::new();
        for (index, one) in jumps.iter().enumerate() {
            let index = index + 1;
            let number = Literal::usize_unsuffixed(index);
            let Jump {
                keyword,
                label,
                value,
            } = one;
            let carried = carried(index);
            let carry = value.as_ref().map(|_| {
                declare.extend(quote!(let mut #carried = #core::option::Option::None;));
                quote!(#private::carried(#carried))
            });
            arms.extend(quote!(#number => #keyword #label #carry,));
        }
        (
            declare,
            quote!(#leave: { #run }),
            quote!(match #jump { #arms _ => {} }),
        )
    };

    quote! {{
        #[allow(unused_mut)]
        let mut #value = #core::option::Option::None;
        #declare_jump
        #declare_returns
        #outer_hint
        let #left = {
            let #order = #private::Order::new();
            let mut #context = #core::pin::pin!(#context_of);
            let #left = match #private::enter(#context.as_mut()).await {
                #core::result::Result::Err(#error) => #private::Left::Failed(#error),
                #core::result::Result::Ok(()) => {
                    let #signal = #private::Signal::new();
                    let #resource = #private::resource(#context.as_mut());
                    let #ended = #private::drive(&#order, &#signal, async {
                        #inner_hint
                        #run
                        #[allow(unreachable_code)]
                        match #signal.finish().await {}
                    })
                    .await;
                    #look_again
                    #private::leave(#context.as_mut(), #ended).await
                }
            };
            #left
        };
        match #left {
            #private::Left::Finished => {}
            #returned_arm
            #private::Left::Failed(#error) => #fail,
        }
        #jump_arms
        #private::carried(#value)
    }}
}

/// The context, or the joined contexts.
fn context_of(private: &TokenStream, parts: &[Single]) -> TokenStream {
    let of = |part: &Single| {
        let expr = &part.context;
        let span = Span::mixed_site().located_at(expr.span());
        let context = quote_spanned!(span=> #private::context(#expr));
        match part.question {
            Some(_) => context,
            None => quote_spanned!(span=> {
                #[allow(unused_imports)]
                use #private::ItsErrors as _;
                #private::Unasked(#context).reporting()
            }),
        }
    };
    match parts {
        [part] => of(part),
        [part, rest @ ..] => {
            let (part, rest) = (of(part), context_of(private, rest));
            quote!(#private::join(#part, #rest))
        }
        [] => TokenStream::new(),
    }
}

/// What leaves with a context's error.
fn fail(private: &TokenStream, parts: &[Single], error: &Ident) -> TokenStream {
    let of = |part: &Single| match &part.question {
        Some(question) => quote! {
            match #private::core::result::Result::Err::<#private::core::convert::Infallible, _>(#error)
                #question {}
        },
        None => {
            let span = Span::mixed_site().located_at(part.context.span());
            quote_spanned!(span=> match #private::CannotFail::never(#error) {})
        }
    };
    match parts {
        [part] => of(part),
        [part, rest @ ..] => {
            let (part, rest) = (of(part), fail(private, rest, error));
            quote! {
                match #error {
                    #private::JoinError::First(#error) => #part,
                    #private::JoinError::Second(#error) => #rest,
                }
            }
        }
        [] => TokenStream::new(),
    }
}

/// Gives the resources their names.
fn bind(parts: &[Single], resource: &Ident) -> TokenStream {
    match parts {
        [Single { pat, ty, .. }] => {
            let ty = ty.as_ref().map(|(colon, ty)| quote!(#colon #ty));
            quote!(let #pat #ty = #resource;)
        }
        [first, rest @ ..] => {
            let one = Ident::new("first", Span::mixed_site());
            let bind_first = bind(core::slice::from_ref(first), &one);
            let bind_rest = bind(rest, resource);
            quote! {
                let (#one, #resource) = #resource.lend();
                #bind_first
                #bind_rest
            }
        }
        [] => TokenStream::new(),
    }
}
