//! The contexts of a use: one, or several that are joined.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::{Expr, Pat};

use super::parse::{Handling, Single};
use crate::diag::ends;

/// The context, or the joined contexts.
pub(super) fn context_of(
    private: &TokenStream,
    parts: &[Single],
    handling: &Handling,
) -> TokenStream {
    let of = |part: &Single| {
        let asked = match (&part.question, handling) {
            (Some(_), Handling::Catch) => "__guard_asked_to_catch",
            (None, Handling::Catch) => "__guard_unasked_to_catch",
            (Some(_), _) => "__guard_asked",
            (None, _) => "__guard_unasked",
        };
        let mut expr = part.context.clone();
        ask_inside(private, &mut expr);
        probed(private, asked, &expr, ends(&part.context))
    };
    match parts {
        [part] => of(part),
        [part, rest @ ..] => {
            let (part, rest) = (of(part), context_of(private, rest, handling));
            quote!(#private::join(#part, #rest))
        }
        [] => TokenStream::new(),
    }
}

/// The value of an expression, once it has been asked what it is.
fn probed(private: &TokenStream, ask: &str, expr: &Expr, shown: (Span, Span)) -> TokenStream {
    // Between these two spans, rustc underlines the whole expression.
    let (start, end) = shown;
    let site = Span::mixed_site();
    let probed = Ident::new("probed", site.located_at(start));
    let mut whole = Literal::usize_unsuffixed(0);
    whole.set_span(site.located_at(end));
    let ask = Ident::new(ask, site);
    let context = Ident::new("context", site.located_at(start));
    quote! {
        match (#expr,) {
            #probed => #private::probe(&#probed.0).#ask().#context(#probed.#whole),
        }
    }
}

/// Has what is awaited in an expression, and what has a `?` before its end, say so if it is a context itself.
fn ask_inside(private: &TokenStream, expr: &mut Expr) {
    let shown = ends(&*expr);
    let (ask, inner) = match expr {
        Expr::Await(waits) => ("__guard_awaited", &mut waits.base),
        Expr::Try(asks) => ("__guard_asked_inside", &mut asks.expr),
        Expr::MethodCall(call) => return ask_inside(private, &mut call.receiver),
        Expr::Paren(paren) => return ask_inside(private, &mut paren.expr),
        _ => return,
    };
    ask_inside(private, inner);
    **inner = Expr::Verbatim(probed(private, ask, inner, shown));
}

/// Code that leaves with the error of a context.
pub(super) fn fail(private: &TokenStream, parts: &[Single], error: &Ident) -> TokenStream {
    let of = |part: &Single| match &part.question {
        // With the span of the `?`, rustc shows there what is wrong about it.
        Some(question) => {
            let at = Span::mixed_site().located_at(question.span);
            let [returns, failed] = ["around", "failed"].map(|name| Ident::new(name, at));
            quote! {{
                let #returns = #private::Returns::new();
                if false {
                    return #returns.never();
                }
                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                return #private::how_failed(&#error).__guard_failed().#failed(#error, #returns);
            }}
        }
        None => {
            // With this span, rustc shows at the context that it can fail.
            let unasked = Ident::new(
                "unasked",
                Span::mixed_site().located_at(ends(&part.context).0),
            );
            quote!({
                // Without this `allow`, older compilers warn about unreachable code.
                #[allow(unreachable_code)]
                match #private::how_failed(&#error).#unasked(#error) {}
            })
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

/// The value of an `attempt(…)` whose context has failed.
pub(super) fn own_error(private: &TokenStream, parts: &[Single], error: &Ident) -> TokenStream {
    match parts {
        [
            Single {
                question: Some(question),
                ..
            },
        ] => {
            // With this span, rustc shows at the `?` what is wrong about the error.
            let from = Ident::new("from", Span::mixed_site().located_at(question.span));
            quote! {
                #private::core::result::Result::Err(
                    #private::how_failed(&#error).__guard_failed().#from(#error)
                )
            }
        }
        parts => fail(private, parts, error),
    }
}

/// Gives the resources their names in `block`.
pub(super) fn bind(parts: &[Single], resource: &TokenStream, block: TokenStream) -> TokenStream {
    match parts {
        // For a `let` rustc would suggest to annotate the name, where `exit_stack::<Error>()` lacks its type.
        [
            Single {
                pat: pat @ Pat::Ident(_),
                ty: None,
                ..
            },
        ] => quote! {
            match #resource { #pat => #block }
        },
        [Single { pat, ty, .. }] => {
            let ty = ty.as_ref().map(|(colon, ty)| quote!(#colon #ty));
            quote!({
                let #pat #ty = #resource;
                #block
            })
        }
        [first, rest @ ..] => {
            let [one, others] =
                ["first", "others"].map(|name| Ident::new(name, Span::mixed_site()));
            let block = bind(rest, &quote!(#others), block);
            let block = bind(core::slice::from_ref(first), &quote!(#one), block);
            quote! {
                match #resource.lend() { (#one, #others) => #block }
            }
        }
        [] => block,
    }
}
