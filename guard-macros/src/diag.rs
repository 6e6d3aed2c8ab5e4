//! Telling problems: all of them at once, and where the user can see them.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, Path};

/// The problems found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Keeps the error of a fallible step.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The problems as `compile_error!` items.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(Error::into_compile_error).unwrap_or_default()
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
