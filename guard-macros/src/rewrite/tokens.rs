//! Looking for things in tokens that are not parsed.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, ExprAsync, ExprClosure};

use super::err_expressions::is_err;
use crate::tokens::{is_punct, is_word};

pub(crate) fn mentions(tokens: &TokenStream, is_wanted: &impl Fn(&str) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(word) => is_wanted(&word.to_string()),
        TokenTree::Group(group) => mentions(&group.stream(), is_wanted),
        _ => false,
    })
}

pub(super) fn find_yield(tokens: &TokenStream) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    tokens
        .iter()
        .enumerate()
        .find_map(|(at, token)| match token {
            TokenTree::Ident(word) if word == "yield_resource" => {
                let is_call = tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'));
                is_call.then(|| word.span())
            }
            TokenTree::Group(group) => find_yield(&group.stream()),
            _ => None,
        })
}

/// The names that are lent by yields.
pub(crate) fn lent_places(tokens: &TokenStream) -> Vec<Ident> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let is_yield = match &tokens[..at] {
            [.., name, bang] => is_word(name, "yield_resource") && is_punct(bang, '!'),
            _ => false,
        };
        if !is_yield {
            places.extend(lent_places(&group.stream()));
            continue;
        }
        let mut given = group.stream().into_iter();
        if let (Some(TokenTree::Ident(place)), next) = (given.next(), given.next()) {
            if next.is_none_or(|next| is_punct(&next, ',')) {
                places.push(place);
            }
        }
    }
    places
}

/// Finds a `return` whose value may be a success.
pub(super) fn find_return(tokens: &TokenStream) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        if let Some((_, length)) = function_ahead(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = after;
        match first {
            TokenTree::Ident(word) if word == "return" => {
                let (value, _) = leading_expression(after);
                if !value.is_empty() && !is_err(&value) {
                    return Some(word.span());
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = find_return(&group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the tokens hold a `?`, a `return`, or a macro.
pub(super) fn may_leave(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match &token {
        TokenTree::Group(group) => may_leave(&group.stream()),
        token => is_punct(token, '?') || is_punct(token, '!') || is_word(token, "return"),
    })
}

/// Puts `prefix` before the arguments of each `yield_resource!`.
pub(super) fn prefix_yields(tokens: TokenStream, prefix: &TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (word, [bang, TokenTree::Group(group), after @ ..])
                if is_word(word, "yield_resource") && is_punct(bang, '!') =>
            {
                let arguments = group.stream();
                let mut replaced = Group::new(group.delimiter(), quote!(#prefix #arguments));
                replaced.set_span(group.span());
                out.extend(quote!(#word #bang #replaced));
                after
            }
            (TokenTree::Group(group), _) => {
                let stream = prefix_yields(group.stream(), prefix);
                let mut replaced = Group::new(group.delimiter(), stream);
                replaced.set_span(group.span());
                out.extend([TokenTree::Group(replaced)]);
                after
            }
            _ => {
                out.extend([first.clone()]);
                after
            }
        };
    }
    out
}

/// The closure or the `async` block with which `tokens` begin: its name for messages, and its number of tokens.
pub(super) fn function_ahead(tokens: &[TokenTree]) -> Option<(&'static str, usize)> {
    let first = tokens.first()?;
    if !is_punct(first, '|') && !is_word(first, "async") && !is_word(first, "move") {
        return None;
    }
    parse_prefix(tokens, |input| {
        Ok(if input.fork().parse::<ExprClosure>().is_ok() {
            input.parse::<ExprClosure>()?;
            "a closure"
        } else {
            input.parse::<ExprAsync>()?;
            "an `async` block"
        })
    })
}

/// The loop or the labelled block with which `tokens` begin, and its number of tokens.
pub(super) fn loop_ahead(tokens: &[TokenTree]) -> Option<(Expr, usize)> {
    let is_loop = match tokens {
        [TokenTree::Ident(word), ..] => word == "loop" || word == "while" || word == "for",
        [quote, TokenTree::Ident(_), colon, ..] => is_punct(quote, '\'') && is_punct(colon, ':'),
        _ => false,
    };
    if !is_loop {
        return None;
    }
    parse_prefix(tokens, Expr::parse_without_eager_brace)
}

/// The expression with which `tokens` begin, and its number of tokens. Without one, nothing.
pub(super) fn leading_expression(tokens: &[TokenTree]) -> (TokenStream, usize) {
    match parse_prefix(tokens, Expr::parse) {
        Some((expression, length)) => (expression.into_token_stream(), length),
        None => (TokenStream::new(), 0),
    }
}

/// Parses what `tokens` begin with. Returns it with its number of tokens.
fn parse_prefix<T>(
    tokens: &[TokenTree],
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> Option<(T, usize)> {
    let with_rest = |input: ParseStream<'_>| Ok((parse(input)?, input.parse::<TokenStream>()?));
    let all: TokenStream = tokens.iter().cloned().collect();
    let (parsed, rest) = with_rest.parse2(all).ok()?;
    Some((parsed, tokens.len() - rest.into_iter().count()))
}
