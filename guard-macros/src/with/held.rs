//! The local that holds a context while it is used.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::quote;
use syn::{Pat, Token, parse_quote};

use super::parse::{Single, Use};
use crate::diag::{ends, path_at};

/// The local that holds a context while it is used.
///
/// What is lent borrows it, so it is what rustc talks about when a resource leaves the block. It has the
/// resource's own name, and is made where that is written and moved where the block ends:
///
/// ```text
/// error[E0597]: `file` does not live long enough
///  |
///  |     let escaped = async_with!(file = open(path)?, { file });
///  |                               ^^^^ borrowed value does not live long enough
/// ```
///
/// In the block the resource hides it. Two more errors follow, with the same spans: the exit moves what is
/// still borrowed (E0505), and what is pinned is a temporary (E0716). rustc would leave one of them out if
/// all had one span, but then the first line is about a «previous iteration of the loop». Only `unsafe`, in
/// the expansion, or a closure for the block, with its higher-ranked lifetimes, would leave just the first.
pub(super) struct Held {
    pub(super) name: Ident,
    /// Where the resource is named, or where it says `join`.
    span: Span,
}

impl Held {
    pub(super) fn new(held: &Use) -> Self {
        let site = Span::mixed_site();
        let unnamed = |span| Self {
            name: Ident::new("context", site.located_at(span)),
            span,
        };
        match held {
            Use::Join { join, .. } => unnamed(join.span()),
            Use::Single(single) => match &**single {
                // To use a name that begins with `_` would be a lint.
                Single {
                    pat: Pat::Ident(pat),
                    ..
                } if !pat.ident.to_string().starts_with('_') => Self {
                    name: pat.ident.clone(),
                    span: pat.ident.span(),
                },
                Single { pat, .. } => unnamed(ends(pat).0),
            },
        }
    }

    /// The local, mentioned at `span`.
    pub(super) fn at(&self, span: Span) -> Ident {
        let mut name = self.name.clone();
        name.set_span(span.resolved_at(name.span()));
        name
    }

    /// Declares the local.
    pub(super) fn hold(&self, private: &TokenStream, context: &TokenStream) -> TokenStream {
        let name = &self.name;
        let site = Span::mixed_site().located_at(self.span);
        let mutable = Token![mut](name.span());
        let pin = path_at(&parse_quote!(#private::core::pin::pin), site);
        let bang = Token![!](site);
        let mut pinned = Group::new(
            Delimiter::Parenthesis,
            quote!({
                #[allow(unused_imports)]
                use #private::{
                    GivenAnything as _, GivenCatches as _, GivenFallible as _, GivenFuture as _,
                    GivenSafe as _,
                };
                #context
            }),
        );
        pinned.set_span(site);
        quote!(let #mutable #name = #pin #bang #pinned;)
    }
}
