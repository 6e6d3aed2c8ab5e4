//! A function, its signature parsed and its body left as it is.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{AttrStyle, Attribute, Signature, Token, Visibility, token};

/// A function of any kind: free, associated, in a trait, with or without a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// The tokens of the body, braces included; `None` for a `;`.
    pub(crate) body: Option<TokenStream>,
}

impl Function {
    /// The first of its attributes that has this name, with any path.
    pub(crate) fn attr(&self, name: &str) -> Option<&Attribute> {
        self.attrs.iter().find(|attr| is_named(attr, name))
    }
}

/// Whether an attribute has this name, with any path.
pub(crate) fn is_named(attr: &Attribute, name: &str) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|last| last.ident == name)
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let defaultness = input.parse()?;
        let ahead = input.fork();
        let sig = input
            .parse()
            .map_err(|error| not_a_function(&ahead, error))?;
        let body = if input.peek(token::Brace) {
            let body = match input.parse()? {
                TokenTree::Group(body) => without_groups(body),
                other => return Err(syn::Error::new(other.span(), "expected a body in braces")),
            };
            Some(take_inner(body, &mut attrs).into_token_stream())
        } else {
            input.parse::<Token![;]>()?;
            None
        };
        Ok(Self {
            attrs,
            vis,
            defaultness,
            sig,
            body,
        })
    }
}

/// The braces of a body, also where it came as a `$body:block`.
fn without_groups(body: Group) -> Group {
    if body.delimiter() != Delimiter::None {
        return body;
    }
    match body.stream().into_iter().next() {
        Some(TokenTree::Group(inner)) => without_groups(inner),
        _ => body,
    }
}

/// Takes the attributes off that stand at the beginning of a body: they are the function's own.
fn take_inner(body: Group, attrs: &mut Vec<Attribute>) -> Group {
    let parse = |input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_inner)?;
        Ok((attrs, input.parse::<TokenStream>()?))
    };
    match parse.parse2(body.stream()) {
        Ok((inner, rest)) if !inner.is_empty() => {
            attrs.extend(inner.into_iter().map(|attr| Attribute {
                style: AttrStyle::Outer,
                ..attr
            }));
            let mut without = Group::new(body.delimiter(), rest);
            without.set_span(body.span());
            without
        }
        _ => body,
    }
}

/// The error for another item where a function belongs.
fn not_a_function(input: ParseStream<'_>, error: syn::Error) -> syn::Error {
    let found = [
        ("a struct", input.peek(Token![struct])),
        ("an enum", input.peek(Token![enum])),
        ("a trait", input.peek(Token![trait])),
        ("an impl block", input.peek(Token![impl])),
        ("a module", input.peek(Token![mod])),
        ("a type alias", input.peek(Token![type])),
        ("a static", input.peek(Token![static])),
        (
            "a constant",
            input.peek(Token![const]) && input.peek2(syn::Ident),
        ),
        ("an import", input.peek(Token![use])),
        ("a statement", input.peek(Token![let])),
    ];
    match found.into_iter().find(|(_, is_found)| *is_found) {
        Some((what, _)) => input.error(format!(
            "this attribute belongs on an `async fn`, not on {what}"
        )),
        None => error,
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attrs,
            vis,
            defaultness,
            sig,
            body,
        } = self;
        tokens.extend(quote!(#(#attrs)* #vis #defaultness #sig));
        match body {
            Some(body) => body.to_tokens(tokens),
            None => <Token![;]>::default().to_tokens(tokens),
        }
    }
}
