//! The problems in what the user wrote: collected, so that rustc shows all of them at once.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, Path};

/// The problems found so far.
#[derive(Default)]
pub(crate) struct Errors {
    reported: Option<Error>,
    /// About code that does not parse yet, which is expanded as if it did: see [`Errors::push_half_typed`].
    half_typed: Option<Error>,
}

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        add(&mut self.reported, error);
    }

    /// An error that changes nothing else in the expansion, so that an editor finds what it looks for in the
    /// same place, whether the code at the cursor parses or not.
    pub(crate) fn push_half_typed(&mut self, error: Error) {
        add(&mut self.half_typed, error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reported.is_none()
    }

    /// Keeps the error of a fallible step.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The problems as `compile_error!` items.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.reported
            .into_iter()
            .chain(self.half_typed)
            .map(Error::into_compile_error)
            .collect()
    }
}

fn add(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

/// A path, where `span` is: what is wrong about a call by this path is shown there.
///
/// What the path means is not changed.
pub(crate) fn path_at(path: &Path, span: Span) -> TokenStream {
    path.to_token_stream()
        .into_iter()
        .map(|mut token: TokenTree| {
            token.set_span(span.resolved_at(token.span()));
            token
        })
        .collect()
}

/// The first and the last span of some tokens: between them, rustc underlines all.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.to_token_stream().into_iter();
    let first = tokens.next();
    let start = first.as_ref().map_or_else(Span::call_site, TokenTree::span);
    let end = tokens.last().as_ref().map_or(start, TokenTree::span);
    (start, end)
}

/// A type as a user would write it.
pub(crate) fn written(ty: &syn::Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, plain) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
    ] {
        text = text.replace(spaced, plain);
    }
    text
}
