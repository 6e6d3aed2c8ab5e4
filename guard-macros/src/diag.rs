//! Collecting problems, so that all of them are told at once.

use proc_macro2::TokenStream;
use syn::Error;

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
        self.0
            .map(|errors| errors.into_compile_error())
            .unwrap_or_default()
    }
}
