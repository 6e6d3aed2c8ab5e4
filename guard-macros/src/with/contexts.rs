//! The contexts of a use: one, or several that are joined.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Token;
use syn::spanned::Spanned;

use super::parse::Single;

/// The context, or the joined contexts.
pub(super) fn context_of(private: &TokenStream, parts: &[Single]) -> TokenStream {
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
pub(super) fn fail(private: &TokenStream, parts: &[Single], error: &Ident) -> TokenStream {
    let of = |part: &Single| match &part.question {
        // One hygiene for each expression, or rustc would show all of the macro call.
        Some(question) => {
            let site = Span::mixed_site();
            let failed = Ident::new("failed", site.located_at(part.context.span()));
            let question = Token![?](site.located_at(question.span));
            quote! {{
                let #failed = #private::core::result::Result::Err::<
                    #private::core::convert::Infallible,
                    _,
                >(#error);
                match #failed #question {}
            }}
        }
        None => {
            // As an argument it has a span of the user's own, so that is what is shown.
            let failed = Ident::new("__guard_failed", part.context.span());
            quote! {{
                let #failed = #error;
                match #private::CannotFail::never(#failed) {}
            }}
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

/// Gives the resources their names, which may be `_name` for a context that is only to be held.
pub(super) fn bind(parts: &[Single], resource: &Ident) -> TokenStream {
    match parts {
        [Single { pat, ty, .. }] => {
            let ty = ty.as_ref().map(|(colon, ty)| quote!(#colon #ty));
            quote! {
                #[allow(clippy::no_effect_underscore_binding)]
                let #pat #ty = #resource;
            }
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
