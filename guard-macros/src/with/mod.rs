//! `async_with!`: contexts around a block.

mod block;
mod contexts;
pub(crate) mod expand;
mod held;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Path, Token};

pub(crate) use parse::{AsyncWith, Form, Use};

/// The input is what the user wrote, after the path of guard-core and a semicolon.
pub(crate) fn async_with(input: TokenStream) -> TokenStream {
    let parse = |input: ParseStream<'_>| {
        let krate = input.call(Path::parse_mod_style)?;
        input.parse::<Token![;]>()?;
        let with: AsyncWith = input.parse()?;
        Ok((krate, with))
    };
    match parse.parse2(input) {
        Ok((krate, with)) => expand::expand(&krate, with),
        Err(error) => {
            let error = error.into_compile_error();
            // An expression of any type, for the sake of what is around it.
            quote!({ #error ::core::unreachable!() })
        }
    }
}
