//! `async_with!`: contexts around a block.

mod block;
mod contexts;
pub(crate) mod expand;
mod likely_mistakes;
mod parse;
mod tie;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Path, Token};

use likely_mistakes::Near;
pub(crate) use parse::{AsyncWith, ContextClause, check};

pub(crate) use likely_mistakes::read_clauses;

/// The input is what the user wrote, after the path of guard-core and a semicolon.
pub(crate) fn async_with(input: TokenStream) -> TokenStream {
    let parse = |input: ParseStream<'_>| {
        let krate = input.call(Path::parse_mod_style)?;
        input.parse::<Token![;]>()?;
        Ok((krate, input.parse::<TokenStream>()?))
    };
    let (krate, input) = match parse.parse2(input) {
        Ok(input) => input,
        Err(error) => return instead(&error.into_compile_error()),
    };
    match syn::parse2::<AsyncWith>(input.clone()) {
        Ok(with) => expand::expand(&krate, with),
        Err(error) => {
            let Near { error, with } = likely_mistakes::read(input, error);
            let error = error.into_compile_error();
            match with {
                Some(with) => beside(&expand::expand(&krate, with), &error),
                None => instead(&error),
            }
        }
    }
}

/// An expression of any type, so that the code around it compiles. A closure, so that no lint calls what follows it
/// unreachable.
fn instead(error: &TokenStream) -> TokenStream {
    quote!({ #error (|| ::core::unreachable!())() })
}

/// The expansion of code that does not parse, and the error. An editor needs the expansion while the user types. The error
/// comes last, so that the code before the cursor is the same whether the code parses or not.
fn beside(expanded: &TokenStream, error: &TokenStream) -> TokenStream {
    let mut tokens = expanded.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Brace => {
            let inner = group.stream();
            let mut all = Group::new(Delimiter::Brace, quote!(#inner; #error));
            all.set_span(group.span());
            all.into_token_stream()
        }
        _ => quote!({ #expanded; #error }),
    }
}
