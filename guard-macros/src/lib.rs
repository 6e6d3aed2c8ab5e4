//! The procedural macros of `guard-core`.
//!
//! An implementation detail: depend on `guard-core`, which re-exports them with their documentation.
//!
//! Each macro goes through the same stages: parse what was written (`function`, `args`, `with::parse`), check
//! it and collect every problem (`diag`), rewrite the code that belongs to it (`rewrite`), and expand.
#![forbid(unsafe_code)]

mod args;
mod context;
mod diag;
mod function;
mod rename_self;
mod rewrite;
mod tails;
#[cfg(test)]
mod tests;
mod tokens;
mod types;
mod with;
mod within;

use proc_macro::TokenStream;

#[allow(missing_docs, reason = "documented where guard-core re-exports it")]
#[proc_macro_attribute]
pub fn async_context(args: TokenStream, item: TokenStream) -> TokenStream {
    context::async_context(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where guard-core re-exports it")]
#[proc_macro]
pub fn async_with(input: TokenStream) -> TokenStream {
    with::async_with(input.into()).into()
}

#[allow(missing_docs, reason = "documented where guard-core re-exports it")]
#[proc_macro_attribute]
pub fn within(args: TokenStream, item: TokenStream) -> TokenStream {
    within::within(args.into(), &item.into()).into()
}
